/* tests/sim/kad_check.c - invariants of one Kademlia object. */
#include "discover/kad_int.h"
#include "kad_net.h"

#include <stdio.h>

#define CHECK(x)                                                                   \
	do {                                                                       \
		if (!(x)) {                                                        \
			fprintf(stderr, "kad_check: line %d: %s\n", __LINE__, #x); \
			abort();                                                   \
		}                                                                  \
	} while (0)

static void
check_table(const struct guts_kad *k)
{
	size_t n = 0, live = 0;
	const struct kad_contact *c, *d;

	for (unsigned i = 0; i < GUTS_KAD_BUCKETS; i++) {
		unsigned n_live = 0, n_spares = 0;

		DL_FOREACH (k->buckets[i].live, c) {
			unsigned same = 0;

			n_live++;
			CHECK(c->bucket == i && !c->is_spare && kad_table_find(k, &c->id) == c);
			CHECK(kad_shared_bits(&c->place, &k->place) == i);
			DL_FOREACH (k->buckets[i].live, d)
				same += guts_netgroup_eq(&d->group, &c->group);
			CHECK(!guts_netgroup_is_public(&c->group) ||
			      same <= k->cfg.bucket_group_max);
		}
		DL_FOREACH (k->buckets[i].spares, c) {
			n_spares++;
			CHECK(c->bucket == i && c->is_spare && kad_table_find(k, &c->id) == c);
		}
		CHECK(n_live == k->buckets[i].n_live && n_live <= GUTS_KAD_K);
		CHECK(n_spares == k->buckets[i].n_spares && n_spares <= KAD_SPARES);
		n += n_live + n_spares;
		live += n_live;
	}
	CHECK(n == HASH_COUNT(k->contacts) && live == k->n_live);
	for (c = k->contacts; c; c = c->hh.next)
		CHECK(c->addrs.n > 0 && c->addrs.n <= KAD_ADDRS_BYTES);
}

static void
check_lookup(const struct guts_kad *k, const struct kad_lookup *l)
{
	const struct kad_request *r;
	size_t asked = 0, on_paths = 0, waiting = 0;

	CHECK(l->n <= GUTS_KAD_CANDIDATES_MAX && l->n_hops <= GUTS_KAD_CANDIDATES_MAX);
	DL_FOREACH2 (l->requests, r, lnext) {
		CHECK(r->lookup == l);
		asked++;
	}
	CHECK(asked == l->n_asked);
	for (unsigned i = 0; i < k->cfg.paths; i++) {
		CHECK(l->path_asked[i] <= k->cfg.alpha / k->cfg.paths);
		on_paths += l->path_asked[i];
	}
	for (size_t i = 0; i < l->n; i++) {
		CHECK(i == 0 || kad_place_cmp(&l->v[i - 1]->distance, &l->v[i]->distance) < 0);
		waiting += l->v[i]->state == KAD_ASKED;
	}
	CHECK(l->is_storing || (waiting == l->n_asked && on_paths == l->n_asked));
}

static void
check_requests(const struct guts_kad *k)
{
	const struct kad_lookup *l;
	const struct kad_request *r;
	uint64_t until = 0;
	size_t n = 0, lookups = 0;

	DL_FOREACH (k->queue, r) {
		CHECK(!r->is_sent);
		n++;
	}
	DL_FOREACH (k->sent, r) {
		CHECK(r->is_sent && r->until_ns >= until);
		until = r->until_ns;
		n++;
	}
	CHECK(n == k->n_requests && n == HASH_COUNT(k->requests));
	until = 0;
	DL_FOREACH (k->lookups, l) {
		CHECK(!l->is_over && l->n_asked > 0 && l->until_ns >= until);
		until = l->until_ns;
		check_lookup(k, l);
		lookups++;
	}
	CHECK(lookups == k->n_lookups && lookups <= k->cfg.lookups_max);
	DL_FOREACH (k->over, l)
		CHECK(l->is_over && !l->requests);
}

static void
check_store(const struct guts_kad *k)
{
	const struct kad_provided *key;
	const struct kad_provider *p;
	const struct kad_holder *h;
	const struct kad_value *v;
	size_t n = 0, bytes = 0, of_holders = 0, values_of_holders = 0;

	for (key = k->provided; key; key = key->hh.next) {
		size_t m = 0;

		DL_FOREACH (key->providers, p) {
			CHECK(p->key == key);
			bytes += sizeof *p + p->addrs.n;
			m++;
		}
		CHECK(m == key->n && m > 0 && m <= k->cfg.providers_per_key_max);
		bytes += sizeof *key;
		n += m;
	}
	CHECK(n == k->n_providers && n <= k->cfg.providers_max && bytes == k->provider_bytes);
	for (h = k->holders; h; h = h->hh.next) {
		CHECK(h->n_providers + h->n_values > 0 &&
		      h->n_providers <= k->cfg.providers_per_peer_max);
		of_holders += h->n_providers;
		values_of_holders += h->n_values;
	}
	CHECK(of_holders == n && values_of_holders == k->n_values &&
	      k->n_values <= k->cfg.values_max);
	n = bytes = 0;
	DL_FOREACH (k->values_old, v) {
		CHECK(v->value_n <= GUTS_KAD_VALUE_MAX &&
		      kad_key_is_value(guts_slice(v->key, v->key_n)));
		bytes += sizeof *v + v->value_n;
		n++;
	}
	CHECK(n == k->n_values && n == HASH_COUNT(k->values) && bytes == k->value_bytes);
}

void
kad_check(const struct guts_kad *k)
{
	CHECK(k->depth == 0);
	check_table(k);
	check_requests(k);
	check_store(k);
}
