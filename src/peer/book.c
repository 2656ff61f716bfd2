/* peer/book.c - the address book: one hash of peers in order of adding, two tables of slots, written through.
 *
 * What keeps it honest:
 *   - a peer is in `new` until we reached it, then in `tried`; its slot follows from netgroups and
 *     a secret (booktable.c), so one network fills its share and no more, and cannot aim;
 *   - a slot's holder stays.  It gives way if it fails or was not heard of for a month, and hearsay
 *     gives way to what the peer said itself.  In `tried` the holder is tested first: a feeler dials it;
 *   - one peer tells of at most GUTS_BOOK_SHARE_MAX others;
 *   - of a peer's addresses the one that worked comes first, its own word before hearsay, and
 *     hearsay never pushes out anything but hearsay that failed;
 *   - who fails again and again while others are reached is dropped.
 * Each change writes the peer's row; rows that were only heard of are worth it too: they are what
 * a restart can fall back on when the bootstrap list fails.
 */
#include "peer/book_int.h"

#include "base/alloc.h"
#include "base/err.h"
#include "loop/env.h"

#include <stdlib.h>

#define HOUR_NS (3600 * GUTS_SECOND_NS)
#define FRESH_NS HOUR_NS                /* an address heard again sooner is no news */
#define STALE_NS (30 * 24 * HOUR_NS)    /* a peer not heard of for so long gives way */
#define GONE_NS (7 * 24 * HOUR_NS)      /* a peer that worked is not dropped sooner */
#define FAILS_GIVE_WAY 3
#define FAILS_DROP_NEW 8                /* in a row; with the dialer's back-off about a quarter of an hour */
#define FAILS_DROP_TRIED 16

static const char *const via_names[GUTS_BOOK_VIA_COUNT] = {
	[GUTS_BOOK_CONFIGURED] = "configured", [GUTS_BOOK_SIGNED] = "signed", [GUTS_BOOK_IDENTIFY] = "identify",
	[GUTS_BOOK_MDNS] = "mdns", [GUTS_BOOK_INBOUND] = "inbound", [GUTS_BOOK_EXCHANGE] = "exchange",
	[GUTS_BOOK_DHT] = "dht",
};

static const struct guts_book_source by_hand = { .via = GUTS_BOOK_CONFIGURED };

const char *
guts_book_via_name(enum guts_book_via via)
{
	return via_names[via];
}

int
guts_book_via_parse(struct guts_slice name)
{
	for (int i = 0; i < GUTS_BOOK_VIA_COUNT; i++)
		if (guts_slice_eq(name, guts_slice_str(via_names[i])))
			return i;
	return -1;
}

static bool
is_hearsay(enum guts_book_via via)
{
	return via >= GUTS_BOOK_EXCHANGE;
}

/* --- rows --- */

static struct book_row *
find(const struct guts_book *b, const struct guts_peerid *id)
{
	struct book_row *r = NULL;

	HASH_FIND(hh, b->rows, id, sizeof(*id), r);
	return r;
}

static unsigned
share_of(const struct guts_book *b, const struct guts_peerid *teller)
{
	struct book_teller *t = NULL;

	HASH_FIND(hh, b->tellers, teller, sizeof(*teller), t);
	return t ? t->n : 0;
}

static void
count_teller(struct guts_book *b, const struct guts_peerid *id, int by)
{
	struct book_teller *t = NULL;

	if (id->n == 0)
		return;
	HASH_FIND(hh, b->tellers, id, sizeof(*id), t);
	if (!t) {
		t = guts_alloc(sizeof(*t));
		t->id = *id;
		HASH_ADD(hh, b->tellers, id, sizeof(t->id), t);
	}
	t->n = (unsigned)((int)t->n + by);
	if (t->n == 0) {
		HASH_DEL(b->tellers, t);
		free(t);
	}
}

static void
save(struct guts_book *b, const struct book_row *r, bool gone)
{
	struct guts_buf key, value;

	if (!b->store.save)
		return;
	guts_buf_init(&key, 64);
	guts_buf_init(&value, 4096);
	guts_buf_add_str(&key, BOOK_KEY_PREFIX);
	guts_buf_add_slice(&key, guts_peerid_slice(&r->id));
	if (!gone)
		bookrow_encode(r, &value);
	b->store.save(b->store.owner, guts_buf_slice(&key), guts_buf_slice(&value));
	guts_buf_deinit(&key);
	guts_buf_deinit(&value);
}

static void
drop(struct guts_book *b, struct book_row *r)
{
	save(b, r, true);
	count_teller(b, &r->source.teller, -1);
	booktable_take(b, r);
	HASH_DEL(b->rows, r);
	free(r->packed);
	free(r);
}

/* --- places --- */

/* May `r` have the place of `holder` in `new`? */
static bool
yields(const struct book_row *holder, const struct book_row *r, uint64_t wall)
{
	if (holder->source.via == GUTS_BOOK_CONFIGURED)
		return false;
	return holder->failures >= FAILS_GIVE_WAY || holder->seen_wall_ns + STALE_NS < wall
	    || (is_hearsay(holder->source.via) && !is_hearsay(r->source.via));
}

/* A free place in `new` for a row that has none; a holder that yields is dropped.  Our own entries find one anywhere
 * in their bucket. */
static bool
find_place(struct guts_book *b, const struct book_row *r, uint64_t wall, uint16_t *slot)
{
	uint16_t first = booktable_slot(b, r, false), bucket = (uint16_t)(first / GUTS_BOOK_SLOTS * GUTS_BOOK_SLOTS);
	unsigned tries = r->source.teller.n == 0 ? GUTS_BOOK_SLOTS : 1;

	for (unsigned i = 0; i < tries; i++) {
		struct book_row *holder;

		*slot = (uint16_t)(bucket + (first - bucket + i) % GUTS_BOOK_SLOTS);
		holder = *booktable_at(b, false, *slot);
		if (holder && !yields(holder, r, wall))
			continue;
		if (holder)
			drop(b, holder);
		return true;
	}
	return false;
}

/* From `tried` back to `new`, whoever is there. */
static void
demote(struct guts_book *b, struct book_row *r)
{
	uint16_t slot = booktable_slot(b, r, false);
	struct book_row *holder = *booktable_at(b, false, slot);

	if (holder)
		drop(b, holder);
	booktable_take(b, r);
	booktable_put(b, r, false, slot);
	save(b, r, false);
}

/* To the place in `tried` of the address that worked, if its holder gives way. */
static void
promote(struct guts_book *b, struct book_row *r, const struct guts_maddr *at, uint64_t wall)
{
	struct guts_netgroup before = r->group, group = guts_netgroup_of(at);
	struct book_row *holder;
	uint16_t slot;

	if (r->is_tried && guts_netgroup_eq(&group, &before))
		return;
	r->group = group;
	slot = booktable_slot(b, r, true);
	holder = *booktable_at(b, true, slot);
	if (holder && (holder == r || (holder->failures < FAILS_GIVE_WAY && holder->worked_wall_ns + STALE_NS >= wall))) {
		holder->is_contested = holder != r;
		if (holder != r)
			r->group = before;
		return;
	}
	booktable_take(b, r);
	if (holder)
		demote(b, holder);
	booktable_put(b, r, true, slot);
}

/* --- addresses --- */

static size_t
index_of(const struct guts_book_entry *e, const struct guts_maddr *m)
{
	size_t i = 0;

	while (i < e->n_addrs && !guts_maddr_eq(&e->addrs[i].at, m))
		i++;
	return i;
}

static void
move_addr(struct guts_book_entry *e, size_t from, size_t to)
{
	struct guts_book_addr a = e->addrs[from];

	if (from < to)
		memmove(&e->addrs[from], &e->addrs[from + 1], (to - from) * sizeof(a));
	else
		memmove(&e->addrs[to + 1], &e->addrs[to], (from - to) * sizeof(a));
	e->addrs[to] = a;
}

/* The address that makes room for one that came by `via`; n_addrs = none does. */
static size_t
victim(const struct guts_book_entry *e, enum guts_book_via via)
{
	size_t worst = e->n_addrs;

	for (size_t i = e->is_tried; i < e->n_addrs; i++) {
		const struct guts_book_addr *a = &e->addrs[i], *w = &e->addrs[worst];

		if (is_hearsay(via) ? !is_hearsay(a->via) || a->failures == 0 : a->via == GUTS_BOOK_CONFIGURED && a->failures == 0)
			continue;
		if (worst == e->n_addrs || a->failures > w->failures || (a->failures == w->failures && a->via > w->via)
		    || (a->failures == w->failures && a->via == w->via && a->heard_wall_ns < w->heard_wall_ns))
			worst = i;
	}
	return worst;
}

/* Add an address that the entry lacks, behind those that are better.  Errors: GUTS_ELIMIT. */
static int
insert_addr(struct guts_book_entry *e, const struct guts_maddr *m, enum guts_book_via via, uint64_t wall)
{
	size_t hearsay = 0, to = e->is_tried;

	for (size_t i = 0; i < e->n_addrs; i++)
		hearsay += is_hearsay(e->addrs[i].via);
	if (e->n_addrs == GUTS_BOOK_ADDRS_MAX || (is_hearsay(via) && hearsay >= GUTS_BOOK_HEARSAY_MAX)) {
		size_t v = victim(e, via);

		if (v == e->n_addrs)
			return GUTS_ELIMIT;
		move_addr(e, v, e->n_addrs - 1);
		e->n_addrs--;
	}
	e->addrs[e->n_addrs++] = (struct guts_book_addr){ .at = *m, .via = via, .heard_wall_ns = wall };
	while (to + 1 < e->n_addrs && e->addrs[to].via <= via && e->addrs[to].failures == 0)
		to++;
	move_addr(e, e->n_addrs - 1, to);
	return 0;
}

/* --- being told --- */

/* A better source for the entry as a whole: it moves to that source's bucket, if there is room. */
static void
improve(struct guts_book *b, struct book_row *r, const struct guts_book_source *source, uint64_t wall)
{
	struct guts_book_source before = r->source;
	uint16_t slot = r->slot;

	if (source->via >= r->source.via || (source->teller.n && share_of(b, &source->teller) >= GUTS_BOOK_SHARE_MAX))
		return;
	r->source = *source;
	if (!r->is_tried) {
		booktable_take(b, r);
		if (!find_place(b, r, wall, &slot)) {
			r->source = before;
			slot = r->slot;
		}
		booktable_put(b, r, false, slot);
	}
	count_teller(b, &r->source.teller, 1);
	count_teller(b, &before.teller, -1);
}

static int
told_again(struct guts_book *b, struct book_row *r, const struct guts_maddr *m, const struct guts_book_source *source,
    uint64_t wall)
{
	struct guts_book_entry *e = &b->shown;
	struct guts_book_addr *a;
	size_t i;
	int err;

	improve(b, r, source, wall);
	bookrow_show(r, e);
	i = index_of(e, m);
	a = &e->addrs[i];
	if (i == e->n_addrs) {
		err = insert_addr(e, m, source->via, wall);
		if (err)
			return err;
	} else if (a->via <= source->via && a->heard_wall_ns + FRESH_NS > wall) {
		return 0; /* nothing worth writing */
	} else {
		if (source->via < a->via)
			a->via = source->via;
		a->heard_wall_ns = wall;
	}
	bookrow_pack(r, e->addrs, e->n_addrs);
	r->seen_wall_ns = wall;
	save(b, r, false);
	return 0;
}

static int
told_first(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *m,
    const struct guts_book_source *source, uint64_t wall)
{
	struct guts_book_addr first = { .at = *m, .via = source->via, .heard_wall_ns = wall };
	struct book_row *r;
	uint16_t slot;

	if (source->teller.n && share_of(b, &source->teller) >= GUTS_BOOK_SHARE_MAX)
		return GUTS_ELIMIT;
	r = guts_alloc(sizeof(*r));
	r->id = *id;
	r->source = *source;
	r->group = guts_netgroup_of(m);
	if (!find_place(b, r, wall, &slot)) {
		free(r);
		return GUTS_ELIMIT;
	}
	r->cursor = ++b->next_cursor;
	r->seen_wall_ns = wall;
	bookrow_pack(r, &first, 1);
	booktable_put(b, r, false, slot);
	HASH_ADD(hh, b->rows, id, sizeof(r->id), r);
	count_teller(b, &r->source.teller, 1);
	save(b, r, false);
	return 0;
}

int
guts_book_add(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr,
    const struct guts_book_source *source, uint64_t wall_ns)
{
	struct guts_maddr m = *addr;
	struct book_row *r = find(b, id);

	guts_maddr_strip_peer(&m);
	if (!bookrow_takes(&m))
		return GUTS_EUNSUPPORTED;
	return r ? told_again(b, r, &m, source, wall_ns) : told_first(b, id, &m, source, wall_ns);
}

/* --- trying --- */

void
guts_book_worked(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, uint64_t wall_ns)
{
	struct guts_book_entry *e = &b->shown;
	struct guts_maddr m = *addr;
	struct book_row *r = find(b, id);
	size_t i;

	guts_maddr_strip_peer(&m);
	if (!r) {
		if (guts_book_add(b, id, &m, &by_hand, wall_ns) != 0)
			return;
		r = find(b, id);
	}
	bookrow_show(r, e);
	e->is_tried = false; /* another address may come first */
	i = index_of(e, &m);
	if (i == e->n_addrs) { /* what a name stands for */
		if (insert_addr(e, &m, GUTS_BOOK_IDENTIFY, wall_ns) != 0)
			return;
		i = index_of(e, &m);
	}
	move_addr(e, i, 0);
	e->addrs[0].failures = 0;
	bookrow_pack(r, e->addrs, e->n_addrs);
	r->seen_wall_ns = r->worked_wall_ns = wall_ns;
	r->failures = 0;
	r->is_contested = false;
	promote(b, r, &m, wall_ns);
	save(b, r, false);
}

static bool
is_lost(const struct book_row *r, uint64_t wall)
{
	if (r->source.via == GUTS_BOOK_CONFIGURED)
		return false;
	return r->worked_wall_ns == 0 ? r->failures >= FAILS_DROP_NEW :
	    r->failures >= FAILS_DROP_TRIED && r->worked_wall_ns + GONE_NS < wall;
}

void
guts_book_failed(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, bool online,
    uint64_t wall_ns)
{
	struct guts_book_entry *e = &b->shown;
	struct book_row *r = find(b, id);
	struct guts_maddr m = *addr;
	size_t i;

	if (!r)
		return;
	guts_maddr_strip_peer(&m);
	bookrow_show(r, e);
	i = index_of(e, &m);
	if (i < e->n_addrs) {
		e->addrs[i].failures += online;
		move_addr(e, i, e->n_addrs - 1);
		bookrow_pack(r, e->addrs, e->n_addrs);
	}
	/* Without a network everybody fails, once. */
	if (online || r->failures == 0)
		r->failures++;
	r->tried_wall_ns = wall_ns;
	if (is_lost(r, wall_ns)) {
		drop(b, r);
		return;
	}
	if (r->is_tried && r->is_contested && online)
		demote(b, r);
	save(b, r, false);
}

void
guts_book_forget(struct guts_book *b, const struct guts_peerid *id)
{
	struct book_row *r = find(b, id);

	if (r)
		drop(b, r);
}

/* --- looking --- */

const struct guts_book_entry *
guts_book_find(struct guts_book *b, const struct guts_peerid *id)
{
	struct book_row *r = find(b, id);

	if (!r)
		return NULL;
	bookrow_show(r, &b->shown);
	return &b->shown;
}

size_t
guts_book_count(const struct guts_book *b)
{
	return HASH_COUNT(b->rows);
}

size_t
guts_book_count_tried(const struct guts_book *b)
{
	return b->n_tried;
}

const struct guts_book_entry *
guts_book_next(struct guts_book *b, const void **it)
{
	const struct book_row *r = *it ? ((const struct book_row *)*it)->hh.next : b->rows;

	*it = r;
	if (!r)
		return NULL;
	bookrow_show(r, &b->shown);
	return &b->shown;
}

/* --- life --- */

static void
load_one(void *arg, struct guts_slice key, struct guts_slice value)
{
	const size_t prefix = strlen(BOOK_KEY_PREFIX);
	struct guts_book *b = arg;
	struct book_row row = { 0 }, *r;
	uint16_t slot;
	bool tried;

	if (key.n <= prefix || guts_peerid_decode(&row.id, guts_slice(key.p + prefix, key.n - prefix)) != 0)
		return;
	if (find(b, &row.id) || bookrow_decode(&row, value) != 0)
		return;
	slot = booktable_slot(b, &row, true);
	tried = row.is_tried && !*booktable_at(b, true, slot);
	if (!tried && !find_place(b, &row, row.seen_wall_ns, &slot)) {
		save(b, &row, true);
		free(row.packed);
		return;
	}
	r = guts_memdup(&row, sizeof(row));
	r->cursor = ++b->next_cursor;
	booktable_put(b, r, tried, slot);
	HASH_ADD(hh, b->rows, id, sizeof(r->id), r);
	count_teller(b, &r->source.teller, 1);
}

struct guts_book *
guts_book_new(const struct guts_book_store *store, const uint8_t secret[GUTS_BOOK_SECRET_SIZE])
{
	struct guts_book *b = guts_alloc(sizeof(*b));

	b->store = *store;
	memcpy(b->secret, secret, sizeof(b->secret));
	if (b->store.load)
		b->store.load(b->store.owner, guts_slice_str(BOOK_KEY_PREFIX), load_one, b);
	return b;
}

void
guts_book_free(struct guts_book *b)
{
	struct book_row *r, *rtmp;
	struct book_teller *t, *ttmp;

	if (!b)
		return;
	HASH_ITER(hh, b->rows, r, rtmp) {
		HASH_DEL(b->rows, r);
		free(r->packed);
		free(r);
	}
	HASH_ITER(hh, b->tellers, t, ttmp) {
		HASH_DEL(b->tellers, t);
		free(t);
	}
	free(b);
}
