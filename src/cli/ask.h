/* cli/ask.h - asking the node: where it is, one request, whole lists, names of peers and repositories.
 *
 * Functions that return an enum guts_exit have already said what went wrong.
 */
#ifndef GUTS_CLI_ASK_H
#define GUTS_CLI_ASK_H

#include "cli/cli.h"
#include "client/transfer.h"
#include "view/doc.h"
#include "view/json.h"

struct guts_reply {
	struct guts_transfer *transfer;
	long status;
	struct guts_slice body;
	struct guts_doc *doc; /* NULL if the body is no JSON */
	struct guts_jv root;
};

/* Find the node and the token (c->base, c->secret).  Does nothing the second time. */
int guts_ask_open(struct guts_cli *c);

/* The URL of a path on the node, and the Unix socket to ask it on (NULL = none; a view into *c).  After guts_ask_open.  Owner: caller. */
char *guts_ask_url(const struct guts_cli *c, const char *path, const char **socket);

/* The base URL of another node that is given as text ("host:port", "unix:/path" or a URL), checked and without a slash at the end; NULL if it is none.
 * Owner: caller. */
char *guts_ask_base_of(const char *text);

/* Is a node running on this home (does somebody hold its lock)?  *pid = its process, 0 = not known. */
bool guts_ask_is_running(const struct guts_home *h, long *pid);

/* The address in the home's run file, NULL if there is none.  Owner: caller. */
char *guts_ask_run_url(const struct guts_home *h);

/* A path from a pattern in which each "{}" stands for one argument, percent-encoded as one segment or query value.
 * Owner: caller. */
char *guts_ask_path(const char *pattern, ...);

/* One request; `body` is JSON or NULL.  An answer of 400 or above is an error and is told.  Owner of *r: caller,
 * guts_reply_deinit in any case. */
int guts_ask_call(struct guts_cli *c, struct guts_reply *r, const char *method, const char *path,
    const struct guts_buf *body);

/* The same, but statuses are left to the caller: only an unreachable node is an error. */
int guts_ask_try(struct guts_cli *c, struct guts_reply *r, const char *method, const char *path,
    const struct guts_buf *body);
/* A GET whose answer's bytes go to `data` as they come (false, having said why, ends it), for what is too large to hold. */
int guts_ask_bytes(struct guts_cli *c, const char *path, bool (*data)(void *owner, struct guts_slice bytes), void *owner);

/* Members of a body, from an option of the command line; none if it was not given.  The second is a list of all its values. */
void guts_ask_put(struct guts_cli *c, struct guts_json *j, const char *option, const char *member);
void guts_ask_put_list(struct guts_cli *c, struct guts_json *j, const char *option, const char *member);

/* Tell what a reply of 400 or above says; returns its exit code. */
int guts_ask_refused(struct guts_cli *c, const struct guts_reply *r);
void guts_reply_deinit(struct guts_reply *r);

/* All pages of a list (`path` may have a query): every entry is given to `row`, which may be NULL.  With --json the
 * whole list is printed as one array instead. */
int guts_ask_list(struct guts_cli *c, const char *path, void (*row)(void *owner, struct guts_jv v), void *owner);

/* The same for a log that is read by cursor (`after`, `limit`). */
int guts_ask_log(struct guts_cli *c, const char *path, void (*row)(void *owner, struct guts_jv v), void *owner);

/* With --json print the reply's body and return true. */
bool guts_ask_json(const struct guts_cli *c, const struct guts_reply *r);

/* Full peer id of what the user wrote: an id, or the end of one ("…k3JxQ9ab") that fits one known peer.  Owner of *id: caller. */
int guts_ask_peer(struct guts_cli *c, const char *text, char **id);

/* API path of the repository the user named: OWNER/NAME, an id, guts://ID, a NAME or the end of an id that fits one.
 * Owner of *path: caller. */
int guts_ask_repo(struct guts_cli *c, const char *text, char **path);

/* The texts of a list with spaces between, cut to fit. */
void guts_ask_join(char *out, size_t size, struct guts_jv list);

/* Unix seconds now, for ages. */
int64_t guts_ask_now(void);

#endif
