/* view/dht.c - the DHT as JSON: table, contacts, lookups with their way. */
#include "view/view.h"

#include "base/text.h"

#define US_NS 1000

static void
put_addresses(struct guts_json *j, const struct guts_kad_contact *c)
{
	char text[GUTS_MADDR_TEXT_MAX];

	guts_json_key(j, "peer");
	guts_view_peerid(j, &c->id);
	guts_json_key(j, "addresses");
	guts_json_array(j);
	for (size_t i = 0; i < c->n_addrs; i++) {
		guts_maddr_text(text, &c->addrs[i]);
		guts_json_str(j, text);
	}
	guts_json_array_end(j);
}

void
guts_view_dht_contact(struct guts_json *j, const struct guts_kad_contact *c)
{
	guts_json_object(j);
	put_addresses(j, c);
	guts_json_object_end(j);
}

static void
put_us_or_null(struct guts_json *j, const char *key, uint64_t ns)
{
	guts_json_key(j, key);
	if (ns)
		guts_json_u64(j, ns / US_NS);
	else
		guts_json_null(j);
}

static void
put_entry(struct guts_json *j, const struct guts_dht_info *i, const struct guts_kad_entry *e)
{
	guts_json_object(j);
	put_addresses(j, &e->contact);
	guts_json_put_bool(j, "connected", e->is_connected);
	guts_json_put_bool(j, "verified", e->is_verified);
	guts_json_put_time_or_null(j, "last_seen", e->seen_ns ? (i->wall_ns - (i->now_ns - e->seen_ns)) / GUTS_MS_NS : 0);
	put_us_or_null(j, "rtt_us", e->rtt_ns);
	guts_json_put_u64(j, "failures", e->failures);
	guts_json_object_end(j);
}

static void
put_buckets(struct guts_json *j, const struct guts_dht_info *i)
{
	size_t k = 0;

	guts_json_key(j, "buckets");
	guts_json_array(j);
	while (k < i->nentries) {
		unsigned bucket = i->entries[k].bucket;

		guts_json_object(j);
		guts_json_put_u64(j, "shared_bits", bucket);
		guts_json_key(j, "entries");
		guts_json_array(j);
		for (; k < i->nentries && i->entries[k].bucket == bucket; k++)
			put_entry(j, i, &i->entries[k]);
		guts_json_array_end(j);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
}

static void
put_counters(struct guts_json *j, const struct guts_kad_stats *s)
{
	uint64_t started = 0, succeeded = 0, served = 0;

	for (unsigned i = 0; i < GUTS_KAD_KINDS; i++) {
		started += s->started[i];
		succeeded += s->succeeded[i];
	}
	for (unsigned i = 0; i <= GUTS_KAD_PING; i++)
		served += s->served[i];
	guts_json_key(j, "counters");
	guts_json_object(j);
	guts_json_put_u64(j, "lookups_started", started);
	guts_json_put_u64(j, "lookups_succeeded", succeeded);
	guts_json_put_u64(j, "requests_sent", s->sent);
	guts_json_put_u64(j, "requests_answered", s->answered);
	guts_json_put_u64(j, "requests_failed", s->failed);
	guts_json_put_u64(j, "requests_timed_out", s->timed_out);
	guts_json_put_u64(j, "requests_served", served);
	guts_json_put_u64(j, "requests_refused", s->refused);
	guts_json_put_u64(j, "addresses_refused", s->addresses_refused);
	guts_json_put_u64(j, "contacts_refused", s->contacts_refused);
	guts_json_object_end(j);
}

void
guts_view_dht(struct guts_json *j, const struct guts_peerid *self, const struct guts_dht_info *i)
{
	static const char *const modes[] = { "auto", "client", "server", "off" };
	const struct guts_kad_stats *s = &i->stats;
	char hex[65];
	uint8_t key[32];

	guts_sha256(key, guts_peerid_slice(self));
	guts_hex_encode(hex, key, sizeof key);
	guts_json_object(j);
	guts_json_put_str(j, "mode", modes[i->mode]);
	guts_json_put_str(j, "role", i->mode == GUTS_DHT_OFF ? "off" : i->is_server ? "server" : "client");
	guts_json_put_str(j, "protocol", i->protocol[0] ? i->protocol : NULL);
	guts_json_put_str(j, "key", hex);
	guts_json_put_u64(j, "size", s->contacts);
	put_buckets(j, i);
	guts_json_put_u64(j, "spares", s->spares);
	guts_json_put_u64(j, "lookups", s->lookups);
	guts_json_put_u64(j, "requests", s->requests);
	guts_json_put_u64(j, "published", s->published);
	guts_json_put_u64(j, "unpublished", s->unpublished);
	guts_json_put_u64(j, "providers", s->providers);
	guts_json_put_u64(j, "provider_keys", s->provider_keys);
	guts_json_put_u64(j, "values", s->values);
	guts_json_put_u64(j, "stored_bytes", s->provider_bytes + s->value_bytes);
	put_counters(j, s);
	guts_json_object_end(j);
}

static void
put_hop(struct guts_json *j, const struct guts_kad_hop *h)
{
	bool waited = h->err != GUTS_EAGAIN;

	guts_json_object(j);
	guts_json_key(j, "peer");
	guts_view_peerid(j, &h->id);
	guts_json_put_u64(j, "path", h->path);
	guts_json_put_u64(j, "shared_bits", h->shared);
	guts_json_put_u64(j, "at_us", h->at_ns / US_NS);
	guts_json_key(j, "took_us");
	if (waited)
		guts_json_u64(j, h->rtt_ns / US_NS);
	else
		guts_json_null(j);
	guts_json_put_str(j, "error", h->err && waited ? guts_err_text(h->err) : NULL);
	guts_json_put_u64(j, "closer", h->closer);
	guts_json_put_u64(j, "providers", h->providers);
	guts_json_object_end(j);
}

static void
put_contacts(struct guts_json *j, const char *key, const struct guts_kad_contact *v, size_t n)
{
	guts_json_key(j, key);
	guts_json_array(j);
	for (size_t i = 0; i < n; i++)
		guts_view_dht_contact(j, &v[i]);
	guts_json_array_end(j);
}

static void
put_record(struct guts_json *j, struct guts_slice value)
{
	char text[4 * ((GUTS_KAD_VALUE_MAX + 2) / 3) + 1];

	if (value.n)
		guts_base64_encode(text, value.p, value.n);
	guts_json_put_str(j, "record", value.n ? text : NULL);
}

void
guts_view_dht_lookup(struct guts_json *j, const char *target, const struct guts_kad_result *r)
{
	guts_json_object(j);
	guts_json_put_str(j, "target", target);
	guts_json_put_str(j, "kind", guts_kad_kind_name(r->kind));
	guts_json_put_bool(j, "found", r->err == GUTS_OK);
	guts_json_put_u64(j, "took_us", r->took_ns / US_NS);
	put_contacts(j, "closest", r->closest, r->n_closest);
	put_contacts(j, "providers", r->providers, r->n_providers);
	put_record(j, r->value);
	guts_json_key(j, "hops");
	guts_json_array(j);
	for (size_t i = 0; i < r->n_hops; i++)
		put_hop(j, &r->hops[i]);
	guts_json_array_end(j);
	guts_json_object_end(j);
}
