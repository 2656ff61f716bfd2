/* sync/status.c - commit statuses: signed, stored, relayed if they count.
 *
 * A status counts if its signer is a delegate, one of the identity's status signers, or trusted on this node.  Only the
 * first two enter the state digest, so that nodes that trust different keys still agree.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define PER_REPO_MAX 1000  /* statuses of signers that do not count */
#define PER_SIGNER_MAX 100

bool
guts_sync_status_counts(struct guts_sync *s, const struct guts_repo *r, const struct guts_peerid *signer)
{
	struct guts_checks_by by = guts_repo_checks_by(r);

	return guts_checks_counts(s->s.store, &by, signer);
}

static void
sum_flip(struct guts_repo *r, const struct guts_status *st)
{
	if (!guts_identity_is_signer(guts_repo_identity(r), &st->signer))
		return;
	for (size_t i = 0; i < sizeof r->status_sum; i++)
		r->status_sum[i] ^= st->hash[i];
}

static bool
load_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_repo *r = owner;
	struct guts_status st;

	(void)key;
	if (guts_status_peek(&st, value) == GUTS_OK) {
		sum_flip(r, &st);
		if (st.sequence > r->sync->last_sequence && guts_peerid_eq(&st.signer, &r->sync->s.key->id))
			r->sync->last_sequence = st.sequence;
	}
	return true;
}

void
guts_status_load(struct guts_repo *r)
{
	struct guts_slice none = { 0 };
	struct guts_storekey k;

	memset(r->status_sum, 0, sizeof r->status_sum);
	guts_store_scan(r->sync->s.store, GUTS_TABLE_STATUS, guts_key_repo(&k, r), none, load_row, r);
}

struct others {
	struct guts_sync *s;
	struct guts_repo *r;
	const struct guts_peerid *signer;
	size_t all, same;
};

static bool
other_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct others *o = owner;
	struct guts_status st;

	(void)key;
	if (guts_status_peek(&st, value) == GUTS_OK && !guts_sync_status_counts(o->s, o->r, &st.signer)) {
		o->all++;
		o->same += guts_peerid_eq(&st.signer, o->signer);
	}
	return true;
}

static bool
has_room(struct guts_repo *r, const struct guts_peerid *signer)
{
	struct others o = { .s = r->sync, .r = r, .signer = signer };
	struct guts_slice none = { 0 };
	struct guts_storekey k;

	guts_store_scan(r->sync->s.store, GUTS_TABLE_STATUS, guts_key_repo(&k, r), none, other_row, &o);
	return o.all < PER_REPO_MAX && o.same < PER_SIGNER_MAX;
}

static void
batch_status(struct guts_batch *b, struct guts_repo *r, const struct guts_status *st, struct guts_slice envelope,
    bool counts)
{
	char commit[GUTS_OID_HEX_SIZE];
	struct guts_fact_attr attrs[6];
	struct guts_storekey k;

	guts_oid_hex(commit, &st->commit);
	attrs[0] = guts_attr_text("commit", commit);
	attrs[1] = guts_attr_text("context", st->context);
	attrs[2] = guts_attr_text("state", guts_status_state_name(st->state));
	attrs[3] = guts_attr_text("description", st->description);
	attrs[4] = guts_attr_text("target_url", st->target_url);
	attrs[5] = guts_attr_num("counts", counts);
	guts_batch_put(b, GUTS_TABLE_STATUS, guts_key_status(&k, r, st), envelope);
	guts_sync_fact(b, r, &st->signer, guts_env_wall(r->sync->s.env), "status.created", attrs, 6);
}

/* The status held for the same commit, signer and context. */
static bool
held(struct guts_repo *r, const struct guts_status *like, struct guts_status *out)
{
	struct guts_storekey k;
	struct guts_buf v;
	bool found;

	guts_buf_init(&v, GUTS_RECORD_MAX);
	found = guts_store_get(r->sync->s.store, GUTS_TABLE_STATUS, guts_key_status(&k, r, like), &v) == GUTS_OK &&
	    guts_status_peek(out, guts_buf_slice(&v)) == GUTS_OK;
	guts_buf_deinit(&v);
	return found;
}

/* A status of somebody else was stored. */
struct taken {
	struct guts_sync *s;
	uint8_t repo[GUTS_REPOID_SIZE];
	struct guts_oid commit;
};

static void
on_taken(void *owner, int err, uint64_t first, uint64_t last)
{
	struct taken *w = owner;
	struct guts_repo *r = guts_sync_find(w->s, w->repo);

	guts_sync_facts_only(w->s, err, first, last);
	if (!err && r)
		guts_gates_look(r, &w->commit);
	free(w);
}

int
guts_status_take(struct guts_repo *r, const struct guts_status *st, struct guts_slice envelope, bool *relay)
{
	struct guts_sync *s = r->sync;
	struct guts_status old;
	struct guts_batch *b;
	struct taken *w;
	bool replaces;
	int err;

	*relay = false;
	if (memcmp(st->repository, r->id, sizeof r->id) != 0)
		return GUTS_EPROTO;
	*relay = guts_sync_status_counts(s, r, &st->signer);
	replaces = held(r, st, &old);
	if (replaces && guts_status_cmp(&old, st) <= 0)
		return GUTS_ESTALE;
	if (!*relay && !replaces && !has_room(r, &st->signer))
		return GUTS_ELIMIT;
	b = guts_batch_new();
	batch_status(b, r, st, envelope, *relay);
	w = guts_alloc(sizeof *w);
	w->s = s;
	w->commit = st->commit;
	memcpy(w->repo, r->id, sizeof w->repo);
	err = guts_store_commit(s->s.store, b, on_taken, w);
	if (err) {
		free(w);
		return err;
	}
	if (replaces)
		sum_flip(r, &old);
	sum_flip(r, st);
	guts_repo_touch(r);
	return GUTS_OK;
}

enum guts_verdict
guts_status_heard(struct guts_sync *s, const struct guts_peerid *from, struct guts_slice envelope)
{
	struct guts_status st;
	struct guts_repo *r;
	bool relay;
	int err = guts_status_open(&st, envelope, guts_sync_wall_ms(s));

	if (err)
		return err == GUTS_EUNSUPPORTED || err == GUTS_EFUTURE ? GUTS_IGNORE : GUTS_REJECT;
	r = guts_sync_find(s, st.repository);
	if (!r || !guts_repo_may_know(r, from))
		return GUTS_IGNORE;
	err = guts_status_take(r, &st, envelope, &relay);
	return !err && relay ? GUTS_ACCEPT : GUTS_IGNORE;
}

/* -- by this node's user -------------------------------------------------------------------------- */

struct put {
	struct guts_sync *s;
	uint8_t repo[GUTS_REPOID_SIZE];
	struct guts_status st, old;
	bool replaces;
	struct guts_buf envelope;
	void (*done)(void *owner, int err, const struct guts_errinfo *ei);
	void *owner;
};

static void
on_put(void *owner, int err, uint64_t first, uint64_t last)
{
	struct put *w = owner;
	struct guts_repo *r = guts_sync_find(w->s, w->repo);
	struct guts_errinfo ei = { 0 };

	if (err)
		guts_err_set(&ei, err, "the status could not be stored: %s", guts_err_text(err));
	if (!err && r) {
		if (w->replaces)
			sum_flip(r, &w->old);
		sum_flip(r, &w->st);
		guts_repo_touch(r);
	}
	if (!err)
		w->s->s.events->facts(w->s->s.owner, first, last);
	if (!err && r) {
		struct guts_msg_gossip_payload m = { .has_new_status = true };
		struct guts_buf out;

		m.new_status.record = guts_buf_slice(&w->envelope);
		guts_buf_init(&out, GUTS_GOSSIP_DATA_MAX);
		if (!guts_repo_identity(r)->is_private && guts_msg_gossip_payload_encode(&m, &out) == GUTS_OK)
			w->s->s.events->publish_repo(w->s->s.owner, r, guts_buf_slice(&out));
		guts_buf_deinit(&out);
	}
	w->done(w->owner, err, &ei);
	if (!err && r)
		guts_gates_look(r, &w->st.commit);
	guts_buf_deinit(&w->envelope);
	free(w);
}

/* Copy text into a field of a status.  Errors: GUTS_EINVAL with the field's name. */
static int
copy_text(char *to, size_t size, const char *text, const char *field, struct guts_errinfo *ei)
{
	if (!text)
		return GUTS_OK;
	if (strlen(text) >= size || !guts_text_is_clean(guts_slice_str(text), false))
		return guts_err_set(ei, GUTS_EINVAL, "%s: at most %zu bytes of plain text in one line", field, size - 1);
	memcpy(to, text, strlen(text) + 1);
	return GUTS_OK;
}

static int
fill(struct guts_status *st, const struct guts_status_params *p, struct guts_errinfo *ei)
{
	int err = GUTS_OK;

	st->commit = p->commit;
	if (guts_oid_is_none(&p->commit))
		return guts_err_set(ei, GUTS_EINVAL, "a status needs a commit id");
	if (!p->state || guts_status_state_parse(&st->state, guts_slice_str(p->state)))
		return guts_err_set(ei, GUTS_EINVAL, "state: one of pending, success, failure, error");
	err = copy_text(st->context, sizeof st->context, p->context && p->context[0] ? p->context : "default", "context", ei);
	if (!err)
		err = copy_text(st->target_url, sizeof st->target_url, p->target_url, "target_url", ei);
	if (!err)
		err = copy_text(st->description, sizeof st->description, p->description, "description", ei);
	if (!err)
		err = copy_text(st->run_id, sizeof st->run_id, p->run_id, "run_id", ei);
	return err;
}

void
guts_sync_status_put(struct guts_sync *s, struct guts_repo *r, const struct guts_status_params *p,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei), void *owner)
{
	struct put *w = guts_alloc(sizeof *w);
	struct guts_errinfo ei = { 0 };
	struct guts_batch *b;
	int err;

	w->s = s;
	w->done = done;
	w->owner = owner;
	memcpy(w->repo, r->id, sizeof w->repo);
	guts_buf_init(&w->envelope, GUTS_RECORD_MAX);
	err = fill(&w->st, p, &ei);
	if (!err) {
		memcpy(w->st.repository, r->id, sizeof r->id);
		w->st.signer = s->s.key->id;
		w->replaces = held(r, &w->st, &w->old);
		w->st.sequence = guts_sync_sequence(s, w->replaces ? w->old.sequence : 0);
		w->st.time_ms = guts_sync_wall_ms(s);
		err = guts_status_make(&w->envelope, s->s.key, &w->st);
		if (err)
			guts_err_set(&ei, err, "the status breaks a rule of the record: target_url must be http(s)://");
	}
	if (!err) {
		b = guts_batch_new();
		batch_status(b, r, &w->st, guts_buf_slice(&w->envelope), guts_sync_status_counts(s, r, &w->st.signer));
		err = guts_store_commit(s->s.store, b, on_put, w);
	}
	if (err) {
		done(owner, err, &ei);
		guts_buf_deinit(&w->envelope);
		free(w);
	}
}

struct trust {
	struct guts_sync *s;
	uint8_t repo[GUTS_REPOID_SIZE];
	void (*done)(void *owner, int err);
	void *owner;
};

static void
on_trust(void *owner, int err, uint64_t first, uint64_t last)
{
	struct trust *w = owner;
	struct guts_repo *r = guts_sync_find(w->s, w->repo);

	(void)first;
	(void)last;
	if (!err && r)
		guts_repo_touch(r);
	if (!err && r)
		guts_gates_look(r, NULL);
	w->done(w->owner, err);
	free(w);
}

void
guts_sync_trust(struct guts_sync *s, struct guts_repo *r, const struct guts_peerid *signer, bool trust,
    void (*done)(void *owner, int err), void *owner)
{
	struct trust *w = guts_alloc(sizeof *w);
	struct guts_batch *b = guts_batch_new();
	struct guts_storekey k;
	struct guts_slice key = guts_key_trust(&k, r, signer);

	*w = (struct trust){ .s = s, .done = done, .owner = owner };
	memcpy(w->repo, r->id, sizeof w->repo);
	if (trust)
		guts_batch_put(b, GUTS_TABLE_TRUST, key, guts_slice_str("1"));
	else
		guts_batch_del(b, GUTS_TABLE_TRUST, key);
	if (guts_store_commit(s->s.store, b, on_trust, w)) {
		free(w);
		done(owner, GUTS_EIO);
	}
}
