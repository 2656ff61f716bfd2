/* http/server.c - libmicrohttpd's calls turned into the life of one request.
 *
 *	target arrives   on_target    memory for the request, with a copy of the raw target
 *	headers          on_request   guard, host, route, rights: a refusal is noted
 *	body             on_request   collected, or fed to the route as it comes
 *	end              on_request   the handler: answers, or sleeps and is called again when woken
 *	answered         on_completed freed
 *
 * libmicrohttpd closes a connection that is answered in the first of these calls, so only requests
 * that must not go on (guard, bodies that nobody will read) are answered there.
 */
#include "base/alloc.h"
#include "http/api.h"
#include "http/idempotency.h"
#include "http/tls.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

#define DRAIN_MAX (64u << 10) /* [bytes] a body up to this size is read only to keep the connection */

uint64_t
guts_http_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * GUTS_SECOND_NS + (uint64_t)ts.tv_nsec;
}

uint64_t
guts_http_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* -- sleep and wake ----------------------------------------------------------------- */

bool
guts_req_sleep(struct guts_req *r)
{
	struct guts_http *h = r->h;

	pthread_mutex_lock(&h->lock);
	bool may = !h->stopping && !r->is_over;
	if (may && !r->asleep) {
		r->asleep = true;
		DL_APPEND(h->asleep, r);
		MHD_suspend_connection(r->conn);
	}
	pthread_mutex_unlock(&h->lock);
	return may;
}

void
guts_req_wake_locked(struct guts_req *r)
{
	if (!r->asleep)
		return;
	r->asleep = false;
	DL_DELETE(r->h->asleep, r);
	MHD_resume_connection(r->conn);
}

void
guts_req_wake(struct guts_req *r)
{
	pthread_mutex_lock(&r->h->lock);
	guts_req_wake_locked(r);
	pthread_mutex_unlock(&r->h->lock);
}

/* -- headers -------------------------------------------------------------------------- */

static enum MHD_Result
add_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value, size_t value_n)
{
	(void)kind;
	guts_guard_add(cls, guts_slice(name, name_n), guts_slice(value, value_n));
	return MHD_YES;
}

static void
refuse(struct guts_req *r, int status, const char *why)
{
	if (!r->early) {
		r->early = status;
		r->early_why = why;
	}
}

static void
check_head(struct guts_req *r, const char *method, const char *version)
{
	int status;

	guts_guard_begin(&r->head, guts_slice_str(method), guts_slice_str(version));
	MHD_get_connection_values_n(r->conn, MHD_HEADER_KIND, add_header, &r->head);
	status = guts_guard_end(&r->head);
	if (status) {
		refuse(r, status, r->head.why);
		return;
	}
	status = guts_guard_host(r->head.v[GUTS_HEAD_HOST], r->lane->is_loopback, (const char *const *)r->access->hosts, r->access->nhosts);
	if (status)
		refuse(r, status, status == 421 ? "this host name is not ours (http.allowed_hosts)" : "malformed Host");
	int err = guts_target_parse(&r->target, r->text, r->ntext);
	if (err == GUTS_ELIMIT)
		refuse(r, 414, "the request target is too long or has too many parts");
	else if (err < 0)
		refuse(r, 400, "malformed request target: a bad escape or byte, an empty segment, '.' or '..'");
}

static void
find_client(struct guts_req *r)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	guts_remote_find(&r->from, &r->access->proxies, i ? i->client_addr : NULL, r->lane->is_tls, &r->head);
}

bool
guts_req_wrong_try(struct guts_req *r)
{
	uint64_t now = guts_http_wall_ms();
	struct guts_slice network = guts_remote_network(&r->from);

	atomic_fetch_add(&r->h->n.auth_failed, 1);
	guts_auth_failed(r->h->auth, network, now);
	return guts_auth_is_throttled(r->h->auth, network, now);
}

/* Nobody has more than everybody's rights on a public listener. */
static bool
is_public_read(const struct guts_route *route)
{
	return route->scope <= GUTS_SCOPE_PUBLIC && (route->method == GUTS_GET || route->handle == guts_smart_fetch);
}

static void
check_rights(struct guts_req *r)
{
	struct guts_http *h = r->h;
	const struct guts_route *route = r->match.route;
	bool open = r->access->public_read || (r->access->local_read && r->lane->is_loopback && r->from.is_local);

	if (r->lane->is_public) {
		r->who.open = true;
		if (!is_public_read(route))
			refuse(r, 403, "this listener is for public reads only (http.public_listen)");
		return;
	}
	if (guts_auth_check(h->auth, &r->head, open, h->cookie, r->access->public_url, guts_http_wall_ms(), &r->who) < 0) {
		guts_log_limited(GUTS_LOG_WARN, "http", "a token that is not good was shown for %s %s",
		    guts_method_name(r->head.method), route->path);
		refuse(r, guts_req_wrong_try(r) ? 429 : 401, "the token is unknown, revoked or expired");
		return;
	}
	if (guts_who_can(&r->who, route->scope))
		return;
	if (r->who.kind == GUTS_WHO_ANYONE)
		refuse(r, 401, "this needs a token (see home/admin-token, or a dashboard session with its header)");
	else
		refuse(r, 403, "the token lacks the scope for this");
}

/* Is this asker within his limit? */
static void
check_rate(struct guts_req *r)
{
	struct guts_http *h = r->h;
	struct guts_slice who = guts_who_name(&r->who);
	uint64_t rate = who.n ? r->access->token_rate : r->access->address_rate;

	if (rate == 0 || (r->from.is_local && !r->access->limit_loopback))
		return;
	guts_limits_take(h->limits, who.n ? who : guts_remote_network(&r->from), rate, r->start_ns, &r->allowance);
	if (!r->allowance.wait_s)
		return;
	atomic_fetch_add(&h->n.limited, 1);
	r->early = 0; /* before any other refusal */
	refuse(r, 429, who.n ? "this token makes too many requests" : "this address makes too many requests; with a token more are allowed");
}

static void
check_body(struct guts_req *r)
{
	const struct guts_guard *g = &r->head;
	bool some = g->is_chunked || g->length;
	enum guts_body_kind kind = r->match.route->body;

	if (kind == GUTS_BODY_STREAM)
		return;
	if (kind == GUTS_BODY_JSON && !guts_guard_type_is(g->v[GUTS_HEAD_CONTENT_TYPE], "application/json"))
		refuse(r, 415, "the body must be application/json");
	if (some && g->v[GUTS_HEAD_CONTENT_ENCODING].p)
		refuse(r, 415, "the body must not be encoded");
	if (g->length > (kind == GUTS_BODY_JSON ? GUTS_HTTP_JSON_MAX : DRAIN_MAX))
		refuse(r, 413, "the body is too large");
}

/* What works only when the node has loaded its repositories. */
static bool
needs_node(const struct guts_route *route)
{
	if (strstr(route->path, "{repo}") || strstr(route->path, "{git}"))
		return true;
	return route->method != GUTS_GET && !strstr(route->path, "/session") && !strstr(route->path, "/tokens") &&
	    !strstr(route->path, "/shutdown");
}

static void
find_route(struct guts_req *r)
{
	guts_router_find(&r->match, r->head.method, &r->target);
	if (r->match.route)
		return;
	if (r->head.method == GUTS_OPTIONS && r->match.allowed)
		refuse(r, 204, "");
	else if (r->match.allowed)
		refuse(r, 405, "this method is not for this address");
	else if (r->target.odd < r->target.nseg)
		refuse(r, 400, "a control character or backslash where no name of a file is");
	else
		refuse(r, 404, "no such address");
}

static void
take_request_id(struct guts_req *r)
{
	struct guts_slice s = r->head.v[GUTS_HEAD_REQUEST_ID];

	if (s.n == 0 || s.n >= sizeof r->id)
		return;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_' || c == '.'))
			return;
	}
	memcpy(r->id, s.p, s.n);
}

/* -- answers of our own ------------------------------------------------------------------- */

static void
reply_options(struct guts_req *r)
{
	char allow[GUTS_ALLOW_SIZE];
	const char *extra[] = { "Allow", allow, NULL };
	struct MHD_Response *resp = guts_reply_nothing();

	guts_router_allow(allow, r->match.allowed);
	guts_cors_preflight(r, resp, allow);
	guts_reply(r, 204, resp, extra);
}

static void
reply_early(struct guts_req *r)
{
	if (r->early == 204)
		reply_options(r);
	else
		guts_reply_problem(r, r->early, "%s", r->early_why);
}

/* -- libmicrohttpd's calls ------------------------------------------------------------------- */

static void *
on_target(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct guts_lane *lane = cls;
	size_t n = strlen(uri);
	struct guts_req *r = guts_alloc(sizeof *r + n + 1);
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	r->h = lane->h;
	r->lane = lane;
	r->conn = conn;
	r->line = i ? i->socket_context : NULL;
	pthread_mutex_lock(&r->h->lock);
	r->access = r->h->access;
	atomic_fetch_add(&r->access->refcount, 1);
	pthread_mutex_unlock(&r->h->lock);
	r->ntext = n;
	memcpy(r->text, uri, n);
	guts_buf_init(&r->body, GUTS_HTTP_JSON_MAX);
	return r;
}

static void
set_line(struct guts_req *r, enum guts_line_state state)
{
	if (!r->line)
		return;
	pthread_mutex_lock(&r->h->lock);
	r->line->state = state;
	r->line->since_ns = guts_http_now();
	pthread_mutex_unlock(&r->h->lock);
}

static enum MHD_Result
on_headers(struct guts_req *r, const char *method, const char *version)
{
	struct guts_http *h = r->h;
	bool some;

	r->begun = true;
	r->start_ns = guts_http_now();
	check_head(r, method, version);
	take_request_id(r);
	find_client(r);
	if (r->early) { /* how this request ends cannot be trusted: the connection ends with it */
		atomic_fetch_add(&h->n.refused, 1);
		reply_early(r);
		return MHD_YES;
	}
	if (h->stopping)
		refuse(r, 503, "the node is stopping");
	find_route(r);
	if (!r->early)
		check_rights(r);
	check_rate(r);
	if (!r->early)
		check_body(r);
	if (!r->early && !atomic_load(&h->is_ready) && needs_node(r->match.route))
		refuse(r, 503, "the node is starting");
	some = r->head.is_chunked || r->head.length;
	set_line(r, some && !(r->match.route && r->match.route->body == GUTS_BODY_STREAM) ? GUTS_LINE_BODY : GUTS_LINE_BUSY);
	if (r->early && (r->head.is_chunked || r->head.length > DRAIN_MAX))
		reply_early(r);
	else if (!r->early && r->match.route->open)
		r->match.route->open(r);
	return MHD_YES;
}

static enum MHD_Result
on_body(struct guts_req *r, const char *data, size_t *n)
{
	const struct guts_route *route = r->match.route;

	r->taken += *n;
	if (r->early || r->is_dropped || route->body == GUTS_BODY_NONE) {
		*n = 0;
		return r->taken > 4 * GUTS_HTTP_JSON_MAX ? MHD_NO : MHD_YES;
	}
	if (route->body == GUTS_BODY_JSON) {
		if (guts_buf_add(&r->body, data, *n) < 0)
			r->is_dropped = true;
		*n = 0;
		return MHD_YES;
	}
	size_t took = route->feed(r, guts_slice(data, *n));
	r->taken -= *n - took;
	*n -= took;
	return MHD_YES;
}

static void
on_end(struct guts_req *r)
{
	if (r->call && guts_call_answered(r))
		return;
	if (r->h->stopping) {
		guts_call_abandon(r);
		guts_reply_problem(r, 503, "the node is stopping");
	} else if (r->call) {
		guts_req_sleep(r); /* woken only to see whether the client is still there */
	} else if (r->resume) {
		r->resume(r);
	} else if ((r->early == 429 && !r->allowance.wait_s) || (r->early == 401 && r->head.v[GUTS_HEAD_AUTHORIZATION].p)) {
		guts_call_delayed_problem(r, 200, r->early, r->early_why);
		r->early = 0;
	} else if (r->early) {
		reply_early(r);
	} else if (r->is_dropped) {
		guts_reply_problem(r, 413, "the body is too large");
	} else {
		set_line(r, GUTS_LINE_BUSY);
		if (guts_idempotency_begin(r))
			r->match.route->handle(r);
	}
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method, const char *version,
    const char *data, size_t *n, void **ctx)
{
	struct guts_req *r = *ctx;

	(void)cls, (void)conn, (void)url;
	if (!r)
		return MHD_NO;
	if (!r->begun)
		return on_headers(r, method, version);
	if (r->answered) { /* refused early: what still comes is not looked at */
		*n = 0;
		return MHD_YES;
	}
	if (*n)
		return on_body(r, data, n);
	on_end(r);
	return MHD_YES;
}

static void
count(struct guts_req *r)
{
	static const uint64_t limits_ns[] = { 500000, 1000000, 2500000, 5000000, 10000000, 50000000, 250000000, 1000000000 };
	struct guts_counters *n = &r->h->n;
	uint64_t took = guts_http_now() - r->start_ns;
	size_t i = 0;

	if (!r->begun)
		return;
	if (guts_log_level() >= GUTS_LOG_DEBUG)
		guts_log(GUTS_LOG_DEBUG, "http", "%s %s status=%d us=%llu id=%s", guts_method_name(r->head.method),
		    r->match.route ? r->match.route->path : "-", r->status, (unsigned long long)took / 1000, guts_req_id(r));
	while (i < 8 && took > limits_ns[i])
		i++;
	atomic_fetch_add_explicit(&n->requests[r->status >= 100 && r->status < 600 ? r->status / 100 : 0], 1,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&n->seconds_bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&n->seconds_sum_ns, took, memory_order_relaxed);
}

static void
on_completed(void *cls, struct MHD_Connection *conn, void **ctx, enum MHD_RequestTerminationCode why)
{
	struct guts_req *r = *ctx;

	(void)cls, (void)conn, (void)why;
	if (!r)
		return;
	*ctx = NULL;
	r->is_over = true;
	if (r->has_key && r->call) /* the client left just before its answer: that is kept all the same */
		guts_call_answered(r);
	count(r);
	guts_audit_note(r);
	guts_idempotency_end(r);
	guts_call_abandon(r);
	pthread_mutex_lock(&r->h->lock);
	if (r->asleep) {
		r->asleep = false;
		DL_DELETE(r->h->asleep, r);
	}
	pthread_mutex_unlock(&r->h->lock);
	if (r->state_free)
		r->state_free(r);
	set_line(r, GUTS_LINE_NEXT);
	guts_who_deinit(&r->who);
	guts_access_unref(r->access);
	guts_buf_wipe(&r->body);
	free(r);
}

static void
on_connection(void *cls, struct MHD_Connection *conn, void **ctx, enum MHD_ConnectionNotificationCode what)
{
	struct guts_lane *lane = cls;
	struct guts_http *h = lane->h;
	struct guts_line *line = *ctx;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		line = guts_alloc(sizeof *line);
		line->fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		line->since_ns = guts_http_now();
		*ctx = line;
		pthread_mutex_lock(&h->lock);
		DL_APPEND(h->lines, line);
		pthread_mutex_unlock(&h->lock);
		if (atomic_fetch_add(&h->n.connections, 1) == 0)
			guts_watch_poke(h);
	} else if (line) {
		pthread_mutex_lock(&h->lock);
		DL_DELETE(h->lines, line);
		pthread_mutex_unlock(&h->lock);
		atomic_fetch_sub(&h->n.connections, 1);
		*ctx = NULL;
		free(line);
	}
}

/* Percent signs stay as they came: the target is split first and decoded afterwards. */
static size_t
keep_raw(void *cls, struct MHD_Connection *conn, char *s)
{
	(void)cls, (void)conn;
	return strlen(s);
}

int
guts_lane_start(struct guts_lane *lane, unsigned connections_max)
{
	const struct MHD_OptionItem encrypted[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, guts_tls_callback() },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)GUTS_TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};
	const struct MHD_OptionItem *more = lane->is_tls ? encrypted : encrypted + 2;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (lane->is_tls ? (unsigned)MHD_USE_TLS : 0);

	lane->daemon = MHD_start_daemon(flags, 0, NULL, NULL,
	    on_request, lane, MHD_OPTION_LISTEN_SOCKET, lane->fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, lane,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, lane, MHD_OPTION_NOTIFY_CONNECTION, on_connection, lane,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_raw, lane, MHD_OPTION_CONNECTION_LIMIT, connections_max,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)GUTS_HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)GUTS_HTTP_POOL_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)1024,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
	return lane->daemon ? 0 : GUTS_EIO;
}
