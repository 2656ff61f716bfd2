/* http/childout.c - see childout.h: the pipe is read by libmicrohttpd's reader, which sleeps while it is empty. */
#include "http/childout.h"

#include <microhttpd.h>

#define BLOCK (32u << 10) /* [bytes] that libmicrohttpd holds of it */

static void
wake(void *arg)
{
	guts_req_wake(arg);
}

void
guts_childout_init(struct guts_childout *o, struct guts_req *r)
{
	o->req = r;
	o->preface = "";
	o->pipe = guts_pipe_new(GUTS_PIPE_BYTES);
	guts_pipe_on_data(o->pipe, wake, r);
}

void
guts_childout_deinit(struct guts_childout *o)
{
	guts_pipe_drop(o->pipe);
}

static ssize_t
read_answer(void *cls, uint64_t pos, char *to, size_t max)
{
	struct guts_childout *o = cls;
	size_t preface = strlen(o->preface);
	ssize_t n;

	if (atomic_load(&o->req->is_gone))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (pos < preface) {
		n = (ssize_t)(preface - pos < max ? preface - pos : max);
		memcpy(to, o->preface + pos, (size_t)n);
		return n;
	}
	n = guts_pipe_read(o->pipe, to, max);
	if (n > 0 && o->copy)
		guts_buf_add(o->copy, to, (size_t)n);
	if (n > 0)
		return n;
	if (n == GUTS_ECLOSED && o->copy)
		o->whole(o);
	if (n < 0)
		return n == GUTS_ECLOSED ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
	if (!guts_req_sleep(o->req))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	guts_pipe_wait_data(o->pipe);
	return 0;
}

void
guts_childout_answer(struct guts_childout *o)
{
	struct guts_req *r = o->req;
	struct guts_slice first;
	ssize_t n = guts_pipe_peek(o->pipe, 1, &first);

	if (n == 0 && guts_req_sleep(r))
		guts_pipe_wait_data(o->pipe);
	else if (n < 0 && n != GUTS_ECLOSED)
		guts_reply_problem(r, guts_err_http_status((int)n), "%s%s", n == GUTS_EBUSY ? o->busy : guts_err_text((int)n),
		    r->match.route->kind == GUTS_ROUTE_GIT ? "\n" : "");
	else
		guts_reply(r, 200, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_answer, o, NULL), o->extra);
}

uint64_t
guts_childout_key(const struct guts_req *r)
{
	return r->who.token ? (uint64_t)r->who.token->hash[0] << 8 | r->who.token->hash[1] : 0;
}
