/* peer/book.c - the address book as one hash in order of adding, written through.
 *
 * Each change writes the peer's row; rows of peers that never worked and were only heard of
 * are worth it too: they are what a restart can fall back on when the bootstrap list fails.
 * Addresses are few and short, so a row keeps them packed, in the form that is also stored
 * (length, bytes, …), and a full book stays at a few MiB; an entry is unpacked when asked for.
 */
#include "peer/book.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

#include <stdlib.h>
#include <uthash.h>

#define KEY_PREFIX "addr/"
#define ROW_VERSION 1
#define FRESH_NS UINT64_C(3600000000000) /* an address heard again sooner is no news */

struct book_row {
	struct guts_peerid id, source; /* source: who told first; n = 0: ourselves */
	uint64_t seen_wall_ns, worked_wall_ns, tried_wall_ns;
	uint32_t failures;
	uint32_t packed_n;
	uint8_t *packed;               /* addresses */
	UT_hash_handle hh;
};

struct book_source {
	struct guts_peerid id;
	unsigned n;
	UT_hash_handle hh;
};

struct guts_book {
	struct guts_book_store store;
	struct book_row *rows;
	struct book_source *sources;
	struct guts_book_entry shown;  /* what find and next lend */
};

static void
count_source(struct guts_book *b, const struct guts_peerid *id, int by)
{
	struct book_source *s = NULL;

	if (id->n == 0)
		return;
	HASH_FIND(hh, b->sources, id, sizeof(*id), s);
	if (!s) {
		s = guts_alloc(sizeof(*s));
		s->id = *id;
		HASH_ADD(hh, b->sources, id, sizeof(s->id), s);
	}
	s->n = (unsigned)((int)s->n + by);
	if (s->n == 0) {
		HASH_DEL(b->sources, s);
		free(s);
	}
}

static unsigned
share_of(const struct guts_book *b, const struct guts_peerid *id)
{
	struct book_source *s = NULL;

	HASH_FIND(hh, b->sources, id, sizeof(*id), s);
	return s ? s->n : 0;
}

static struct book_row *
find(const struct guts_book *b, const struct guts_peerid *id)
{
	struct book_row *r = NULL;

	HASH_FIND(hh, b->rows, id, sizeof(*id), r);
	return r;
}

/* --- packed addresses --- */

static int
unpack(struct guts_slice packed, struct guts_maddr addrs[GUTS_BOOK_ADDRS_MAX], size_t *n)
{
	struct guts_cursor c;

	*n = 0;
	guts_cursor_init(&c, packed);
	while (guts_cursor_left(&c) > 0) {
		struct guts_slice s = guts_cursor_bytes(&c, guts_cursor_be16(&c));

		if (*n == GUTS_BOOK_ADDRS_MAX || guts_maddr_decode(&addrs[*n], s) != 0)
			return GUTS_EPROTO;
		++*n;
	}
	return guts_cursor_done(&c) ? 0 : GUTS_EPROTO;
}

static void
pack(struct book_row *r, const struct guts_maddr *addrs, size_t n)
{
	struct guts_buf b;

	guts_buf_init(&b, GUTS_BOOK_ADDRS_MAX * (GUTS_MADDR_MAX + 2));
	for (size_t i = 0; i < n; i++) {
		guts_buf_add_be16(&b, addrs[i].n);
		guts_buf_add_slice(&b, guts_maddr_slice(&addrs[i]));
	}
	free(r->packed);
	r->packed = guts_memdup(guts_buf_slice(&b).p, b.len);
	r->packed_n = (uint32_t)b.len;
	guts_buf_deinit(&b);
}

/* The row as its readers see it. */
static struct guts_book_entry *
show(struct guts_book *b, const struct book_row *r)
{
	struct guts_book_entry *e = &b->shown;

	e->id = r->id;
	e->seen_wall_ns = r->seen_wall_ns;
	e->worked_wall_ns = r->worked_wall_ns;
	e->tried_wall_ns = r->tried_wall_ns;
	e->failures = r->failures;
	unpack(guts_slice(r->packed, r->packed_n), e->addrs, &e->n_addrs);
	return e;
}

static void
save(struct guts_book *b, const struct book_row *r, bool gone)
{
	struct guts_buf key, value;

	if (!b->store.save)
		return;
	guts_buf_init(&key, 64);
	guts_buf_init(&value, 4096);
	guts_buf_add_str(&key, KEY_PREFIX);
	guts_buf_add_slice(&key, guts_peerid_slice(&r->id));
	if (!gone) {
		guts_buf_add_u8(&value, ROW_VERSION);
		guts_buf_add_be64(&value, r->seen_wall_ns);
		guts_buf_add_be64(&value, r->worked_wall_ns);
		guts_buf_add_be64(&value, r->tried_wall_ns);
		guts_buf_add_be32(&value, r->failures);
		guts_buf_add_u8(&value, r->source.n);
		guts_buf_add(&value, r->source.b, r->source.n);
		guts_buf_add(&value, r->packed, r->packed_n);
	}
	b->store.save(b->store.owner, guts_buf_slice(&key), guts_buf_slice(&value));
	guts_buf_deinit(&key);
	guts_buf_deinit(&value);
}

static void
drop(struct guts_book *b, struct book_row *r)
{
	save(b, r, true);
	count_source(b, &r->source, -1);
	HASH_DEL(b->rows, r);
	free(r->packed);
	free(r);
}

static struct book_row *
add_row(struct guts_book *b, const struct guts_peerid *id, const struct guts_peerid *source)
{
	struct book_row *r = guts_alloc(sizeof(*r));

	r->id = *id;
	if (source)
		r->source = *source;
	HASH_ADD(hh, b->rows, id, sizeof(r->id), r);
	count_source(b, &r->source, 1);
	return r;
}

static void
load_one(void *arg, struct guts_slice key, struct guts_slice value)
{
	const size_t prefix = strlen(KEY_PREFIX);
	struct guts_maddr addrs[GUTS_BOOK_ADDRS_MAX];
	struct guts_peerid id, source = { 0 };
	struct guts_book *b = arg;
	struct book_row *r, row = { 0 };
	struct guts_cursor c;
	struct guts_slice s;
	size_t n;

	if (key.n <= prefix || guts_peerid_decode(&id, guts_slice(key.p + prefix, key.n - prefix)) != 0)
		return;
	guts_cursor_init(&c, value);
	if (guts_cursor_u8(&c) != ROW_VERSION)
		return;
	row.seen_wall_ns = guts_cursor_be64(&c);
	row.worked_wall_ns = guts_cursor_be64(&c);
	row.tried_wall_ns = guts_cursor_be64(&c);
	row.failures = guts_cursor_be32(&c);
	s = guts_cursor_bytes(&c, guts_cursor_u8(&c));
	if (!guts_cursor_ok(&c) || (s.n > 0 && guts_peerid_decode(&source, s) != 0)
	    || unpack(guts_cursor_rest(&c), addrs, &n) != 0)
		return;
	if (HASH_COUNT(b->rows) >= GUTS_BOOK_MAX || find(b, &id))
		return;
	r = add_row(b, &id, source.n ? &source : NULL);
	r->seen_wall_ns = row.seen_wall_ns;
	r->worked_wall_ns = row.worked_wall_ns;
	r->tried_wall_ns = row.tried_wall_ns;
	r->failures = row.failures;
	pack(r, addrs, n);
}

struct guts_book *
guts_book_new(const struct guts_book_store *store)
{
	struct guts_book *b = guts_alloc(sizeof(*b));

	b->store = *store;
	if (b->store.load)
		b->store.load(b->store.owner, guts_slice_str(KEY_PREFIX), load_one, b);
	return b;
}

void
guts_book_free(struct guts_book *b)
{
	struct book_row *r, *rtmp;
	struct book_source *s, *stmp;

	if (!b)
		return;
	HASH_ITER(hh, b->rows, r, rtmp) {
		HASH_DEL(b->rows, r);
		free(r->packed);
		free(r);
	}
	HASH_ITER(hh, b->sources, s, stmp) {
		HASH_DEL(b->sources, s);
		free(s);
	}
	free(b);
}

/* Is `a` worth less than `b`?  What never worked goes first, then what failed more, then what is older. */
static bool
worse(const struct book_row *a, const struct book_row *b)
{
	if ((a->worked_wall_ns == 0) != (b->worked_wall_ns == 0))
		return a->worked_wall_ns == 0;
	if (a->failures != b->failures)
		return a->failures > b->failures;
	return a->seen_wall_ns < b->seen_wall_ns;
}

static void
make_room(struct guts_book *b)
{
	struct book_row *r, *worst = b->rows;

	if (HASH_COUNT(b->rows) < GUTS_BOOK_MAX)
		return;
	for (r = b->rows; r; r = r->hh.next)
		if (worse(r, worst))
			worst = r;
	drop(b, worst);
}

static size_t
index_of(const struct guts_book_entry *e, const struct guts_maddr *m)
{
	size_t i = 0;

	while (i < e->n_addrs && !guts_maddr_eq(&e->addrs[i], m))
		i++;
	return i;
}

int
guts_book_add(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr,
    const struct guts_peerid *source, uint64_t wall_ns)
{
	struct guts_maddr m = *addr;
	struct guts_maddr_target t;
	struct book_row *r = find(b, id);
	struct guts_book_entry *e;
	size_t i;

	guts_maddr_strip_peer(&m);
	if (guts_maddr_target(&m, &t) != 0 || (!t.is_tcp && !t.is_quic) || t.port == 0)
		return GUTS_EUNSUPPORTED;
	if (!r) {
		if (source && share_of(b, source) >= GUTS_BOOK_SHARE_MAX)
			return GUTS_ELIMIT;
		make_room(b);
		r = add_row(b, id, source);
	}
	e = show(b, r);
	i = index_of(e, &m);
	if (i < e->n_addrs && r->seen_wall_ns + FRESH_NS > wall_ns)
		return 0; /* nothing worth writing */
	r->seen_wall_ns = wall_ns;
	if (i == e->n_addrs) {
		if (i == GUTS_BOOK_ADDRS_MAX)
			i--; /* the last one leaves */
		else
			e->n_addrs++;
		e->addrs[i] = m;
		pack(r, e->addrs, e->n_addrs);
	}
	save(b, r, false);
	return 0;
}

void
guts_book_worked(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, uint64_t wall_ns)
{
	struct guts_maddr m = *addr;
	struct guts_book_entry *e;
	struct book_row *r;
	size_t i;

	if (guts_book_add(b, id, addr, NULL, wall_ns) != 0 || (r = find(b, id)) == NULL)
		return;
	guts_maddr_strip_peer(&m);
	e = show(b, r);
	i = index_of(e, &m);
	if (i < e->n_addrs) {
		memmove(&e->addrs[1], &e->addrs[0], i * sizeof(m));
		e->addrs[0] = m;
		pack(r, e->addrs, e->n_addrs);
	}
	r->seen_wall_ns = r->worked_wall_ns = wall_ns;
	r->failures = 0;
	save(b, r, false);
}

void
guts_book_failed(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, uint64_t wall_ns)
{
	struct book_row *r = find(b, id);
	struct guts_maddr m = *addr;
	struct guts_book_entry *e;
	size_t i;

	if (!r)
		return;
	guts_maddr_strip_peer(&m);
	e = show(b, r);
	i = index_of(e, &m);
	if (i + 1 < e->n_addrs) {
		/* To the end of its line. */
		memmove(&e->addrs[i], &e->addrs[i + 1], (e->n_addrs - i - 1) * sizeof(m));
		e->addrs[e->n_addrs - 1] = m;
		pack(r, e->addrs, e->n_addrs);
	}
	r->failures++;
	r->tried_wall_ns = wall_ns;
	save(b, r, false);
}

void
guts_book_forget(struct guts_book *b, const struct guts_peerid *id)
{
	struct book_row *r = find(b, id);

	if (r)
		drop(b, r);
}

const struct guts_book_entry *
guts_book_find(struct guts_book *b, const struct guts_peerid *id)
{
	struct book_row *r = find(b, id);

	return r ? show(b, r) : NULL;
}

size_t
guts_book_count(const struct guts_book *b)
{
	return HASH_COUNT(b->rows);
}

const struct guts_book_entry *
guts_book_next(struct guts_book *b, const void **it)
{
	const struct book_row *r = *it ? ((const struct book_row *)*it)->hh.next : b->rows;

	*it = r;
	return r ? show(b, r) : NULL;
}
