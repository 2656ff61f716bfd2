/* discover/kadtable.c - the routing table: servers by how many leading bits their place shares with
 * ours.
 *
 * A bucket holds k of them, and a few spares that move up when one leaves.  Who was here long and
 * answers stays: a newcomer never pushes out a working contact, so an attacker with many ids
 * gets only what is free.  Contacts of one network are limited per bucket and in all.  A contact
 * that fails is not told to others any more, one that fails twice leaves.
 */
#include "base/cursor.h"
#include "discover/kad_int.h"

#define FAILURES_MAX     2
#define FIRST_REFRESH_NS (KAD_SECOND / 10) /* after the first contact */
#define SAVE_VERSION     1

struct kad_contact *
kad_table_find(const struct guts_kad *k, const struct guts_peerid *id)
{
	struct kad_contact *c;

	HASH_FIND(hh, k->contacts, id, sizeof *id, c);
	return c;
}

/* Is there room for one more contact of this network? */
static bool
has_room(const struct guts_kad *k, const struct kad_bucket *b, const struct kad_contact *but,
	 const struct guts_netgroup *group)
{
	const struct kad_contact *c;
	unsigned in_bucket = 0, in_table = 0;

	if (!guts_netgroup_is_public(group))
		return true;
	DL_FOREACH (b->live, c)
		in_bucket += c != but && guts_netgroup_eq(&c->group, group);
	for (c = k->contacts; c; c = c->hh.next)
		in_table += c != but && !c->is_spare && guts_netgroup_eq(&c->group, group);
	return in_bucket < k->cfg.bucket_group_max && in_table < k->cfg.table_group_max;
}

static void
make_live(struct guts_kad *k, struct kad_bucket *b, struct kad_contact *c)
{
	c->is_spare = false;
	DL_APPEND(b->live, c);
	b->n_live++;
	k->n_live++;
}

static void
unlink_contact(struct guts_kad *k, struct kad_contact *c)
{
	struct kad_bucket *b = &k->buckets[c->bucket];

	if (c->is_spare) {
		DL_DELETE(b->spares, c);
		b->n_spares--;
	} else {
		DL_DELETE(b->live, c);
		b->n_live--;
		k->n_live--;
	}
}

static void
contact_free(struct guts_kad *k, struct kad_contact *c)
{
	unlink_contact(k, c);
	HASH_DEL(k->contacts, c);
	kad_addrs_free(&c->addrs);
	free(c);
}

/* The newest spare that fits takes a free place. */
static void
promote(struct guts_kad *k, struct kad_bucket *b)
{
	struct kad_contact *c, *best = NULL;

	DL_FOREACH (b->spares, c)
		if (has_room(k, b, NULL, &c->group))
			best = c;
	if (!best)
		return;
	unlink_contact(k, best);
	make_live(k, b, best);
}

void
kad_table_remove(struct guts_kad *k, struct kad_contact *c)
{
	struct kad_bucket *b = &k->buckets[c->bucket];
	bool was_live = !c->is_spare;

	contact_free(k, c);
	if (was_live)
		promote(k, b);
}

/* New facts about one that is there. */
static struct kad_contact *
renew(struct guts_kad *k, struct kad_contact *c, const struct kad_addrs *addrs,
      const struct guts_netgroup *group)
{
	struct kad_bucket *b = &k->buckets[c->bucket];

	if (addrs->n)
		kad_addrs_copy(&c->addrs, addrs);
	if (!c->is_spare && !guts_netgroup_eq(group, &c->group) && !has_room(k, b, c, group)) {
		k->stats.contacts_refused++;
		kad_table_remove(k, c);
		return NULL;
	}
	c->group = *group;
	return c;
}

struct kad_contact *
kad_table_add(struct guts_kad *k, const struct guts_peerid *id, const struct kad_addrs *addrs,
	      const struct guts_netgroup *group)
{
	struct kad_contact *c = kad_table_find(k, id);
	struct kad_bucket *b;
	struct kad_place place;
	unsigned bits;

	if (c)
		return renew(k, c, addrs, group);
	kad_place_of(&place, guts_peerid_slice(id));
	bits = kad_shared_bits(&place, &k->place);
	if (bits >= GUTS_KAD_BUCKETS || addrs->n == 0)
		return NULL;
	b = &k->buckets[bits];
	if (!has_room(k, b, NULL, group)) {
		k->stats.contacts_refused++;
		return NULL;
	}
	c = guts_alloc(sizeof *c);
	c->id = *id;
	c->place = place;
	c->bucket = bits;
	c->group = *group;
	kad_addrs_copy(&c->addrs, addrs);
	HASH_ADD(hh, k->contacts, id, sizeof c->id, c);
	if (k->refresh_ns == KAD_NEVER)
		k->refresh_ns = k->now + FIRST_REFRESH_NS;
	if (b->n_live < GUTS_KAD_K) {
		make_live(k, b, c);
		if (k->n_live == 1)
			kad_publish_soon(k, k->now + 2 * FIRST_REFRESH_NS);
		return c;
	}
	c->is_spare = true;
	DL_APPEND(b->spares, c);
	if (++b->n_spares > KAD_SPARES)
		contact_free(k, b->spares);
	return c;
}

void
kad_table_answered(struct guts_kad *k, struct kad_contact *c, uint64_t rtt_ns)
{
	c->seen_ns = k->now;
	if (rtt_ns)
		c->rtt_ns = rtt_ns;
	c->failures = 0;
	c->is_verified = true;
}

void
kad_table_failed(struct guts_kad *k, const struct guts_peerid *id)
{
	struct kad_contact *c = kad_table_find(k, id);

	if (!c)
		return;
	c->is_verified = c->is_checked = false;
	if (++c->failures >= FAILURES_MAX)
		kad_table_remove(k, c);
}

size_t
kad_table_closest(const struct guts_kad *k, const struct kad_place *to, bool all,
		  const struct guts_peerid *but, struct kad_contact **out, size_t max)
{
	struct kad_place best[2 * GUTS_KAD_K], d;
	struct kad_contact *c;
	size_t n = 0, at;

	if (max > 2 * GUTS_KAD_K)
		max = 2 * GUTS_KAD_K;
	for (c = k->contacts; c; c = c->hh.next) {
		if (c->is_spare || (!all && !c->is_verified) ||
		    (but && guts_peerid_eq(&c->id, but)))
			continue;
		kad_distance(&d, &c->place, to);
		if (n == max && (n == 0 || kad_place_cmp(&d, &best[n - 1]) >= 0))
			continue;
		at = n < max ? n++ : n - 1;
		for (; at > 0 && kad_place_cmp(&d, &best[at - 1]) < 0; at--) {
			best[at] = best[at - 1];
			out[at] = out[at - 1];
		}
		best[at] = d;
		out[at] = c;
	}
	return n;
}

/* --- upkeep --- */

/* Has a bucket newcomers that want a place, or was the contact silent for two refreshes? */
static bool
wants_check(const struct guts_kad *k, const struct kad_contact *c)
{
	uint64_t quiet = k->cfg.refresh_ns;

	if (c->is_spare || c->is_checked)
		return false;
	if (k->buckets[c->bucket].n_spares == 0 && c->is_verified)
		quiet *= 2;
	return !c->is_verified || k->now >= c->seen_ns + quiet;
}

void
kad_table_check(struct guts_kad *k)
{
	struct kad_contact *c;

	for (c = k->contacts; c; c = c->hh.next) {
		if (!wants_check(k, c))
			continue;
		c->is_checked = true;
		kad_request_new(k, &c->id, &c->addrs, true);
	}
}

/* A random key (with the form of a multihash) whose place shares `bits` leading bits with ours. */
static struct guts_slice
key_in_bucket(struct guts_kad *k, unsigned bits, uint8_t key[GUTS_KAD_KEY_MAX])
{
	uint8_t chance[GUTS_REPOID_SIZE];
	struct guts_slice s;
	struct kad_place p;

	do {
		guts_rng_bytes(&k->rng, chance, sizeof chance);
		s = guts_kad_provider_key(key, chance);
		kad_place_of(&p, s);
	} while (kad_shared_bits(&p, &k->place) != bits);
	return s;
}

void
kad_table_refresh(struct guts_kad *k, bool all)
{
	struct guts_kad_goal goal = {.kind = GUTS_KAD_FIND_CLOSEST,
				     .key = guts_peerid_slice(&k->self)};
	uint8_t key[GUTS_KAD_KEY_MAX];
	unsigned deepest = 0;

	if (k->n_live == 0)
		return;
	(void)kad_lookup_start(k, &goal, NULL, NULL, NULL);
	if (k->n_live < GUTS_KAD_K)
		return; /* that asks all there are */
	for (unsigned i = 0; i < KAD_REFRESH_BITS; i++)
		if (k->buckets[i].n_live)
			deepest = i;
	for (unsigned i = 0; i <= deepest; i++) {
		if (!all && k->now < k->buckets[i].refreshed_ns + k->cfg.refresh_ns)
			continue;
		goal.key = key_in_bucket(k, i, key);
		if (kad_lookup_start(k, &goal, NULL, NULL, NULL) == 0)
			k->buckets[i].refreshed_ns = k->now;
	}
}

/* --- persistence: version, then be16 length and (u8 length, id, addresses) of each --- */

int
guts_kad_save(const struct guts_kad *k, struct guts_buf *out)
{
	const struct kad_contact *c;

	guts_buf_add_u8(out, SAVE_VERSION);
	for (c = k->contacts; c; c = c->hh.next) {
		if (c->is_spare || !c->is_verified)
			continue;
		guts_buf_add_be16(out, (uint16_t)(1 + c->id.n + c->addrs.n));
		guts_buf_add_u8(out, c->id.n);
		guts_buf_add_slice(out, guts_peerid_slice(&c->id));
		guts_buf_add(out, c->addrs.b, c->addrs.n);
	}
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}

static void
load_one(struct guts_kad *k, struct guts_slice row)
{
	struct kad_addrs addrs = {0};
	struct guts_peerid id;
	struct guts_cursor c;
	struct guts_maddr m;
	struct guts_slice s;
	struct guts_netgroup group = {0};

	guts_cursor_init(&c, row);
	s = guts_cursor_bytes(&c, guts_cursor_u8(&c));
	if (guts_peerid_decode(&id, s) || guts_peerid_eq(&id, &k->self))
		return;
	while (guts_cursor_left(&c) > 0) {
		s = guts_cursor_bytes(&c, guts_cursor_be16(&c));
		if (guts_maddr_decode(&m, s))
			continue;
		kad_addrs_add(k, &addrs, &m, KAD_LOOPBACK); /* the filter let it in before */
		if (!guts_netgroup_is_public(&group))
			group = guts_netgroup_of(&m);
	}
	if (guts_cursor_done(&c))
		(void)kad_table_add(k, &id, &addrs, &group);
	kad_addrs_free(&addrs);
}

void
guts_kad_load(struct guts_kad *k, struct guts_slice saved, uint64_t now)
{
	struct guts_cursor c;

	kad_enter(k, now);
	guts_cursor_init(&c, saved);
	if (guts_cursor_u8(&c) == SAVE_VERSION)
		while (guts_cursor_ok(&c) && guts_cursor_left(&c) > 0)
			load_one(k, guts_cursor_bytes(&c, guts_cursor_be16(&c)));
	kad_leave(k);
}

/* --- looking --- */

static const struct kad_contact *
first_from(const struct guts_kad *k, unsigned bucket)
{
	for (; bucket < GUTS_KAD_BUCKETS; bucket++)
		if (k->buckets[bucket].live)
			return k->buckets[bucket].live;
	return NULL;
}

bool
guts_kad_next_entry(const struct guts_kad *k, const void **it, struct guts_kad_entry *out)
{
	const struct kad_contact *c = *it;

	if (!c)
		c = first_from(k, 0);
	else
		c = c->next ? c->next : first_from(k, c->bucket + 1);
	*it = c;
	if (!c)
		return false;
	*out = (struct guts_kad_entry){.bucket = c->bucket,
				       .is_connected = c->is_connected,
				       .is_verified = c->is_verified,
				       .seen_ns = c->seen_ns,
				       .rtt_ns = c->rtt_ns,
				       .failures = c->failures};
	kad_contact_out(&out->contact, &c->id, &c->addrs);
	return true;
}

void
kad_table_free(struct guts_kad *k)
{
	while (k->contacts)
		contact_free(k, k->contacts);
}
