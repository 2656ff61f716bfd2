/* http/health.h - how each part of the node is, in words for a person.
 *
 * Every second the loop looks at what the parts know of themselves.  A change for the worse counts when it has lasted a while, where
 * it may pass by itself; one for the better counts at once.  Each change is a signal `node.health` and a line of the log.
 */
#ifndef GUTS_HTTP_HEALTH_H
#define GUTS_HTTP_HEALTH_H

#include "http/http.h"
#include "view/view.h"

enum guts_health_part {
	GUTS_HEALTH_P2P,
	GUTS_HEALTH_DHT,
	GUTS_HEALTH_GOSSIP,
	GUTS_HEALTH_SYNC,
	GUTS_HEALTH_STORE,
	GUTS_HEALTH_GIT,
	GUTS_HEALTH_HTTP,
	GUTS_HEALTH_WEBHOOKS,
	GUTS_HEALTH_SINKS,
	GUTS_HEALTH_CI,
	GUTS_HEALTH_N
};

/* From best to worst. */
enum guts_health_state { GUTS_HEALTH_OFF, GUTS_HEALTH_OK, GUTS_HEALTH_DEGRADED, GUTS_HEALTH_FAILING };

struct guts_health_row {
	enum guts_health_state state;
	char reason[160];       /* empty = none; names no repository, address or path */
	uint64_t since_wall_ms; /* of this state */
};

struct guts_health_report {
	struct guts_health_row rows[GUTS_HEALTH_N];
	enum guts_health_state worst; /* at least OK */
	uint64_t version;             /* rises with every change */
};

struct guts_health;

/* Begin to look; `s` as of guts_http_start.  Thread: loop. */
struct guts_health *guts_health_new(struct guts_http *h, const struct guts_http_setup *s);
/* Look no more.  NULL is fine, for both.  Thread: loop. */
void guts_health_stop(struct guts_health *x);
void guts_health_free(struct guts_health *x);

/* What was seen last.  Thread: any. */
void guts_health_report(struct guts_health *x, struct guts_health_report *out);
struct guts_view_health guts_health_view(const struct guts_health_report *r, enum guts_health_part part); /* views into *r */

const char *guts_health_part_name(enum guts_health_part part);
const char *guts_health_state_name(enum guts_health_state state);

#endif
