/* peer/book.h - the address book: where peers were seen, persisted, with a cap.
 *
 * An entry is one peer with its addresses.  Whoever told us an address is its source, and
 * one source fills at most a share of the book, so that nobody drowns the others.  When the
 * book is full the entry that never worked, or failed most, leaves first.
 */
#ifndef GUTS_PEER_BOOK_H
#define GUTS_PEER_BOOK_H

#include "crypto/key.h"
#include "wire/multiaddr.h"

#define GUTS_BOOK_MAX 16384       /* peers */
#define GUTS_BOOK_SHARE_MAX 512   /* peers one source may add */
#define GUTS_BOOK_ADDRS_MAX 8     /* addresses per peer */

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

struct guts_book_entry {
	struct guts_peerid id;
	struct guts_maddr addrs[GUTS_BOOK_ADDRS_MAX]; /* without /p2p; the last that worked first */
	size_t n_addrs;
	uint64_t seen_wall_ns;      /* last told or connected */
	uint64_t worked_wall_ns;    /* last connected; 0 = never */
	uint64_t tried_wall_ns;     /* last failed */
	uint32_t failures;          /* since it last worked */
};

/* Loads what the store has (cap applies).  `store` may be zero.  Owner: caller. */
struct guts_book *guts_book_new(const struct guts_book_store *store);
void guts_book_free(struct guts_book *b);

/* Add or refresh an address of `id` heard from `source` (NULL = ourselves, without share).
 * Errors: GUTS_ELIMIT (share), GUTS_EUNSUPPORTED (no TCP or QUIC address). */
int guts_book_add(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr,
    const struct guts_peerid *source, uint64_t wall_ns);

/* A dial of `addr` worked or failed. */
void guts_book_worked(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, uint64_t wall_ns);
void guts_book_failed(struct guts_book *b, const struct guts_peerid *id, const struct guts_maddr *addr, uint64_t wall_ns);

/* Drop all that is known of the peer. */
void guts_book_forget(struct guts_book *b, const struct guts_peerid *id);

/* Lent until the next call on the book. */
const struct guts_book_entry *guts_book_find(struct guts_book *b, const struct guts_peerid *id);
size_t guts_book_count(const struct guts_book *b);

/* Walk in order of adding: start with *it = NULL; lent until the next call on the book. */
const struct guts_book_entry *guts_book_next(struct guts_book *b, const void **it);

#endif
