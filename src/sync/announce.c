/* sync/announce.c - gossip about repositories, both ways.
 *
 * A message is forwarded by this node only when it holds what the message speaks of (or after ten
 * seconds), so whoever hears it from us can fetch it from us: the verdict is owed meanwhile, as a ticket.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

struct list {
	struct guts_msg_ref_change *v;
	size_t n, cap;
	const struct guts_reftree *before;
	struct guts_refentry *old; /* keeps the oids that v points to */
	bool truncated;
};

static int
add_change(void *owner, const struct guts_refentry *e)
{
	struct list *l = owner;
	struct guts_refentry *pair;

	if (l->n == GUTS_MSG_CHANGES_MAX) {
		l->truncated = true;
		return GUTS_OK;
	}
	pair = &l->old[2 * l->n];
	pair[0] = *e;
	if (!guts_reftree_find(l->before, e->name, &pair[1]))
		pair[1] = (struct guts_refentry){ 0 };
	l->v[l->n++] = (struct guts_msg_ref_change){ .name = e->name, .version = e->version,
		.new_oid = guts_oid_slice(&pair[0].oid), .old_oid = guts_oid_slice(&pair[1].oid) };
	return GUTS_OK;
}

void
guts_announce_head(struct guts_repo *r, const struct guts_author *a, const struct guts_reftree *before)
{
	struct guts_sync *s = r->sync;
	struct guts_msg_ref_change changes[GUTS_MSG_CHANGES_MAX];
	struct guts_refentry pairs[2 * GUTS_MSG_CHANGES_MAX];
	struct list l = { .v = changes, .before = before, .old = pairs };
	struct guts_msg_gossip_payload m = { .has_new_commit = true };
	struct guts_buf out;

	if (guts_repo_identity(r)->is_private)
		return;
	guts_reftree_changes(before, a->head.tree, add_change, &l);
	m.new_commit.record = guts_bytes_slice(a->head.envelope);
	m.new_commit.repository = guts_slice(r->id, sizeof r->id);
	m.new_commit.changes.v = changes;
	m.new_commit.changes.n = l.n;
	m.new_commit.truncated = l.truncated;
	guts_buf_init(&out, GUTS_GOSSIP_DATA_MAX);
	if (guts_msg_gossip_payload_encode(&m, &out)) { /* long names: the record alone */
		guts_buf_clear(&out);
		m.new_commit.changes.n = 0;
		m.new_commit.truncated = true;
		if (guts_msg_gossip_payload_encode(&m, &out))
			guts_log(GUTS_LOG_ERROR, "sync", "repo=%s: an announcement does not fit", r->id_text);
	}
	if (!out.failed)
		s->s.events->publish_repo(s->s.owner, r, guts_buf_slice(&out));
	guts_buf_deinit(&out);
}

void
guts_announce_repo(struct guts_repo *r)
{
	struct guts_sync *s = r->sync;
	const struct guts_version *v = &r->chain.v[r->chain.n - 1];
	struct guts_slice votes[GUTS_MSG_VOTES_MAX];
	struct guts_msg_new_repository m = { .identity = guts_bytes_slice(v->envelope), .votes = { votes, v->nvotes } };
	struct guts_buf out;

	if (v->id->is_private || v->nvotes > GUTS_MSG_VOTES_MAX)
		return;
	for (size_t i = 0; i < v->nvotes; i++)
		votes[i] = guts_bytes_slice(v->votes[i]);
	guts_buf_init(&out, GUTS_GOSSIP_DATA_MAX);
	if (guts_msg_new_repository_encode(&m, &out) == GUTS_OK)
		s->s.events->publish_new(s->s.owner, r, guts_buf_slice(&out));
	guts_buf_deinit(&out);
}

/* -- tickets -------------------------------------------------------------------------------------- */

static enum guts_verdict
owe(struct guts_repo *r, const uint8_t *hash, uint64_t ticket)
{
	struct guts_ticket *t;

	if (r->ntickets == GUTS_TICKETS_MAX)
		return GUTS_ACCEPT;
	t = guts_alloc(sizeof *t);
	t->ticket = ticket;
	t->until_ns = guts_env_now(r->sync->s.env) + GUTS_TICKET_NS;
	if (hash)
		memcpy(t->author, hash, sizeof t->author);
	LL_APPEND(r->tickets, t);
	r->ntickets++;
	guts_sync_arm(r->sync);
	return GUTS_LATER;
}

static void
settle(struct guts_repo *r, struct guts_ticket *t, enum guts_verdict v)
{
	struct guts_sync *s = r->sync;

	LL_DELETE(r->tickets, t);
	r->ntickets--;
	s->s.events->verdict(s->s.owner, t->ticket, v);
	free(t);
}

void
guts_tickets_settle(struct guts_repo *r, const uint8_t *hash, enum guts_verdict v)
{
	struct guts_ticket *t, *tmp;

	LL_FOREACH_SAFE (r->tickets, t, tmp) {
		if (!hash || memcmp(t->author, hash, sizeof t->author) == 0)
			settle(r, t, v);
	}
}

void
guts_tickets_expire(struct guts_sync *s, uint64_t now)
{
	for (size_t i = 0; i < s->sorted.n; i++) {
		struct guts_repo *r = s->sorted.v[i];
		struct guts_ticket *t, *tmp;

		LL_FOREACH_SAFE (r->tickets, t, tmp) {
			if (t->until_ns <= now) /* signature and right held: others may know more than we */
				settle(r, t, GUTS_ACCEPT);
		}
	}
}

uint64_t
guts_tickets_deadline(struct guts_sync *s)
{
	uint64_t at = GUTS_NEVER;

	for (size_t i = 0; i < s->sorted.n; i++) {
		const struct guts_repo *r = s->sorted.v[i];

		if (r->tickets && r->tickets->until_ns < at) /* appended in order of time */
			at = r->tickets->until_ns;
	}
	return at;
}

/* -- hearing ---------------------------------------------------------------------------------------- */

/* If the listed changes make the record's root from what we hold, no refs need to be asked for. */
static void
keep_hint(struct guts_repo *r, const struct guts_author *a, const struct guts_signedrefs *rec,
    const struct guts_msg_new_commit *m)
{
	struct guts_refentry e[GUTS_MSG_CHANGES_MAX];
	const struct guts_reftree *base = a ? a->head.tree : r->sync->empty;
	struct guts_reftree *tree;

	if (m->truncated || (a && a->head.rec.sequence && !guts_signedrefs_names(rec, a->head.rec.hash)) ||
	    (r->hint.rec.sequence && guts_signedrefs_cmp(&r->hint.rec, rec) <= 0))
		return;
	for (size_t i = 0; i < m->changes.n; i++) {
		const struct guts_msg_ref_change *c = &m->changes.v[i];

		e[i] = (struct guts_refentry){ .name = c->name, .version = c->version };
		if (guts_oid_from_bytes(&e[i].oid, c->new_oid) || c->version == 0)
			return;
	}
	if (guts_reftree_apply_delta(base, e, m->changes.n, rec->refs_root, &tree))
		return;
	if (guts_reftree_oid_size(tree) && guts_reftree_oid_size(tree) != guts_sync_oid_size(guts_repo_identity(r))) {
		guts_reftree_unref(tree);
		return;
	}
	guts_head_free(&r->hint);
	r->hint.rec = *rec;
	r->hint.envelope = guts_bytes_dup(m->record);
	r->hint.tree = tree;
}

static enum guts_verdict
heard_commit(struct guts_sync *s, const struct guts_peerid *from, const struct guts_msg_new_commit *m, uint64_t ticket)
{
	struct guts_repo *r;
	struct guts_author *a;
	struct guts_signedrefs rec;
	struct guts_neighbour *nb;
	int err;

	r = guts_sync_find(s, m->repository.p);
	if (!r || !guts_repo_may_know(r, from)) { /* not known here: look at what the neighbour has, and do not spread it */
		HASH_FIND(hh, s->neighbours, from, sizeof *from, nb);
		if (nb)
			nb->not_before_ns = 0;
		return GUTS_IGNORE;
	}
	err = guts_signedrefs_open(&rec, m->record, guts_sync_wall_ms(s));
	if (err == GUTS_EUNSUPPORTED || err == GUTS_EFUTURE)
		return GUTS_IGNORE;
	if (err || memcmp(rec.repository, r->id, sizeof r->id) != 0)
		return GUTS_REJECT;
	a = guts_repo_author(r, &rec.author);
	if (!a && !guts_repo_is_delegate(r, &rec.author) && HASH_COUNT(r->authors) >= GUTS_AUTHORS_PER_REPO_MAX)
		return GUTS_IGNORE;
	if (a && a->head.rec.sequence && guts_signedrefs_cmp(&a->head.rec, &rec) <= 0) {
		if (memcmp(a->head.rec.hash, rec.hash, GUTS_HASH_SIZE) != 0)
			guts_fetch_want(r, from, NULL, true); /* old, or a rival: the exchange tells */
		return GUTS_IGNORE;
	}
	if (guts_peerid_eq(&rec.author, &s->s.key->id))
		r->own_is_behind = true;
	keep_hint(r, a, &rec, m);
	guts_fetch_want(r, from, NULL, true);
	return owe(r, rec.hash, ticket);
}

enum guts_verdict
guts_sync_announced(struct guts_sync *s, const struct guts_peerid *from, struct guts_slice payload, uint64_t ticket)
{
	struct guts_msg_gossip_payload m;
	struct guts_arena arena;
	enum guts_verdict v = GUTS_REJECT;

	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	if (guts_msg_gossip_payload_decode(&m, payload, &arena) == GUTS_OK) {
		if (m.has_new_commit)
			v = heard_commit(s, from, &m.new_commit, ticket);
		else if (m.has_new_status)
			v = guts_status_heard(s, from, m.new_status.record);
		else
			v = GUTS_IGNORE; /* a kind of a later version */
	}
	guts_arena_deinit(&arena);
	return v;
}

static void
refused(struct guts_sync *s, struct guts_repo *r, const struct guts_peerid *from, const struct guts_errinfo *why)
{
	struct guts_batch *b = guts_batch_new();
	struct guts_fact_attr attr = guts_attr_text("reason", why->text);

	guts_sync_fact(b, r, from, guts_env_wall(s->s.env), "repo.refused", &attr, 1);
	(void)guts_store_commit(s->s.store, b, guts_sync_facts_only, s);
}

/* The neighbour, if one more offer of it may wait. */
static struct guts_neighbour *
free_to_offer(struct guts_sync *s, const struct guts_peerid *peer)
{
	struct guts_neighbour *nb;

	HASH_FIND(hh, s->neighbours, peer, sizeof *peer, nb);
	return nb && nb->noffered < GUTS_OFFERS_PER_PEER ? nb : NULL;
}

void
guts_offer_over(struct guts_repo *r)
{
	if (r->offered_by)
		r->offered_by->noffered--;
	r->offered_by = NULL;
}

void
guts_offer_moves(struct guts_repo *r)
{
	struct guts_neighbour *nb = NULL;

	guts_offer_over(r);
	if (r->sources)
		HASH_FIND(hh, r->sync->neighbours, &r->sources->peer, sizeof r->sources->peer, nb);
	if (nb)
		nb->noffered++;
	r->offered_by = nb;
}

bool
guts_sync_offer(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_peerid *creator,
    const struct guts_peerid *from, const uint8_t *digest)
{
	struct guts_repo *r;
	struct guts_errinfo why = { 0 };

	HASH_FIND(hh, s->repos, id, GUTS_REPOID_SIZE, r);
	if (r && r->local.policy == GUTS_POLICY_BLOCK)
		return false;
	if (!r) {
		struct guts_neighbour *nb = free_to_offer(s, from);
		struct guts_repo shell = { .sync = s };

		memcpy(shell.id, id, sizeof shell.id);
		if (s->sorted.n >= GUTS_REPOS_MAX || !nb)
			return false;
		if (s->s.events->may_seed(s->s.owner, id, creator, from, &why)) {
			if (why.text[0])
				refused(s, &shell, from, &why);
			return false;
		}
		r = guts_repo_new(s, id);
		r->offered_by = nb;
		nb->noffered++;
	}
	guts_fetch_want(r, from, digest, true);
	return true;
}

enum guts_verdict
guts_sync_new_repository(struct guts_sync *s, const struct guts_peerid *from, struct guts_slice message, uint64_t ticket)
{
	struct guts_msg_new_repository m;
	struct guts_identity *id = guts_alloc(sizeof *id);
	struct guts_arena arena;
	struct guts_repo *r;
	enum guts_verdict v = GUTS_REJECT;
	int err;

	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	err = guts_msg_new_repository_decode(&m, message, &arena);
	if (!err)
		err = guts_identity_open(id, m.identity, guts_sync_wall_ms(s));
	if (err == GUTS_EUNSUPPORTED || err == GUTS_EFUTURE)
		v = GUTS_IGNORE;
	if (err || id->is_private)
		goto out;
	r = guts_sync_find(s, id->repository);
	if (r && !guts_repo_may_know(r, from)) {
		v = GUTS_IGNORE; /* it was public once */
	} else if (r && id->version < r->chain.n) {
		v = GUTS_IGNORE; /* known */
	} else if (id->is_retired && !r) {
		v = GUTS_IGNORE;
	} else if (guts_sync_offer(s, id->repository, &id->creator, from, NULL)) {
		HASH_FIND(hh, s->repos, id->repository, GUTS_REPOID_SIZE, r);
		v = owe(r, NULL, ticket);
	} else {
		v = GUTS_ACCEPT; /* not for us, but well formed: others may want it */
	}
out:
	guts_arena_deinit(&arena);
	free(id);
	return v;
}
