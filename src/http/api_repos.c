/* http/api_repos.c - repositories as a whole: one, and what changes them. */
#include "base/alloc.h"
#include "http/api.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <stdio.h>
#include <stdlib.h>

void
guts_rest_repo(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_repo_info *i;
	struct guts_buf b;
	struct guts_json j;

	if (!guts_reply_cached(r, s->version) && (i = guts_req_repo(r))) {
		guts_reply_begin(&b, &j);
		guts_view_repo(&j, guts_req_base(r), i);
		guts_repo_info_unref(i);
		guts_reply_keep(r, s->version, &b, NULL);
	}
	guts_snapshot_unref(s);
}

/* -- commands --------------------------------------------------------------------------- */

struct repo_call {
	struct guts_call c;
	uint8_t id[GUTS_REPOID_SIZE];
	char *name, *description, *branch, *path;
	bool is_private, is_retired, set_private, set_retired, set_signers, set_readers, set_contexts, set_gates;
	enum guts_object_format format;
	struct guts_peerid signers[GUTS_SIGNERS_MAX], readers[GUTS_READERS_MAX];
	char contexts[GUTS_CONTEXTS_MAX][GUTS_CONTEXT_MAX + 1];
	char gates[GUTS_GATES_MAX][GUTS_GATE_MAX + 1];
	const char *context[GUTS_CONTEXTS_MAX], *gate[GUTS_GATES_MAX];
	size_t nsigners, nreaders, ncontexts, ngates;
	enum guts_policy policy;
	uint64_t job;
	struct guts_repo_info *info; /* answer */
};

static void
destroy_repo(struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;

	free(p->name);
	free(p->description);
	free(p->branch);
	free(p->path);
	if (p->info)
		guts_repo_info_unref(p->info);
}

static void
fill_params(struct repo_call *p, struct guts_repo_params *out)
{
	memset(out, 0, sizeof *out);
	out->name = p->name;
	out->description = p->description;
	out->default_branch = p->branch;
	out->format = p->format;
	out->is_private = p->set_private ? &p->is_private : NULL;
	out->is_retired = p->set_retired ? &p->is_retired : NULL;
	out->signers = p->signers;
	out->nsigners = p->nsigners;
	out->set_signers = p->set_signers;
	out->readers = p->readers;
	out->nreaders = p->nreaders;
	out->set_readers = p->set_readers;
	for (size_t i = 0; i < p->ncontexts; i++)
		p->context[i] = p->contexts[i];
	out->contexts = p->context;
	out->ncontexts = p->ncontexts;
	out->set_contexts = p->set_contexts;
	for (size_t i = 0; i < p->ngates; i++)
		p->gate[i] = p->gates[i];
	out->gates = p->gate;
	out->ngates = p->ngates;
	out->set_gates = p->set_gates;
}

static void
answer_repo(struct guts_req *r, struct guts_call *c, int status)
{
	struct repo_call *p = (struct repo_call *)c;
	char path[GUTS_VIEW_PATH_SIZE], location[1200];
	const char *extra[] = { "Location", location, NULL };
	struct guts_buf b;
	struct guts_json j;

	guts_view_repo_path(path, p->info);
	snprintf(location, sizeof location, "%s/api/v1/repos/%s", guts_req_base(r), path);
	guts_reply_begin(&b, &j);
	guts_view_repo(&j, guts_req_base(r), p->info);
	guts_reply_json(r, status, &b, status == 201 ? extra : NULL);
}

static void
answer_created(struct guts_req *r, struct guts_call *c)
{
	answer_repo(r, c, 201);
}

static void
answer_updated(struct guts_req *r, struct guts_call *c)
{
	answer_repo(r, c, 200);
}

static void
answer_accepted(struct guts_req *r, struct guts_call *c)
{
	(void)c;
	guts_reply_empty(r, 202);
}

static void
create_done(void *owner, int err, const struct guts_errinfo *ei, struct guts_repo *repo)
{
	struct repo_call *p = owner;

	if (err == 0)
		p->info = guts_repo_info_get(repo);
	guts_call_done(&p->c, err, ei);
}

static void
run_create(struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;
	struct guts_repo_params params;

	fill_params(p, &params);
	guts_sync_create(guts_node_sync(c->h->node), &params, create_done, p);
}

static char *
copy_text(const struct guts_value *v)
{
	return v->is_set ? guts_strdup(v->text) : NULL;
}

void
guts_rest_repo_create(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "name", GUTS_FIELD_TEXT, true, false, 1, GUTS_NAME_MAX, NULL, false },
		{ "description", GUTS_FIELD_TEXT, false, true, 0, GUTS_DESCRIPTION_MAX, NULL, true },
		{ "default_branch", GUTS_FIELD_TEXT, false, true, 1, 255, NULL, false },
		{ "object_format", GUTS_FIELD_TEXT, false, true, 0, 10, "sha1 sha256", false },
		{ "private", GUTS_FIELD_BOOL, false, true, 0, 0, NULL, false },
	};
	struct guts_value v[5];
	struct guts_body body;
	struct guts_errinfo ei;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 5, true, v, &ei);

	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
	} else if (r->who.token && r->who.token->nrepos && !(r->who.scopes & GUTS_CAN_ADMIN)) {
		guts_reply_problem(r, 403, "this token is for named repositories only");
	} else {
		struct repo_call *p = guts_call_new(sizeof *p, run_create, answer_created, destroy_repo);
		p->name = copy_text(&v[0]);
		p->description = copy_text(&v[1]);
		p->branch = copy_text(&v[2]);
		p->format = v[3].is_set && strcmp(v[3].text, "sha256") == 0 ? GUTS_SHA256 : GUTS_SHA1;
		p->is_private = v[4].flag;
		p->set_private = v[4].is_set;
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

/* -- import ------------------------------------------------------------------------------- */

static void
run_import(struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;
	struct guts_repo_params params;
	struct guts_errinfo ei = { 0 };

	fill_params(p, &params);
	int err = guts_node_import(c->h->node, p->path, &params, &p->job, &ei);
	guts_call_done(c, err, &ei);
}

static void
answer_import(struct guts_req *r, struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;
	char location[1200];
	const char *extra[] = { "Location", location, NULL };
	struct guts_job_info info;
	struct guts_buf b;
	struct guts_json j;
	int err = c->err < 0 ? c->err : guts_node_job(r->h->node, p->job, &info);

	if (err < 0) {
		guts_reply_err(r, err, &c->ei);
		return;
	}
	snprintf(location, sizeof location, "%s/api/v1/jobs/%llu", guts_req_base(r), (unsigned long long)p->job);
	guts_reply_begin(&b, &j);
	guts_view_job(&j, &info);
	guts_reply_json(r, 202, &b, extra);
}

/* The last part of a path without ".git", as a name. */
static char *
name_of_path(const char *path)
{
	size_t end = strlen(path), from;

	while (end > 1 && path[end - 1] == '/')
		end--;
	if (end > 5 && memcmp(path + end - 5, "/.git", 5) == 0)
		end -= 5;
	from = end;
	while (from && path[from - 1] != '/')
		from--;
	if (end - from > 4 && memcmp(path + end - 4, ".git", 4) == 0)
		end -= 4;
	return guts_memdup(path + from, end - from);
}

/* One of path and url, and a good one. */
static int
check_source(const struct guts_value *path, const struct guts_value *url, struct guts_body *body, struct guts_errinfo *ei)
{
	const char *where = url->is_set ? "/url" : "/path", *wrong = NULL;

	if (path->is_set == url->is_set)
		wrong = "either path or url must be given";
	else if (path->is_set && path->text[0] != '/')
		wrong = "must be absolute";
	else if (url->is_set && !guts_import_is_url(url->text))
		wrong = "must begin with http://, https:// or git://";
	return wrong ? guts_body_refuse(body, where, wrong, ei) : GUTS_OK;
}

void
guts_rest_repo_import(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "path", GUTS_FIELD_TEXT, false, false, 1, 4095, NULL, false },
		{ "name", GUTS_FIELD_TEXT, false, true, 1, GUTS_NAME_MAX, NULL, false },
		{ "description", GUTS_FIELD_TEXT, false, true, 0, GUTS_DESCRIPTION_MAX, NULL, true },
		{ "default_branch", GUTS_FIELD_TEXT, false, true, 1, 255, NULL, false },
		{ "private", GUTS_FIELD_BOOL, false, true, 0, 0, NULL, false },
		{ "url", GUTS_FIELD_TEXT, false, false, 1, 2000, NULL, false },
	};
	struct guts_value v[6];
	struct guts_body body;
	struct guts_errinfo ei;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 6, false, v, &ei);

	if (err == 0)
		err = check_source(&v[0], &v[5], &body, &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
	} else {
		struct repo_call *p = guts_call_new(sizeof *p, run_import, answer_import, destroy_repo);
		p->path = copy_text(v[5].is_set ? &v[5] : &v[0]);
		p->name = v[1].is_set ? copy_text(&v[1]) : name_of_path(p->path);
		p->description = copy_text(&v[2]);
		p->branch = copy_text(&v[3]);
		p->is_private = v[4].flag;
		p->set_private = v[4].is_set;
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

/* -- commands on one repository --------------------------------------------------------------- */

/* A call on the repository of the request; NULL: an answer was queued. */
static struct repo_call *
new_on_repo(struct guts_req *r, void (*run)(struct guts_call *c),
    void (*answer)(struct guts_req *r, struct guts_call *c))
{
	struct guts_repo_info *i = guts_req_repo(r);

	if (!i)
		return NULL;
	struct repo_call *p = NULL;
	if (guts_who_may_touch(&r->who, i->id)) {
		p = guts_call_new(sizeof *p, run, answer, destroy_repo);
		p->c.not_found = "no such repository";
		memcpy(p->id, i->id, sizeof p->id);
	} else {
		guts_reply_problem(r, 403, "this token is for other repositories");
	}
	guts_repo_info_unref(i);
	return p;
}

static void
update_done(void *owner, int err, const struct guts_errinfo *ei)
{
	struct repo_call *p = owner;
	struct guts_repo *repo = guts_sync_find(guts_node_sync(p->c.h->node), p->id);

	if (err == 0 && repo)
		p->info = guts_repo_info_get(repo);
	guts_call_done(&p->c, err == 0 && !repo ? GUTS_ENOTFOUND : err, ei);
}

static void
run_update(struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;
	struct guts_sync *sync = guts_node_sync(c->h->node);
	struct guts_repo *repo = guts_sync_find(sync, p->id);
	struct guts_repo_params params;

	if (!repo) {
		guts_call_done(c, GUTS_ENOTFOUND, NULL);
		return;
	}
	fill_params(p, &params);
	guts_sync_update(sync, repo, &params, update_done, p);
}

/* A list of peer ids, each once; the parser has kept it within the room of `out`. */
static int
take_peers(struct guts_peerid *out, size_t *n, const struct guts_value *v, const char *where, struct guts_body *body,
    struct guts_errinfo *ei)
{
	for (size_t i = 0; v->is_set && i < v->n; i++) {
		const char *wrong = guts_peerid_parse(&out[i], guts_slice_str(v->list[i])) < 0 ? "holds something that is no peer id" : NULL;

		for (size_t k = 0; k < i && !wrong; k++)
			wrong = guts_peerid_eq(&out[k], &out[i]) ? "names a peer twice" : NULL;
		if (wrong)
			return guts_body_refuse(body, where, wrong, ei);
		*n = i + 1;
	}
	return 0;
}

/* Copy a list of short texts. */
#define TEXT_MAX 100 /* [bytes] of one */
static int
take_texts(char (*out)[TEXT_MAX + 1], size_t *n, const struct guts_value *v, const char *where, struct guts_body *body,
    struct guts_errinfo *ei)
{
	_Static_assert(GUTS_CONTEXT_MAX == TEXT_MAX && GUTS_GATE_MAX == TEXT_MAX, "both lists are copied here");
	for (size_t i = 0; v->is_set && i < v->n; i++) {
		if (strlen(v->list[i]) > TEXT_MAX)
			return guts_body_refuse(body, where, "holds one of more than 100 bytes", ei);
		snprintf(out[(*n)++], TEXT_MAX + 1, "%s", v->list[i]);
	}
	return 0;
}

void
guts_rest_repo_update(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "name", GUTS_FIELD_TEXT, false, false, 1, GUTS_NAME_MAX, NULL, false },
		{ "description", GUTS_FIELD_TEXT, false, true, 0, GUTS_DESCRIPTION_MAX, NULL, true },
		{ "default_branch", GUTS_FIELD_TEXT, false, false, 1, 255, NULL, false },
		{ "private", GUTS_FIELD_BOOL, false, false, 0, 0, NULL, false },
		{ "archived", GUTS_FIELD_BOOL, false, false, 0, 0, NULL, false },
		{ "signers", GUTS_FIELD_LIST, false, false, 0, GUTS_SIGNERS_MAX, NULL, false },
		{ "readers", GUTS_FIELD_LIST, false, false, 0, GUTS_READERS_MAX, NULL, false },
		{ "required_contexts", GUTS_FIELD_LIST, false, false, 0, GUTS_CONTEXTS_MAX, NULL, false },
		{ "gated_branches", GUTS_FIELD_LIST, false, false, 0, GUTS_GATES_MAX, NULL, false },
	};
	struct guts_value v[9];
	struct guts_body body;
	struct guts_errinfo ei;
	struct repo_call *p = new_on_repo(r, run_update, answer_updated);

	if (!p)
		return;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 9, true, v, &ei);
	if (err == 0)
		err = take_peers(p->signers, &p->nsigners, &v[5], "/signers", &body, &ei);
	if (err == 0)
		err = take_peers(p->readers, &p->nreaders, &v[6], "/readers", &body, &ei);
	if (err == 0)
		err = take_texts(p->contexts, &p->ncontexts, &v[7], "/required_contexts", &body, &ei);
	if (err == 0)
		err = take_texts(p->gates, &p->ngates, &v[8], "/gated_branches", &body, &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
		destroy_repo(&p->c);
		free(p);
	} else {
		p->name = copy_text(&v[0]);
		p->description = copy_text(&v[1]);
		p->branch = copy_text(&v[2]);
		p->is_private = v[3].flag;
		p->set_private = v[3].is_set;
		p->is_retired = v[4].flag;
		p->set_retired = v[4].is_set;
		p->set_signers = v[5].is_set;
		p->set_readers = v[6].is_set;
		p->set_contexts = v[7].is_set;
		p->set_gates = v[8].is_set;
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

static void
plain_done(void *owner, int err)
{
	guts_call_done(owner, err, NULL);
}

/* Blocking may have removed it already. */
static void
removed_done(void *owner, int err)
{
	guts_call_done(owner, err == GUTS_ENOTFOUND ? GUTS_OK : err, NULL);
}

static void
run_delete(struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;

	guts_sync_remove(guts_node_sync(c->h->node), p->id, removed_done, c);
}

void
guts_rest_repo_delete(struct guts_req *r)
{
	struct repo_call *p = new_on_repo(r, run_delete, guts_call_answer_empty);

	if (p)
		guts_call_loop(r, &p->c);
}

static void
run_policy(struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;

	guts_sync_set_policy(guts_node_sync(c->h->node), p->id, p->policy, plain_done, c);
}

void
guts_rest_repo_policy(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "policy", GUTS_FIELD_TEXT, true, false, 0, 10, "default seed block", false },
	};
	struct guts_value v[1];
	struct guts_body body;
	struct guts_errinfo ei;
	uint8_t id[GUTS_REPOID_SIZE];
	struct repo_call *p;

	/* by id also for one that is not here */
	if (guts_req_param(r, 1).n == 0 && guts_repoid_parse(id, guts_req_param(r, 0)) == 0) {
		p = guts_call_new(sizeof *p, run_policy, guts_call_answer_empty, destroy_repo);
		p->c.not_found = "no such repository";
		memcpy(p->id, id, sizeof id);
	} else if (!(p = new_on_repo(r, run_policy, guts_call_answer_empty))) {
		return;
	}
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 1, false, v, &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
		destroy_repo(&p->c);
		free(p);
	} else {
		p->policy = v[0].text[0] == 's' ? GUTS_POLICY_SEED :
		    v[0].text[0] == 'b'         ? GUTS_POLICY_BLOCK :
						  GUTS_POLICY_DEFAULT;
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

static void
run_sync(struct guts_call *c)
{
	struct repo_call *p = (struct repo_call *)c;
	struct guts_sync *sync = guts_node_sync(c->h->node);
	struct guts_repo *repo = guts_sync_find(sync, p->id);

	if (repo)
		guts_sync_now(sync, repo);
	guts_call_done(c, repo ? 0 : GUTS_ENOTFOUND, NULL);
}

void
guts_rest_repo_sync(struct guts_req *r)
{
	struct repo_call *p = new_on_repo(r, run_sync, answer_accepted);

	if (p)
		guts_call_loop(r, &p->c);
}
