/* sync/gate.c - gated branches: a commit waits in candidates/<branch> until its required contexts have succeeded.
 *
 * This is no rule of the canonical refs, which know nothing of statuses: it is what the node of a delegate signs.  A push to
 * a gated branch goes to candidates/<branch> of its own refs, a branch like any other, so every node shows it and CI systems
 * build it.  When all required contexts have a success that counts here, the node signs one record that moves the branch and
 * deletes the candidate.  A key signs only what its own user pushed: candidates of other delegates wait for their nodes.
 *
 * It is looked whenever that may have changed: a status or a trust was stored, refs or identity changed, the node started.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "sync/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SHORT_OID 10       /* digits of an id in texts for people */
#define CANDIDATES_MAX 100 /* of one repository that are looked at: each look reads statuses of each */

enum outcome { WAITS, PASSED, FAILED };

static const char heads[] = "refs/heads/", candidates[] = GUTS_CANDIDATES;

/* How the required contexts of a commit stand; `missing` (may be NULL) gets those without success, "build, test". */
static enum outcome
outcome(struct guts_repo *r, const struct guts_oid *commit, struct guts_buf *missing)
{
	const struct guts_identity *id = guts_repo_identity(r);
	struct guts_checks_by by = guts_repo_checks_by(r);
	struct guts_checks checks;
	enum outcome all = PASSED;

	(void)guts_checks_read(r->sync->s.store, &by, commit, &checks); /* what cannot be read waits */
	for (uint32_t i = 0; i < id->ncontexts; i++) {
		const struct guts_status *st = guts_checks_find(&checks, id->contexts[i]);

		if (st && st->state == GUTS_STATUS_SUCCESS)
			continue;
		if (st && (st->state == GUTS_STATUS_FAILURE || st->state == GUTS_STATUS_ERROR))
			all = FAILED;
		else if (all == PASSED)
			all = WAITS;
		if (missing)
			guts_buf_printf(missing, "%s%s", missing->len ? ", " : "", id->contexts[i]);
	}
	guts_checks_deinit(&checks);
	return all;
}

/* -- a push to a gated branch --------------------------------------------------------------------- */

bool
guts_gate_begin(struct guts_gate *g, const struct guts_repo *r, const struct guts_push_cmd *cmd)
{
	*g = (struct guts_gate){ 0 };
	if (cmd->err || guts_oid_is_none(&cmd->new_oid) || !guts_repo_is_delegate(r, &r->sync->s.key->id) ||
	    !guts_identity_gates(guts_repo_identity(r), guts_slice_str(cmd->name)))
		return false;
	g->candidate = guts_asprintf("%s%s", candidates, cmd->name + sizeof heads - 1);
	return true;
}

void
guts_gate_ask(const struct guts_gate *g, const struct guts_push_cmd *cmd, struct guts_object_query v[GUTS_GATE_ASKS])
{
	v[0] = (struct guts_object_query){ .oid = cmd->new_oid, .ancestor = cmd->old_oid };
	v[1] = (struct guts_object_query){ .oid = cmd->new_oid, .ancestor = g->was };
	v[2] = (struct guts_object_query){ .oid = g->was, .ancestor = cmd->old_oid };
}

void
guts_gate_learn(struct guts_gate *g, const struct guts_push_cmd *cmd, const struct guts_object_query v[GUTS_GATE_ASKS])
{
	g->on_branch = guts_oid_is_none(&cmd->old_oid) || v[0].is_ancestor;
	g->on_candidate = v[1].is_ancestor;
	g->candidate_fits = guts_oid_is_none(&cmd->old_oid) || v[2].is_ancestor;
}

static void refuse(struct guts_push_cmd *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
refuse(struct guts_push_cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	cmd->err = GUTS_ECONFLICT;
	va_start(ap, fmt);
	vsnprintf(cmd->text, sizeof cmd->text, fmt, ap);
	va_end(ap);
}

void
guts_gate_decide(struct guts_gate *g, struct guts_repo *r, struct guts_push_cmd *cmd, const struct guts_oid *now)
{
	const char *branch = cmd->name + sizeof heads - 1;
	const char *candidate = g->candidate + sizeof heads - 1;
	char hex[GUTS_OID_HEX_SIZE];
	struct guts_buf missing;
	enum outcome is;

	guts_buf_init(&missing, GUTS_CONTEXTS_MAX * (GUTS_CONTEXT_MAX + 2));
	is = outcome(r, &cmd->new_oid, &missing);
	if (is == PASSED) {
		g->settles = g->on_candidate && guts_oid_eq(now, &g->was) && !guts_oid_is_none(now);
	} else if (!g->on_branch) {
		refuse(cmd, "%s is gated, and this is not on top of it: push it to another branch until its checks passed", branch);
	} else if (!guts_refname_is_valid(guts_slice_str(g->candidate))) {
		refuse(cmd, "the branch is gated, and its name is too long for a candidate");
	} else if (!guts_oid_eq(now, &g->was)) {
		refuse(cmd, "%s moved in the meantime; try again", candidate);
	} else if (!guts_oid_is_none(now) && !g->on_candidate && g->candidate_fits && outcome(r, now, NULL) != FAILED) {
		guts_oid_hex(hex, now);
		hex[SHORT_OID] = '\0';
		refuse(cmd, "%s waits in %s: build on it, or delete that branch", hex, candidate);
	} else {
		cmd->held = g->candidate;
		cmd->held_old = *now;
		snprintf(cmd->text, sizeof cmd->text, "%.60s is gated: waits in %.60s for %.*s", branch, candidate, (int)missing.len,
		    (const char *)guts_buf_slice(&missing).p);
	}
	guts_buf_deinit(&missing);
}

void
guts_gate_end(struct guts_gate *g)
{
	free(g->candidate);
}

/* -- the move -------------------------------------------------------------------------------------- */

struct promotion {
	struct guts_sync *sync;
	uint8_t repo[GUTS_REPOID_SIZE];
	char *candidate, *branch; /* refs/heads/… */
	struct guts_oid oid, from; /* of the candidate and the branch */
};

static void
promotion_free(struct promotion *m)
{
	free(m->candidate);
	free(m->branch);
	free(m);
}

void
guts_gates_free(struct guts_repo *r)
{
	for (size_t i = 0; i < r->gates.v.n; i++)
		free(r->gates.v.v[i].name);
	GUTS_VEC_FREE(r->gates.v);
	guts_reftree_unref(r->gates.tree);
	r->gates.tree = NULL;
}

/* List the candidates of this node's own refs anew, if those have changed.  What finds no room waits for the others. */
static void
refresh(struct guts_repo *r, struct guts_reftree *own)
{
	struct guts_refentry e;
	uint64_t pos = 0;

	if (r->gates.tree == own)
		return;
	guts_gates_free(r);
	r->gates.tree = guts_reftree_ref(own);
	while (r->gates.v.n < CANDIDATES_MAX && guts_reftree_next(own, &pos, &e)) {
		if (e.name.n >= sizeof candidates && memcmp(e.name.p, candidates, sizeof candidates - 1) == 0 &&
		    !guts_oid_is_none(&e.oid))
			GUTS_VEC_PUSH(r->gates.v, ((struct guts_candidate){ .name = guts_memdup(e.name.p, e.name.n) }));
	}
}

/* May the branch of this candidate move now, as far as history is not asked?  Fills all but `sync` and `repo` of *m.  `only`:
 * nothing has changed but the statuses of this commit; NULL = anything may have. */
static bool
is_due(struct guts_repo *r, const char *name, const struct guts_oid *only, struct promotion *m)
{
	struct guts_refentry own, e;

	m->candidate = guts_strdup(name);
	m->branch = guts_asprintf("%s%s", heads, name + sizeof candidates - 1);
	if (!guts_reftree_find(r->gates.tree, guts_slice_str(name), &own) || guts_oid_is_none(&own.oid) ||
	    (only && !guts_oid_eq(only, &own.oid)) ||
	    !guts_identity_gates(guts_repo_identity(r), guts_slice_str(m->branch)))
		return false;
	if (guts_reftree_find(r->canonical, guts_slice_str(name), &e) && !(e.tag & GUTS_CANONICAL_PENDING) &&
	    !guts_oid_eq(&e.oid, &own.oid))
		return false; /* another delegate's is newer */
	m->oid = own.oid;
	m->from = guts_repo_canonical(r, guts_slice_str(m->branch));
	return outcome(r, &m->oid, NULL) == PASSED;
}

static int
prepare(struct guts_change *c)
{
	struct promotion *m = c->owner;
	struct guts_repo *r = c->repo;
	const struct guts_author *a = guts_repo_author(r, &r->sync->s.key->id);
	const struct guts_reftree *trees[GUTS_DELEGATES_MAX];
	struct guts_canonical_input in;
	struct guts_refentry entries[2];
	struct guts_reftree *tree;
	struct promotion now = { 0 };
	bool due;
	int err;

	refresh(r, a->head.tree);
	due = !guts_repo_identity(r)->is_retired && !r->own_is_behind && is_due(r, m->candidate, NULL, &now) &&
	    guts_oid_eq(&now.oid, &m->oid) && guts_oid_eq(&now.from, &m->from);
	free(now.candidate);
	free(now.branch);
	if (!due)
		return GUTS_OK; /* the change that came between looks again */
	guts_repo_input(r, guts_repo_identity(r), &in, trees);
	entries[0] = guts_push_entry(&in, a->head.tree, m->branch, &m->oid);
	entries[1] = guts_push_entry(&in, a->head.tree, m->candidate, &(struct guts_oid){ 0 });
	err = guts_reftree_apply(a->head.tree, entries, 2, &tree);
	return err ? err : guts_fork_sign(c, tree, false);
}

static void
on_promoted(struct guts_change *c, int err, const char *text)
{
	struct promotion *m = c->owner;
	struct guts_repo *r = c->repo;
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, &m->oid);
	if (err && err != GUTS_ECANCELED)
		guts_log(GUTS_LOG_WARN, "sync", "repo=%s: %s could not be moved to %.*s, whose checks passed, and is tried again with the "
		    "next change: %s", r->id_text, m->branch, SHORT_OID, hex, text ? text : guts_err_text(err));
	else if (!err && c->authors.n)
		guts_log(GUTS_LOG_NOTICE, "sync", "repo=%s: %s is %.*s now: its checks passed", r->id_text, m->branch, SHORT_OID, hex);
	promotion_free(m);
	r->gates.is_busy = false;
	if (!err)
		guts_gates_look(r, NULL);
}

static void
submit(struct guts_repo *r, struct promotion *m)
{
	struct guts_change *c = guts_change_new(r, &r->sync->s.key->id);

	c->prepare = prepare;
	c->done = on_promoted;
	c->owner = m;
	if (guts_change_submit(c)) {
		guts_change_free(c); /* the queue is full: the end of each change in it looks again */
		promotion_free(m);
		r->gates.is_busy = false;
	}
}

static void
on_asked(void *owner, int err, const struct guts_object_query *v, size_t n)
{
	struct promotion *m = owner;
	struct guts_repo *r = guts_sync_find(m->sync, m->repo);

	if (!r || r->is_removed) {
		promotion_free(m);
		if (r)
			r->gates.is_busy = false;
		return;
	}
	if (!err && n == 1 && v->is_ancestor) {
		submit(r, m);
		return;
	}
	for (size_t i = 0; i < r->gates.v.n; i++) {
		if (strcmp(r->gates.v.v[i].name, m->candidate) == 0)
			r->gates.v.v[i].unfit_for = m->from;
	}
	guts_log(GUTS_LOG_NOTICE, "sync", "repo=%s: the checks of %s passed, but %s has gone another way", r->id_text, m->candidate,
	    m->branch);
	promotion_free(m);
	r->gates.is_busy = false;
	guts_gates_look(r, NULL);
}

/* Move the branch, once history allows it. */
static void
start(struct guts_repo *r, const struct promotion *due)
{
	struct promotion *m = guts_memdup(due, sizeof *due);
	struct guts_object_query q = { .oid = due->oid, .ancestor = due->from };

	m->sync = r->sync;
	memcpy(m->repo, r->id, sizeof m->repo);
	r->gates.is_busy = true;
	if (guts_oid_is_none(&m->from))
		submit(r, m);
	else
		guts_repos_query(r->sync->s.repos, r->id, &q, 1, on_asked, m);
}

void
guts_gates_look(struct guts_repo *r, const struct guts_oid *commit)
{
	const struct guts_identity *id = guts_repo_identity(r);
	const struct guts_author *a;

	if (!id || !id->ngates || !id->ncontexts || id->is_retired || !r->is_ready || r->is_removed || r->gates.is_busy ||
	    r->own_is_behind || !guts_repo_is_delegate(r, &r->sync->s.key->id))
		return;
	a = guts_repo_author(r, &r->sync->s.key->id);
	if (!a || !a->head.tree)
		return;
	refresh(r, a->head.tree);
	for (size_t i = 0; i < r->gates.v.n; i++) {
		const struct guts_candidate *k = &r->gates.v.v[i];
		struct promotion m = { 0 };

		if (is_due(r, k->name, commit, &m) && (guts_oid_is_none(&k->unfit_for) || !guts_oid_eq(&k->unfit_for, &m.from))) {
			start(r, &m);
			return;
		}
		free(m.candidate);
		free(m.branch);
	}
}
