/* tests/unit/memrows.h - rows in memory behind a peer manager or an address book: what outlives a restart. */
#ifndef TESTS_UNIT_MEMROWS_H
#define TESTS_UNIT_MEMROWS_H

#include "peer/book.h"

struct memrow;

/* Zeroed before first use. */
struct memrows {
	struct memrow *first;
};

/* A store that keeps its rows in *m, which outlives it. */
struct guts_book_store memrows_store(struct memrows *m);

/* Rows that were not deleted. */
size_t memrows_count(const struct memrows *m);
void memrows_free(struct memrows *m);

#endif
