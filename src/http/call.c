/* http/call.c - closures on the loop for requests that sleep meanwhile.
 *
 * A call outlives its request when the gateway stops, or the client goes, before the answer
 * comes: then nobody waits and its result is dropped.  Who sets or reads c->req, is_done, or the
 * lists holds h->lock.  A call is destroyed by its request once done, or by guts_call_done when
 * nobody waits, or with the gateway.
 */
#include "base/alloc.h"
#include "http/internal.h"

#include <stdlib.h>
#include <utlist.h>

void *
guts_call_new(size_t n, void (*run)(struct guts_call *c), void (*answer)(struct guts_req *r, struct guts_call *c),
    void (*destroy)(struct guts_call *c))
{
	struct guts_call *c = guts_alloc(n);

	c->run = run;
	c->answer = answer;
	c->destroy = destroy;
	return c;
}

static void
destroy(struct guts_call *c)
{
	if (c->destroy)
		c->destroy(c);
	free(c);
}

static void
run_posted(void *arg)
{
	struct guts_call *c = arg;

	c->run(c);
}

static void
job_run(struct guts_job *j)
{
	struct guts_call *c = j->owner;

	c->run(c);
}

static void
job_done(struct guts_job *j, void *owner)
{
	struct guts_call *c = owner;

	(void)j;
	guts_call_done(c, c->err, &c->ei);
}

static void
submit_posted(void *arg)
{
	struct guts_call *c = arg;

	c->job.run = job_run;
	c->job.done = job_done;
	c->job.owner = c;
	guts_env_submit(c->h->env, &c->job);
}

static void
dispatch(struct guts_req *r, struct guts_call *c, void (*fn)(void *arg))
{
	c->h = r->h;
	c->req = r;
	c->is_write = !c->is_read && !(r->head.method & (GUTS_GET | GUTS_HEAD));
	r->call = c;
	pthread_mutex_lock(&r->h->lock);
	DL_APPEND(r->h->calls, c);
	pthread_mutex_unlock(&r->h->lock);
	if (guts_req_sleep(r)) {
		guts_env_post(r->h->env, fn, c);
		return;
	}
	guts_call_abandon(r);
	pthread_mutex_lock(&r->h->lock);
	DL_DELETE(r->h->calls, c);
	pthread_mutex_unlock(&r->h->lock);
	destroy(c);
	guts_reply_problem(r, 503, "the node is stopping");
}

void
guts_call_loop(struct guts_req *r, struct guts_call *c)
{
	dispatch(r, c, run_posted);
}

void
guts_call_job(struct guts_req *r, struct guts_call *c, const char *name)
{
	c->job.name = name;
	c->is_job = true;
	dispatch(r, c, submit_posted);
}

static void
done(struct guts_call *c)
{
	struct guts_http *h = c->h;

	pthread_mutex_lock(&h->lock);
	c->is_done = true;
	bool waited = c->req != NULL;
	if (waited)
		guts_req_wake_locked(c->req);
	else
		DL_DELETE(h->calls, c);
	pthread_mutex_unlock(&h->lock);
	if (!waited)
		destroy(c);
}

static void
flush_posted(void *arg)
{
	struct guts_call *c = arg;

	guts_node_snapshot_flush(c->h->node);
	done(c);
}

void
guts_call_done(struct guts_call *c, int err, const struct guts_errinfo *ei)
{
	c->err = err;
	if (ei && ei != &c->ei)
		c->ei = *ei;
	/* what was changed is in the snapshot before its maker hears of it; not inside the callback that told us */
	if (c->is_write && !c->h->stopping)
		guts_env_post(c->h->env, flush_posted, c);
	else
		done(c);
}

bool
guts_call_is_waited(struct guts_call *c)
{
	struct guts_http *h = c->h;
	bool waited;

	pthread_mutex_lock(&h->lock);
	waited = c->req != NULL && !atomic_load(&c->req->is_gone) && !guts_req_has_left(c->req);
	pthread_mutex_unlock(&h->lock);
	return waited;
}

bool
guts_call_answered(struct guts_req *r)
{
	struct guts_http *h = r->h;
	struct guts_call *c = r->call;

	pthread_mutex_lock(&h->lock);
	bool done = c->is_done;
	if (done) {
		DL_DELETE(h->calls, c);
		c->req = NULL;
		r->call = NULL;
	}
	pthread_mutex_unlock(&h->lock);
	if (!done)
		return false;
	if (c->err >= 0 || c->takes_err)
		c->answer(r, c);
	else if (c->err == GUTS_ENOTFOUND && c->not_found)
		guts_reply_problem(r, 404, "%s", c->not_found);
	else
		guts_reply_err(r, c->err, &c->ei);
	destroy(c);
	return true;
}

void
guts_call_answer_empty(struct guts_req *r, struct guts_call *c)
{
	(void)c;
	guts_reply_empty(r, 204);
}

void
guts_call_abandon(struct guts_req *r)
{
	struct guts_http *h = r->h;
	struct guts_call *c = r->call;

	if (!c)
		return;
	pthread_mutex_lock(&h->lock);
	c->req = NULL;
	r->call = NULL;
	bool done = c->is_done;
	if (done)
		DL_DELETE(h->calls, c);
	pthread_mutex_unlock(&h->lock);
	if (done)
		destroy(c);
}

/* -- a delayed refusal --------------------------------------------------------------- */

struct delay {
	struct guts_call c;
	struct guts_timer timer;
	unsigned ms;
	int status;
	const char *text;
};

static void
delay_over(struct guts_timer *t, void *owner)
{
	struct delay *d = owner;

	(void)t;
	guts_call_done(&d->c, 0, NULL);
}

static void
delay_run(struct guts_call *c)
{
	struct delay *d = (struct delay *)c;

	d->timer.fire = delay_over;
	d->timer.owner = d;
	guts_env_timer_set(c->h->env, &d->timer, guts_env_now(c->h->env) + d->ms * GUTS_MS_NS);
}

static void
delay_answer(struct guts_req *r, struct guts_call *c)
{
	struct delay *d = (struct delay *)c;

	guts_reply_problem(r, d->status, "%s", d->text);
}

void
guts_call_delayed_problem(struct guts_req *r, unsigned ms, int status, const char *text)
{
	struct delay *d = guts_call_new(sizeof *d, delay_run, delay_answer, NULL);

	d->ms = ms;
	d->status = status;
	d->text = text;
	guts_call_loop(r, &d->c);
}
