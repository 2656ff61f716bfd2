/* sync/identity.c - what this node's user does to a repository as a whole: create, change, remove, policy. */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

/* -- create and update ------------------------------------------------------------------------- */

struct create {
	void (*done)(void *owner, int err, const struct guts_errinfo *ei, struct guts_repo *r);
	void *owner;
};

struct update {
	void (*done)(void *owner, int err, const struct guts_errinfo *ei);
	void *owner;
	struct guts_identity next; /* what shall become of it, on top of the newest version */
	bool set_name, set_description, set_branch, set_private, set_retired, set_signers, set_readers, set_contexts, set_gates;
};

static int
fill_contexts(struct guts_identity *id, const struct guts_repo_params *p, struct guts_errinfo *ei)
{
	if (p->ncontexts > GUTS_CONTEXTS_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d required contexts", GUTS_CONTEXTS_MAX);
	for (size_t i = 0; i < p->ncontexts; i++) {
		const char *c = p->contexts[i];

		if (!c[0] || strlen(c) > GUTS_CONTEXT_MAX || !guts_text_is_clean(guts_slice_str(c), false))
			return guts_err_set(ei, GUTS_EINVAL, "a context is 1 to %d bytes of plain text", GUTS_CONTEXT_MAX);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(c, p->contexts[k]) == 0)
				return guts_err_set(ei, GUTS_EINVAL, "the context \"%s\" is required twice", c);
		}
		snprintf(id->contexts[i], sizeof id->contexts[i], "%s", c);
	}
	id->ncontexts = (uint32_t)p->ncontexts;
	return GUTS_OK;
}

static int
fill_gates(struct guts_identity *id, const struct guts_repo_params *p, struct guts_errinfo *ei)
{
	if (p->ngates > GUTS_GATES_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d gated branches", GUTS_GATES_MAX);
	for (size_t i = 0; i < p->ngates; i++) {
		if (!guts_gate_is_valid(guts_slice_str(p->gates[i])))
			return guts_err_set(ei, GUTS_EINVAL, "\"%.100s\" is neither a branch name of at most %d bytes nor the beginning of one and a *",
			    p->gates[i], GUTS_GATE_MAX);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(p->gates[i], p->gates[k]) == 0)
				return guts_err_set(ei, GUTS_EINVAL, "the branch \"%s\" is gated twice", p->gates[i]);
		}
		snprintf(id->gates[i], sizeof id->gates[i], "%s", p->gates[i]);
	}
	id->ngates = (uint32_t)p->ngates;
	return GUTS_OK;
}

/* Put the given values into *id.  Errors: GUTS_EINVAL with text. */
static int
fill(struct guts_identity *id, const struct guts_repo_params *p, struct guts_errinfo *ei)
{
	if (p->name && p->name[0]) {
		if (!guts_reponame_is_valid(guts_slice_str(p->name)))
			return guts_err_set(ei, GUTS_EINVAL, "\"%.100s\" is not a repository name: letters, digits, '.', '_', '-', "
			    "at most %d, not ending in .git or .lock", p->name, GUTS_NAME_MAX);
		snprintf(id->name, sizeof id->name, "%s", p->name);
	}
	if (p->description) {
		if (strlen(p->description) > GUTS_DESCRIPTION_MAX || !guts_text_is_clean(guts_slice_str(p->description), true))
			return guts_err_set(ei, GUTS_EINVAL, "a description is at most %d bytes of plain text", GUTS_DESCRIPTION_MAX);
		snprintf(id->description, sizeof id->description, "%s", p->description);
	}
	if (p->default_branch && p->default_branch[0]) {
		char ref[GUTS_BRANCH_MAX + 16];

		if (strlen(p->default_branch) > GUTS_BRANCH_MAX)
			return guts_err_set(ei, GUTS_EINVAL, "a branch name is at most %d bytes", GUTS_BRANCH_MAX);
		snprintf(ref, sizeof ref, "refs/heads/%s", p->default_branch);
		if (!guts_refname_is_valid(guts_slice_str(ref)))
			return guts_err_set(ei, GUTS_EINVAL, "\"%.100s\" is not a branch name", p->default_branch);
		snprintf(id->default_branch, sizeof id->default_branch, "%s", p->default_branch);
	}
	if (p->is_private)
		id->is_private = *p->is_private;
	if (p->is_retired)
		id->is_retired = *p->is_retired;
	if (p->set_signers) {
		if (p->nsigners > GUTS_SIGNERS_MAX)
			return guts_err_set(ei, GUTS_ELIMIT, "at most %d status signers", GUTS_SIGNERS_MAX);
		id->nsigners = (uint32_t)p->nsigners;
		memcpy(id->signers, p->signers, p->nsigners * sizeof id->signers[0]);
	}
	if (p->set_readers) {
		if (p->nreaders > GUTS_READERS_MAX)
			return guts_err_set(ei, GUTS_ELIMIT, "at most %d readers", GUTS_READERS_MAX);
		id->nreaders = (uint32_t)p->nreaders;
		memcpy(id->readers, p->readers, p->nreaders * sizeof id->readers[0]);
	}
	if (p->set_contexts) {
		int err = fill_contexts(id, p, ei);

		if (err)
			return err;
	}
	return p->set_gates ? fill_gates(id, p, ei) : GUTS_OK;
}

/* Is there a repository of this owner and name already? */
static bool
name_is_taken(struct guts_sync *s, const struct guts_peerid *owner, const char *name, const uint8_t *except)
{
	uint8_t id[GUTS_REPOID_SIZE];
	struct guts_repo *r = NULL;

	if (guts_sync_name_bound(s->s.store, owner, guts_slice_str(name), id) == GUTS_OK)
		r = guts_sync_find(s, id);
	return r && (!except || memcmp(r->id, except, GUTS_REPOID_SIZE) != 0);
}

static void
on_created(struct guts_change *c, int err, const char *text)
{
	struct create *w = c->owner;
	struct guts_repo *r = c->repo;
	struct guts_errinfo ei = { 0 };

	guts_err_set(&ei, err, "%s", text ? text : guts_err_text(err));
	if (err && !r->is_ready) {
		guts_repo_drop(r);
		r = NULL;
	}
	w->done(w->owner, err, &ei, r);
	free(w);
}

/* Sign a version into `c`. */
static int
sign_version(struct guts_change *c, struct guts_identity *id, bool vote)
{
	struct guts_sync *s = c->repo->sync;
	struct guts_version v = { .id = guts_alloc(sizeof *v.id) };
	struct guts_buf out;
	int err;

	guts_buf_init(&out, GUTS_RECORD_MAX);
	id->time_ms = guts_sync_wall_ms(s);
	err = guts_identity_make(&out, s->s.key, id);
	if (!err) {
		*v.id = *id;
		v.envelope = guts_bytes_dup(guts_buf_slice(&out));
	}
	if (!err && vote) {
		struct guts_vote given;

		guts_buf_clear(&out);
		err = guts_vote_make(&out, s->s.key, id, id->time_ms, &given);
		if (!err) {
			v.votes = guts_calloc(1, sizeof *v.votes);
			v.votes[v.nvotes++] = guts_bytes_dup(guts_buf_slice(&out));
		}
	}
	guts_buf_deinit(&out);
	if (err)
		guts_version_free(&v);
	else
		GUTS_VEC_PUSH(c->versions, v);
	return err;
}

void
guts_sync_create(struct guts_sync *s, const struct guts_repo_params *p,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei, struct guts_repo *r), void *owner)
{
	struct guts_identity id = { .object_format = GUTS_SHA1, .threshold = 1, .ndelegates = 1 };
	struct guts_change draft = { 0 };
	struct guts_errinfo ei = { 0 };
	struct guts_change *c;
	struct guts_repo *r, holder = { .sync = s };
	struct create *w;
	int err;

	snprintf(id.default_branch, sizeof id.default_branch, "main");
	if (p->format)
		id.object_format = p->format;
	id.creator = id.delegates[0] = s->s.key->id;
	guts_env_random(s->s.env, id.nonce, sizeof id.nonce);
	err = p->name && p->name[0] ? fill(&id, p, &ei) : guts_err_set(&ei, GUTS_EINVAL, "a repository needs a name");
	if (!err && name_is_taken(s, &id.creator, id.name, NULL))
		err = guts_err_set(&ei, GUTS_EEXIST, "this node has a repository named \"%s\" already", id.name);
	if (!err && s->sorted.n >= GUTS_REPOS_MAX)
		err = guts_err_set(&ei, GUTS_ELIMIT, "at most %d repositories", GUTS_REPOS_MAX);
	draft.repo = &holder;
	if (!err && (err = sign_version(&draft, &id, false)) != 0)
		guts_err_set(&ei, err, "the identity could not be signed: %s", guts_err_text(err));
	if (err) {
		done(owner, err, &ei, NULL);
		return;
	}
	r = guts_repo_new(s, id.repository);
	r->local.policy = GUTS_POLICY_SEED;
	r->is_importing = p->is_import;
	c = guts_change_new(r, &s->s.key->id);
	GUTS_VEC_PUSH(c->versions, draft.versions.v[0]);
	GUTS_VEC_FREE(draft.versions);
	c->is_first = c->is_local_create = true;
	w = guts_alloc(sizeof *w);
	*w = (struct create){ done, owner };
	c->done = on_created;
	c->owner = w;
	(void)guts_change_submit(c); /* the first of its queue always fits */
}

void
guts_sync_imported(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct guts_repo *r = guts_sync_find(s, id);

	if (!r || !r->is_importing)
		return;
	r->is_importing = false;
	s->s.events->renewed(s->s.owner, r);
	guts_announce_repo(r);
	guts_repo_touch(r);
}

static int
prepare_update(struct guts_change *c)
{
	struct update *w = c->owner;
	struct guts_repo *r = c->repo;
	const struct guts_identity *now = guts_repo_identity(r);
	struct guts_identity *id = guts_alloc(sizeof *id);
	int err;

	guts_identity_successor(id, now);
	if (w->set_name)
		memcpy(id->name, w->next.name, sizeof id->name);
	if (w->set_description)
		memcpy(id->description, w->next.description, sizeof id->description);
	if (w->set_branch)
		memcpy(id->default_branch, w->next.default_branch, sizeof id->default_branch);
	if (w->set_private)
		id->is_private = w->next.is_private;
	if (w->set_retired)
		id->is_retired = w->next.is_retired;
	if (w->set_signers) {
		id->nsigners = w->next.nsigners;
		memcpy(id->signers, w->next.signers, sizeof id->signers);
	}
	if (w->set_readers) {
		id->nreaders = w->next.nreaders;
		memcpy(id->readers, w->next.readers, sizeof id->readers);
	}
	if (w->set_contexts) {
		id->ncontexts = w->next.ncontexts;
		memcpy(id->contexts, w->next.contexts, sizeof id->contexts);
	}
	if (w->set_gates) {
		id->ngates = w->next.ngates;
		memcpy(id->gates, w->next.gates, sizeof id->gates);
	}
	if (w->set_name && name_is_taken(r->sync, &id->creator, id->name, r->id)) {
		snprintf(c->text, sizeof c->text, "another repository is named \"%s\" already", id->name);
		err = GUTS_EEXIST;
	} else if (w->set_gates && id->ngates && !id->ncontexts) {
		snprintf(c->text, sizeof c->text, "a gated branch waits for required contexts, and none is named");
		err = GUTS_EINVAL;
	} else {
		err = sign_version(c, id, true);
	}
	free(id);
	return err;
}

static void
on_updated(struct guts_change *c, int err, const char *text)
{
	struct update *w = c->owner;
	struct guts_errinfo ei = { 0 };

	guts_err_set(&ei, err, "%s", text ? text : guts_err_text(err));
	w->done(w->owner, err, &ei);
	free(w);
}

void
guts_sync_update(struct guts_sync *s, struct guts_repo *r, const struct guts_repo_params *p,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei), void *owner)
{
	const struct guts_identity *id = guts_repo_identity(r);
	struct guts_errinfo ei = { 0 };
	struct guts_change *c;
	struct update *w;
	int err = GUTS_OK;

	w = guts_alloc(sizeof *w);
	w->done = done;
	w->owner = owner;
	w->set_name = p->name && p->name[0];
	w->set_description = p->description != NULL;
	w->set_branch = p->default_branch && p->default_branch[0];
	w->set_private = p->is_private != NULL;
	w->set_retired = p->is_retired != NULL;
	w->set_signers = p->set_signers;
	w->set_readers = p->set_readers;
	w->set_contexts = p->set_contexts;
	w->set_gates = p->set_gates;
	if (!guts_repo_is_delegate(r, &s->s.key->id))
		err = guts_err_set(&ei, GUTS_EDENIED, "only a delegate of the repository may change its identity");
	else if (id->threshold > 1)
		err = guts_err_set(&ei, GUTS_EUNSUPPORTED, "the repository needs the votes of %u delegates", id->threshold);
	else
		err = fill(&w->next, p, &ei);
	if (err) {
		done(owner, err, &ei);
		free(w);
		return;
	}
	c = guts_change_new(r, &s->s.key->id);
	c->prepare = prepare_update;
	c->done = on_updated;
	c->owner = w;
	if (guts_change_submit(c)) {
		guts_change_free(c);
		free(w);
		guts_err_set(&ei, GUTS_EBUSY, "too many changes wait for this repository");
		done(owner, GUTS_EBUSY, &ei);
	}
}

/* -- remove and policy ---------------------------------------------------------------------------- */

struct simple {
	struct guts_sync *s;
	uint8_t id[GUTS_REPOID_SIZE];
	enum guts_policy policy; /* what stays of it */
	void (*done)(void *owner, int err);
	void *owner;
};

static void
on_files_gone(void *owner, int err)
{
	struct simple *w = owner;

	w->done(w->owner, err);
	free(w);
}

static void
on_rows_gone(void *owner, int err, uint64_t first, uint64_t last)
{
	struct simple *w = owner;
	struct guts_sync *s = w->s;
	struct guts_repo *r;

	HASH_FIND(hh, s->repos, w->id, GUTS_REPOID_SIZE, r);
	if (err || !r) {
		if (r)
			r->is_removed = false;
		w->done(w->owner, err);
		free(w);
		return;
	}
	s->s.events->removed(s->s.owner, r);
	r->is_ready = false;
	guts_repo_free(r);
	if (w->policy == GUTS_POLICY_BLOCK) { /* what is left of it keeps it away */
		r = guts_repo_new(s, w->id);
		r->local.policy = w->policy;
	}
	s->inventory_stale = true;
	s->s.events->facts(s->s.owner, first, last);
	guts_repos_remove(s->s.repos, w->id, on_files_gone, w);
}

/* Runs in the change queue, so that nothing is being written while the rows go. */
static void
on_turn(struct guts_change *c, int err, const char *text)
{
	struct simple *w = c->owner;
	struct guts_sync *s = w->s;
	struct guts_repo *r = c->repo;
	const struct guts_identity *id = guts_repo_identity(r);
	struct guts_batch *b = guts_batch_new();
	char owner[GUTS_PEERID_TEXT_SIZE];
	struct guts_fact_attr attrs[2];
	struct guts_storekey k;
	struct guts_slice key = guts_key_repo(&k, r);
	uint8_t value[128];

	(void)err;
	(void)text;
	guts_peerid_text(owner, &id->creator);
	attrs[0] = guts_attr_text("owner", owner);
	attrs[1] = guts_attr_text("name", id->name);
	r->is_removed = true;
	r->local.policy = w->policy;
	guts_batch_del_prefix(b, GUTS_TABLE_IDENTITY, key);
	guts_batch_del_prefix(b, GUTS_TABLE_VOTE, key);
	guts_batch_del_prefix(b, GUTS_TABLE_REFS, key);
	guts_batch_del_prefix(b, GUTS_TABLE_REFLIST, key);
	guts_batch_del_prefix(b, GUTS_TABLE_STATUS, key);
	guts_batch_del_prefix(b, GUTS_TABLE_TRUST, key);
	if (w->policy == GUTS_POLICY_BLOCK)
		guts_batch_put(b, GUTS_TABLE_REPO, key, guts_value_repo(value, &r->local));
	else
		guts_batch_del(b, GUTS_TABLE_REPO, key);
	if (!r->shadowed)
		guts_batch_del(b, GUTS_TABLE_NAME, guts_key_name(&k, &id->creator, guts_slice_str(id->name)));
	guts_sync_fact(b, r, NULL, guts_env_wall(s->s.env), "repo.removed", attrs, 2);
	if (guts_store_commit(s->s.store, b, on_rows_gone, w)) {
		r->is_removed = false;
		w->done(w->owner, GUTS_EIO);
		free(w);
	}
}

static int
prepare_nothing(struct guts_change *c)
{
	(void)c;
	return GUTS_OK;
}

static void
remove_with(struct guts_repo *r, enum guts_policy policy, void (*done)(void *owner, int err), void *owner)
{
	struct guts_change *c;
	struct simple *w = guts_alloc(sizeof *w);

	guts_fetch_cancel(r);
	*w = (struct simple){ .s = r->sync, .policy = policy, .done = done, .owner = owner };
	memcpy(w->id, r->id, GUTS_REPOID_SIZE);
	c = guts_change_new(r, &r->sync->s.key->id);
	c->prepare = prepare_nothing;
	c->done = on_turn;
	c->owner = w;
	if (guts_change_submit(c)) {
		guts_change_free(c);
		free(w);
		done(owner, GUTS_EBUSY);
	}
}

void
guts_sync_remove(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err), void *owner)
{
	struct guts_repo *r = guts_sync_find(s, id);

	if (r)
		remove_with(r, GUTS_POLICY_BLOCK, done, owner);
	else
		done(owner, GUTS_ENOTFOUND);
}

static void
on_retired(void *owner, int err)
{
	(void)owner;
	if (err)
		guts_log(GUTS_LOG_WARN, "sync", "a retired repository could not be removed: %s", guts_err_text(err));
}

void
guts_repo_retire(struct guts_repo *r)
{
	const struct guts_identity *id = guts_repo_identity(r);

	if (id->is_retired && r->local.policy == GUTS_POLICY_DEFAULT && !guts_repo_is_delegate(r, &r->sync->s.key->id) &&
	    !r->is_removed)
		remove_with(r, GUTS_POLICY_DEFAULT, on_retired, NULL);
}

static void
on_policy(void *owner, int err, uint64_t first, uint64_t last)
{
	struct simple *w = owner;

	if (!err)
		w->s->s.events->facts(w->s->s.owner, first, last);
	w->done(w->owner, err);
	free(w);
}

void
guts_sync_set_policy(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE], enum guts_policy p,
    void (*done)(void *owner, int err), void *owner)
{
	static const char *const names[] = { "default", "seed", "block" };
	struct guts_repo *r;
	struct guts_batch *b;
	struct guts_fact_attr attr = guts_attr_text("policy", names[p]);
	struct guts_storekey k;
	struct guts_neighbour *nb;
	struct simple *w;
	uint8_t value[128];
	int err;

	HASH_FIND(hh, s->repos, id, GUTS_REPOID_SIZE, r);
	if (r && r->is_ready && p == GUTS_POLICY_BLOCK) {
		guts_sync_remove(s, id, done, owner);
		return;
	}
	if (!r && s->sorted.n >= GUTS_REPOS_MAX) {
		done(owner, GUTS_ELIMIT);
		return;
	}
	if (!r)
		r = guts_repo_new(s, id);
	r->local.policy = p;
	w = guts_alloc(sizeof *w);
	*w = (struct simple){ .s = s, .done = done, .owner = owner };
	b = guts_batch_new();
	guts_batch_put(b, GUTS_TABLE_REPO, guts_key_repo(&k, r), guts_value_repo(value, &r->local));
	guts_sync_fact(b, r, NULL, guts_env_wall(s->s.env), "repo.policy", &attr, 1);
	err = guts_store_commit(s->s.store, b, on_policy, w);
	if (err) {
		free(w);
		done(owner, err);
		return;
	}
	if (r->is_ready)
		guts_repo_touch(r);
	if (p == GUTS_POLICY_SEED && !r->is_ready) {
		for (nb = s->neighbours; nb; nb = nb->hh.next)
			guts_fetch_want(r, &nb->id, NULL, true);
		s->s.events->wanted(s->s.owner, r->id);
	}
}

void
guts_sync_now(struct guts_sync *s, struct guts_repo *r)
{
	struct guts_neighbour *nb;
	struct guts_source *src;

	r->retry_at_ns = 0;
	r->failures = 0;
	DL_FOREACH (r->sources, src)
		src->retry_at_ns = src->failures = 0;
	for (nb = s->neighbours; nb; nb = nb->hh.next)
		guts_fetch_want(r, &nb->id, NULL, true);
	s->s.events->wanted(s->s.owner, r->id);
}
