/* peer/booktable.c - which slot a peer has: a keyed hash of netgroups, then of its id.
 *
 *	new:   (group of the teller, group of the address mod share) → bucket
 *	tried: (group of the address, id mod share)                  → bucket
 *	       (bucket, id)                                          → slot in it
 *
 * What one network tells reaches GUTS_BOOK_NEW_SHARE buckets, the peers of one network
 * GUTS_BOOK_TRIED_SHARE; which ones only the node knows.  Choosing gives each bucket the same
 * chance, so a network weighs what its buckets weigh, however full it makes them.
 */
#include "peer/book_int.h"

static uint64_t
keyed(const struct guts_book *b, char what, struct guts_slice x, struct guts_slice y)
{
	struct guts_sha256_ctx c;
	uint8_t hash[32];
	uint64_t v = 0;

	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice(b->secret, sizeof(b->secret)));
	guts_sha256_add(&c, guts_slice(&what, 1));
	guts_sha256_add(&c, x);
	guts_sha256_add(&c, y);
	guts_sha256_end(&c, hash);
	for (int i = 0; i < 8; i++)
		v = v << 8 | hash[i];
	return v;
}

static struct guts_slice
group_slice(const struct guts_netgroup *g)
{
	return guts_slice(g->b, sizeof(g->b));
}

uint16_t
booktable_slot(const struct guts_book *b, const struct book_row *r, bool tried)
{
	struct guts_slice id = guts_peerid_slice(&r->id);
	uint8_t part, at[2];
	uint16_t bucket;

	if (tried) {
		part = (uint8_t)(keyed(b, 't', group_slice(&r->group), id) % GUTS_BOOK_TRIED_SHARE);
		bucket = (uint16_t)(keyed(b, 'T', group_slice(&r->group), guts_slice(&part, 1)) % GUTS_BOOK_TRIED_BUCKETS);
	} else {
		/* Told by nobody but us: by chance anywhere. */
		part = (uint8_t)(keyed(b, 'n', group_slice(&r->source.group), group_slice(&r->group)) % GUTS_BOOK_NEW_SHARE);
		bucket = (uint16_t)(r->source.teller.n == 0 ? keyed(b, 'o', id, guts_slice(NULL, 0)) % GUTS_BOOK_NEW_BUCKETS :
		    keyed(b, 'N', group_slice(&r->source.group), guts_slice(&part, 1)) % GUTS_BOOK_NEW_BUCKETS);
	}
	at[0] = tried;
	at[1] = (uint8_t)bucket;
	return (uint16_t)(bucket * GUTS_BOOK_SLOTS + keyed(b, 's', guts_slice(at, sizeof(at)), id) % GUTS_BOOK_SLOTS);
}

struct book_row **
booktable_at(struct guts_book *b, bool tried, uint16_t slot)
{
	return tried ? &b->tried[slot] : &b->fresh[slot];
}

void
booktable_put(struct guts_book *b, struct book_row *r, bool tried, uint16_t slot)
{
	r->is_tried = tried;
	r->is_contested = false;
	r->slot = slot;
	b->n_tried += tried;
	*booktable_at(b, tried, slot) = r;
}

void
booktable_take(struct guts_book *b, struct book_row *r)
{
	b->n_tried -= r->is_tried;
	*booktable_at(b, r->is_tried, r->slot) = NULL;
}

/* The first in the bucket that fits, looking from a random slot on. */
static const struct book_row *
pick_in(struct guts_book *b, struct guts_rng *rng, struct book_row *const bucket[GUTS_BOOK_SLOTS],
    bool (*fits)(void *arg, const struct guts_book_entry *e), void *arg)
{
	uint64_t from = guts_rng_below(rng, GUTS_BOOK_SLOTS);

	for (uint64_t i = 0; i < GUTS_BOOK_SLOTS; i++) {
		const struct book_row *r = bucket[(from + i) % GUTS_BOOK_SLOTS];

		if (!r)
			continue;
		bookrow_show(r, &b->shown);
		if (fits(arg, &b->shown))
			return r;
	}
	return NULL;
}

bool
guts_book_pick(struct guts_book *b, struct guts_rng *rng, bool tried,
    bool (*fits)(void *arg, const struct guts_book_entry *e), void *arg, struct guts_peerid *out)
{
	size_t buckets = tried ? GUTS_BOOK_TRIED_BUCKETS : GUTS_BOOK_NEW_BUCKETS;
	uint64_t n = 0;

	for (size_t i = 0; i < buckets; i++) {
		const struct book_row *r = pick_in(b, rng, booktable_at(b, tried, (uint16_t)(i * GUTS_BOOK_SLOTS)), fits, arg);

		if (r && guts_rng_below(rng, ++n) == 0)
			*out = r->id;
	}
	return n > 0;
}

bool
guts_book_pick_feeler(struct guts_book *b, struct guts_rng *rng,
    bool (*fits)(void *arg, const struct guts_book_entry *e), void *arg, struct guts_peerid *out)
{
	for (size_t i = 0; i < GUTS_BOOK_TRIED_BUCKETS * GUTS_BOOK_SLOTS; i++) {
		if (!b->tried[i] || !b->tried[i]->is_contested)
			continue;
		bookrow_show(b->tried[i], &b->shown);
		if (fits(arg, &b->shown)) {
			*out = b->tried[i]->id;
			return true;
		}
	}
	return guts_book_pick(b, rng, false, fits, arg, out);
}
