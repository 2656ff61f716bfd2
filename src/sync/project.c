/* sync/project.c - refs on disk follow the records, also when the disk did not take them at first.
 *
 * A projection that fails (no room, a failing disk) comes after the commit point: the change is done and stays done, only git's
 * readers do not see it.  Such a repository is projected anew as a whole: at once, with its next change, and by the timer
 * (1 s, 2 s, … 32 s) until it works.  Operations of one repository run one after another, so an older
 * projection never lands on a newer one.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_DOUBLINGS 5

void
guts_project_all(struct guts_repo *r, void (*done)(void *owner, int err), void *owner)
{
	GUTS_VEC(struct guts_ref_update) v = { 0 };
	GUTS_VEC(char *) names = { 0 };
	struct guts_refentry e;
	struct guts_author *a;
	uint64_t pos = 0;
	char head[GUTS_BRANCH_MAX + 16];

	while (guts_reftree_next(r->canonical, &pos, &e)) {
		if (!guts_oid_is_none(&e.oid) && !(e.tag & GUTS_CANONICAL_PENDING))
			GUTS_VEC_PUSH(v, ((struct guts_ref_update){ e.name, e.oid }));
	}
	for (a = r->authors; a; a = a->hh.next) {
		pos = 0;
		while (guts_reftree_next(a->head.tree, &pos, &e)) {
			char *name;

			if (guts_oid_is_none(&e.oid))
				continue;
			name = guts_asprintf("refs/namespaces/%s/%.*s", a->text, (int)e.name.n, (const char *)e.name.p);
			GUTS_VEC_PUSH(names, name);
			GUTS_VEC_PUSH(v, ((struct guts_ref_update){ guts_slice_str(name), e.oid }));
		}
	}
	snprintf(head, sizeof head, "refs/heads/%s", guts_repo_identity(r)->default_branch);
	guts_repos_project(r->sync->s.repos, r->id, v.v, v.n, true, guts_slice_str(head), done, owner);
	for (size_t i = 0; i < names.n; i++)
		free(names.v[i]);
	GUTS_VEC_FREE(names);
	GUTS_VEC_FREE(v);
}

void
guts_project_note(struct guts_repo *r, int err)
{
	struct guts_sync *s = r->sync;
	unsigned doublings = r->project_failures < RETRY_DOUBLINGS ? r->project_failures : RETRY_DOUBLINGS;

	if (!err) {
		s->nunprojected -= r->project_failures > 0;
		r->project_failures = 0;
		return;
	}
	s->nunprojected += r->project_failures == 0;
	r->project_failures++;
	r->project_at_ns = guts_env_now(s->s.env) + (GUTS_SECOND_NS << doublings);
	guts_log_limited(GUTS_LOG_ERROR, "sync", "repo=%s: refs were not written (%s); trying again", r->id_text,
	    guts_err_text(err));
	guts_sync_arm(s);
}

/* A retry finds its repository by id. */
struct retry {
	struct guts_sync *sync;
	uint8_t id[GUTS_REPOID_SIZE];
};

static void
on_retried(void *owner, int err)
{
	struct retry *t = owner;
	struct guts_repo *r = guts_sync_find(t->sync, t->id);

	if (r) {
		r->is_projecting = false;
		guts_project_note(r, err);
		guts_sync_arm(t->sync);
	}
	free(t);
}

void
guts_projects_tick(struct guts_sync *s, uint64_t now)
{
	for (size_t i = 0; s->nunprojected && i < s->sorted.n; i++) {
		struct guts_repo *r = s->sorted.v[i];
		struct retry *t;

		if (!r->project_failures || r->is_projecting || r->is_removed || r->project_at_ns > now)
			continue;
		t = guts_alloc(sizeof *t);
		t->sync = s;
		memcpy(t->id, r->id, sizeof t->id);
		r->is_projecting = true;
		guts_project_all(r, on_retried, t);
	}
}

uint64_t
guts_projects_deadline(const struct guts_sync *s)
{
	uint64_t at = GUTS_NEVER;

	for (size_t i = 0; s->nunprojected && i < s->sorted.n; i++) {
		const struct guts_repo *r = s->sorted.v[i];

		if (r->project_failures && !r->is_projecting && !r->is_removed && r->project_at_ns < at)
			at = r->project_at_ns;
	}
	return at;
}
