/* http/api_cihand.c - CI jobs as people handle them: canceled, run again; and the runners that wait.  They belong to the loop. */
#include "bridge/ci.h"
#include "bridge/ciview.h"
#include "http/api.h"

#include <stdio.h>
#include <stdlib.h>

struct hand_call {
	struct guts_call c;
	const char *base;
	struct guts_repo_info *repo; /* NULL = of the whole node */
	char id[GUTS_CIJOB_ID_SIZE];
	int status;
	struct guts_buf body;        /* empty = none */
};

static void
destroy_hand(struct guts_call *c)
{
	struct hand_call *p = (struct hand_call *)c;

	if (p->repo)
		guts_repo_info_unref(p->repo);
	guts_buf_deinit(&p->body);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	struct hand_call *p = (struct hand_call *)c;

	guts_reply_body(r, p->status, &p->body);
}

static void
refuse(struct guts_call *c, int err, const char *why)
{
	guts_err_set(&c->ei, err, "%s", why);
	guts_call_done(c, err, NULL);
}

/* The job that is asked for; false: the call was ended. */
static bool
find(struct hand_call *p, struct guts_cijob *j)
{
	int err = guts_cijob_find(p->c.h->store, guts_slice_str(p->id), j);

	if (!err && memcmp(j->repo, p->repo->id, sizeof j->repo) == 0)
		return true;
	refuse(&p->c, err && err != GUTS_ENOTFOUND ? err : GUTS_ENOTFOUND, "this node has no such job");
	return false;
}

static void
run_cancel(struct guts_call *c)
{
	struct hand_call *p = (struct hand_call *)c;
	struct guts_cijob j;

	if (!find(p, &j))
		return;
	if (guts_ci_cancel(guts_bridge_ci(c->h->bridge), p->id))
		refuse(c, GUTS_ECONFLICT, "the job has ended already");
	else
		guts_call_done(c, 0, NULL);
}

static void
on_rerun(void *owner, int err, const struct guts_cijob *j)
{
	struct hand_call *p = owner;
	struct guts_json json;

	if (err == GUTS_ECONFLICT) {
		refuse(&p->c, err, "only a job that has ended and whose queue is still there can run again");
		return;
	}
	if (!err) {
		guts_reply_begin(&p->body, &json);
		guts_cijob_view(&json, p->base, j, p->repo, 0, 0);
	}
	guts_call_done(&p->c, err, NULL);
}

static void
run_rerun(struct guts_call *c)
{
	struct hand_call *p = (struct hand_call *)c;
	struct guts_cijob j;

	if (find(p, &j))
		guts_ci_rerun(guts_bridge_ci(c->h->bridge), &j, on_rerun, p);
}

static void
run_runners(struct guts_call *c)
{
	struct hand_call *p = (struct hand_call *)c;
	const struct guts_ciask *a;
	struct guts_json j;

	guts_reply_begin(&p->body, &j);
	guts_json_array(&j);
	for (size_t i = 0; (a = guts_ci_waiting(guts_bridge_ci(c->h->bridge), i)) != NULL; i++)
		guts_ciask_view(&j, a);
	guts_json_array_end(&j);
	guts_call_done(c, 0, NULL);
}

/* -- requests ------------------------------------------------------------------------------------ */

static void
handle(struct guts_req *r, void (*run)(struct guts_call *c), int status)
{
	struct guts_repo_info *info = guts_req_repo(r);
	struct guts_slice id = guts_req_param(r, 2);
	struct hand_call *p;

	if (!info)
		return;
	if (!guts_who_may_touch(&r->who, info->id)) {
		guts_reply_problem(r, 403, "this token is for other repositories");
		guts_repo_info_unref(info);
		return;
	}
	p = guts_call_new(sizeof *p, run, answer, destroy_hand);
	p->base = guts_req_base(r);
	p->repo = info;
	p->status = status;
	snprintf(p->id, sizeof p->id, "%.*s", (int)id.n, (const char *)id.p);
	guts_call_loop(r, &p->c);
}

void
guts_rest_ci_cancel(struct guts_req *r)
{
	handle(r, run_cancel, 202);
}

void
guts_rest_ci_rerun(struct guts_req *r)
{
	handle(r, run_rerun, 201);
}

void
guts_rest_ci_runners(struct guts_req *r)
{
	struct hand_call *p;

	if (r->who.token && r->who.token->nrepos) {
		guts_reply_problem(r, 403, "this token is for some repositories only");
		return;
	}
	p = guts_call_new(sizeof *p, run_runners, answer, destroy_hand);
	p->status = 200;
	guts_call_loop(r, &p->c);
}
