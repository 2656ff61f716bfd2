/* peer/book.h - the address book: where peers were seen and who said so, persisted, with caps.
 *
 * An entry is one peer with its addresses.  It is `tried` if we have reached it, else `new`:
 * hearsay.  Both kinds live in buckets that netgroups share: however much one network says, it
 * reaches only its share of the buckets, and what it says of others never displaces what was
 * tried.  An address that the peer signed goes before one that somebody else told.
 */
#ifndef GUTS_PEER_BOOK_H
#define GUTS_PEER_BOOK_H

#include "base/rng.h"
#include "crypto/key.h"
#include "peer/netgroup.h"
#include "wire/multiaddr.h"

#define GUTS_BOOK_SLOTS 64             /* peers per bucket */
#define GUTS_BOOK_NEW_BUCKETS 192
#define GUTS_BOOK_TRIED_BUCKETS 64
#define GUTS_BOOK_MAX ((GUTS_BOOK_NEW_BUCKETS + GUTS_BOOK_TRIED_BUCKETS) * GUTS_BOOK_SLOTS) /* 16,384 peers */
#define GUTS_BOOK_NEW_SHARE 16         /* buckets of `new` that what one netgroup tells can reach */
#define GUTS_BOOK_TRIED_SHARE 4        /* buckets of `tried` that peers in one netgroup can reach */
#define GUTS_BOOK_SHARE_MAX 512        /* peers one peer may add */
#define GUTS_BOOK_ADDRS_MAX 8          /* addresses per peer … */
#define GUTS_BOOK_HEARSAY_MAX 3        /* … of them only told by others */
#define GUTS_BOOK_SECRET_SIZE 32       /* [bytes] */

/* How an address came here, the most trusted first.  Persisted as a number. */
enum guts_book_via {
	GUTS_BOOK_CONFIGURED, /* by a person: configuration, command */
	GUTS_BOOK_SIGNED,     /* in a record signed by the peer itself, whoever brought it */
	GUTS_BOOK_IDENTIFY,   /* said by the peer itself, unsigned, on a link that we dialled */
	GUTS_BOOK_MDNS,       /* announced on the local network */
	GUTS_BOOK_INBOUND,    /* said by the peer itself, unsigned, on a link that it dialled */
	GUTS_BOOK_EXCHANGE,   /* hearsay: peer exchange */
	GUTS_BOOK_DHT,        /* hearsay: answer to a look-up */
	GUTS_BOOK_VIA_COUNT,
};

/* "configured", "signed", …; -1 for a name that is none. */
const char *guts_book_via_name(enum guts_book_via via);
int guts_book_via_parse(struct guts_slice name);

/* Who told. */
struct guts_book_source {
	enum guts_book_via via;
	struct guts_peerid teller;   /* n = 0: nobody but us */
	struct guts_netgroup group;  /* where the teller is; none = ourselves */
};

/* Keys and values that outlive the process; small tables are behind it. */
struct guts_book_store {
	/* Write (value.n > 0) or delete (value.n = 0).  Order is kept; no answer: loss costs little. */
	void (*save)(void *owner, struct guts_slice key, struct guts_slice value);
	/* Give every pair whose key begins with `prefix` to `each`, in key order, before returning. */
	void (*load)(void *owner, struct guts_slice prefix,
	    void (*each)(void *arg, struct guts_slice key, struct guts_slice value), void *arg);
	void *owner;
};

struct guts_book;

struct guts_book_addr {
	struct guts_maddr at;           /* without /p2p */
	enum guts_book_via via;         /* the best way it came */
	uint64_t heard_wall_ns;         /* last told */
	uint32_t failures;              /* since it last worked */
};

struct guts_book_entry {
	uint64_t cursor;                /* rises in order of adding, while the process lives */
	struct guts_peerid id;
	struct guts_book_source source; /* of the entry: who told us first, or better later */
	struct guts_book_addr addrs[GUTS_BOOK_ADDRS_MAX]; /* the last that worked first, failed ones last */
	size_t n_addrs;
	bool is_tried;
	uint64_t seen_wall_ns;          /* last told or connected */
	uint64_t worked_wall_ns;        /* last connected; 0 = never */
	uint64_t tried_wall_ns;         /* last failed */
	uint32_t failures;              /* since it last worked */
};

/* Loads what the store has (caps apply; what has no place is deleted there).  `store` may be zero.  `secret` keys the
 * buckets, so that nobody else knows who shares one: the same for the life of a node.  Owner: caller. */
struct guts_book *guts_book_new(const struct guts_book_store *store, const uint8_t secret[GUTS_BOOK_SECRET_SIZE]);
void guts_book_free(struct guts_book *b);

/* Add or refresh an address of `id`.  Errors: GUTS_ELIMIT (the teller's share is used up, or the place is taken by
 * something better), GUTS_EUNSUPPORTED (no TCP or QUIC address). */
int guts_book_add(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr,
    const struct guts_book_source *source, uint64_t wall_ns);

/* A dial of `addr` worked: the peer moves to `tried` if its place there is free or held by one that fails; otherwise the
 * holder is put to the test (guts_book_pick_feeler). */
void guts_book_worked(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, uint64_t wall_ns);

/* A dial of `addr` failed.  `online`: others were reached meanwhile, so it counts; a peer that fails on and on is dropped. */
void guts_book_failed(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, bool online,
    uint64_t wall_ns);

/* Drop all that is known of the peer. */
void guts_book_forget(struct guts_book *b, const struct guts_peerid *id);

/* Lent until the next call on the book. */
const struct guts_book_entry *guts_book_find(struct guts_book *b, const struct guts_peerid *id);
size_t guts_book_count(const struct guts_book *b);
size_t guts_book_count_tried(const struct guts_book *b);

/* Walk in order of adding: start with *it = NULL; lent until the next call on the book. */
const struct guts_book_entry *guts_book_next(struct guts_book *b, const void **it);

/* One entry that `fits`, each bucket with the same chance; false if none does. */
bool guts_book_pick(struct guts_book *b, struct guts_rng *rng, bool tried,
    bool (*fits)(void *arg, const struct guts_book_entry *e), void *arg, struct guts_peerid *out);

/* Whom to try for the book's sake: a holder of a contested place in `tried`, else one of `new`. */
bool guts_book_pick_feeler(struct guts_book *b, struct guts_rng *rng,
    bool (*fits)(void *arg, const struct guts_book_entry *e), void *arg, struct guts_peerid *out);

#endif
