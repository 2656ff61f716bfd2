/* peer/book_int.h - what the files of the address book share.
 *
 *	book.c      what happens to entries: told, worked, failed
 *	bookrow.c   a row as bytes: packed addresses, the stored form
 *	booktable.c buckets and slots
 */
#ifndef GUTS_PEER_BOOK_INT_H
#define GUTS_PEER_BOOK_INT_H

#include "base/buf.h"
#include "peer/book.h"

#include <uthash.h>

#define BOOK_KEY_PREFIX "addr/"

/* A full book must stay at a few MiB, so addresses are packed; guts_book_entry is made when asked for. */
struct book_row {
	struct guts_peerid id;
	struct guts_book_source source;
	struct guts_netgroup group;     /* of the first address when it was placed */
	bool is_tried, is_contested;    /* contested: a peer that works wants its place in `tried` */
	uint16_t slot;                  /* in its table */
	uint32_t failures;
	uint64_t cursor, seen_wall_ns, worked_wall_ns, tried_wall_ns;
	uint32_t packed_n;
	uint8_t *packed;                /* addresses, as bookrow.c has them */
	UT_hash_handle hh;
};

struct book_teller {
	struct guts_peerid id;
	unsigned n;
	UT_hash_handle hh;
};

struct guts_book {
	struct guts_book_store store;
	uint8_t secret[GUTS_BOOK_SECRET_SIZE];
	struct book_row *rows;          /* by id, in order of adding */
	struct book_teller *tellers;
	struct book_row *fresh[GUTS_BOOK_NEW_BUCKETS * GUTS_BOOK_SLOTS];
	struct book_row *tried[GUTS_BOOK_TRIED_BUCKETS * GUTS_BOOK_SLOTS];
	size_t n_tried;
	uint64_t next_cursor;
	struct guts_book_entry shown;   /* what find and next lend */
};

/* bookrow.c */
/* Can it be dialled at all?  No other address is in a row. */
bool bookrow_takes(const struct guts_maddr *m);
void bookrow_pack(struct book_row *r, const struct guts_book_addr *addrs, size_t n);
void bookrow_show(const struct book_row *r, struct guts_book_entry *e);
/* The stored form; reading also takes version 1.  Errors: GUTS_EPROTO. */
void bookrow_encode(const struct book_row *r, struct guts_buf *out);
int bookrow_decode(struct book_row *r, struct guts_slice value);

/* booktable.c */
/* Where the row belongs in `tried` or `new`, as an index into the table. */
uint16_t booktable_slot(const struct guts_book *b, const struct book_row *r, bool tried);
struct book_row **booktable_at(struct guts_book *b, bool tried, uint16_t slot);
/* Put a row that has no place at a slot that is free; take it out again. */
void booktable_put(struct guts_book *b, struct book_row *r, bool tried, uint16_t slot);
void booktable_take(struct guts_book *b, struct book_row *r);

#endif
