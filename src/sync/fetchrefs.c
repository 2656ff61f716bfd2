/* sync/fetchrefs.c - the refs phase of a fetch: identity and signed refs of a peer, checked and made heads.
 *
 * Frames are copied into the answer; a worker opens the records and lays out the trees (verify.c); then the loop looks at
 * what depends on our state: chain, votes, rights.
 */
#include "sync/fetch.h"

#include "base/alloc.h"

#include <stdlib.h>

#define ANSWER_MAX (96u << 20)        /* [bytes] of one Refs answer held in memory */
#define ANSWER_RECORDS_MAX 2000       /* signed refs of one answer: each costs a signature check */
#define ANSWER_VOTES_MAX (4 * GUTS_IDENTITY_VERSIONS_MAX)

/* -- build: from the answer to heads -------------------------------------------------------------------- */

/* The votes for version `v`, which is number `i` of the answer: its envelopes to the version, opened to `out`. */
static size_t
votes_for(struct guts_fetch *f, struct guts_version *v, size_t i, const size_t *next, const size_t *first, struct guts_vote *out)
{
	size_t n = 0;

	for (size_t k = first[i]; k != SIZE_MAX && n < GUTS_MSG_VOTES_MAX; k = next[k]) {
		const struct guts_fetch_vote *vote = &f->answer.votes.v[k];

		if (memcmp(vote->vote.identity, v->id->hash, GUTS_HASH_SIZE) != 0)
			continue;
		v->votes = guts_realloc(v->votes, (n + 1) * sizeof *v->votes);
		v->votes[n] = guts_bytes_dup(guts_bytes_slice(vote->envelope));
		out[n++] = vote->vote;
		v->nvotes = n;
	}
	return n;
}

/* Lists of the good votes by the version they are for, in order: first[version of the answer], next[vote]; SIZE_MAX ends. */
static void
sort_votes(const struct guts_fetch *f, size_t *first, size_t *next)
{
	for (size_t i = 0; i < f->versions.n; i++)
		first[i] = SIZE_MAX;
	for (size_t k = f->answer.votes.n; k-- > 0;) {
		uint64_t i = f->answer.votes.v[k].vote.version - f->identity_from;

		if (f->answer.votes.v[k].err || i >= f->versions.n)
			continue;
		next[k] = first[i];
		first[i] = k;
	}
}

/* Are the versions, each by its own, successors of what we have?  GUTS_EAGAIN: ask again for all versions. */
static int
check_chain(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	const struct guts_identity *prev = f->identity_from ? r->chain.v[f->identity_from - 1].id : NULL;
	size_t *first = guts_calloc(f->versions.n + f->answer.votes.n + 1, sizeof *first), *next = first + f->versions.n;
	int err = GUTS_OK;

	sort_votes(f, first, next);
	for (size_t i = 0; i < f->versions.n && !err; i++) {
		struct guts_version *v = &f->versions.v[i];
		struct guts_vote votes[GUTS_MSG_VOTES_MAX];
		size_t n = votes_for(f, v, i, next, first, votes);

		if (v->id->version != f->identity_from + i || memcmp(v->id->repository, r->id, sizeof r->id) != 0) {
			err = GUTS_EPROTO;
			break;
		}
		err = prev ? guts_identity_check_successor(prev, v->id, votes, n) : v->id->version == 0 ? GUTS_OK : GUTS_EPROTO;
		if (err && f->identity_from)
			err = GUTS_EAGAIN;
		prev = v->id;
	}
	free(first);
	return err;
}

/* The versions of the answer as a valid chain on top of what we have, or a better one.  Leaves in f->versions only what is
 * new.  GUTS_EAGAIN: ask again for all versions. */
static int
build_identity(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	size_t known = f->identity_from;
	int err;

	for (size_t i = 0; i < f->answer.versions.n; i++) {
		struct guts_fetch_version *v = &f->answer.versions.v[i];

		GUTS_VEC_PUSH(f->versions, ((struct guts_version){ .id = v->id, .envelope = v->envelope }));
		*v = (struct guts_fetch_version){ .id = NULL };
	}
	err = check_chain(f);
	if (err)
		return err;
	/* Where both have a version, the smaller hash at the first difference wins. */
	for (size_t i = 0; i < f->versions.n && known + i < r->chain.n; i++) {
		const struct guts_identity *ours = r->chain.v[known + i].id;

		if (memcmp(ours->hash, f->versions.v[i].id->hash, GUTS_HASH_SIZE) == 0)
			continue;
		if (f->identity_from)
			return GUTS_EAGAIN;
		if (guts_identity_cmp_rivals(ours, f->versions.v[i].id) < 0) {
			while (f->versions.n > i) /* ours stays */
				guts_version_free(&f->versions.v[--f->versions.n]);
		}
		break;
	}
	return GUTS_OK;
}

/* Drop versions that we hold already from the front. */
static void
drop_known_versions(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	size_t drop = 0;

	while (drop < f->versions.n) {
		size_t at = f->versions.v[drop].id->version;

		if (at >= r->chain.n || memcmp(r->chain.v[at].id->hash, f->versions.v[drop].id->hash, GUTS_HASH_SIZE) != 0)
			break;
		guts_version_free(&f->versions.v[drop++]);
	}
	if (drop == 0)
		return; /* there may be none at all */
	memmove(f->versions.v, f->versions.v + drop, (f->versions.n - drop) * sizeof f->versions.v[0]);
	f->versions.n -= drop;
}

/* A head of an opened block. */
static int
build_head(struct guts_fetch *f, struct guts_fetch_block *b, const struct guts_identity *id)
{
	struct guts_repo *r = f->repo;
	const struct guts_author *a = guts_repo_author(r, &b->author);
	const struct guts_signedrefs *rec = b->opened.n ? &b->opened.v[b->opened.n - 1] : NULL;
	struct guts_fetch_head h = { 0 };

	if (guts_identity_delegate_index(id, &b->author) < 0 && !a && HASH_COUNT(r->authors) >= GUTS_AUTHORS_PER_REPO_MAX)
		return GUTS_OK; /* one fork more than we keep */
	if (b->later)
		return GUTS_OK;
	for (size_t i = 0; i < b->opened.n; i++) {
		if (memcmp(b->opened.v[i].repository, r->id, sizeof r->id) != 0 || !guts_peerid_eq(&b->opened.v[i].author, &b->author))
			return GUTS_EPROTO;
	}
	if (b->bucket_hashes.n)
		return guts_fetch_note_buckets(f, b, rec);
	if (!b->tree || (guts_reftree_oid_size(b->tree) && guts_reftree_oid_size(b->tree) != guts_sync_oid_size(id)))
		return GUTS_EPROTO;
	h.head.rec = *rec;
	h.head.tree = b->tree;
	b->tree = NULL;
	for (size_t i = 0; i + 1 < b->opened.n; i++)
		GUTS_VEC_PUSH(h.chain, b->opened.v[i]);
	h.head.envelope = guts_bytes_dup(guts_bytes_slice(b->records.v[b->records.n - 1]));
	if (guts_peerid_eq(&b->author, &r->sync->s.key->id) && (!a || guts_signedrefs_cmp(&a->head.rec, &h.head.rec) > 0))
		r->own_is_behind = true;
	GUTS_VEC_PUSH(f->heads, h);
	return GUTS_OK;
}

static int
build_heads(struct guts_fetch *f)
{
	const struct guts_identity *id = f->versions.n ? f->versions.v[f->versions.n - 1].id : guts_repo_identity(f->repo);
	int err = GUTS_OK;

	for (size_t i = 0; i < f->answer.blocks.n && !err; i++)
		err = build_head(f, &f->answer.blocks.v[i], id);
	return err;
}

static int
build(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	const struct guts_identity *id;
	struct guts_errinfo why = { 0 };
	int err = build_identity(f);

	if (err)
		return err;
	drop_known_versions(f);
	id = f->versions.n ? f->versions.v[f->versions.n - 1].id : guts_repo_identity(r);
	if (!id)
		return GUTS_ENOTFOUND;
	f->is_first = !r->is_ready;
	if (f->is_first && r->local.policy != GUTS_POLICY_SEED) {
		if (id->is_retired)
			return GUTS_EDENIED;
		err = r->sync->s.events->may_seed(r->sync->s.owner, r->id, &id->creator, &f->peer, &why);
		if (err)
			return err;
	}
	return build_heads(f);
}

/* -- the answer, frame by frame ------------------------------------------------------------------------------ */

/* Copy entries; `bucket` (may be NULL) is theirs. */
static int
take_entries(struct guts_fetch_answer *a, struct guts_fetch_block *b, const struct guts_msg_ref_entries *m, const uint32_t *bucket)
{
	for (size_t i = 0; i < m->n; i++) {
		struct guts_refentry e = { 0 };

		if (guts_msg_entry_read(&e, &m->v[i]) || b->entries.n >= GUTS_REFS_PER_AUTHOR_MAX)
			return GUTS_EPROTO;
		a->size += e.name.n + sizeof e;
		e.name.p = guts_memdup(e.name.p, e.name.n);
		GUTS_VEC_PUSH(b->entries, e);
		if (bucket)
			GUTS_VEC_PUSH(b->buckets, *bucket);
	}
	return GUTS_OK;
}

/* Copy one AuthorRefs: a new block when it brings records, else more entries of the last. */
static int
take_block(struct guts_fetch_answer *a, const struct guts_msg_author_refs *m)
{
	struct guts_fetch_block *b = a->blocks.n ? &a->blocks.v[a->blocks.n - 1] : NULL;
	struct guts_peerid author;
	int err;

	if (guts_peerid_decode(&author, m->author))
		return GUTS_EPROTO;
	if (m->records.n) {
		a->nrecords += m->records.n;
		if (a->blocks.n >= GUTS_AUTHORS_PER_REPO_MAX * (1 + GUTS_RIVALS_MAX) || a->nrecords > ANSWER_RECORDS_MAX)
			return GUTS_ELIMIT;
		GUTS_VEC_PUSH(a->blocks, ((struct guts_fetch_block){ .author = author }));
		b = &a->blocks.v[a->blocks.n - 1];
		for (size_t i = 0; i < m->records.n; i++)
			GUTS_VEC_PUSH(b->records, guts_bytes_dup(m->records.v[i]));
		b->base = guts_bytes_dup(m->base);
		b->bucket_hashes = guts_bytes_dup(m->bucket_hashes);
		a->size += m->records.n * GUTS_SIGNEDREFS_MAX;
	}
	if (!b || !guts_peerid_eq(&b->author, &author))
		return GUTS_EPROTO;
	err = take_entries(a, b, &m->entries, NULL);
	for (size_t i = 0; i < m->buckets.n && !err; i++)
		err = take_entries(a, b, &m->buckets.v[i].entries, &m->buckets.v[i].number);
	return err;
}

static int
take_refs(struct guts_fetch_answer *a, const struct guts_msg_refs *m)
{
	int err = GUTS_OK;

	if (a->versions.n + m->identities.n > GUTS_IDENTITY_VERSIONS_MAX || a->votes.n + m->votes.n > ANSWER_VOTES_MAX)
		return GUTS_ELIMIT;
	for (size_t i = 0; i < m->identities.n; i++) {
		GUTS_VEC_PUSH(a->versions, ((struct guts_fetch_version){ .envelope = guts_bytes_dup(m->identities.v[i]) }));
		a->size += sizeof(struct guts_identity) + GUTS_RECORD_MAX;
	}
	for (size_t i = 0; i < m->votes.n; i++) {
		GUTS_VEC_PUSH(a->votes, ((struct guts_fetch_vote){ .envelope = guts_bytes_dup(m->votes.v[i]) }));
		a->size += sizeof(struct guts_fetch_vote) + GUTS_VOTE_MAX;
	}
	for (size_t i = 0; i < m->authors.n && !err; i++)
		err = take_block(a, &m->authors.v[i]);
	return err ? err : a->size > ANSWER_MAX ? GUTS_ELIMIT : GUTS_OK;
}

static bool
on_refs(void *owner, const struct guts_msg_response *m)
{
	struct guts_fetch *f = owner;
	int err = m->has_refs ? take_refs(&f->answer, &m->refs) : GUTS_EPROTO;

	if (!err)
		return true;
	f->request = NULL;
	guts_fetch_end(f, err, "an answer that breaks a rule");
	return false;
}

/* The answer is whole: name the trees its entries are laid over, and have it opened.  Without one (an unknown base) or when
 * bucket hashes came no tree is made. */
static void
verify(struct guts_fetch *f, void (*done)(struct guts_fetch *f, int err))
{
	for (size_t i = 0; i < f->answer.blocks.n; i++) {
		struct guts_fetch_block *b = &f->answer.blocks.v[i];
		const struct guts_author *a = guts_repo_author(f->repo, &b->author);
		const struct guts_reftree *onto = f->repo->sync->empty;

		if (b->bucket_hashes.n)
			onto = NULL;
		else if (f->answer.joining)
			onto = a ? a->head.tree : onto;
		else if (b->base.n)
			onto = a ? guts_author_tree_of(a, guts_bytes_slice(b->base)) : NULL;
		b->onto = onto ? guts_reftree_ref((struct guts_reftree *)(uintptr_t)onto) : NULL;
	}
	guts_fetch_verify(f, done);
}

/* -- questions ----------------------------------------------------------------------------------------------- */

static int ask_buckets(struct guts_fetch *f);

static void
on_verified(struct guts_fetch *f, int err)
{
	if (!err)
		err = build(f);
	if (err == GUTS_EAGAIN) {
		for (size_t i = 0; i < f->versions.n; i++)
			guts_version_free(&f->versions.v[i]);
		f->versions.n = 0;
		err = guts_fetch_refs(f, 0);
		if (!err)
			return;
	}
	if (!err && f->by_bucket)
		err = ask_buckets(f);
	else if (!err)
		guts_fetch_objects(f);
	if (err)
		guts_fetch_end(f, err, NULL);
}

static void
on_refs_end(void *owner, int err, const char *text)
{
	struct guts_fetch *f = owner;

	f->request = NULL;
	if (err)
		guts_fetch_end(f, err, text);
	else
		verify(f, on_verified);
}

static const struct guts_request_events refs_events = { .answer = on_refs, .end = on_refs_end };

int
guts_fetch_refs(struct guts_fetch *f, size_t identity_from)
{
	struct guts_repo *r = f->repo;
	struct guts_msg_request m = { .has_get_refs = true };
	struct guts_msg_author_state known[GUTS_AUTHORS_PER_REPO_MAX];
	size_t n = 0;

	guts_answer_free(&f->answer);
	for (const struct guts_author *a = r->authors; a && n < GUTS_AUTHORS_PER_REPO_MAX; a = a->hh.next) {
		if (!a->head.rec.sequence)
			continue;
		known[n++] = (struct guts_msg_author_state){ .author = guts_peerid_slice(&a->id),
			.known_sequence = a->head.rec.sequence, .known_hash = guts_slice(a->head.rec.hash, GUTS_HASH_SIZE) };
	}
	f->identity_from = identity_from;
	m.get_refs.repository = guts_slice(r->id, sizeof r->id);
	m.get_refs.identity_known = identity_from;
	m.get_refs.authors.v = known;
	m.get_refs.authors.n = n;
	m.get_refs.entries = GUTS_ENTRIES_DELTA;
	guts_fetch_phase(f, "refs");
	return guts_request_start(r->sync, &f->peer, &m, &refs_events, f, &f->request);
}

/* -- the differing buckets of one author -------------------------------------------------------------------------- */

/* The identity was checked before the buckets were asked for: versions that come now, checked by nobody, are left. */
static bool
on_buckets(void *owner, const struct guts_msg_response *m)
{
	struct guts_msg_response authors = *m;

	authors.refs.identities.n = authors.refs.votes.n = 0;
	return on_refs(owner, &authors);
}

static void
on_joined(struct guts_fetch *f, int err)
{
	if (!err)
		err = build_heads(f);
	if (err)
		guts_fetch_end(f, err, NULL);
	else
		guts_fetch_objects(f);
}

static void
on_buckets_end(void *owner, int err, const char *text)
{
	struct guts_fetch *f = owner;

	f->request = NULL;
	if (err)
		guts_fetch_end(f, err, text);
	else
		verify(f, on_joined);
}

static const struct guts_request_events buckets_events = { .answer = on_buckets, .end = on_buckets_end };

static int
ask_buckets(struct guts_fetch *f)
{
	struct guts_msg_request m = { .has_get_refs = true };
	struct guts_msg_author_state who = { .author = guts_peerid_slice(&f->bucket_author) };
	struct guts_fetch_answer next = { .joining = true };

	GUTS_VEC_MOVE(next.bucket_wants, f->answer.bucket_wants);
	memcpy(next.bucket_record, f->answer.bucket_record, sizeof next.bucket_record);
	guts_answer_free(&f->answer);
	f->answer = next;
	m.get_refs.repository = guts_slice(f->repo->id, GUTS_REPOID_SIZE);
	m.get_refs.identity_known = f->repo->chain.n;
	m.get_refs.authors.v = &who;
	m.get_refs.authors.n = 1;
	m.get_refs.only_listed = true;
	m.get_refs.entries = GUTS_ENTRIES_BUCKETS;
	m.get_refs.buckets.v = next.bucket_wants.v;
	m.get_refs.buckets.n = next.bucket_wants.n;
	return guts_request_start(f->repo->sync, &f->peer, &m, &buckets_events, f, &f->request);
}
