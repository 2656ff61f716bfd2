/* discover/bootstrap.h - the first peers: multiaddrs with peer ids, kept connected. */
#ifndef GUTS_DISCOVER_BOOTSTRAP_H
#define GUTS_DISCOVER_BOOTSTRAP_H

#include "peer/peers.h"

#define GUTS_BOOTSTRAP_MAX 32 /* addresses */

struct guts_bootstrap;

/* Keeps nothing connected yet.  `peers` outlives it.  Owner: caller. */
struct guts_bootstrap *guts_bootstrap_new(struct guts_peers *peers);
void guts_bootstrap_free(struct guts_bootstrap *b);

/* Replace the list: added ones are dialled and kept connected with back-off, left-out ones are no longer
 * kept.  Our own address is passed over.  All or none.  Errors: GUTS_EINVAL with a text naming the address (no /p2p, not
 * TCP), GUTS_ELIMIT. */
int guts_bootstrap_set(struct guts_bootstrap *b, const struct guts_maddr *list, size_t n, struct guts_errinfo *ei);

/* Addresses in the list, and how many of their peers are connected. */
size_t guts_bootstrap_count(const struct guts_bootstrap *b);
size_t guts_bootstrap_connected(const struct guts_bootstrap *b);

#endif
