/* http/limit.h - how many requests one asker may make: per token or session, else per address.
 *
 * Each asker has a bucket of a minute's requests that refills continuously.  The table has a fixed size: a newcomer
 * takes the place of the asker nearest to a full bucket, who loses nothing by being forgotten.
 *
 * Source of the header fields: docs.github.com, "Rate limits for the REST API".
 */
#ifndef GUTS_HTTP_LIMIT_H
#define GUTS_HTTP_LIMIT_H

#include "base/slice.h"

struct guts_limits;

/* What the asker is told; limit = 0: nothing, it is not held to any. */
struct guts_allowance {
	uint64_t limit;     /* requests per minute */
	uint64_t remaining; /* of them, now */
	uint64_t full_s;    /* [s] until all are there again */
	uint64_t wait_s;    /* 0 = this one was fine; else [s] until the next may come */
};

struct guts_limits *guts_limits_new(void);
void guts_limits_free(struct guts_limits *l);

/* One request of the asker whose name is `who`, any bytes, at most `per_minute` (> 0) at `now` [monotonic ns].  Thread: any. */
void guts_limits_take(struct guts_limits *l, struct guts_slice who, uint64_t per_minute, uint64_t now,
    struct guts_allowance *out);

#endif
