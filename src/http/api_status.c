/* http/api_status.c - commit statuses: listed from the store, signed on the loop.
 *
 * Who counts is asked of sync on the loop, so lists take that way too: rows are read there (a short
 * prefix scan), opened and sorted, and shown on the HTTP thread.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "http/api.h"
#include "http/checks.h"
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUSES_MAX 1000 /* of one commit that are shown */

struct status_call {
	struct guts_call c;
	uint8_t id[GUTS_REPOID_SIZE];
	struct guts_oid commit;
	bool combined, is_post, trust;
	struct guts_peerid signer;
	char context[GUTS_CONTEXT_MAX + 1], url[GUTS_STATUS_URL_MAX + 1], description[GUTS_STATUS_DESCRIPTION_MAX + 1];
	char run_id[GUTS_STATUS_RUN_MAX + 1], state[16];
	struct guts_repo_info *info;
	struct guts_status *v; /* answer: newest first */
	bool *counts;
	size_t n;
};

static void
destroy_status(struct guts_call *c)
{
	struct status_call *p = (struct status_call *)c;

	if (p->info)
		guts_repo_info_unref(p->info);
	free(p->v);
	free(p->counts);
}

/* -- on the loop ---------------------------------------------------------------------- */

static bool
take_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct status_call *p = owner;
	struct guts_status *s;

	(void)key;
	if ((p->n & (p->n + 1)) == 0) /* at 0, 1, 3, 7, …: room for as many again */
		p->v = guts_realloc(p->v, (2 * p->n + 2) * sizeof *p->v);
	s = &p->v[p->n];
	/* stored ones were checked when they came; only their form is looked at again */
	if (guts_status_peek(s, value) == 0)
		p->n++;
	return p->n < STATUSES_MAX;
}

static int
newest_first(const void *a, const void *b)
{
	const struct guts_status *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? 1 : -1;
	return guts_status_cmp(x, y);
}

/* Keep the newest of each context that counts. */
static void
keep_newest(struct status_call *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		bool known = !p->counts[i];
		for (size_t k = 0; k < n && !known; k++)
			known = strcmp(p->v[k].context, p->v[i].context) == 0;
		if (known)
			continue;
		p->v[n] = p->v[i];
		p->counts[n++] = true;
	}
	p->n = n;
}

static void
gather(struct guts_call *c)
{
	struct status_call *p = (struct status_call *)c;
	struct guts_sync *sync = guts_node_sync(c->h->node);
	struct guts_repo *repo = guts_sync_find(sync, p->id);
	struct guts_buf key;
	int err = GUTS_ENOTFOUND;

	if (repo) {
		guts_buf_init(&key, 128);
		guts_buf_add(&key, p->id, GUTS_REPOID_SIZE);
		guts_buf_add_u8(&key, p->commit.n);
		guts_buf_add(&key, p->commit.b, p->commit.n);
		if (p->is_post) { /* its own alone */
			guts_buf_add_u8(&key, c->h->id.n);
			guts_buf_add_slice(&key, guts_peerid_slice(&c->h->id));
			guts_buf_add_str(&key, p->context);
		}
		err = guts_store_scan(c->h->store, GUTS_TABLE_STATUS, guts_buf_slice(&key), guts_slice(NULL, 0), take_row, p);
		guts_buf_deinit(&key);
	}
	if (err == 0 && p->n) {
		qsort(p->v, p->n, sizeof *p->v, newest_first);
		p->counts = guts_calloc(p->n, sizeof *p->counts);
		for (size_t i = 0; i < p->n; i++)
			p->counts[i] = guts_sync_status_counts(sync, repo, &p->v[i].signer);
		if (p->combined)
			keep_newest(p);
	}
	guts_call_done(c, err, NULL);
}

/* -- lists ------------------------------------------------------------------------------ */

/* A call on the repository and commit of the request; NULL: an answer was queued. */
static struct status_call *
new_call(struct guts_req *r, void (*run)(struct guts_call *c), void (*answer)(struct guts_req *r, struct guts_call *c))
{
	struct guts_repo_info *i = guts_req_repo(r);
	struct status_call *p;

	if (!i)
		return NULL;
	p = guts_call_new(sizeof *p, run, answer, destroy_status);
	memcpy(p->id, i->id, sizeof p->id);
	p->info = i;
	return p;
}

static void
drop_call(struct status_call *p)
{
	destroy_status(&p->c);
	free(p);
}

/* The commit of parameter 2: an id, or where it is read a branch or tag. */
static bool
take_commit(struct guts_req *r, struct status_call *p, bool names)
{
	struct guts_slice s = guts_req_param(r, 2);
	char full[GUTS_REFNAME_MAX + 1];

	if (guts_oid_from_hex(&p->commit, s) == 0 && !guts_oid_is_none(&p->commit))
		return true;
	for (size_t k = 0; names && p->info->canonical && k < 2; k++) {
		int n = snprintf(full, sizeof full, "refs/%s/%.*s", k ? "tags" : "heads", (int)s.n, (const char *)s.p);
		const struct guts_refs_row *row = n > 0 && (size_t)n < sizeof full ?
		    guts_refs_view_find(p->info->canonical, guts_slice(full, (size_t)n)) :
		    NULL;
		if (row) {
			p->commit = row->oid;
			return true;
		}
	}
	guts_reply_problem(r, names ? 404 : 422, "a commit is named by 40 or 64 hex digits");
	return false;
}

static void
put_statuses(struct guts_req *r, const struct status_call *p, struct guts_json *j)
{
	char path[GUTS_VIEW_PATH_SIZE];
	struct guts_view_repo_ctx x = { .base = guts_req_base(r), .path = path };

	guts_view_repo_path(path, p->info);
	guts_json_array(j);
	for (size_t i = 0; i < p->n; i++)
		guts_view_commit_status(j, &x, &p->v[i], p->counts[i]);
	guts_json_array_end(j);
}

static void
answer_list(struct guts_req *r, struct guts_call *c)
{
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	put_statuses(r, (struct status_call *)c, &j);
	guts_reply_hashed(r, &b);
}

static void
answer_combined(struct guts_req *r, struct guts_call *c)
{
	struct status_call *p = (struct status_call *)c;
	char path[GUTS_VIEW_PATH_SIZE], hex[GUTS_OID_HEX_SIZE];
	const char *base = guts_req_base(r);
	struct guts_view_checks required;
	struct guts_buf b;
	struct guts_json j;

	guts_view_repo_path(path, p->info);
	guts_oid_hex(hex, &p->commit);
	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_str(&j, "state", guts_view_combined(p->v, p->counts, p->n));
	guts_json_put_str(&j, "sha", hex);
	guts_json_put_u64(&j, "total_count", p->n);
	guts_checks_required(&(struct guts_checks){ p->n, p->v }, p->info, &required);
	guts_view_checks(&j, &required);
	guts_json_key(&j, "statuses");
	put_statuses(r, p, &j);
	guts_json_key(&j, "repository");
	guts_view_repo(&j, base, p->info);
	guts_json_key(&j, "commit_url");
	guts_json_strs(&j, base, "/api/v1/repos/", path, "/commits/", hex, NULL);
	guts_json_key(&j, "url");
	guts_json_strs(&j, base, "/api/v1/repos/", path, "/commits/", hex, "/status", NULL);
	guts_json_object_end(&j);
	guts_reply_hashed(r, &b);
}

static void
list(struct guts_req *r, bool combined)
{
	struct status_call *p = new_call(r, gather, combined ? answer_combined : answer_list);

	if (!p)
		return;
	p->combined = combined;
	if (take_commit(r, p, true))
		guts_call_loop(r, &p->c);
	else
		drop_call(p);
}

void
guts_rest_statuses(struct guts_req *r)
{
	list(r, false);
}

void
guts_rest_combined(struct guts_req *r)
{
	list(r, true);
}

/* -- a new one ---------------------------------------------------------------------------- */

static void
put_done(void *owner, int err, const struct guts_errinfo *ei)
{
	struct status_call *p = owner;

	if (err < 0)
		guts_call_done(&p->c, err, ei);
	else
		gather(&p->c);
}

static void
run_put(struct guts_call *c)
{
	struct status_call *p = (struct status_call *)c;
	struct guts_sync *sync = guts_node_sync(c->h->node);
	struct guts_repo *repo = guts_sync_find(sync, p->id);
	struct guts_status_params params = { .commit = p->commit, .context = p->context, .state = p->state,
		.target_url = p->url, .description = p->description, .run_id = p->run_id };

	if (repo)
		guts_sync_status_put(sync, repo, &params, put_done, p);
	else
		guts_call_done(c, GUTS_ENOTFOUND, NULL);
}

static void
answer_put(struct guts_req *r, struct guts_call *c)
{
	struct status_call *p = (struct status_call *)c;
	char path[GUTS_VIEW_PATH_SIZE];
	struct guts_view_repo_ctx x = { .base = guts_req_base(r), .path = path };
	const struct guts_status *mine = NULL;
	size_t at = 0;
	struct guts_buf b;
	struct guts_json j;

	for (size_t i = 0; i < p->n && !mine; i++) {
		if (guts_peerid_eq(&p->v[i].signer, &r->h->id) && strcmp(p->v[i].context, p->context) == 0) {
			mine = &p->v[i];
			at = i;
		}
	}
	if (!mine) {
		guts_reply_err(r, GUTS_EINTERNAL, NULL);
		return;
	}
	guts_view_repo_path(path, p->info);
	guts_reply_begin(&b, &j);
	guts_view_commit_status(&j, &x, mine, p->counts[at]);
	guts_reply_json(r, 201, &b, NULL);
}

/* At most `max` - 1 bytes, not cutting a character. */
static void
copy_cut(char *to, size_t max, const struct guts_value *v)
{
	size_t n = v->is_set ? v->n : 0;

	if (n >= max) {
		n = max - 1;
		while (n && ((uint8_t)v->text[n] & 0xc0) == 0x80)
			n--;
	}
	if (n)
		memcpy(to, v->text, n);
	to[n] = 0;
}

void
guts_rest_status_post(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "state", GUTS_FIELD_TEXT, true, false, 0, 16, "pending success failure error warning", false },
		{ "target_url", GUTS_FIELD_TEXT, false, true, 0, GUTS_STATUS_URL_MAX, NULL, false },
		{ "description", GUTS_FIELD_TEXT, false, true, 0, 1024, NULL, true },
		{ "context", GUTS_FIELD_TEXT, false, true, 0, GUTS_CONTEXT_MAX, NULL, false },
		{ "run_id", GUTS_FIELD_TEXT, false, true, 0, GUTS_STATUS_RUN_MAX, NULL, false },
	};
	struct guts_value v[5];
	struct guts_body body;
	struct guts_errinfo ei;
	struct status_call *p = new_call(r, run_put, answer_put);

	if (!p)
		return;
	p->is_post = true;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 5, true, v, &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
	} else if (!guts_who_may_touch(&r->who, p->id)) {
		guts_reply_problem(r, 403, "this token is for other repositories");
	} else if (take_commit(r, p, false)) {
		copy_cut(p->url, sizeof p->url, &v[1]);
		copy_cut(p->description, sizeof p->description, &v[2]);
		for (char *c = p->description; *c; c++) {
			if (*c == '\n' || *c == '\t')
				*c = ' ';
		}
		copy_cut(p->context, sizeof p->context, &v[3]);
		copy_cut(p->run_id, sizeof p->run_id, &v[4]);
		if (!p->context[0])
			snprintf(p->context, sizeof p->context, "default");
		/* Gitea's clients know "warning": passed, with something to say */
		snprintf(p->state, sizeof p->state, "%s", strcmp(v[0].text, "warning") == 0 ? "success" : v[0].text);
		guts_call_loop(r, &p->c);
		p = NULL;
	}
	guts_body_deinit(&body);
	if (p)
		drop_call(p);
}

/* -- trust ------------------------------------------------------------------------------------ */

static void
trust_done(void *owner, int err)
{
	guts_call_done(owner, err, NULL);
}

static void
run_trust(struct guts_call *c)
{
	struct status_call *p = (struct status_call *)c;
	struct guts_sync *sync = guts_node_sync(c->h->node);
	struct guts_repo *repo = guts_sync_find(sync, p->id);

	if (repo)
		guts_sync_trust(sync, repo, &p->signer, p->trust, trust_done, c);
	else
		guts_call_done(c, GUTS_ENOTFOUND, NULL);
}

static void
set_trust(struct guts_req *r, bool trust)
{
	struct guts_peerid signer;
	struct status_call *p;

	if (guts_peerid_parse(&signer, guts_req_param(r, 2)) < 0) {
		guts_reply_problem(r, 400, "no peer id");
		return;
	}
	if (!(p = new_call(r, run_trust, guts_call_answer_empty)))
		return;
	p->signer = signer;
	p->trust = trust;
	guts_call_loop(r, &p->c);
}

void
guts_rest_trust(struct guts_req *r)
{
	set_trust(r, true);
}

void
guts_rest_distrust(struct guts_req *r)
{
	set_trust(r, false);
}
