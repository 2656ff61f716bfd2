/* discover/kadstore.c - what is kept for others: provider records and values.
 *
 * All of it is bounded: per peer, per key, in number and in bytes.  When the whole is full, the
 * peer that has most loses its oldest record, so that who stores much pays for it, not who stores
 * little. Lists are in order of age and a record that is told again moves to the end, so expiry
 * looks at heads only.
 */
#include "discover/kad_int.h"

static struct kad_holder *
holder_get(struct guts_kad *k, const struct guts_peerid *id)
{
	struct kad_holder *h;

	HASH_FIND(hh, k->holders, id, sizeof *id, h);
	if (h)
		return h;
	h = guts_alloc(sizeof *h);
	h->id = *id;
	HASH_ADD(hh, k->holders, id, sizeof h->id, h);
	return h;
}

static void
holder_put(struct guts_kad *k, struct kad_holder *h)
{
	if (h->n_providers || h->n_values)
		return;
	HASH_DEL(k->holders, h);
	free(h);
}

/* --- provider records ------------------------------------------------------ */

struct kad_provided *
kad_store_provided(const struct guts_kad *k, struct guts_slice key)
{
	struct kad_provided *p;

	HASH_FIND(hh, k->provided, key.p, key.n, p);
	return p;
}

static size_t
provider_bytes(const struct kad_provider *p)
{
	return sizeof *p + p->addrs.n;
}

static void
provider_free(struct guts_kad *k, struct kad_provider *p)
{
	struct kad_provided *key = p->key;
	struct kad_holder *h = p->holder;

	k->provider_bytes -= provider_bytes(p);
	k->n_providers--;
	DL_DELETE(key->providers, p);
	DL_DELETE2(h->providers, p, hprev, hnext);
	DL_DELETE2(k->providers, p, aprev, anext);
	kad_addrs_free(&p->addrs);
	free(p);
	h->n_providers--;
	holder_put(k, h);
	if (--key->n == 0) {
		k->provider_bytes -= sizeof *key;
		HASH_DEL(k->provided, key);
		free(key);
	}
}

static void
make_room_for_provider(struct guts_kad *k)
{
	struct kad_holder *h, *most;

	while (k->n_providers >= k->cfg.providers_max ||
	       k->provider_bytes >= k->cfg.provider_bytes_max) {
		most = k->holders;
		for (h = k->holders; h; h = h->hh.next)
			if (h->n_providers > most->n_providers)
				most = h;
		provider_free(k, most->providers);
	}
}

static struct kad_provider *
provider_new(struct guts_kad *k, struct guts_slice key, struct kad_holder *h)
{
	struct kad_provided *row = kad_store_provided(k, key);
	struct kad_provider *p = guts_alloc(sizeof *p);

	if (!row) {
		row = guts_alloc(sizeof *row);
		memcpy(row->key, key.p, key.n);
		row->key_n = key.n;
		HASH_ADD_KEYPTR(hh, k->provided, row->key, row->key_n, row);
		k->provider_bytes += sizeof *row;
	}
	p->key = row;
	p->holder = h;
	DL_APPEND(row->providers, p);
	DL_APPEND2(h->providers, p, hprev, hnext);
	DL_APPEND2(k->providers, p, aprev, anext);
	row->n++;
	h->n_providers++;
	k->n_providers++;
	k->provider_bytes += provider_bytes(p);
	return p;
}

static struct kad_provider *
provider_find(const struct kad_provided *row, const struct guts_peerid *id)
{
	struct kad_provider *p;

	if (row)
		DL_FOREACH (row->providers, p)
			if (guts_peerid_eq(&p->holder->id, id))
				return p;
	return NULL;
}

int
kad_store_provider(struct guts_kad *k, struct guts_slice key, const struct guts_peerid *id,
		   const struct kad_addrs *addrs)
{
	const struct kad_provided *row = kad_store_provided(k, key);
	struct kad_provider *p = provider_find(row, id);
	struct kad_holder *h;

	if (!p) {
		if (row && row->n >= k->cfg.providers_per_key_max)
			return GUTS_EBUSY;
		HASH_FIND(hh, k->holders, id, sizeof *id, h);
		if (h && h->n_providers >= k->cfg.providers_per_peer_max)
			return GUTS_EBUSY;
		make_room_for_provider(k);
		p = provider_new(k, key, holder_get(k, id));
	} else {
		DL_DELETE(p->key->providers, p);
		DL_APPEND(p->key->providers, p);
		DL_DELETE2(p->holder->providers, p, hprev, hnext);
		DL_APPEND2(p->holder->providers, p, hprev, hnext);
		DL_DELETE2(k->providers, p, aprev, anext);
		DL_APPEND2(k->providers, p, aprev, anext);
	}
	p->added_ns = k->now;
	k->provider_bytes -= p->addrs.n;
	kad_addrs_copy(&p->addrs, addrs);
	k->provider_bytes += p->addrs.n;
	return GUTS_OK;
}

size_t
guts_kad_providers(const struct guts_kad *k, struct guts_slice key, struct guts_kad_contact *out,
		   size_t max, uint64_t now)
{
	static const struct kad_addrs none;
	const struct kad_provided *row = kad_store_provided(k, key);
	const struct kad_provider *p;
	size_t n = 0;

	if (!row)
		return 0;
	DL_FOREACH (row->providers, p) {
		const struct kad_peer *peer = kad_peer_find(k, &p->holder->id);

		if (n == max)
			break;
		if (now >= p->added_ns + k->cfg.provider_ttl_ns)
			continue;
		kad_contact_out(&out[n++], &p->holder->id,
				peer && peer->addrs.n                       ? &peer->addrs
				: now < p->added_ns + k->cfg.address_ttl_ns ? &p->addrs
									    : &none);
	}
	return n;
}

/* --- values ---------------------------------------------------------------- */

static struct kad_value *
value_find(const struct guts_kad *k, struct guts_slice key)
{
	struct kad_value *v;

	HASH_FIND(hh, k->values, key.p, key.n, v);
	return v;
}

const struct kad_value *
kad_store_get(const struct guts_kad *k, struct guts_slice key)
{
	const struct kad_value *v = value_find(k, key);

	return v && k->now < v->added_ns + k->cfg.value_ttl_ns ? v : NULL;
}

static void
value_free(struct guts_kad *k, struct kad_value *v)
{
	k->value_bytes -= sizeof *v + v->value_n;
	k->n_values--;
	HASH_DEL(k->values, v);
	DL_DELETE(k->values_old, v);
	v->holder->n_values--;
	holder_put(k, v->holder);
	free(v->value);
	free(v);
}

static void
make_room_for_value(struct guts_kad *k)
{
	struct kad_holder *h, *most;
	struct kad_value *v;

	while (k->n_values >= k->cfg.values_max || k->value_bytes >= k->cfg.value_bytes_max) {
		most = k->holders;
		for (h = k->holders; h; h = h->hh.next)
			if (h->n_values > most->n_values)
				most = h;
		for (v = k->values_old; v->holder != most; v = v->next)
			;
		value_free(k, v);
	}
}

static void
value_new(struct guts_kad *k, struct guts_slice key, struct guts_slice value, uint64_t rank,
	  const struct guts_peerid *from)
{
	struct kad_value *v = guts_alloc(sizeof *v);

	memcpy(v->key, key.p, key.n);
	v->key_n = key.n;
	v->value = guts_memdup(value.p, value.n);
	v->value_n = value.n;
	v->rank = rank;
	v->added_ns = k->now;
	v->added_wall_ns = k->wall_ns;
	v->holder = holder_get(k, from);
	v->holder->n_values++;
	HASH_ADD_KEYPTR(hh, k->values, v->key, v->key_n, v);
	DL_APPEND(k->values_old, v);
	k->n_values++;
	k->value_bytes += sizeof *v + v->value_n;
}

int
kad_store_value(struct guts_kad *k, struct guts_slice key, struct guts_slice value,
		const struct guts_peerid *from)
{
	struct kad_value *v;
	struct kad_holder *h;
	uint64_t rank;
	int err;

	if (!kad_key_is_value(key))
		return GUTS_EUNSUPPORTED;
	v = value_find(k, key);
	if (v && guts_slice_eq(value, guts_slice(v->value, v->value_n))) { /* told again */
		v->added_ns = k->now;
		v->added_wall_ns = k->wall_ns;
		DL_DELETE(k->values_old, v);
		DL_APPEND(k->values_old, v);
		return GUTS_OK;
	}
	err = guts_kad_value_check(key, value, k->wall_ns, &rank);
	if (err)
		return err;
	if (v && rank <= v->rank)
		return GUTS_ESTALE;
	HASH_FIND(hh, k->holders, from, sizeof *from, h);
	if (h && h->n_values >= k->cfg.values_per_peer_max)
		return GUTS_EBUSY;
	if (v)
		value_free(k, v);
	make_room_for_value(k);
	value_new(k, key, value, rank, from);
	return GUTS_OK;
}

/* --- age ------------------------------------------------------------------- */

void
kad_store_expire(struct guts_kad *k)
{
	while (k->providers && k->now >= k->providers->added_ns + k->cfg.provider_ttl_ns)
		provider_free(k, k->providers);
	while (k->values_old && k->now >= k->values_old->added_ns + k->cfg.value_ttl_ns)
		value_free(k, k->values_old);
}

void
kad_store_free(struct guts_kad *k)
{
	while (k->providers)
		provider_free(k, k->providers);
	while (k->values_old)
		value_free(k, k->values_old);
}
