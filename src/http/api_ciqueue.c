/* http/api_ciqueue.c - queues of CI jobs: made, listed, changed, removed.  They belong to the loop. */
#include "base/text.h"
#include "bridge/ci.h"
#include "bridge/ciview.h"
#include "http/api.h"

#include <stdio.h>
#include <stdlib.h>

enum field { BRANCHES, EVENTS, CONTEXT, NFIELDS };

static const struct guts_field fields[NFIELDS] = {
	[BRANCHES] = { "branch_filter", GUTS_FIELD_TEXT, false, true, 0, GUTS_HOOK_BRANCHES_MAX, NULL, false },
	[EVENTS] = { "events", GUTS_FIELD_LIST, false, true, 1, 2, "push tag", false },
	[CONTEXT] = { "context", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_CONTEXT_MAX, NULL, false },
};

struct queue_call {
	struct guts_call c;
	struct guts_ciqueue q; /* as asked for; of a change, only what `given` names */
	unsigned given;        /* 1 << index of its field */
	int status;
	struct guts_buf body; /* empty = none */
};

static void
destroy_queue(struct guts_call *c)
{
	guts_buf_deinit(&((struct queue_call *)c)->body);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	struct queue_call *p = (struct queue_call *)c;

	guts_reply_body(r, p->status, &p->body);
}

static void
put_queue(struct guts_http *h, struct guts_json *j, const struct guts_ciqueue *q)
{
	struct guts_repo *r = guts_sync_find(guts_node_sync(h->node), q->repo);
	struct guts_repo_info *info = r ? guts_repo_info_get(r) : NULL;

	guts_ciqueue_view(j, q, info, guts_ci_queue_waiting(guts_bridge_ci(h->bridge), q->id));
	if (info)
		guts_repo_info_unref(info);
}

static void
run_list(struct guts_call *c)
{
	struct queue_call *p = (struct queue_call *)c;
	struct guts_ci *ci = guts_bridge_ci(c->h->bridge);
	struct guts_json j;

	guts_reply_begin(&p->body, &j);
	guts_json_array(&j);
	for (const struct guts_ciqueue *q = guts_ci_queue_next(ci, 0); q; q = guts_ci_queue_next(ci, q->id))
		put_queue(c->h, &j, q);
	guts_json_array_end(&j);
	p->status = 200;
	guts_call_done(c, 0, NULL);
}

static const struct guts_ciqueue *
find(struct guts_ci *ci, uint64_t id)
{
	const struct guts_ciqueue *q = guts_ci_queue_next(ci, id - 1);

	return q && q->id == id ? q : NULL;
}

static void
on_put(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct queue_call *p = owner;
	const struct guts_ciqueue *q = err ? NULL : find(guts_bridge_ci(p->c.h->bridge), id);
	struct guts_json j;

	if (q) {
		guts_reply_begin(&p->body, &j);
		put_queue(p->c.h, &j, q);
	}
	guts_call_done(&p->c, err, ei);
}

static void
run_add(struct guts_call *c)
{
	struct queue_call *p = (struct queue_call *)c;

	guts_ci_queue_put(guts_bridge_ci(c->h->bridge), &p->q, on_put, p);
}

static void
run_update(struct guts_call *c)
{
	struct queue_call *p = (struct queue_call *)c;
	struct guts_ci *ci = guts_bridge_ci(c->h->bridge);
	const struct guts_ciqueue *now = find(ci, p->q.id);
	struct guts_ciqueue next;

	if (!now) {
		guts_err_set(&c->ei, GUTS_ENOTFOUND, "no such queue");
		guts_call_done(c, GUTS_ENOTFOUND, NULL);
		return;
	}
	next = *now;
	if (p->given & 1u << BRANCHES)
		memcpy(next.branches, p->q.branches, sizeof next.branches);
	if (p->given & 1u << EVENTS)
		next.events = p->q.events;
	if (p->given & 1u << CONTEXT)
		memcpy(next.context, p->q.context, sizeof next.context);
	guts_ci_queue_put(ci, &next, on_put, p);
}

static void
on_removed(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct queue_call *p = owner;

	(void)id;
	p->status = 204;
	guts_call_done(&p->c, err, ei);
}

static void
run_remove(struct guts_call *c)
{
	struct queue_call *p = (struct queue_call *)c;

	guts_ci_queue_remove(guts_bridge_ci(c->h->bridge), p->q.id, on_removed, p);
}

/* -- requests ------------------------------------------------------------------------------------ */

/* Queues are the whole node's: a token for some repositories has nothing to say here.  False: an answer was queued. */
static bool
may_manage(struct guts_req *r)
{
	if (!r->who.token || !r->who.token->nrepos)
		return true;
	guts_reply_problem(r, 403, "this token is for some repositories only");
	return false;
}

void
guts_rest_ci_queues(struct guts_req *r)
{
	struct queue_call *p;

	if (!may_manage(r))
		return;
	p = guts_call_new(sizeof *p, run_list, answer, destroy_queue);
	guts_call_loop(r, &p->c);
}

/* A call on the queue that the path names; NULL: an answer was queued. */
static struct queue_call *
queue_call(struct guts_req *r, void (*run)(struct guts_call *c))
{
	struct queue_call *p;
	uint64_t id;

	if (!may_manage(r))
		return NULL;
	if (guts_text_u64(guts_req_param(r, 0), INT64_MAX, &id) || id == 0) {
		guts_reply_problem(r, 404, "no such queue");
		return NULL;
	}
	p = guts_call_new(sizeof *p, run, answer, destroy_queue);
	p->q.id = id;
	return p;
}

void
guts_rest_ci_queue_delete(struct guts_req *r)
{
	struct queue_call *p = queue_call(r, run_remove);

	if (p)
		guts_call_loop(r, &p->c);
}

static void
take_fields(struct queue_call *p, const struct guts_value v[NFIELDS])
{
	struct guts_ciqueue *q = &p->q;
	enum guts_cievent e;

	for (unsigned i = 0; i < NFIELDS; i++)
		p->given |= v[i].is_set ? 1u << i : 0;
	snprintf(q->branches, sizeof q->branches, "%s", v[BRANCHES].is_set ? v[BRANCHES].text : "");
	snprintf(q->context, sizeof q->context, "%s", v[CONTEXT].is_set && v[CONTEXT].n ? v[CONTEXT].text : "ci");
	q->events = v[EVENTS].is_set ? 0 : GUTS_CIEVENT_PUSH;
	for (size_t i = 0; v[EVENTS].is_set && i < v[EVENTS].n; i++)
		q->events |= guts_cievent_parse(&e, v[EVENTS].list[i]) == GUTS_OK ? e : 0;
}

/* Go on with what the body says; *p is given away. */
static void
put(struct guts_req *r, struct queue_call *p, int status)
{
	struct guts_value v[NFIELDS];
	struct guts_body body;
	struct guts_errinfo ei;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, NFIELDS, true, v, &ei);

	p->status = status;
	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
		destroy_queue(&p->c);
		free(p);
	} else {
		take_fields(p, v);
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

void
guts_rest_ci_queue_update(struct guts_req *r)
{
	struct queue_call *p = queue_call(r, run_update);

	if (p)
		put(r, p, 200);
}

void
guts_rest_ci_queue_add(struct guts_req *r)
{
	struct guts_repo_info *info = guts_req_repo(r);
	struct queue_call *p;

	if (!info)
		return;
	if (!guts_who_may_touch(&r->who, info->id)) {
		guts_reply_problem(r, 403, "this token is for other repositories");
	} else {
		p = guts_call_new(sizeof *p, run_add, answer, destroy_queue);
		memcpy(p->q.repo, info->id, sizeof p->q.repo);
		put(r, p, 201);
	}
	guts_repo_info_unref(info);
}
