/* loop/childpipe.c - bytes from one pipe to a child, and from the child to the other.
 *
 * The pipes' wake-ups come on the other thread, under the pipe's lock: they only post.  A
 * posted function may arrive after all is over, so the struct is freed only when none is on its
 * way.  That count cannot rise any more once both our ends are given up.
 */
#include "loop/childpipe.h"

#include "loop/child_int.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PIECE_BYTES (64u << 10)

struct bridge {
	struct guts_env *e;
	struct guts_child *child;   /* NULL = ended */
	struct guts_pipe *in, *out; /* NULL = given up */
	struct guts_buf rest; /* output that `out` had no room for; the child is paused meanwhile */
	atomic_uint posts;    /* on their way to the loop */
	int err;
	void (*done)(void *owner, const struct guts_child_result *r);
	void *owner;
};

static void
free_if_over(struct bridge *b)
{
	if (b->child || b->in || b->out || atomic_load(&b->posts))
		return;
	guts_buf_deinit(&b->rest);
	free(b);
}

static void
drop_in(struct bridge *b)
{
	if (b->in)
		guts_pipe_drop(b->in);
	b->in = NULL;
}

static void
end_out(struct bridge *b)
{
	if (b->out)
		guts_pipe_end(b->out, b->err);
	b->out = NULL;
}

static void
tell(struct bridge *b, const struct guts_child_result *r)
{
	b->child = NULL;
	b->err = r->err;
	drop_in(b);
	if (b->done)
		b->done(b->owner, r);
	b->done = NULL;
}

/* The other thread gave up. */
static void
give_up(struct bridge *b, int err)
{
	struct guts_child_result r = {.err = err, .exit_code = -1};

	if (b->child)
		guts_child_cancel(b->child);
	guts_buf_clear(&b->rest);
	tell(b, &r);
	end_out(b);
}

/* --- in ------------------------------------------------------------------- */

static void
pump_in(struct bridge *b)
{
	struct guts_slice s;

	while (b->in && b->child) {
		ssize_t n = guts_pipe_peek(b->in, PIECE_BYTES, &s);

		if (n == 0) {
			guts_pipe_wait_data(b->in);
			return;
		}
		if (n == GUTS_ECLOSED) {
			guts_child_end_input(b->child);
			drop_in(b);
		} else if (n < 0) {
			give_up(b, (int)n);
		} else {
			size_t taken = guts_child_write(b->child, s);

			guts_pipe_consume(b->in, taken);
			if (taken < s.n)
				return; /* on_writable goes on */
		}
	}
}

static void
in_posted(void *arg)
{
	struct bridge *b = arg;

	atomic_fetch_sub(&b->posts, 1);
	pump_in(b);
	free_if_over(b);
}

static void
in_has_data(void *arg)
{
	struct bridge *b = arg;

	atomic_fetch_add(&b->posts, 1);
	guts_env_post(b->e, in_posted, b);
}

static void
on_writable(void *owner)
{
	struct bridge *b = owner;

	pump_in(b);
	free_if_over(b);
}

/* --- out ------------------------------------------------------------------ */

static void
put(struct bridge *b, struct guts_slice s)
{
	ssize_t n = guts_pipe_write(b->out, s);

	if (n < 0) {
		give_up(b, GUTS_ECANCELED);
	} else if ((size_t)n < s.n) {
		guts_buf_add(&b->rest, s.p + n, s.n - (size_t)n);
		if (b->child)
			guts_child_pause(b->child, true);
		guts_pipe_wait_room(b->out);
	}
}

static void
out_posted(void *arg)
{
	struct bridge *b = arg;

	atomic_fetch_sub(&b->posts, 1);
	if (b->out) {
		struct guts_slice s = guts_buf_slice(&b->rest);
		ssize_t n = guts_pipe_write(b->out, s);

		if (n < 0) {
			give_up(b, GUTS_ECANCELED);
		} else {
			guts_buf_consume(&b->rest, (size_t)n);
			if (b->rest.len)
				guts_pipe_wait_room(b->out);
			else if (b->child)
				guts_child_pause(b->child, false);
			else
				end_out(b);
		}
	}
	free_if_over(b);
}

static void
out_has_room(void *arg)
{
	struct bridge *b = arg;

	atomic_fetch_add(&b->posts, 1);
	guts_env_post(b->e, out_posted, b);
}

static void
on_data(void *owner, struct guts_slice out)
{
	struct bridge *b = owner;

	put(b, out);
	free_if_over(b);
}

static void
on_end(void *owner, const struct guts_child_result *r)
{
	struct bridge *b = owner;

	tell(b, r);
	if (b->rest.len == 0)
		end_out(b);
	free_if_over(b);
}

void
guts_childpipe_start(struct guts_children *s, const struct guts_child_spec *spec,
		     struct guts_pipe *in, struct guts_pipe *out,
		     void (*done)(void *owner, const struct guts_child_result *r), void *owner)
{
	static const struct guts_child_events events = {
		.data = on_data, .writable = on_writable, .exit = on_end};
	struct bridge *b = guts_alloc(sizeof *b);

	b->e = guts_children_env(s);
	b->in = in;
	b->out = out;
	b->done = done;
	b->owner = owner;
	guts_buf_init(&b->rest, PIECE_BYTES);
	if (in)
		guts_pipe_on_data(in, in_has_data, b);
	guts_pipe_on_room(out, out_has_room, b);
	guts_pipe_on_drop(out, out_has_room, b);

	int rc = guts_child_start(s, spec, &events, b, &b->child);
	if (rc != 0) {
		give_up(b, rc);
		free_if_over(b);
		return;
	}
	b->child->tell_stop = true; /* the other thread must not wait for ever */
	if (in)
		pump_in(b);
	else
		guts_child_end_input(b->child);
	free_if_over(b); /* an input that had failed before the start ends it here */
}
