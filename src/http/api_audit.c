/* http/api_audit.c - the signed records behind a repository's refs, as they came, for whoever wants to check them.
 *
 * Each is opened anew: what the store holds is shown beside what its signature is worth.
 */
#include "http/api.h"
#include "proto/signedrefs.h"
#include "view/view.h"

#include <stdio.h>

struct audit_call {
	struct guts_call c;
	uint8_t repo[GUTS_REPOID_SIZE];
	struct guts_peerid author;
	uint64_t after, limit, n, last;
	struct guts_buf body;
	struct guts_json j;
};

static void
destroy_audit(struct guts_call *c)
{
	guts_buf_deinit(&((struct audit_call *)c)->body);
}

/* Is the record what the place where it lies says?  NULL, or what is wrong. */
static const char *
misplaced(const struct audit_call *a, const struct guts_record_row *row, const struct guts_signedrefs *s)
{
	if (!guts_peerid_eq(&s->author, &a->author))
		return "signed by another author";
	if (memcmp(s->repository, a->repo, sizeof a->repo) != 0)
		return "of another repository";
	if (s->sequence != row->sequence || memcmp(s->hash, row->hash, sizeof row->hash) != 0)
		return "another record than its hash says";
	return NULL;
}

static bool
audit_row(void *owner, const struct guts_record_row *row)
{
	struct audit_call *a = owner;
	struct guts_signedrefs s;
	int err;

	/* two of a fork have one sequence: the cursor must not fall between them */
	if (a->n >= a->limit && row->sequence != a->last)
		return false;
	err = guts_signedrefs_open(&s, row->envelope, 0);
	guts_view_record(&a->j, row, err ? NULL : &s, err ? guts_err_text(err) : misplaced(a, row, &s));
	a->last = row->sequence;
	a->n++;
	return true;
}

static void
run_audit(struct guts_call *c)
{
	struct audit_call *a = (struct audit_call *)c;

	guts_reply_begin(&a->body, &a->j);
	guts_json_array(&a->j);
	c->err = guts_sync_records(c->h->store, a->repo, &a->author, a->after, audit_row, a);
	guts_json_array_end(&a->j);
}

static void
answer_audit(struct guts_req *r, struct guts_call *c)
{
	struct audit_call *a = (struct audit_call *)c;

	guts_reply_hashed(r, &a->body);
}

void
guts_rest_author_records(struct guts_req *r)
{
	struct guts_repo_info *i;
	struct audit_call *a;
	struct guts_peerid author;
	uint64_t after, limit;

	if (guts_peerid_parse(&author, guts_req_param(r, 2)) < 0) {
		guts_reply_problem(r, 400, "no peer id");
		return;
	}
	if (!guts_req_number(r, "after", 0, INT64_MAX, 0, &after) || !guts_req_number(r, "limit", 1, 1000, 100, &limit))
		return;
	if (!(i = guts_req_repo(r)))
		return;
	a = guts_call_new(sizeof *a, run_audit, answer_audit, destroy_audit);
	memcpy(a->repo, i->id, sizeof a->repo);
	a->author = author;
	a->after = after;
	a->limit = limit;
	guts_repo_info_unref(i);
	guts_call_job(r, &a->c, "audit");
}
