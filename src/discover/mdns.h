/* discover/mdns.h - multicast DNS as an object without I/O: when to ask and answer, what was heard.
 *
 * A node asks "who is here?" soon after it starts and then ever more rarely, and answers every such
 * question, its own too, so that the others hear of it without asking.  Somebody else's question
 * counts as ours: everybody hears the answers.
 *
 * Source: libp2p specs discovery/mdns.md; RFC 6762 sections 5.2, 6, 7.3.
 */
#ifndef GUTS_DISCOVER_MDNS_H
#define GUTS_DISCOVER_MDNS_H

#include "discover/mdnspacket.h"

#define GUTS_MDNS_PORT 5353
#define GUTS_MDNS_GROUP4 UINT32_C(0xe00000fb) /* 224.0.0.251, host order */

struct guts_mdns;

/* `seed` makes the name and all chance.  The first question is due in 20 to 120 ms.  Owner: caller. */
struct guts_mdns *guts_mdns_new(uint64_t seed, uint64_t now_ns);
void guts_mdns_free(struct guts_mdns *m);

/* The machine got another address: ask again soon, as after a start. */
void guts_mdns_restart(struct guts_mdns *m, uint64_t now_ns);

/* A packet came from the group.  *out is what it says, for its addresses.  Errors: those of guts_mdns_decode;
 * GUTS_EBUSY: too many packets (50 per second, 200 at once), not looked at. */
int guts_mdns_receive(struct guts_mdns *m, struct guts_slice packet, uint64_t now_ns, struct guts_mdns_packet *out);

/* When guts_mdns_produce has something [monotonic ns]. */
uint64_t guts_mdns_deadline(const struct guts_mdns *m);

/* Write the next packet that is due for the group, into `out` (cleared first; max ≥ GUTS_MDNS_SEND_MAX); false if there
 * is none.  `addrs`: ours, with /p2p; without any we ask but do not answer.  An answer comes at most once per second. */
bool guts_mdns_produce(struct guts_mdns *m, uint64_t now_ns, const struct guts_maddr *addrs, size_t n,
    struct guts_buf *out);

#endif
