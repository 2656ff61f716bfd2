/* gossip/idset.c - ids in a ring by age, found through an open-addressed index.
 *
 * All ids live equally long, so the order of arrival is the order of expiry and a ring needs no
 * links.  The index holds ring positions (+1, 0 = free) with linear probing at a load of at
 * most one half; deletion shifts the run back, so there are no tombstones to clean up.  A removed
 * id leaves a dead slot in the ring until its turn to expire comes.
 *
 * Rejected: uthash, which takes 112 bytes per id and cannot forget the oldest cheaply.
 */
#include "gossip/idset.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RING_MIN   16u
#define STATE_DEAD 7u

struct guts_idset_slot {
	uint8_t id[GUTS_IDSET_ID_SIZE];
	uint64_t stamp; /* born [µs] << 3 | state */
};

static uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	/* Byte order only moves ids within the index; nothing iterates over it. */
	memcpy(&v, p, sizeof v);
	return v;
}

static uint32_t
home_of(const struct guts_idset *s, const uint8_t *id)
{
	uint64_t h = (load64(id) ^ s->salt[0]) * (load64(id + 8) ^ s->salt[1]);

	h ^= h >> 32;
	return (uint32_t)h & (2 * s->ring_size - 1);
}

static struct guts_idset_slot *
slot_at(const struct guts_idset *s, uint32_t position)
{
	return &s->ring[position & (s->ring_size - 1)];
}

static uint64_t
born_ns(const struct guts_idset_slot *slot)
{
	return (slot->stamp >> 3) * 1000;
}

static bool
is_expired(const struct guts_idset *s, const struct guts_idset_slot *slot, uint64_t now)
{
	return now - born_ns(slot) >= s->ttl_ns;
}

void
guts_idset_init(struct guts_idset *s, size_t max, uint64_t ttl_ns, uint64_t salt0, uint64_t salt1)
{
	assert(max >= 1 && max <= 1u << 24);
	memset(s, 0, sizeof *s);
	s->max = (uint32_t)max;
	s->ttl_ns = ttl_ns;
	s->salt[0] = salt0;
	s->salt[1] = salt1 | 1;
}

void
guts_idset_deinit(struct guts_idset *s)
{
	free(s->ring);
	free(s->index);
	s->ring = NULL;
	s->index = NULL;
	s->ring_size = s->head = s->used = s->live = 0;
}

/* Position in the index of `id`, or of the free place where it would go. */
static uint32_t
probe(const struct guts_idset *s, const uint8_t *id)
{
	uint32_t mask = 2 * s->ring_size - 1, at = home_of(s, id);

	while (s->index[at] != 0 &&
	       memcmp(slot_at(s, s->index[at] - 1)->id, id, GUTS_IDSET_ID_SIZE) != 0)
		at = (at + 1) & mask;
	return at;
}

static void
unindex(struct guts_idset *s, uint32_t at)
{
	uint32_t mask = 2 * s->ring_size - 1, hole = at;

	for (uint32_t i = (at + 1) & mask; s->index[i] != 0; i = (i + 1) & mask) {
		uint32_t home = home_of(s, slot_at(s, s->index[i] - 1)->id);

		/* May the entry at i move to the hole?  Not if its home lies between them. */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		s->index[hole] = s->index[i];
		hole = i;
	}
	s->index[hole] = 0;
}

static void
drop_oldest(struct guts_idset *s)
{
	struct guts_idset_slot *slot = slot_at(s, s->head);

	if ((slot->stamp & 7) != STATE_DEAD) {
		unindex(s, probe(s, slot->id));
		s->live--;
	}
	s->head = (s->head + 1) & (s->ring_size - 1);
	s->used--;
}

static void
resize(struct guts_idset *s, uint32_t size)
{
	struct guts_idset old = *s;

	s->ring = guts_calloc(size, sizeof *s->ring);
	s->index = guts_calloc(2 * (size_t)size, sizeof *s->index);
	s->ring_size = size;
	s->head = s->used = 0;
	for (uint32_t i = 0; i < old.used; i++) {
		const struct guts_idset_slot *from = slot_at(&old, old.head + i);

		if ((from->stamp & 7) == STATE_DEAD)
			continue;
		s->ring[s->used++] = *from;
		s->index[probe(s, from->id)] = s->used;
	}
	free(old.ring);
	free(old.index);
}

int
guts_idset_get(const struct guts_idset *s, const uint8_t id[GUTS_IDSET_ID_SIZE], uint64_t now)
{
	const struct guts_idset_slot *slot;
	uint32_t at;

	if (s->live == 0)
		return -1;
	at = probe(s, id);
	if (s->index[at] == 0)
		return -1;
	slot = slot_at(s, s->index[at] - 1);
	return is_expired(s, slot, now) ? -1 : (int)(slot->stamp & 7);
}

static void
drop_expired(struct guts_idset *s, uint64_t now)
{
	while (s->used > 0 && is_expired(s, slot_at(s, s->head), now))
		drop_oldest(s);
}

void
guts_idset_put(struct guts_idset *s, const uint8_t id[GUTS_IDSET_ID_SIZE], unsigned state,
	       uint64_t now)
{
	struct guts_idset_slot *slot;
	uint32_t at;

	assert(state <= GUTS_IDSET_STATE_MAX);
	drop_expired(s, now);
	if (s->ring_size > 0) {
		at = probe(s, id);
		if (s->index[at] != 0) {
			slot = slot_at(s, s->index[at] - 1);
			slot->stamp = (slot->stamp & ~UINT64_C(7)) | state;
			return;
		}
	}
	while (s->used >= s->max)
		drop_oldest(s);
	if (s->used == s->ring_size)
		resize(s, s->ring_size ? 2 * s->ring_size : RING_MIN);

	slot = slot_at(s, s->head + s->used);
	memcpy(slot->id, id, GUTS_IDSET_ID_SIZE);
	slot->stamp = (now / 1000) << 3 | state;
	/* Positions are kept modulo the ring, so that head may wrap. */
	s->index[probe(s, id)] = ((s->head + s->used) & (s->ring_size - 1)) + 1;
	s->used++;
	s->live++;
}

void
guts_idset_remove(struct guts_idset *s, const uint8_t id[GUTS_IDSET_ID_SIZE])
{
	uint32_t at;

	if (s->live == 0)
		return;
	at = probe(s, id);
	if (s->index[at] == 0)
		return;
	slot_at(s, s->index[at] - 1)->stamp |= STATE_DEAD;
	unindex(s, at);
	s->live--;
}

void
guts_idset_expire(struct guts_idset *s, uint64_t now)
{
	drop_expired(s, now);
	if (s->used == 0)
		guts_idset_deinit(s);
	else if (s->ring_size > RING_MIN && s->used < s->ring_size / 8)
		resize(s, s->ring_size / 2);
}

size_t
guts_idset_bytes(const struct guts_idset *s)
{
	return (size_t)s->ring_size * (sizeof *s->ring + 2 * sizeof *s->index);
}
