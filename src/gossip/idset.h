/* gossip/idset.h - a bounded set of message ids that forgets by age.
 *
 * 48 bytes per id when full; every id carries a small state.  Past the maximum the oldest goes.
 * A plain value with its own memory; `now` is monotonic [ns].
 */
#ifndef GUTS_GOSSIP_IDSET_H
#define GUTS_GOSSIP_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUTS_IDSET_ID_SIZE   32 /* [bytes] */
#define GUTS_IDSET_STATE_MAX 6

struct guts_idset_slot;

struct guts_idset {
	struct guts_idset_slot *ring; /* private: ids in order of age */
	uint32_t *index;              /* private: open addressing over ring positions */
	uint32_t ring_size, head, used;
	uint32_t live; /* ids there, expired ones included until the next call that writes */
	uint32_t max;
	uint64_t ttl_ns;
	uint64_t salt[2]; /* private */
};

/* Make *s empty.  max 1..2^24 (asserted); ttl_ns UINT64_MAX = no id ever is too old; `salt` keeps strangers from
 * choosing ids that collide. */
void
guts_idset_init(struct guts_idset *s, size_t max, uint64_t ttl_ns, uint64_t salt0, uint64_t salt1);
void guts_idset_deinit(struct guts_idset *s);

/* State of `id`, or -1 if it is not there or too old. */
int guts_idset_get(const struct guts_idset *s, const uint8_t id[GUTS_IDSET_ID_SIZE], uint64_t now);

/* Add `id` with `state` (0..GUTS_IDSET_STATE_MAX); an id that is there gets the state and keeps its
 * age. */
void guts_idset_put(struct guts_idset *s, const uint8_t id[GUTS_IDSET_ID_SIZE], unsigned state,
		    uint64_t now);

/* Forget `id`, if it is there. */
void guts_idset_remove(struct guts_idset *s, const uint8_t id[GUTS_IDSET_ID_SIZE]);

/* Forget what is too old and give back memory. */
void guts_idset_expire(struct guts_idset *s, uint64_t now);

/* Memory held [bytes]. */
size_t guts_idset_bytes(const struct guts_idset *s);

#endif
