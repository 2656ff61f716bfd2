/* http/router.h - the table of routes: method, path, right, body, handler.
 *
 * Paths are templates: `{x}` is one segment, `{x*}` the rest of the path (one segment or more), `{path*}` that as the name of
 * a file in git, which alone may hold control bytes and backslashes, `{repo}` a repository (its id, or owner and name), `{git}` the same with ".git" behind it, or an id and a peer id with ".git".
 */
#ifndef GUTS_HTTP_ROUTER_H
#define GUTS_HTTP_ROUTER_H

#include "http/guard.h"
#include "http/target.h"

#define GUTS_PARAMS_MAX 4

struct guts_req;

enum guts_scope {
	GUTS_SCOPE_NONE,   /* no token at all */
	GUTS_SCOPE_PUBLIC, /* none where public things may be read freely, else READ */
	GUTS_SCOPE_READ,
	GUTS_SCOPE_WRITE,
	GUTS_SCOPE_CI,
	GUTS_SCOPE_ADMIN,
};

enum guts_body_kind {
	GUTS_BODY_NONE,    /* a body is read and dropped */
	GUTS_BODY_JSON,    /* collected; must be application/json */
	GUTS_BODY_STREAM,  /* goes to `feed` as it comes */
};

enum guts_route_kind {
	GUTS_ROUTE_REST,   /* part of the contract */
	GUTS_ROUTE_GIT,    /* git's own addresses: problems are plain text */
	GUTS_ROUTE_PAGE,   /* what is left: pages, files, nothing */
};

/* One row.  Handlers run on an HTTP thread and must not block; they queue an answer, or put the request to sleep. */
struct guts_route {
	enum guts_method method;      /* GET takes HEAD too */
	const char *path;
	enum guts_scope scope;
	enum guts_body_kind body;
	void (*handle)(struct guts_req *r);
	/* Stream: called once before the first byte (may queue an answer: the rest is dropped), then with bytes; returns how
	 * many were taken.  Taking fewer means that the request was put to sleep. */
	void (*open)(struct guts_req *r);
	size_t (*feed)(struct guts_req *r, struct guts_slice data);
	enum guts_route_kind kind;
};

/* All routes, most used first. */
extern const struct guts_route guts_routes[];
extern const size_t guts_routes_n;

/* What matched: a row and the values of its parameters, in order; of `{repo}` and `{git}` the first is the id or
 * owner, the second the name or peer (n = 0 if it was an id alone). */
struct guts_match {
	const struct guts_route *route;
	unsigned allowed;             /* methods of all rows whose path fits */
	struct {
		uint16_t first, n;    /* segments; n = 0: empty */
	} param[GUTS_PARAMS_MAX];
};

/* Find the row for `method` (HEAD looks for GET).  route = NULL and allowed = 0: no such path. */
void guts_router_find(struct guts_match *m, enum guts_method method, const struct guts_target *t);

/* Does `path` fit the template?  For tests. */
bool guts_router_fits(const char *path, const struct guts_target *t, struct guts_match *m);

/* What the header Allow says of `allowed` (guts_match). */
#define GUTS_ALLOW_SIZE 64
void guts_router_allow(char out[GUTS_ALLOW_SIZE], unsigned allowed);

/* "GET", …; of a set the first. */
const char *guts_method_name(enum guts_method m);
const char *guts_scope_name(enum guts_scope s);

#endif
