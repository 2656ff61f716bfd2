/* http/api_history.c - lists of commits, their number, contributors, and what changed a folder's entries last.
 *
 * An answer that took too much work says so in a header (X-Incomplete-Results), has no ETag, and asks for a commit-graph, so
 * the next one may be complete.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "crypto/key.h"
#include "git/history.h"
#include "git/lastfile.h"
#include "git/peoplefile.h"
#include "http/api.h"
#include "http/histcache.h"
#include "http/readjob.h"

#include <stdio.h>
#include <stdlib.h>

struct history_job {
	struct guts_readjob base;
	char author[256];
	struct guts_history_filter filter;
};

/* -- on the worker ------------------------------------------------------------------- */

struct index_call {
	struct guts_repostore *repos;
	uint8_t id[GUTS_REPOID_SIZE];
};

static void
index_posted(void *arg)
{
	struct index_call *i = arg;

	guts_repostore_index(i->repos, i->id);
	free(i);
}

/* End with a history; if it lacked a commit-graph, ask for one. */
static void
close_history(const struct guts_readjob *p, struct guts_history *h)
{
	if (guts_history_wants_graph(h)) {
		struct index_call *i = guts_alloc(sizeof *i);

		i->repos = p->c.h->repos;
		memcpy(i->id, p->info->id, sizeof i->id);
		guts_env_post(p->c.h->env, index_posted, i);
	}
	guts_history_close(h);
}

static bool
is_filtered(const struct guts_history_filter *f)
{
	return f->path.n || f->author.n || f->has_since || f->has_until;
}

static int
make_commits(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	const struct guts_history_filter *filter = &((struct history_job *)p)->filter;
	struct guts_history *h = guts_history_open(g, p->disk, 0);
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_read_commits list;
	bool incomplete;
	int err = guts_history_log(h, &p->tip, filter, (unsigned)p->page, (unsigned)p->per_page, a, &list);

	if (err == 0) {
		guts_json_array(j);
		for (size_t i = 0; i < list.n; i++)
			guts_view_commit(j, &x, &list.v[i], NULL);
		guts_json_array_end(j);
		p->more = list.more;
		p->incomplete = list.incomplete;
		p->total = GUTS_TOTAL_UNKNOWN;
		if (!is_filtered(filter) && (guts_history_count(h, &p->tip, &p->total, &incomplete) || incomplete))
			p->total = GUTS_TOTAL_UNKNOWN;
	}
	close_history(p, h);
	return err;
}

static int
make_count(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_history *h = guts_history_open(g, p->disk, 0);
	uint64_t n;
	int err = guts_history_count(h, &p->tip, &n, &p->incomplete);

	(void)a;
	if (err == 0) {
		guts_json_object(j);
		guts_json_key(j, "sha");
		guts_view_oid(j, &p->tip);
		guts_json_put_u64(j, "commits", n);
		guts_json_put_bool(j, "incomplete_results", p->incomplete);
		guts_json_object_end(j);
	}
	close_history(p, h);
	return err;
}

static int
make_contributors(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_history *h = guts_history_open(g, p->disk, 0);
	struct guts_histcache *cache = p->c.h->histcache;
	struct guts_history_people people, known;
	bool has_known = guts_histcache_people(cache, p->info->id, a, &known) || guts_peoplefile_read(p->disk, a, &known);
	int err = guts_history_people(h, &p->tip, has_known ? &known : NULL, a, &people);
	uint64_t from = (p->page - 1) * p->per_page;

	if (err == 0) {
		guts_json_array(j);
		for (uint64_t i = from; i < people.n && i < from + p->per_page; i++)
			guts_view_contributor(j, &people.v[i]);
		guts_json_array_end(j);
		p->total = people.n;
		p->incomplete = people.incomplete;
		if (!people.incomplete)
			guts_histcache_keep_people(cache, p->info->id, &people);
	}
	close_history(p, h);
	return err;
}

static int
put_entries(const struct guts_readjob *p, struct guts_read *g, const struct guts_history_folder *f, struct guts_arena *a,
    struct guts_json *j)
{
	struct guts_read_commit commit;
	int err = 0;

	guts_json_array(j);
	for (size_t i = 0; i < f->n && !err; i++) {
		bool found = !guts_oid_is_none(&f->v[i].commit);

		if (found)
			err = guts_read_commit(g, &f->v[i].commit, a, &commit);
		guts_view_last_commit(j, guts_slice_str(p->file), &f->v[i], found && !err ? &commit : NULL);
	}
	guts_json_array_end(j);
	return err;
}

int
guts_readjob_last_commits(struct guts_readjob *p, struct guts_history *h, struct guts_arena *a, struct guts_history_folder *out)
{
	struct guts_histcache *cache = p->c.h->histcache;
	struct guts_history_folder known;
	bool has_known = guts_histcache_folder(cache, p->info->id, p->file, a, &known);
	int err;

	if (!has_known && p->file[0] == '\0')
		has_known = guts_lastfile_read(p->disk, a, &known);
	err = guts_history_folder(h, &p->tip, guts_slice_str(p->file), has_known ? &known : NULL, a, out);
	if (err == 0 && !out->incomplete)
		guts_histcache_keep_folder(cache, p->info->id, p->file, out);
	return err;
}

static int
make_last_commits(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_history *h = guts_history_open(g, p->disk, 0);
	struct guts_history_folder folder;
	int err = guts_readjob_last_commits(p, h, a, &folder);

	if (err == 0) {
		p->incomplete = folder.incomplete;
		err = put_entries(p, g, &folder, a, j);
	}
	close_history(p, h);
	return err;
}

/* -- what is asked for ------------------------------------------------------------------------- */

static void
answer_list(struct guts_req *r, struct guts_readjob *p)
{
	guts_reply_page(r, &p->body, &(struct guts_page){ .page = p->page, .per_page = p->per_page, .total = p->total,
	    .more = p->more, .is_immutable = p->is_immutable, .incomplete = p->incomplete }, p->incomplete ? NULL : p->etag, 0);
}

static const char no_commit[] = "no such commit";
static const struct guts_readop commits = { "commits", make_commits, answer_list, no_commit, true };
static const struct guts_readop count = { "count", make_count, NULL, no_commit, true };
static const struct guts_readop contributors = { "contributors", make_contributors, answer_list, no_commit, true };
static const struct guts_readop last_commits = { "last", make_last_commits, NULL, "no such folder at this commit", true };

/* Start a job at what the query's `key` names. */
static void
start(struct guts_req *r, struct guts_readjob *p, const char *key)
{
	p->is_kept = true;
	if (guts_readjob_at(r, p, guts_target_query(&r->target, key)))
		guts_readjob_start(r, p);
}

/* A time in the query; false: an answer was queued. */
static bool
take_time(struct guts_req *r, const char *key, int64_t *time_s, bool *there)
{
	struct guts_slice v = guts_target_query(&r->target, key);

	*there = v.n > 0;
	if (v.n == 0 || guts_text_parse_time(v, time_s) == 0)
		return true;
	guts_reply_problem(r, 400, "%s must be a time such as 2026-01-31T12:00:00Z", key);
	return false;
}

/* The filters of a list of commits; false: an answer was queued. */
static bool
take_filter(struct guts_req *r, struct history_job *h)
{
	struct guts_slice path = guts_target_query(&r->target, "path"), author = guts_target_query(&r->target, "author");
	struct guts_history_filter *f = &h->filter;
	struct guts_sha256_ctx c;
	uint8_t digest[GUTS_SHA256_SIZE];

	if (author.n >= sizeof h->author) {
		guts_reply_problem(r, 400, "author is too long");
		return false;
	}
	snprintf(h->base.file, sizeof h->base.file, "%.*s", (int)path.n, path.p ? (const char *)path.p : "");
	snprintf(h->author, sizeof h->author, "%.*s", (int)author.n, author.p ? (const char *)author.p : "");
	f->path = guts_slice_str(h->base.file);
	f->author = guts_slice_str(h->author);
	if (!take_time(r, "since", &f->since_s, &f->has_since) || !take_time(r, "until", &f->until_s, &f->has_until))
		return false;
	guts_sha256_begin(&c);
	guts_sha256_add_sized(&c, f->author);
	guts_sha256_add_sized(&c, guts_slice(&f->since_s, f->has_since ? sizeof f->since_s : 0));
	guts_sha256_add_sized(&c, guts_slice(&f->until_s, f->has_until ? sizeof f->until_s : 0));
	guts_sha256_end(&c, digest);
	memcpy(&h->base.state, digest, sizeof h->base.state);
	return true;
}

void
guts_rest_commits(struct guts_req *r)
{
	struct guts_readjob *p = guts_readjob_new_in(r, &commits, sizeof(struct history_job));

	if (!p)
		return;
	if (!guts_req_page(r, &p->page, &p->per_page) || !take_filter(r, (struct history_job *)p))
		guts_readjob_drop(p);
	else
		start(r, p, "sha");
}

void
guts_rest_commit_count(struct guts_req *r)
{
	struct guts_readjob *p = guts_readjob_new(r, &count);

	if (p)
		start(r, p, "sha");
}

void
guts_rest_contributors(struct guts_req *r)
{
	struct guts_readjob *p = guts_readjob_new(r, &contributors);

	if (!p)
		return;
	if (!guts_req_page(r, &p->page, &p->per_page))
		guts_readjob_drop(p);
	else
		start(r, p, "sha");
}

void
guts_rest_last_commits(struct guts_req *r)
{
	struct guts_readjob *p = guts_readjob_new(r, &last_commits);

	if (!p)
		return;
	if (!guts_req_param_rest(r, 2, p->file, sizeof p->file)) {
		guts_readjob_drop(p);
		guts_reply_problem(r, 404, "the path is too long");
	} else {
		start(r, p, "ref");
	}
}
