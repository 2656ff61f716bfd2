/* sync/push.c - a push by this node's user: objects first, then the decision, in the change queue.
 *
 * While the pack is verified other pushes may go ahead; old values are compared only when the
 * push stands at the head of its repository's queue, against the view it was made to.  What is for
 * a gated branch and lacks its checks goes to a candidate instead (gate.c).
 */
#include "sync/internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

struct guts_push {
	struct guts_repo *repo;
	bool is_canonical, is_atomic, has_pack, is_verified, is_import;
	struct guts_push_cmd *cmds;
	struct guts_gate *gates;           /* of each */
	size_t n, ngated;
	const struct guts_push_events *ev; /* NULL = the client went away */
	void *owner;
	struct guts_ingest *ingest;
	struct guts_change *change;        /* once submitted */
	struct guts_timer start;           /* for a push that needs no objects */
};

static void
push_free(struct guts_push *p)
{
	guts_env_timer_clear(p->repo->sync->s.env, &p->start);
	for (size_t i = 0; i < p->n; i++) {
		free(p->cmds[i].name);
		guts_gate_end(&p->gates[i]);
	}
	free(p->cmds);
	free(p->gates);
	free(p);
}

static void
push_end(struct guts_push *p, int err, const char *text)
{
	for (size_t i = 0; i < p->n && p->ev && p->ev->message && !err; i++) {
		if (p->cmds[i].held && !p->cmds[i].err)
			p->ev->message(p->owner, p->cmds[i].text);
	}
	if (p->ev)
		p->ev->done(p->owner, err, text, p->cmds, p->n);
	push_free(p);
}

/* The ref that a command writes, and the value it has. */
static const char *
target(const struct guts_push_cmd *cmd)
{
	return cmd->held ? cmd->held : cmd->name;
}

static const struct guts_oid *
target_old(const struct guts_push_cmd *cmd)
{
	return cmd->held ? &cmd->held_old : &cmd->old_oid;
}

/* The value the pusher was shown. */
static struct guts_oid
shown(const struct guts_push *p, const struct guts_reftree *own, struct guts_slice name)
{
	struct guts_refentry e;

	if (p->is_canonical)
		return guts_repo_canonical(p->repo, name);
	return guts_reftree_find(own, name, &e) ? e.oid : (struct guts_oid){ 0 };
}

static void
refuse(struct guts_push_cmd *cmd, int err, const char *text)
{
	cmd->err = err;
	snprintf(cmd->text, sizeof cmd->text, "%s", text);
}

/* A ref may not be a folder of another: refs/heads/a and refs/heads/a/b. */
struct newname {
	struct guts_push_cmd *cmd;
	UT_hash_handle hh;
};

static struct newname *
newname_find(struct newname *set, const char *name, size_t n)
{
	struct newname *x;

	HASH_FIND(hh, set, name, n, x);
	return x;
}

/* Refuse every new name of which a live name is a folder, or that is a folder of a live name. */
static void
check_folders(struct guts_push *p, const struct guts_reftree *own)
{
	const struct guts_reftree *t = p->is_canonical ? p->repo->canonical : own;
	struct newname *set = NULL, *gone = NULL, *x, *tmp;
	struct guts_refentry e;
	uint64_t pos = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct guts_push_cmd *cmd = &p->cmds[i];

		if (cmd->err || (!guts_oid_is_none(target_old(cmd)) && !guts_oid_is_none(&cmd->new_oid)))
			continue;
		x = guts_alloc(sizeof *x);
		x->cmd = cmd;
		if (guts_oid_is_none(&cmd->new_oid))
			HASH_ADD_KEYPTR(hh, gone, target(cmd), strlen(target(cmd)), x);
		else
			HASH_ADD_KEYPTR(hh, set, target(cmd), strlen(target(cmd)), x);
	}
	for (x = set; x; x = x->hh.next) { /* among each other, and below a live name */
		const char *name = target(x->cmd);

		for (const char *s = strchr(name, '/'); s; s = strchr(s + 1, '/')) {
			size_t n = (size_t)(s - name);

			if (newname_find(set, name, n) || (guts_reftree_find(t, guts_slice(name, n), &e) &&
			    !guts_oid_is_none(&e.oid) && !newname_find(gone, name, n)))
				refuse(x->cmd, GUTS_ECONFLICT, "a ref of that folder's name exists");
		}
	}
	while (set && guts_reftree_next(t, &pos, &e)) {
		const char *name = (const char *)e.name.p;

		if (guts_oid_is_none(&e.oid) || newname_find(gone, name, e.name.n))
			continue;
		for (size_t i = 0; i < e.name.n; i++) {
			if (name[i] == '/' && (x = newname_find(set, name, i)) != NULL)
				refuse(x->cmd, GUTS_ECONFLICT, "refs below that name exist");
		}
	}
	HASH_ITER (hh, set, x, tmp) {
		HASH_DEL(set, x);
		free(x);
	}
	HASH_ITER (hh, gone, x, tmp) {
		HASH_DEL(gone, x);
		free(x);
	}
}

struct guts_refentry
guts_push_entry(const struct guts_canonical_input *in, const struct guts_reftree *own, const char *name, const struct guts_oid *oid)
{
	struct guts_refentry e = { .name = guts_slice_str(name), .oid = *oid }, mine;

	e.version = guts_canonical_next_version(in, e.name);
	if (guts_reftree_find(own, e.name, &mine) && mine.version >= e.version)
		e.version = mine.version + 1;
	return e;
}

/* Is a ref written by a command of its own? */
static bool
is_named(const struct guts_push *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->cmds[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Which commands for gated branches pass, are held, are refused. */
static void
decide_gates(struct guts_push *p, const struct guts_reftree *own)
{
	for (size_t i = 0; i < p->n && p->ngated && !p->is_import; i++) {
		struct guts_push_cmd *cmd = &p->cmds[i];
		struct guts_gate *g = &p->gates[i];
		struct guts_oid now;

		if (!g->candidate || cmd->err || guts_oid_eq(&cmd->old_oid, &cmd->new_oid))
			continue;
		now = shown(p, own, guts_slice_str(g->candidate));
		if (g->is_over)
			refuse(cmd, GUTS_ELIMIT, "too many gated branches in one push");
		else if (is_named(p, g->candidate))
			refuse(cmd, GUTS_ECONFLICT, "the branch is gated, and its candidate is pushed beside it: push one of them");
		else
			guts_gate_decide(g, p->repo, cmd, &now);
	}
}

/* Compare, then write this node's own entries. */
static int
prepare(struct guts_change *c)
{
	struct guts_push *p = c->owner;
	struct guts_repo *r = p->repo;
	const struct guts_author *a = guts_repo_author_add(r, &r->sync->s.key->id);
	const struct guts_reftree *trees[GUTS_DELEGATES_MAX];
	struct guts_canonical_input in;
	GUTS_VEC(struct guts_refentry) entries = { 0 };
	struct guts_reftree *tree;
	size_t refused = 0;
	int err;

	guts_repo_input(r, guts_repo_identity(r), &in, trees);
	for (size_t i = 0; i < p->n; i++) {
		struct guts_push_cmd *cmd = &p->cmds[i];
		struct guts_oid now = shown(p, a->head.tree, guts_slice_str(cmd->name));

		if (!cmd->err && !guts_oid_eq(&now, &cmd->old_oid))
			refuse(cmd, GUTS_ECONFLICT, guts_oid_is_none(&now) ? "it does not exist any more; fetch first" :
			    "it moved in the meantime; fetch first");
	}
	decide_gates(p, a->head.tree);
	check_folders(p, a->head.tree);
	for (size_t i = 0; i < p->n; i++)
		refused += p->cmds[i].err != 0;
	for (size_t i = 0; i < p->n; i++) {
		struct guts_push_cmd *cmd = &p->cmds[i];

		if (!cmd->err && refused && p->is_atomic)
			refuse(cmd, GUTS_ECONFLICT, "atomic push: another ref was refused");
		if (!cmd->err && !guts_oid_eq(target_old(cmd), &cmd->new_oid))
			GUTS_VEC_PUSH(entries, guts_push_entry(&in, a->head.tree, target(cmd), &cmd->new_oid));
		if (!cmd->err && p->gates[i].settles)
			GUTS_VEC_PUSH(entries, guts_push_entry(&in, a->head.tree, p->gates[i].candidate, &(struct guts_oid){ 0 }));
	}
	if (entries.n == 0) {
		GUTS_VEC_FREE(entries);
		return refused ? GUTS_ECONFLICT : GUTS_OK;
	}
	err = guts_reftree_apply(a->head.tree, entries.v, entries.n, &tree);
	GUTS_VEC_FREE(entries);
	return err ? err : guts_fork_sign(c, tree, false);
}

static void
on_change_done(struct guts_change *c, int err, const char *text)
{
	struct guts_push *p = c->owner;

	p->ingest = NULL;
	push_end(p, err, text);
}

static void
submit(struct guts_push *p)
{
	struct guts_repo *r = p->repo;
	struct guts_change *c = guts_change_new(r, &r->sync->s.key->id);

	c->prepare = prepare;
	c->done = on_change_done;
	c->owner = p;
	c->ingest = p->ingest;
	c->is_import = p->is_import;
	p->change = c;
	if (guts_change_submit(c)) {
		c->ingest = NULL;
		guts_change_free(c);
		if (p->ingest)
			guts_ingest_abort(r->sync->s.repos, p->ingest);
		push_end(p, GUTS_EBUSY, "too many pushes wait for this repository; try again");
	}
}

static void
on_start(struct guts_timer *t, void *owner)
{
	(void)t;
	submit(owner);
}

static void
on_writable(void *owner)
{
	struct guts_push *p = owner;

	if (p->ev && p->ev->writable)
		p->ev->writable(p->owner);
}

static void
on_verified(void *owner, int err, const struct guts_ingest_result *res)
{
	struct guts_push *p = owner;
	struct guts_repo *r = p->repo;
	char text[300];

	for (size_t i = 0, k = 0; !err && i < p->n && p->ngated; i++) {
		if (p->gates[i].candidate && !p->gates[i].is_over)
			guts_gate_learn(&p->gates[i], &p->cmds[i], res->answers + GUTS_GATE_ASKS * k++);
	}
	if (!err) {
		submit(p);
		return;
	}
	snprintf(text, sizeof text, "%s%s%s", guts_err_text(err), res && res->detail ? ": " : "",
	    res && res->detail ? res->detail : "");
	guts_ingest_abort(r->sync->s.repos, p->ingest);
	push_end(p, err, text);
}

static void
on_accepted(void *owner, int err)
{
	struct guts_push *p = owner;

	p->ingest = NULL;
	guts_change_accepted(p->change, err);
}

static const struct guts_ingest_events ingest_events = {
	.writable = on_writable, .verified = on_verified, .accepted = on_accepted,
};

/* May this node's key write there now? */
static int
check_right(struct guts_sync *s, struct guts_repo *r, const struct guts_peerid *author, size_t n, struct guts_errinfo *ei)
{
	char self[GUTS_PEERID_TEXT_SIZE];

	guts_peerid_text(self, &s->s.key->id);
	if (author && !guts_peerid_eq(author, &s->s.key->id))
		return guts_err_set(ei, GUTS_EDENIED, "only the node with that key writes there; this node's own place is /%s/%s.git",
		    r->id_text, self);
	if (!author && !guts_repo_is_delegate(r, &s->s.key->id))
		return guts_err_set(ei, GUTS_EDENIED,
		    "this node is no delegate of the repository; push to its own fork instead: /%s/%s.git", r->id_text, self);
	if (guts_repo_identity(r)->is_retired)
		return guts_err_set(ei, GUTS_EDENIED, "the repository is retired");
	if (r->own_is_behind)
		return guts_err_set(ei, GUTS_EUNAVAILABLE,
		    "a newer record of this node's own key was seen; it is being fetched first, try again in a moment");
	if (n == 0)
		return guts_err_set(ei, GUTS_EINVAL, "a push without commands");
	if (n > GUTS_REFS_PER_PUSH_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d refs in one push", GUTS_REFS_PER_PUSH_MAX);
	return GUTS_OK;
}

/* Which branches are gated.  Returns what is to be asked of history, GUTS_GATE_ASKS questions for each; owner: caller, free(). */
static struct guts_object_query *
open_gates(struct guts_push *p)
{
	size_t most = p->n < GUTS_GATES_PER_PUSH ? p->n : GUTS_GATES_PER_PUSH;
	struct guts_object_query *asks = guts_calloc(most * GUTS_GATE_ASKS, sizeof *asks);
	const struct guts_author *a = guts_repo_author_add(p->repo, &p->repo->sync->s.key->id);

	p->gates = guts_calloc(p->n, sizeof *p->gates);
	for (size_t i = 0; i < p->n; i++) {
		struct guts_gate *g = &p->gates[i];

		if (!guts_gate_begin(g, p->repo, &p->cmds[i]))
			continue;
		g->is_over = p->ngated == GUTS_GATES_PER_PUSH;
		if (g->is_over)
			continue;
		g->was = shown(p, a->head.tree, guts_slice_str(g->candidate));
		guts_gate_ask(g, &p->cmds[i], asks + GUTS_GATE_ASKS * p->ngated++);
	}
	return asks;
}

static int
cmp_oid(const void *a, const void *b)
{
	return memcmp(((const struct guts_oid *)a)->b, ((const struct guts_oid *)b)->b, GUTS_OID_MAX);
}

int
guts_push_open(struct guts_sync *s, struct guts_repo *r, const struct guts_peerid *author,
    const struct guts_push_cmd *cmds, size_t n, bool atomic, bool has_pack, const struct guts_push_events *ev,
    void *owner, struct guts_push **out, struct guts_errinfo *ei)
{
	struct guts_push *p;
	struct guts_object_query *asks;
	struct guts_oid *tips;
	size_t ntips = 0, k = 0;
	int err = check_right(s, r, author, n, ei);

	if (err)
		return err;
	p = guts_alloc(sizeof *p);
	*p = (struct guts_push){ .repo = r, .is_canonical = !author, .is_atomic = atomic, .has_pack = has_pack, .n = n,
		.ev = ev, .owner = owner, .start = { .fire = on_start, .owner = p } };
	p->cmds = guts_calloc(n, sizeof *p->cmds);
	tips = guts_calloc(n, sizeof *tips);
	for (size_t i = 0; i < n; i++) {
		p->cmds[i] = cmds[i];
		p->cmds[i].name = guts_strdup(cmds[i].name);
		if (!p->cmds[i].err && !guts_refname_is_valid(guts_slice_str(cmds[i].name)))
			refuse(&p->cmds[i], GUTS_EINVAL, "not a ref name this node takes");
		if (!p->cmds[i].err && !guts_oid_is_none(&cmds[i].new_oid) &&
		    cmds[i].new_oid.n != guts_sync_oid_size(guts_repo_identity(r)))
			refuse(&p->cmds[i], GUTS_EINVAL, "an object id of another kind");
		if (!guts_oid_is_none(&cmds[i].new_oid))
			tips[ntips++] = cmds[i].new_oid;
	}
	asks = open_gates(p);
	qsort(tips, ntips, sizeof *tips, cmp_oid);
	for (size_t i = 0; i < ntips; i++) {
		if (i == 0 || !guts_oid_eq(&tips[i], &tips[k - 1]))
			tips[k++] = tips[i];
	}
	if (k || has_pack) {
		struct guts_ingest_spec spec = { .pack_max = s->s.pack_max, .tips = tips, .ntips = k, .no_pack = !has_pack,
			.asks = asks, .nasks = p->ngated * GUTS_GATE_ASKS };

		err = guts_ingest_open(s->s.repos, r->id, &spec, &ingest_events, p, &p->ingest);
		if (!err && !has_pack)
			guts_ingest_end(s->s.repos, p->ingest);
	} else {
		guts_env_timer_set(s->s.env, &p->start, 0);
	}
	free(asks);
	free(tips);
	if (err) {
		push_free(p);
		return guts_err_set(ei, err, "%s", err == GUTS_EBUSY ? "too many packs are being taken in; try again" :
		    guts_err_text(err));
	}
	*out = p;
	return GUTS_OK;
}

void
guts_push_is_import(struct guts_push *p)
{
	p->is_import = true;
}

size_t
guts_push_write(struct guts_push *p, struct guts_slice bytes)
{
	return p->has_pack && !p->change ? guts_ingest_write(p->repo->sync->s.repos, p->ingest, bytes) : bytes.n;
}

void
guts_push_end(struct guts_push *p)
{
	if (p->has_pack && !p->change)
		guts_ingest_end(p->repo->sync->s.repos, p->ingest);
}

void
guts_push_abort(struct guts_push *p)
{
	struct guts_repo *r = p->repo;

	p->ev = NULL;
	if (p->change && p->change->running)
		return; /* at the commit point's door: let it end, nobody is told */
	if (p->change) {
		DL_DELETE(r->changes, p->change);
		r->nchanges--;
		guts_change_free(p->change);
	}
	if (p->ingest)
		guts_ingest_abort(r->sync->s.repos, p->ingest);
	push_free(p);
}
