/* git/query.c - questions about objects: is it there, of what type, is it an ancestor.
 *
 * A job opens the object database afresh (tens of microseconds), so it sees every pack that was
 * accepted before, holds no descriptors between jobs, and reads no configuration: a database
 * alone makes a repository without a folder, which is all that walking commits needs.
 */
#include "git/repostore_priv.h"

#include "base/alloc.h"
#include "git/odb.h"

#include <git2.h>
#include <stdlib.h>

struct guts_query {
	struct guts_job job;
	struct guts_repostore *store;
	char *path;
	struct guts_object_query *v;
	size_t n;
	int err;
	void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n);
	void *owner;
};

static void
answer(git_odb *odb, git_repository *repo, struct guts_object_query *q)
{
	git_oid id, ancestor;

	q->type = guts_odb_type(odb, &q->oid);
	q->is_ancestor = false;
	if (guts_oid_is_none(&q->ancestor) || q->type == GUTS_OBJ_NONE)
		return;
	if (guts_oid_eq(&q->oid, &q->ancestor)) {
		q->is_ancestor = true;
		return;
	}
	if (q->type == GUTS_OBJ_COMMIT && guts_odb_type(odb, &q->ancestor) == GUTS_OBJ_COMMIT &&
	    guts_odb_id(&id, &q->oid) && guts_odb_id(&ancestor, &q->ancestor))
		q->is_ancestor = git_graph_descendant_of(repo, &id, &ancestor) == 1;
}

int
guts_odb_answer(git_odb *odb, struct guts_object_query *v, size_t n)
{
	git_repository *repo = NULL;

	if (git_repository_wrap_odb(&repo, odb))
		return GUTS_EIO;
	for (size_t i = 0; i < n; i++)
		answer(odb, repo, &v[i]);
	git_repository_free(repo);
	return GUTS_OK;
}

static void
query_run(struct guts_job *j)
{
	struct guts_query *q = (struct guts_query *)j;
	git_odb *odb = NULL;

	q->err = guts_odb_open(&odb, q->path);
	if (!q->err)
		q->err = guts_odb_answer(odb, q->v, q->n);
	git_odb_free(odb);
}

static void
query_done(struct guts_job *j, void *owner)
{
	struct guts_query *q = (struct guts_query *)j;

	(void)owner;
	q->done(q->owner, q->err, q->v, q->n);
	free(q->path);
	free(q->v);
	free(q);
}

void
guts_repostore_query(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_object_query *v,
    size_t n, void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n), void *owner)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct guts_query *q = guts_alloc(sizeof(*q));

	q->store = s;
	q->path = guts_repostore_path(s, id);
	q->v = guts_calloc(n, sizeof(*v));
	if (n > 0)
		memcpy(q->v, v, n * sizeof(*v));
	q->n = n;
	q->done = done;
	q->owner = owner;
	if (!guts_repostore_has(s, id))
		q->err = GUTS_ENOTFOUND;
	q->job = (struct guts_job){ .run = query_run, .done = query_done, .name = "git.query" };
	guts_env_submit(s->env, &q->job);
}
