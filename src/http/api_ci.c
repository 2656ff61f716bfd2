/* http/api_ci.c - CI jobs: leased, kept by heartbeats, finished, listed.
 *
 * Who holds a lease's id holds the job, so that id is shown to its holder alone and compared in constant time.  Leases
 * belong to the loop; lists are read from the store by a worker.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "bridge/ci.h"
#include "bridge/ciview.h"
#include "bridge/payload.h"
#include "http/api.h"
#include "bridge/cifetch.h"

#include <stdio.h>
#include <stdlib.h>

struct ci_call {
	struct guts_call c;
	struct guts_ciask ask;
	uint8_t repos[GUTS_BODY_LIST_MAX][GUTS_REPOID_SIZE];
	char lease[GUTS_CIJOB_ID_SIZE];
	char step[GUTS_CIJOB_STEP_MAX + 1];
	uint8_t progress;
	uint64_t wait_ms;       /* for the lease's end */
	enum guts_cistate state;
	bool has_description, has_url;
	struct guts_cijob job;  /* asked for; then the answer */
	bool has_job;
	int status;             /* of a good answer */
	uint64_t lease_end_ms, lease_ms;
	struct guts_cifetch fetch;
};

static void
destroy_call(struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;

	explicit_bzero(p->lease, sizeof p->lease);
	explicit_bzero(&p->job, sizeof p->job);
	guts_buf_deinit(&p->fetch.data);
}

static struct ci_call *
new_call(void (*run)(struct guts_call *c), void (*answer)(struct guts_req *r, struct guts_call *c))
{
	return guts_call_new(sizeof(struct ci_call), run, answer, destroy_call);
}

static void
drop_call(struct ci_call *p)
{
	destroy_call(&p->c);
	free(p);
}

static struct guts_ci *
ci_of(const struct guts_call *c)
{
	return guts_bridge_ci(c->h->bridge);
}

/* The job in *p, or (none) an empty answer. */
static void
answer_job(struct guts_req *r, struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;
	struct guts_snapshot *s;
	struct guts_repo_info *info;
	struct guts_buf b;
	struct guts_json j;

	if (!p->has_job) {
		guts_reply_empty(r, 204);
		return;
	}
	s = guts_node_snapshot(r->h->node);
	info = guts_snapshot_repo(s, p->job.repo);
	if (info) {
		guts_reply_begin(&b, &j);
		guts_cijob_view(&j, guts_req_base(r), &p->job, info, p->lease_end_ms, p->lease_ms);
		guts_reply_json(r, p->status, &b, NULL);
	} else {
		guts_reply_problem(r, 404, "the repository is no longer here");
	}
	guts_snapshot_unref(s);
}

/* -- leases ----------------------------------------------------------------------------------------- */

static bool
is_waited(void *owner)
{
	struct ci_call *p = owner;

	return guts_call_is_waited(&p->c);
}

static void
on_leased(void *owner, int err, const struct guts_cijob *j)
{
	struct ci_call *p = owner;
	struct guts_ci *ci = ci_of(&p->c);

	if (j) {
		p->job = *j;
		p->has_job = true;
		p->lease_ms = guts_ci_lease_ms(ci);
		p->lease_end_ms = guts_ci_lease_end(ci, j->lease);
	}
	guts_call_done(&p->c, err, NULL);
}

static void
run_lease(struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;

	p->ask.repos = p->repos;
	guts_ci_lease(ci_of(c), &p->ask);
}

/* A repository as the user names it, OWNER/NAME or an id, that the asker may report on, into the call's list.
 * False: an answer was queued. */
static bool
take_repo(struct guts_req *r, struct ci_call *p, const char *text)
{
	const char *slash = strchr(text, '/');
	struct guts_slice owner = guts_slice_str(text), name = { 0 };
	struct guts_repo_info *info;
	bool moved, may;

	if (slash) {
		owner.n = (size_t)(slash - text);
		name = guts_slice_str(slash + 1);
	}
	info = guts_find_repo(r, owner, name, &moved);
	if (!info) {
		guts_reply_problem(r, 404, "no such repository: %.200s", text);
		return false;
	}
	may = guts_who_may_touch(&r->who, info->id);
	if (may)
		memcpy(p->repos[p->ask.nrepos++], info->id, GUTS_REPOID_SIZE);
	else
		guts_reply_problem(r, 403, "this token is for other repositories");
	guts_repo_info_unref(info);
	return may;
}

/* Of the repositories that were named; of none, those of the token; of none, all. */
static bool
take_repos(struct guts_req *r, struct ci_call *p, const struct guts_value *v)
{
	const struct guts_token *t = r->who.token;

	for (size_t i = 0; v->is_set && i < v->n; i++) {
		if (!take_repo(r, p, v->list[i]))
			return false;
	}
	for (size_t i = 0; p->ask.nrepos == 0 && t && i < t->nrepos; i++)
		memcpy(p->repos[i], t->repos[i], GUTS_REPOID_SIZE);
	if (p->ask.nrepos == 0 && t)
		p->ask.nrepos = t->nrepos;
	return true;
}

void
guts_rest_ci_lease(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "repositories", GUTS_FIELD_LIST, false, true, 0, GUTS_BODY_LIST_MAX, NULL, false },
		{ "branch_filter", GUTS_FIELD_TEXT, false, true, 0, GUTS_HOOK_BRANCHES_MAX, NULL, false },
		{ "events", GUTS_FIELD_LIST, false, true, 1, 2, "push tag", false },
		{ "wait", GUTS_FIELD_NUMBER, false, true, 0, GUTS_CILEASE_WAIT_MAX_S, NULL, false },
		{ "runner", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_RUNNER_MAX, NULL, false },
	};
	struct ci_call *p = new_call(run_lease, answer_job);
	struct guts_value v[5];
	struct guts_body body;
	struct guts_errinfo ei;
	enum guts_cievent e;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 5, true, v, &ei);

	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
	} else if (take_repos(r, p, &v[0])) {
		snprintf(p->ask.branches, sizeof p->ask.branches, "%s", v[1].is_set ? v[1].text : "");
		p->ask.events = v[2].is_set ? 0 : GUTS_CIEVENT_PUSH | GUTS_CIEVENT_TAG;
		for (size_t i = 0; v[2].is_set && i < v[2].n; i++)
			p->ask.events |= guts_cievent_parse(&e, v[2].list[i]) == GUTS_OK ? e : 0;
		p->ask.wait_ms = (v[3].is_set ? v[3].number : 0) * 1000;
		snprintf(p->ask.runner, sizeof p->ask.runner, "%s", v[4].is_set ? v[4].text : "");
		p->ask.done = on_leased;
		p->ask.alive = is_waited;
		p->ask.owner = p;
		p->status = 200;
		guts_call_loop(r, &p->c);
		p = NULL;
	}
	guts_body_deinit(&body);
	if (p)
		drop_call(p);
}

/* -- by its lease ------------------------------------------------------------------------------------ */

/* Done; the job as it is now, while the lease holds it. */
static void
on_done(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct ci_call *p = owner;
	const struct guts_cijob *j = err ? NULL : guts_ci_held(ci_of(&p->c), p->lease);

	(void)id;
	if (j)
		on_leased(p, 0, j);
	else
		guts_call_done(&p->c, err, ei);
}

static void
on_watched(void *owner)
{
	struct ci_call *p = owner;
	struct guts_errinfo ei = { 0 };
	int err = GUTS_OK;

	if (!guts_ci_held(ci_of(&p->c), p->lease))
		err = guts_err_set(&ei, GUTS_ENOTFOUND, "this lease holds no job any more: it was lost, or the job was canceled");
	on_done(p, err, &ei, 0);
}

static void
on_renewed(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct ci_call *p = owner;

	if (err || !p->wait_ms)
		on_done(p, err, ei, id);
	else
		guts_ci_watch(ci_of(&p->c), p->lease, p->wait_ms, on_watched, p);
}

static void
run_renew(struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;

	guts_ci_renew(ci_of(c), p->lease, p->step, p->progress, on_renewed, p);
}

static void
run_return(struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;

	guts_ci_return(ci_of(c), p->lease, on_done, p);
}

static void
on_finished(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct ci_call *p = owner;

	(void)id;
	if (!err) {
		err = guts_cijob_get(p->c.h->store, p->job.number, &p->job);
		p->has_job = err == GUTS_OK;
	}
	guts_call_done(&p->c, err, ei);
}

static void
run_finish(struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;
	const struct guts_cijob *held = guts_ci_held(ci_of(c), p->lease);
	struct guts_ciresult result = { .state = p->state, .description = p->has_description ? p->job.description : NULL,
		.target_url = p->has_url ? p->job.target_url : NULL };

	p->job.number = held ? held->number : 0;
	guts_ci_finish(ci_of(c), p->lease, &result, on_finished, p);
}

/* A call on the lease that the path names; NULL: an answer was queued. */
static struct ci_call *
lease_call(struct guts_req *r, void (*run)(struct guts_call *c))
{
	struct guts_slice lease = guts_req_param(r, 0);
	struct ci_call *p;

	if (lease.n != GUTS_CIJOB_ID_SIZE - 1) {
		guts_reply_problem(r, 404, "a lease has 32 hex digits");
		return NULL;
	}
	p = new_call(run, answer_job);
	memcpy(p->lease, lease.p, lease.n);
	p->status = 200;
	return p;
}

void
guts_rest_ci_renew(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "step", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_STEP_MAX, NULL, false },
		{ "progress", GUTS_FIELD_NUMBER, false, true, 0, 100, NULL, false },
		{ "wait", GUTS_FIELD_NUMBER, false, true, 0, GUTS_CILEASE_WAIT_MAX_S, NULL, false },
	};
	struct ci_call *p = lease_call(r, run_renew);
	struct guts_value v[3];
	struct guts_body body;
	struct guts_errinfo ei;

	if (!p)
		return;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 3, true, v, &ei);
	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
		drop_call(p);
	} else {
		snprintf(p->step, sizeof p->step, "%s", v[0].is_set ? v[0].text : "");
		p->progress = v[1].is_set ? (uint8_t)v[1].number : 0;
		p->wait_ms = (v[2].is_set ? v[2].number : 0) * 1000;
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

void
guts_rest_ci_return(struct guts_req *r)
{
	struct ci_call *p = lease_call(r, run_return);

	if (p)
		guts_call_loop(r, &p->c);
}

void
guts_rest_ci_finish(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "state", GUTS_FIELD_TEXT, true, false, 0, 16, "success failure error", false },
		{ "description", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_DESCRIPTION_MAX, NULL, false },
		{ "target_url", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_URL_MAX, NULL, false },
	};
	struct ci_call *p = lease_call(r, run_finish);
	struct guts_value v[3];
	struct guts_body body;
	struct guts_errinfo ei;

	if (!p)
		return;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 3, true, v, &ei);
	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
		drop_call(p);
	} else {
		(void)guts_cistate_parse(&p->state, v[0].text);
		p->has_description = v[1].is_set;
		p->has_url = v[2].is_set;
		snprintf(p->job.description, sizeof p->job.description, "%s", v[1].is_set ? v[1].text : "");
		snprintf(p->job.target_url, sizeof p->job.target_url, "%s", v[2].is_set ? v[2].text : "");
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

/* -- jobs of a repository --------------------------------------------------------------------------- */

static void
run_external(struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;

	guts_ci_external(ci_of(c), &p->job, on_leased, p);
}

void
guts_rest_ci_job_create(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "commit", GUTS_FIELD_TEXT, true, false, 40, 64, NULL, false },
		{ "ref", GUTS_FIELD_TEXT, false, true, 0, GUTS_REFNAME_MAX, NULL, false },
		{ "context", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_CONTEXT_MAX, NULL, false },
		{ "runner", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_RUNNER_MAX, NULL, false },
		{ "description", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_DESCRIPTION_MAX, NULL, false },
		{ "target_url", GUTS_FIELD_TEXT, false, true, 0, GUTS_CIJOB_URL_MAX, NULL, false },
	};
	struct guts_repo_info *info = guts_req_repo(r);
	struct ci_call *p;
	struct guts_value v[6];
	struct guts_body body;
	struct guts_errinfo ei;

	if (!info)
		return;
	p = new_call(run_external, answer_job);
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 6, true, v, &ei);
	if (!err && guts_oid_from_hex(&p->job.commit, guts_slice_str(v[0].text)))
		err = guts_err_set(&ei, guts_body_add_error(&body, "/commit", "must be 40 or 64 hex digits"), "/commit is no commit id");
	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
	} else if (!guts_who_may_touch(&r->who, info->id)) {
		guts_reply_problem(r, 403, "this token is for other repositories");
	} else {
		memcpy(p->job.repo, info->id, sizeof p->job.repo);
		snprintf(p->job.ref, sizeof p->job.ref, "%s", v[1].is_set ? v[1].text : "");
		snprintf(p->job.context, sizeof p->job.context, "%s", v[2].is_set && v[2].n ? v[2].text : "ci");
		snprintf(p->job.runner, sizeof p->job.runner, "%s", v[3].is_set ? v[3].text : "");
		snprintf(p->job.description, sizeof p->job.description, "%s", v[4].is_set ? v[4].text : "");
		snprintf(p->job.target_url, sizeof p->job.target_url, "%s", v[5].is_set ? v[5].text : "");
		p->status = 201;
		guts_call_loop(r, &p->c);
		p = NULL;
	}
	guts_body_deinit(&body);
	guts_repo_info_unref(info);
	if (p)
		drop_call(p);
}

static void
on_found(void *owner, int err, const struct guts_errinfo *ei)
{
	struct ci_call *p = owner;

	p->job = p->fetch.job;
	p->has_job = !err;
	guts_call_done(&p->c, err, ei);
}

static void
run_get(struct guts_call *c)
{
	struct ci_call *p = (struct ci_call *)c;

	p->fetch.ci = guts_bridge_ci(c->h->bridge);
	p->fetch.done = on_found;
	p->fetch.owner = p;
	guts_cifetch_run(&p->fetch);
}

void
guts_rest_ci_job(struct guts_req *r)
{
	struct guts_repo_info *info = guts_req_repo(r);
	struct guts_slice id = guts_req_param(r, 2);
	struct ci_call *p;

	if (!info)
		return;
	p = new_call(run_get, answer_job);
	memcpy(p->fetch.repo, info->id, sizeof p->fetch.repo);
	snprintf(p->fetch.id, sizeof p->fetch.id, "%.*s", (int)id.n, (const char *)id.p);
	p->status = 200;
	guts_repo_info_unref(info);
	guts_call_loop(r, &p->c);
}

/* -- lists ------------------------------------------------------------------------------------------------ */

struct list_call {
	struct guts_call c;
	struct guts_repo_info *repo; /* NULL: all that the asker may see */
	struct guts_snapshot *snapshot;
	const char *base;
	size_t nhidden;              /* private repositories that the asker may not know of */
	uint8_t (*hidden)[GUTS_REPOID_SIZE];
	struct guts_oid commit;      /* none = any */
	bool has_state;
	enum guts_cistate state;
	char branch[GUTS_REFNAME_MAX + 1], runner[GUTS_CIJOB_RUNNER_MAX + 1]; /* empty = any */
	uint64_t per_page, cursor;   /* cursor: only older ones; 0 = all */
	size_t n;                    /* that fit, also those no longer in the ring */
	struct guts_cijob **ring;    /* the newest per_page of them */
	struct guts_buf body;
};

static void
destroy_list(struct guts_call *c)
{
	struct list_call *p = (struct list_call *)c;

	for (size_t i = 0; p->ring && i < p->per_page; i++)
		free(p->ring[i]);
	free(p->ring);
	free(p->hidden);
	if (p->repo)
		guts_repo_info_unref(p->repo);
	guts_snapshot_unref(p->snapshot);
	guts_buf_deinit(&p->body);
}

static const struct guts_repo_info *
repo_of(const struct list_call *p, const struct guts_cijob *j)
{
	if (p->repo)
		return memcmp(p->repo->id, j->repo, sizeof j->repo) == 0 ? p->repo : NULL;
	for (size_t i = 0; i < p->nhidden; i++) {
		if (memcmp(p->hidden[i], j->repo, sizeof j->repo) == 0)
			return NULL;
	}
	return guts_snapshot_repo(p->snapshot, j->repo);
}

static bool
fits(const struct list_call *p, const struct guts_cijob *j)
{
	return repo_of(p, j) && (!p->has_state || j->state == p->state) &&
	    (!p->commit.n || guts_oid_eq(&p->commit, &j->commit)) &&
	    (!p->branch[0] || guts_slice_eq(guts_slice_str(p->branch), guts_ref_branch(guts_slice_str(j->ref)))) &&
	    (!p->runner[0] || strcmp(p->runner, j->runner) == 0);
}

static bool
on_job(void *owner, const struct guts_cijob *j)
{
	struct list_call *p = owner;
	size_t at = p->n % p->per_page;

	if (p->cursor && j->number >= p->cursor)
		return false;
	if (!fits(p, j))
		return true;
	free(p->ring[at]);
	p->ring[at] = guts_memdup(j, sizeof *j);
	p->n++;
	return true;
}

static void
run_list(struct guts_call *c)
{
	struct list_call *p = (struct list_call *)c;
	struct guts_json j;

	p->ring = guts_calloc(p->per_page, sizeof(struct guts_cijob *));
	c->err = guts_cijob_each(c->h->store, on_job, p);
	guts_reply_begin(&p->body, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < p->n && i < p->per_page; i++) {
		const struct guts_cijob *job = p->ring[(p->n - 1 - i) % p->per_page];

		guts_cijob_view(&j, p->base, job, repo_of(p, job), 0, 0);
	}
	guts_json_array_end(&j);
}

static void
answer_list(struct guts_req *r, struct guts_call *c)
{
	struct list_call *p = (struct list_call *)c;

	guts_reply_cursor(r, &p->body, p->n > p->per_page ? p->ring[p->n % p->per_page]->number : 0);
}

static void
hide(struct list_call *p, const struct guts_who *who)
{
	const struct guts_snapshot *s = p->snapshot;

	p->hidden = guts_calloc(s->nrepos + 1, sizeof *p->hidden);
	for (size_t i = 0; i < s->nrepos; i++) {
		if (!guts_who_may_see(who, s->repos[i]->id, s->repos[i]->is_private))
			memcpy(p->hidden[p->nhidden++], s->repos[i]->id, GUTS_REPOID_SIZE);
	}
}

static void
take_query(struct guts_req *r, const char *name, char *to, size_t size)
{
	struct guts_slice s = guts_target_query(&r->target, name);

	snprintf(to, size, "%.*s", (int)s.n, (const char *)s.p);
}

static void
list(struct guts_req *r, struct guts_repo_info *repo)
{
	struct guts_slice state = guts_target_query(&r->target, "state"), commit = guts_target_query(&r->target, "commit");
	struct list_call *p = guts_call_new(sizeof *p, run_list, answer_list, destroy_list);
	char name[16];

	p->repo = repo;
	p->snapshot = guts_node_snapshot(r->h->node);
	p->base = guts_req_base(r);
	hide(p, &r->who);
	take_query(r, "branch", p->branch, sizeof p->branch);
	take_query(r, "runner", p->runner, sizeof p->runner);
	p->has_state = state.n > 0;
	snprintf(name, sizeof name, "%.*s", (int)state.n, (const char *)state.p);
	if (p->has_state && guts_cistate_parse(&p->state, name))
		guts_reply_problem(r, 400, "state: queued, running, success, failure or error");
	else if (commit.n && guts_oid_from_hex(&p->commit, commit))
		guts_reply_problem(r, 400, "commit: 40 or 64 hex digits");
	else if (guts_req_number(r, "per_page", 1, 100, 30, &p->per_page) &&
	    guts_req_number(r, "cursor", 0, INT64_MAX, 0, &p->cursor)) {
		guts_call_job(r, &p->c, "list CI jobs");
		return;
	}
	destroy_list(&p->c);
	free(p);
}

void
guts_rest_ci_jobs(struct guts_req *r)
{
	struct guts_repo_info *info = guts_req_repo(r);

	if (info)
		list(r, info);
}

void
guts_rest_node_ci_jobs(struct guts_req *r)
{
	list(r, NULL);
}
