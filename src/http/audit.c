/* http/audit.c - who changed what, and from where: one fact per write, for administrators' eyes.
 *
 * A request is noted when it ends, on its HTTP thread; what was noted meanwhile becomes one batch on the loop.  The facts
 * of the changes themselves are committed with them and come before.  No body, query or secret is kept.
 */
#include "base/alloc.h"
#include "http/api.h"
#include "http/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define WAITING_MAX 10000 /* rows; at this many the store has stopped */
#define PATH_MAX_BYTES 256

struct guts_audit_row {
	struct guts_audit_row *prev, *next;
	enum guts_who_kind kind;
	int status;
	const char *method;
	uint64_t wall_ns;
	char token[GUTS_TOKEN_ID_SIZE], name[GUTS_TOKEN_NAME_MAX + 1];
	char address[GUTS_IP_TEXT_SIZE], request[33], path[PATH_MAX_BYTES + 1];
};

static bool
is_write(const struct guts_req *r)
{
	const struct guts_route *route = r->match.route;

	if (!r->begun || !route || (r->head.method & (GUTS_GET | GUTS_HEAD | GUTS_OPTIONS)))
		return false;
	return route->scope > GUTS_SCOPE_READ || route->handle == guts_push_request_end ||
	    route->handle == guts_rest_session_create || route->handle == guts_rest_session_end;
}

static void
add_fact(struct guts_batch *batch, const struct guts_audit_row *w)
{
	static const char *const kinds[] = { "anyone", "token", "session" };
	const char *const texts[][2] = { { "who", kinds[w->kind] }, { "token", w->token }, { "name", w->name },
		{ "address", w->address }, { "method", w->method },
		{ "path", w->path }, { "request", w->request } };
	struct guts_fact f = { .type = "audit.write", .is_private = true, .wall_ns = w->wall_ns };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		f.attr[f.n++] = (struct guts_fact_attr){ .name = texts[i][0], .text = guts_slice_str(texts[i][1]) };
	f.attr[f.n++] = (struct guts_fact_attr){ .name = "status", .is_number = true, .number = (uint64_t)w->status };
	guts_batch_fact(batch, &f);
}

static void
committed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct guts_http *h = owner;

	if (err)
		guts_log_limited(GUTS_LOG_ERROR, "http", "an audit record could not be written: %s", guts_err_text(err));
	else if (h->ring && !h->stopping)
		guts_node_announce(h->node, first, last);
}

static struct guts_audit_row *
take(struct guts_http *h)
{
	pthread_mutex_lock(&h->lock);
	struct guts_audit_row *rows = h->audit;
	h->audit = NULL;
	h->naudit = 0;
	pthread_mutex_unlock(&h->lock);
	return rows;
}

static void
flush(void *arg)
{
	struct guts_http *h = arg;
	struct guts_audit_row *rows = take(h), *w, *next;
	struct guts_batch *batch;

	if (!rows)
		return;
	batch = guts_batch_new();
	DL_FOREACH_SAFE(rows, w, next) {
		add_fact(batch, w);
		free(w);
	}
	int err = guts_store_commit(h->store, batch, committed, h);
	if (err)
		committed(h, err, 0, 0);
}

/* Whoever knows the lease of a CI job may end it, and records are read by other programs: then the route stands for the path. */
static void
write_path(struct guts_req *r, char out[PATH_MAX_BYTES + 1])
{
	struct guts_buf path;

	guts_buf_init(&path, 4 * GUTS_TARGET_MAX);
	if (strstr(r->match.route->path, "{lease}"))
		guts_buf_add_str(&path, r->match.route->path);
	else
		guts_req_path(r, &path);
	snprintf(out, PATH_MAX_BYTES + 1, "%s", guts_buf_cstr(&path));
	guts_buf_deinit(&path);
}

void
guts_audit_note(struct guts_req *r)
{
	struct guts_http *h = r->h;
	bool anyone = r->who.kind == GUTS_WHO_ANYONE;

	/* what was refused before it could change anything is in the log, and costs a stranger no place here */
	if (!is_write(r) || r->early || (anyone && r->status >= 400))
		return;
	struct guts_audit_row *w = guts_alloc(sizeof *w);
	w->kind = r->who.kind;
	w->status = r->status;
	w->method = guts_method_name(r->head.method);
	w->wall_ns = guts_http_wall_ms() * GUTS_MS_NS;
	if (r->who.token) {
		snprintf(w->token, sizeof w->token, "%s", r->who.token->id);
		snprintf(w->name, sizeof w->name, "%s", r->who.token->name);
	}
	guts_ip_text(w->address, r->from.ip);
	snprintf(w->request, sizeof w->request, "%s", guts_req_id(r));
	write_path(r, w->path);
	pthread_mutex_lock(&h->lock);
	bool first = !h->audit, fits = h->naudit < WAITING_MAX;
	if (fits) {
		DL_APPEND(h->audit, w);
		h->naudit++;
	}
	pthread_mutex_unlock(&h->lock);
	if (!fits) {
		guts_log_limited(GUTS_LOG_ERROR, "http", "an audit record was dropped: the store does not follow");
		free(w);
	} else if (first) {
		guts_env_post(h->env, flush, h);
	}
}

void
guts_audit_free(struct guts_http *h)
{
	struct guts_audit_row *w, *next;

	DL_FOREACH_SAFE(h->audit, w, next)
		free(w);
	h->audit = NULL;
}
