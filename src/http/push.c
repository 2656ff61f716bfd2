/* http/push.c - git pushes over HTTP: our own receive side, between the request and sync.
 *
 *	HTTP thread   body → (inflate) → parser: commands | pack → pipe
 *	loop          guts_push_open; pipe → guts_push_write; messages and the report → out
 *	HTTP thread   answer: what is in `out`, as it comes
 *
 * The struct belongs to both threads by a count of two.  A client that leaves before its whole
 * pack came aborts the push; one that leaves later does not: the commit goes on.
 *
 * Source: gitprotocol-pack(5), gitprotocol-http(5).
 */
#include "base/alloc.h"
#include "git/receive.h"
#include "http/api.h"
#include "http/smart.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#define UPLOAD_IDLE_S 600u  /* [s] without a byte: git may compress for minutes between the commands and the pack */
#define OUT_MAX (16u << 20) /* [bytes] messages and the report of a push with the most commands */

struct pushing {
	struct guts_http *h;
	atomic_int refcount;
	/* HTTP thread */
	struct guts_smart_body body;
	struct guts_receive *parser;
	bool is_complete;            /* the commands are there */
	bool is_begun;               /* sync has them, and will tell the end */
	bool is_failed;              /* what comes is dropped */
	struct guts_pipe *pipe;      /* writer's end; NULL once given up */
	/* both, under the lock */
	pthread_mutex_t lock;
	struct guts_req *req;        /* NULL: gone */
	struct guts_buf out;         /* messages, as they come */
	struct guts_buf report;      /* follows them when is_done */
	bool is_done;
	/* set before the loop sees it */
	uint8_t repo[GUTS_REPOID_SIZE];
	bool has_author;
	struct guts_peerid author;
	struct guts_pipe *source;    /* reader's end */
	/* loop */
	struct guts_push *push;
};

static void
unref(struct pushing *p)
{
	if (atomic_fetch_sub(&p->refcount, 1) > 1)
		return;
	guts_receive_free(p->parser);
	guts_buf_deinit(&p->out);
	guts_buf_deinit(&p->report);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* -- the loop's side -------------------------------------------------------------------- */

static const struct guts_receive_request *
request(const struct pushing *p)
{
	return guts_receive_request(p->parser);
}

static void
wake_reader(struct pushing *p)
{
	if (p->req)
		guts_req_wake(p->req);
}

static void
say(void *owner, const char *text)
{
	struct pushing *p = owner;

	pthread_mutex_lock(&p->lock);
	guts_receive_message(&p->out, request(p), text);
	wake_reader(p);
	pthread_mutex_unlock(&p->lock);
}

/* The client may see the end: what it changed is in the snapshot.  Gives back the loop's share. */
static void
end_posted(void *arg)
{
	struct pushing *p = arg;

	if (!p->h->stopping)
		guts_node_snapshot_flush(p->h->node);
	pthread_mutex_lock(&p->lock);
	p->is_done = true;
	wake_reader(p);
	pthread_mutex_unlock(&p->lock);
	unref(p);
}

/* Write the report. */
static void
finish(struct pushing *p, int err, const char *text, const struct guts_push_cmd *cmds, size_t n)
{
	const struct guts_receive_request *rq = request(p);
	struct guts_receive_status *v = guts_calloc(rq->ncmds, sizeof *v);
	bool bad_pack = err == GUTS_EPROTO || err == GUTS_EIO || err == GUTS_ENOSPC || err == GUTS_ETIMEOUT;

	for (size_t i = 0; i < rq->ncmds; i++) {
		v[i].name = rq->cmds[i].name;
		if (i < n && cmds[i].err)
			v[i].error = cmds[i].text[0] ? cmds[i].text : guts_err_text(cmds[i].err);
		else if (err)
			v[i].error = text && text[0] ? text : guts_err_text(err);
		else if (i < n && cmds[i].held && !rq->report_status_v2)
			v[i].error = cmds[i].text; /* the client knows no other way to hear of it */
		if (i < n && cmds[i].held) {
			v[i].written = cmds[i].held;
			v[i].old_oid = cmds[i].held_old;
			v[i].new_oid = cmds[i].new_oid;
		}
	}
	pthread_mutex_lock(&p->lock);
	if (err && text && strlen(text) > 60)
		guts_receive_message(&p->report, rq, text); /* git cuts long reasons in its table */
	guts_receive_report(&p->report, rq, bad_pack ? (text ? text : guts_err_text(err)) : NULL, v, rq->ncmds);
	pthread_mutex_unlock(&p->lock);
	free(v);
	if (p->source)
		guts_pipe_drop(p->source);
	p->source = NULL;
	p->push = NULL;
	guts_env_post(p->h->env, end_posted, p);
}

static void
on_done(void *owner, int err, const char *text, const struct guts_push_cmd *cmds, size_t n)
{
	finish(owner, err, text, cmds, n);
}

/* Move bytes from the pipe to sync until one of them has enough. */
static void
pump(void *arg)
{
	struct pushing *p = arg;
	struct guts_slice data;
	ssize_t n = 0;

	while (p->push && p->source && (n = guts_pipe_peek(p->source, 64u << 10, &data)) > 0) {
		size_t took = guts_push_write(p->push, data);
		guts_pipe_consume(p->source, took);
		if (took < data.n)
			return; /* `writable` calls again */
	}
	if (!p->push || !p->source)
		return;
	if (n == 0) {
		guts_pipe_wait_data(p->source);
		return;
	}
	guts_pipe_drop(p->source);
	p->source = NULL;
	if (n == GUTS_ECLOSED) {
		guts_push_end(p->push);
		return;
	}
	guts_push_abort(p->push);
	finish(p, (int)n, "the upload broke off", NULL, 0);
}

/* A post that finds the push over holds its own share. */
static void
pump_posted(void *arg)
{
	pump(arg);
	unref(arg);
}

static void
on_data(void *arg)
{
	struct pushing *p = arg;

	atomic_fetch_add(&p->refcount, 1);
	guts_env_post(p->h->env, pump_posted, p);
}

static void
on_writable(void *owner)
{
	pump(owner);
}

static const struct guts_push_events push_events = { .writable = on_writable, .message = say, .done = on_done };

static int
open_push(struct pushing *p, struct guts_errinfo *ei)
{
	const struct guts_receive_request *rq = request(p);
	struct guts_sync *sync = guts_node_sync(p->h->node);
	struct guts_repo *repo = guts_sync_find(sync, p->repo);
	struct guts_push_cmd *cmds;
	int err;

	if (!repo)
		return guts_err_set(ei, GUTS_ENOTFOUND, "the repository is gone");
	cmds = guts_calloc(rq->ncmds, sizeof *cmds);
	for (size_t i = 0; i < rq->ncmds; i++) {
		cmds[i].name = (char *)(uintptr_t)rq->cmds[i].name;
		cmds[i].old_oid = rq->cmds[i].old_oid;
		cmds[i].new_oid = rq->cmds[i].new_oid;
		cmds[i].err = rq->cmds[i].err;
		if (cmds[i].err)
			snprintf(cmds[i].text, sizeof cmds[i].text, "this name is not allowed");
	}
	err = guts_push_open(sync, repo, p->has_author ? &p->author : NULL, cmds, rq->ncmds, rq->atomic, rq->has_pack,
	    &push_events, p, &p->push, ei);
	free(cmds);
	return err;
}

static void
start_posted(void *arg)
{
	struct pushing *p = arg;
	struct guts_errinfo ei = { 0 };
	int err = open_push(p, &ei);

	if (err < 0) {
		p->push = NULL;
		finish(p, err, ei.text[0] ? ei.text : guts_err_text(err), NULL, 0);
		return;
	}
	guts_pipe_on_data(p->source, on_data, p);
	pump(p);
}

/* -- the HTTP thread's side ------------------------------------------------------------------ */

static void
wake_request(void *arg)
{
	guts_req_wake(arg);
}

static void
free_pushing(struct guts_req *r)
{
	struct pushing *p = r->state;

	pthread_mutex_lock(&p->lock);
	p->req = NULL;
	pthread_mutex_unlock(&p->lock);
	if (p->pipe)
		guts_pipe_end(p->pipe, GUTS_ECANCELED);
	p->pipe = NULL;
	MHD_set_connection_option(r->conn, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)GUTS_HTTP_IDLE_S);
	guts_smart_body_deinit(&p->body);
	unref(p);
}

void
guts_push_request_open(struct guts_req *r)
{
	struct guts_smart_path path;
	struct pushing *p;

	if (!guts_smart_find(r, true, NULL, &path))
		return;
	p = guts_alloc(sizeof *p); /* zlib's state may not be moved: it is made in its place */
	if (!guts_smart_body_init(&p->body, r, "application/x-git-receive-pack-request")) {
		guts_smart_path_deinit(&path);
		free(p);
		return;
	}
	p->h = r->h;
	p->req = r;
	p->refcount = 1;
	p->parser = guts_receive_new(path.info->format);
	pthread_mutex_init(&p->lock, NULL);
	guts_buf_init(&p->out, OUT_MAX);
	guts_buf_init(&p->report, OUT_MAX);
	memcpy(p->repo, path.info->id, sizeof p->repo);
	p->has_author = path.has_author;
	p->author = path.author;
	r->state = p;
	r->state_free = free_pushing;
	MHD_set_connection_option(r->conn, MHD_CONNECTION_OPTION_TIMEOUT, UPLOAD_IDLE_S);
	guts_smart_path_deinit(&path);
}

/* The commands are there, and the pack begins or there is none: sync gets them.  Not earlier: git may compress for minutes
 * before the first byte of the pack, and index-pack is not to be kept waiting. */
static void
begin(struct guts_req *r, struct pushing *p)
{
	if (p->is_begun || !p->is_complete || p->is_failed || request(p)->ncmds == 0)
		return;
	p->is_begun = true;
	p->pipe = p->source = guts_pipe_new(GUTS_PIPE_BYTES);
	guts_pipe_on_room(p->pipe, wake_request, r);
	atomic_fetch_add(&p->refcount, 1);
	atomic_fetch_add(&r->h->n.pushes, 1);
	guts_env_post(r->h->env, start_posted, p);
}

static void
fail(struct pushing *p, const char *text)
{
	p->is_failed = true;
	if (p->pipe)
		guts_pipe_end(p->pipe, GUTS_EPROTO);
	p->pipe = NULL;
	if (!p->is_begun) {
		guts_receive_fatal(&p->out, request(p), text);
		p->is_done = true;
	}
}

/* Use plain bytes; false: the pipe is full and the request sleeps. */
static bool
use(struct guts_req *r, struct pushing *p, struct guts_slice plain)
{
	struct guts_errinfo ei = { 0 };
	size_t used = 0;

	if (!p->is_failed && !p->is_complete) {
		int err = guts_receive_feed(p->parser, plain, &used, &ei);
		if (err == 0)
			p->is_complete = true;
		else if (err != GUTS_EAGAIN)
			fail(p, ei.text);
		guts_smart_body_used(&p->body, err && err != GUTS_EAGAIN ? plain.n : used);
		return true;
	}
	begin(r, p);
	ssize_t n = p->pipe && !p->is_failed ? guts_pipe_write(p->pipe, plain) : (ssize_t)plain.n;
	if (n < 0) /* sync wants no more: its answer is on the way */
		n = (ssize_t)plain.n;
	guts_smart_body_used(&p->body, (size_t)n);
	if (n > 0)
		return true;
	if (guts_req_sleep(r))
		guts_pipe_wait_room(p->pipe);
	return false;
}

size_t
guts_push_request_feed(struct guts_req *r, struct guts_slice data)
{
	struct pushing *p = r->state;
	struct guts_slice plain;
	size_t total = 0, used;
	bool more;

	do {
		more = guts_smart_body_next(&p->body, guts_slice(data.p + total, data.n - total), &used, &plain);
		total += used;
		uint64_t before = p->body.plain;
		bool on = !more || use(r, p, plain);
		if (!p->body.is_gzip)
			total += (size_t)(p->body.plain - before);
		if (p->body.bad && !p->is_failed)
			fail(p, "the body is no gzip");
		if (!on)
			break;
	} while (total < data.n || (p->body.is_gzip && more));
	return total;
}

static ssize_t
read_answer(void *cls, uint64_t pos, char *to, size_t max)
{
	struct guts_req *r = cls;
	struct pushing *p = r->state;
	ssize_t n;

	(void)pos;
	if (atomic_load(&r->is_gone))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	pthread_mutex_lock(&p->lock);
	struct guts_buf *b = p->out.len ? &p->out : p->is_done ? &p->report : NULL;
	if (b && b->len) {
		n = (ssize_t)(b->len < max ? b->len : max);
		memcpy(to, guts_buf_slice(b).p, (size_t)n);
		guts_buf_consume(b, (size_t)n);
	} else if (p->is_done) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		n = guts_req_sleep(r) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

void
guts_push_request_end(struct guts_req *r)
{
	static const char *const extra[] = GUTS_SMART_HEADERS("application/x-git-receive-pack-result");
	struct pushing *p = r->state;
	struct guts_errinfo ei = { 0 };

	guts_push_request_feed(r, guts_slice(NULL, 0));
	if (guts_smart_body_left(&p->body))
		return; /* asleep until there is room for it */
	if (!p->is_complete && !p->is_failed) {
		if (guts_receive_finish(p->parser, &ei) == 0)
			p->is_complete = true;
		else
			fail(p, ei.text);
	}
	begin(r, p);
	if (p->pipe) {
		guts_pipe_end(p->pipe, guts_smart_body_is_whole(&p->body) ? 0 : GUTS_EPROTO);
		p->pipe = NULL;
	}
	if (p->is_complete && request(p)->ncmds == 0)
		p->is_done = true; /* git's probe before a long push */
	guts_reply(r, 200, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_answer, r, NULL), extra);
}
