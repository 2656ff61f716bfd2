/* http/api_ciqueue.c - queues of CI jobs: made, listed, removed.  They belong to the loop. */
#include "base/text.h"
#include "bridge/ci.h"
#include "bridge/ciview.h"
#include "http/api.h"

#include <stdio.h>

struct queue_call {
	struct guts_call c;
	struct guts_ciqueue q;
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

	if (c->err < 0)
		guts_reply_err(r, c->err, &c->ei);
	else if (p->body.len)
		guts_reply_json(r, p->status, &p->body, NULL);
	else
		guts_reply_empty(r, p->status);
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

static void
on_added(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct queue_call *p = owner;
	const struct guts_ciqueue *q = err ? NULL : guts_ci_queue_next(guts_bridge_ci(p->c.h->bridge), id - 1);
	struct guts_json j;

	if (q) {
		guts_reply_begin(&p->body, &j);
		put_queue(p->c.h, &j, q);
		p->status = 201;
	}
	guts_call_done(&p->c, err, ei);
}

static void
run_add(struct guts_call *c)
{
	struct queue_call *p = (struct queue_call *)c;

	guts_ci_queue_add(guts_bridge_ci(c->h->bridge), &p->q, on_added, p);
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

void
guts_rest_ci_queue_delete(struct guts_req *r)
{
	struct queue_call *p;
	uint64_t id;

	if (!may_manage(r))
		return;
	if (guts_text_u64(guts_req_param(r, 0), INT64_MAX, &id)) {
		guts_reply_problem(r, 404, "no such queue");
		return;
	}
	p = guts_call_new(sizeof *p, run_remove, answer, destroy_queue);
	p->q.id = id;
	guts_call_loop(r, &p->c);
}

static void
take_fields(struct guts_ciqueue *q, const struct guts_value v[3])
{
	enum guts_cievent e;

	snprintf(q->branches, sizeof q->branches, "%s", v[0].is_set ? v[0].text : "");
	snprintf(q->context, sizeof q->context, "%s", v[2].is_set && v[2].n ? v[2].text : "ci");
	q->events = v[1].is_set ? 0 : GUTS_CIEVENT_PUSH;
	for (size_t i = 0; v[1].is_set && i < v[1].n; i++)
		q->events |= guts_cievent_parse(&e, v[1].list[i]) == GUTS_OK ? e : 0;
}

void
guts_rest_ci_queue_add(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "branch_filter", GUTS_FIELD_TEXT, false, true, 0, GUTS_HOOK_BRANCHES_MAX, NULL, false },
		{ "events", GUTS_FIELD_LIST, false, true, 1, 2, "push tag", false },
		{ "context", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_CONTEXT_MAX, NULL, false },
	};
	struct guts_value v[3];
	struct guts_body body;
	struct guts_errinfo ei;
	struct queue_call *p;
	struct guts_repo_info *info = guts_req_repo(r);
	int err;

	if (!info)
		return;
	err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 3, true, v, &ei);
	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
	} else if (!guts_who_may_touch(&r->who, info->id)) {
		guts_reply_problem(r, 403, "this token is for other repositories");
	} else {
		p = guts_call_new(sizeof *p, run_add, answer, destroy_queue);
		memcpy(p->q.repo, info->id, sizeof p->q.repo);
		take_fields(&p->q, v);
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
	guts_repo_info_unref(info);
}
