/* http/http.h - the gateway: REST, event streams, git over HTTP and the dashboard, on its own threads.
 *
 *	listener(s) → guard → router → rights → handler ─┬─ answers from a snapshot or the store
 *	                                                 └─ closure on the loop, or a worker's job;
 *	                                                    the connection sleeps until it is done
 *
 * One libmicrohttpd epoll thread per listening address, and one thread that pumps events and
 * watches deadlines.  Nothing here blocks the loop, and the loop never waits for a client.
 */
#ifndef GUTS_HTTP_HTTP_H
#define GUTS_HTTP_HTTP_H

#include "conf/conf.h"
#include "node/node.h"

struct guts_http;
struct guts_repostore;
struct guts_bridge;
struct guts_children;
struct guts_sinks;
struct guts_sqlite;

struct guts_http_setup {
	struct guts_env *env;           /* the node's: closures and jobs run there */
	struct guts_node *node;
	struct guts_bridge *bridge;     /* webhooks */
	struct guts_sinks *sinks;       /* message brokers */
	const struct guts_conf *conf;   /* as the node starts with it; copied */
	const char *conf_path;          /* where guts.conf is, or would be */
	const char *home;               /* folder of the node: admin-token is kept in it */
	struct guts_repostore *repos;   /* repositories on disk: reading them, serving fetches */
	struct guts_sqlite *sqlite;     /* the store's end, for its health */
	struct guts_children *children; /* git's processes, for theirs */
	const char *version;            /* "0.1.0" */
	/* Options came into force, by PATCH /api/v1/config or guts_http_reload: those of the gateway are seen to; on the loop thread. */
	void (*configure)(void *owner, const struct guts_conf *was, const struct guts_conf *now);
	void (*shutdown)(void *owner);  /* POST /api/v1/shutdown was accepted; on the loop thread */
	void *owner;
};

/* Bind all of http.listen and begin to serve (before the node is ready most routes answer 503).
 * Thread: loop.  Makes home/admin-token on the first start.
 * Errors: GUTS_EEXIST (address in use), GUTS_EDENIED, GUTS_EINVAL, GUTS_EIO, each with text. */
int guts_http_start(struct guts_http **out, const struct guts_http_setup *s, struct guts_errinfo *ei);

/* Number of bound addresses, and the base URL of one ("http://127.0.0.1:8080", the real port; "unix:/path"). */
size_t guts_http_count(const struct guts_http *h);
const char *guts_http_url(const struct guts_http *h, size_t i);

/* URL of the gateway for links: http.public_url, or the first bound address; "" if it has Unix sockets only.  Lent until the
 * configuration changes.  Thread: loop. */
const char *guts_http_base(const struct guts_http *h);

/* True when the admin token was made by this start; its text is copied to `token` (≥ GUTS_HTTP_TOKEN_SIZE bytes). */
#define GUTS_HTTP_TOKEN_SIZE 80 /* [bytes] with NUL */
bool guts_http_new_admin_token(const struct guts_http *h, char token[GUTS_HTTP_TOKEN_SIZE]);

/* Read guts.conf and the certificate again; what is bad is logged, and the old one stays.  Thread: loop. */
void guts_http_reload(struct guts_http *h);

/* Stop: no new connections, sleeping ones are woken with 503 or their end of stream, threads joined (≤ 2 s).
 * Closures under way may still come back on the loop; their answers are dropped.  Thread: loop, before guts_node_stop. */
void guts_http_stop(struct guts_http *h);

/* Free, when the loop turns no more.  NULL is fine. */
void guts_http_free(struct guts_http *h);

/* One line per route, "METHOD PATH SCOPE\n", for the test that holds it against api/openapi.yaml. */
void guts_http_dump_routes(struct guts_buf *out);

#endif
