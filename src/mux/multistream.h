/* mux/multistream.h - multistream-select 1.0: agreeing on the protocol of a byte stream.
 *
 * One side (the dialer) proposes names, the other echoes the one it takes or answers "na".
 * The object eats the bytes that arrive and offers the bytes to send; it keeps no clock
 * and stops at the exact byte where the negotiation ends.  The dialer puts greeting and
 * first proposal into one flight, so what follows may be sent with them.
 * Source: libp2p specs, connections/README.md; multiformats/multistream-select.
 */
#ifndef GUTS_MUX_MULTISTREAM_H
#define GUTS_MUX_MULTISTREAM_H

#include "base/buf.h"
#include "base/limits.h"

#define GUTS_MSEL_PROPOSALS_MAX 32 /* lines a listener answers before it gives up */

/* Ask whether `name` is served here; the answer is kept in `choice`.  NULL = no. */
typedef const void *guts_msel_lookup(void *owner, struct guts_slice name);

struct guts_msel {
	bool dialer, greeted, done; /* read only */
	uint8_t matched;            /* private: bytes of the greeting seen */
	uint16_t lines;             /* private: proposals seen or made */
	const char *const *names;   /* dialer: proposals, borrowed */
	size_t n_names;
	guts_msel_lookup *lookup;
	void *owner;
	struct guts_buf in;         /* private: a line that is not whole yet */
	struct guts_buf out;        /* to be sent; the caller consumes */
	size_t chosen;              /* dialer, when done: index into names */
	const void *choice;         /* listener, when done: what lookup returned */
};

/* Propose `names` in order (n ≥ 1, each ≤ GUTS_MULTISTREAM_LINE_MAX - 1 bytes; both borrowed until the end). */
void guts_msel_dial(struct guts_msel *m, const char *const *names, size_t n);

/* Wait for proposals. */
void guts_msel_listen(struct guts_msel *m, guts_msel_lookup *lookup, void *owner);

/* Take bytes that arrived; *used of them belong to the negotiation, the rest to the protocol.
 * Returns 0 (see `done`).  Errors: GUTS_EPROTO, GUTS_ELIMIT (line or number of lines), GUTS_EUNSUPPORTED (every
 * proposal was refused). */
int guts_msel_recv(struct guts_msel *m, struct guts_slice in, size_t *used);

/* Free the buffers; *m may be used again. */
void guts_msel_deinit(struct guts_msel *m);

#endif
