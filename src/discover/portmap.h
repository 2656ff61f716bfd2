/* discover/portmap.h - a port of the home router mapped to our listener, for as long as the node runs.
 *
 * Asks the router on workers (it blocks), renews before the lease ends, tries again ever more rarely
 * while it fails, and takes the mapping back at the end.  The address outside becomes one of those that the peer
 * manager tells others.
 */
#ifndef GUTS_DISCOVER_PORTMAP_H
#define GUTS_DISCOVER_PORTMAP_H

#include "loop/env.h"
#include "wire/multiaddr.h"

#define GUTS_PORTMAP_LEASE_S 3600       /* [s] asked for */
#define GUTS_PORTMAP_ERROR_SIZE 128     /* [bytes] with NUL */
#define GUTS_PORTMAP_ROUTER_SIZE 512    /* [bytes] what the router's side remembers of a mapping */

/* A TCP port outside, given to one of ours. */
struct guts_portmap_mapping {
	uint16_t internal;
	uint16_t external;                  /* wanted, 0 = any; then the one that was given */
	struct in_addr address;             /* of the router, outside */
	uint32_t lease_s;                   /* given [s]; 0 = for ever */
	const char *method;                 /* "NAT-PMP", "UPnP": by which it was made */
	char router[GUTS_PORTMAP_ROUTER_SIZE]; /* private to the router's side */
};

/* The router's side: two blocking calls, made on workers, one at a time.  The real one: guts_portmap_router. */
struct guts_portmap_router {
	/* Make or renew *m.  Errors: GUTS_EUNAVAILABLE (no router answers), GUTS_EDENIED (it refuses), with a text. */
	int (*map)(struct guts_portmap_mapping *m, char error[GUTS_PORTMAP_ERROR_SIZE]);
	void (*unmap)(const struct guts_portmap_mapping *m);
};

/* NAT-PMP, then UPnP, through libnatpmp and libminiupnpc; NULL if the program was built without them. */
const struct guts_portmap_router *guts_portmap_router(void);

enum guts_portmap_state {
	GUTS_PORTMAP_OFF,        /* not wanted, or nothing to map */
	GUTS_PORTMAP_ASKING,     /* the first answer has not come */
	GUTS_PORTMAP_MAPPED,
	GUTS_PORTMAP_FAILED,     /* no router, or it refuses; tried again later */
	GUTS_PORTMAP_BEHIND_NAT, /* mapped, but the router's own address is a private one */
};

struct guts_portmap_events {
	/* State or address changed; *addr (no peer id) is where we are reached from outside, NULL: nowhere. */
	void (*changed)(void *owner, enum guts_portmap_state s, const struct guts_maddr *addr);
	/* guts_portmap_stop is done. */
	void (*stopped)(void *owner);
};

struct guts_portmap;

/* Begin to map a TCP port of ours.  Owner: caller. */
struct guts_portmap *guts_portmap_new(struct guts_env *env, const struct guts_portmap_router *router, uint16_t port,
    const struct guts_portmap_events *ev, void *owner);

/* Take the mapping back; events.stopped follows, later, also if there is none. */
void guts_portmap_stop(struct guts_portmap *p);

/* No event comes any more; a job that runs is left to its end. */
void guts_portmap_free(struct guts_portmap *p);

/* How things are.  NULL is off. */
enum guts_portmap_state guts_portmap_state(const struct guts_portmap *p);
const char *guts_portmap_state_name(enum guts_portmap_state s); /* "off", "asking", "mapped", "failed", "behind_nat" */

#endif
