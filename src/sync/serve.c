/* sync/serve.c - the answering side of /guts/sync: one request per stream, answered as room appears.
 *
 * A peer that does not read holds little: an answer from memory is made frame by frame when the stream has room
 * for more, pack bytes come from a git child that is paused while 128 KiB wait to be sent, and one peer has two
 * packs, or requests of many ids, at once.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "wire/varint.h"

#include <stdlib.h>

#define FRAME_SOFT_MAX (24u << 10)  /* [bytes] a frame of entries is closed when it reaches this */
#define PACK_AHEAD (128u << 10)     /* [bytes] pack bytes that wait for the stream */
#define REQUEST_MAX (400u << 10)    /* [bytes] one request frame: 8,192 ids */
#define REQUEST_LARGE (32u << 10)   /* [bytes] a request frame above this has many ids */
#define LARGE_PER_PEER GUTS_FETCHES_PER_PEER /* packs and large requests at once */
#define RECORDS_SOFT_MAX (400u << 10) /* [bytes] of the records of one author in a frame */
#define VERSIONS_PER_FRAME 64
#define ENTRY_COST 64               /* [bytes] of an entry in a frame, beside its name */
#define BUCKETS_FROM 4096           /* entries; a tree of more is compared by bucket when the asker's record is not known here */
#define DEADLINE_NS (60 * GUTS_SECOND_NS) /* a stopped reader holds its place no longer */

enum serve_kind { SERVE_NOTHING, SERVE_INVENTORY, SERVE_REFS, SERVE_OBJECTS, SERVE_STATUSES, SERVE_JOB, SERVE_ERROR };

struct serve_author {
	struct guts_peerid id;
	struct guts_bytes head;           /* the record that owns the entries */
	uint64_t since;                   /* sequence: earlier records are sent from here on; 0 = none */
	struct guts_reftree *tree, *base; /* base NULL = everything */
	uint8_t base_hash[GUTS_HASH_SIZE];
	enum guts_msg_entries mode;       /* DELTA and FULL: entries; HASHES; BUCKETS; NONE */
	unsigned bucket;                  /* the next to send, */
	size_t at;                        /* and how far it is */
	bool started;
};

struct guts_serve {
	struct guts_sync *sync;
	struct guts_peerid peer;
	struct guts_stream *stream;
	struct guts_timer timer;
	struct guts_buf out;
	uint64_t request_id;
	enum serve_kind kind;
	bool is_large;                    /* counts for LARGE_PER_PEER */
	bool done;                        /* everything is in `out` */
	uint8_t repository[GUTS_REPOID_SIZE];
	/* inventory, statuses */
	uint8_t cursor[GUTS_REPOID_SIZE], prefix[4];
	size_t ncursor, nprefix;
	uint64_t skip;                    /* rows of statuses passed over */
	struct guts_oid commit;
	/* refs */
	uint64_t version;                 /* the next of the identity to send */
	uint8_t version_before[GUTS_HASH_SIZE]; /* hash of the last one sent */
	bool versions_sent, versions_over; /* some were; all were */
	GUTS_VEC(struct serve_author) authors;
	size_t author;                    /* the next */
	uint8_t wanted[GUTS_REFTREE_BUCKETS];
	/* objects */
	struct guts_packer *packer;
	bool paused;
	struct guts_sha256_ctx sha;
	bool hashing;
	uint64_t bytes, limit;
	struct guts_serve *prev, *next;
};

static void
serve_free(struct guts_serve *v)
{
	struct guts_sync *s = v->sync;
	uint8_t sum[32];

	guts_env_timer_clear(s->s.env, &v->timer);
	if (v->packer)
		guts_pack_close(s->s.repos, v->packer);
	if (v->hashing)
		guts_sha256_end(&v->sha, sum);
	for (size_t i = 0; i < v->authors.n; i++) {
		guts_bytes_free(&v->authors.v[i].head);
		guts_reftree_unref(v->authors.v[i].tree);
		guts_reftree_unref(v->authors.v[i].base);
	}
	GUTS_VEC_FREE(v->authors);
	guts_buf_deinit(&v->out);
	DL_DELETE(s->serves, v);
	s->nserves--;
	free(v);
}

static void
touch(struct guts_serve *v)
{
	guts_env_timer_set(v->sync->s.env, &v->timer, guts_env_now(v->sync->s.env) + DEADLINE_NS);
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct guts_serve *v = owner;

	(void)t;
	guts_stream_reset(v->stream, 0);
	serve_free(v);
}

static void
put(struct guts_serve *v, struct guts_msg_response *m)
{
	m->request_id = v->request_id;
	guts_msg_response_frame(m, &v->out);
}

static void
put_error(struct guts_serve *v, int err, const char *text, uint64_t limit)
{
	struct guts_msg_response m = { .has_error = true };

	m.error.code = guts_msg_code_from_err(err);
	m.error.text = guts_slice_str(text);
	m.error.limit = limit;
	m.error.retry_after_ms = err == GUTS_EBUSY ? 1000 : 0;
	put(v, &m);
	v->kind = SERVE_ERROR;
	v->done = true;
}

/* The repository that is asked about, if the peer may know of it (still); else the answer ends. */
static struct guts_repo *
repo_of(struct guts_serve *v)
{
	struct guts_repo *r = guts_sync_find(v->sync, v->repository);

	if (r && guts_repo_may_know(r, &v->peer))
		return r;
	put_error(v, GUTS_ENOTFOUND, "no such repository", 0);
	return NULL;
}

/* Do the peer's other answers leave room for a large one? */
static bool
has_room(const struct guts_serve *v)
{
	const struct guts_serve *o;
	unsigned n = 0;

	DL_FOREACH (v->sync->serves, o)
		n += o != v && o->is_large && guts_peerid_eq(&o->peer, &v->peer);
	return n < LARGE_PER_PEER;
}

/* -- inventory -------------------------------------------------------------------------------------- */

static void
serve_inventory(struct guts_serve *v, const struct guts_msg_get_inventory *q)
{
	v->ncursor = q->cursor.n; /* the decoder checked that they fit */
	v->nprefix = q->prefix.n;
	if (v->ncursor)
		memcpy(v->cursor, q->cursor.p, v->ncursor);
	if (v->nprefix)
		memcpy(v->prefix, q->prefix.p, v->nprefix);
	v->kind = SERVE_INVENTORY;
}

static void
put_inventory(struct guts_serve *v)
{
	struct guts_sync *s = v->sync;
	struct guts_msg_response m = { .has_inventory = true };
	struct guts_msg_inventory_entry *e = guts_calloc(GUTS_MSG_INVENTORY_MAX, sizeof *e);
	size_t n = 0;

	for (size_t i = 0; i < s->sorted.n; i++) {
		const struct guts_repo *r = s->sorted.v[i];

		if ((v->ncursor && memcmp(r->id, v->cursor, GUTS_REPOID_SIZE) <= 0) ||
		    (v->nprefix && memcmp(r->id, v->prefix, v->nprefix) != 0) || !guts_repo_may_know(r, &v->peer))
			continue;
		if (n == GUTS_MSG_INVENTORY_MAX) {
			m.inventory.more = true;
			break;
		}
		e[n++] = (struct guts_msg_inventory_entry){ .repository = guts_slice(r->id, sizeof r->id),
			.digest = guts_slice(r->digest, sizeof r->digest), .updated_ms = r->local.updated_wall_ns / GUTS_MS_NS };
	}
	m.inventory.entries.v = e;
	m.inventory.entries.n = n;
	put(v, &m);
	free(e);
	v->done = true;
}

/* -- refs -------------------------------------------------------------------------------------------- */

/* One head of an author, with the records since and the entries against what the asker has. */
static void
add_head(struct guts_serve *v, const struct guts_author *a, const struct guts_head *h, const struct guts_msg_get_refs *q,
    const struct guts_msg_author_state *known, uint64_t since)
{
	struct serve_author out = { .id = a->id, .tree = guts_reftree_ref(h->tree), .mode = (enum guts_msg_entries)q->entries,
		.since = since, .head = guts_bytes_dup(guts_bytes_slice(h->envelope)) };
	const struct guts_reftree *base = known && out.mode == GUTS_ENTRIES_DELTA ? guts_author_tree_of(a, known->known_hash) : NULL;

	if (!base && out.mode == GUTS_ENTRIES_DELTA && known && known->known_hash.n &&
	    guts_reftree_count(h->tree) > BUCKETS_FROM)
		out.mode = GUTS_ENTRIES_HASHES;
	if (base) {
		out.base = guts_reftree_ref((struct guts_reftree *)(uintptr_t)base);
		memcpy(out.base_hash, known->known_hash.p, GUTS_HASH_SIZE);
	}
	GUTS_VEC_PUSH(v->authors, out);
}

static const struct guts_msg_author_state *
known_of(const struct guts_msg_get_refs *q, const struct guts_peerid *id)
{
	for (size_t i = 0; i < q->authors.n; i++) {
		if (guts_slice_eq(q->authors.v[i].author, guts_peerid_slice(id)))
			return &q->authors.v[i];
	}
	return NULL;
}

static void
serve_refs(struct guts_serve *v, struct guts_repo *r, const struct guts_msg_get_refs *q)
{
	v->version = q->identity_known;
	for (size_t i = 0; i < q->buckets.n; i++) /* the decoder checked that each is below 256 */
		v->wanted[q->buckets.v[i]] = 1;
	for (struct guts_author *a = r->authors; a; a = a->hh.next) {
		const struct guts_msg_author_state *known = known_of(q, &a->id);
		uint64_t since = known && known->known_sequence ? known->known_sequence : q->chain_since;

		if (!a->head.rec.sequence || (q->only_listed && !known))
			continue;
		if (known && known->known_hash.n && memcmp(known->known_hash.p, a->head.rec.hash, GUTS_HASH_SIZE) == 0)
			continue;
		for (size_t k = 0; k < a->nrivals && q->entries != GUTS_ENTRIES_BUCKETS; k++) {
			if (a->rivals[k].tree)
				add_head(v, a, &a->rivals[k], q, known, since);
		}
		add_head(v, a, &a->head, q, known, since);
	}
	v->kind = SERVE_REFS;
}

/* A frame of identity versions with their votes.  false = the chain is another one than when the answer began. */
static bool
put_versions(struct guts_serve *v, struct guts_repo *r, struct guts_msg_response *m)
{
	struct guts_slice ids[VERSIONS_PER_FRAME], votes[VERSIONS_PER_FRAME * GUTS_DELEGATES_MAX];
	size_t size = 0, n = 0, nvotes = 0;

	if (v->versions_sent && memcmp(r->chain.v[v->version - 1].id->hash, v->version_before, GUTS_HASH_SIZE) != 0)
		return false;
	for (; v->version < r->chain.n && n < VERSIONS_PER_FRAME && size < FRAME_SOFT_MAX; v->version++) {
		const struct guts_version *version = &r->chain.v[v->version];

		ids[n++] = guts_bytes_slice(version->envelope);
		size += version->envelope.n;
		for (size_t k = 0; k < version->nvotes && k < GUTS_DELEGATES_MAX; k++) {
			votes[nvotes++] = guts_bytes_slice(version->votes[k]);
			size += version->votes[k].n;
		}
		memcpy(v->version_before, version->id->hash, GUTS_HASH_SIZE);
		v->versions_sent = true;
	}
	m->refs.identities = (struct guts_pb_bytes_list){ ids, n };
	m->refs.votes = (struct guts_pb_bytes_list){ votes, nvotes };
	v->versions_over = v->version >= r->chain.n;
	m->refs.more = !v->versions_over || v->authors.n;
	put(v, m);
	return true;
}

struct chain {
	uint64_t since;
	struct guts_bytes *v;
	size_t n, cap, size;
};

static bool
chain_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct chain *c = owner;
	struct guts_signedrefs rec;

	(void)key;
	if (guts_signedrefs_open(&rec, value, 0) || rec.sequence < c->since)
		return true;
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 8;
		c->v = guts_realloc(c->v, c->cap * sizeof *c->v);
	}
	c->v[c->n++] = guts_bytes_dup(value);
	c->size += value.n;
	return c->n < GUTS_MSG_RECORDS_MAX - 1 && c->size < RECORDS_SOFT_MAX;
}

static int
nothing(void *owner, const struct guts_refentry *e)
{
	(void)owner;
	(void)e;
	return GUTS_OK;
}

/* Fill a frame with whole or begun buckets, or with the entries that the base does not have; false = there are more.  What the
 * messages show lives in `e`. */
static bool
next_entries(const struct guts_serve *v, struct serve_author *a, struct guts_msg_author_refs *ar, struct guts_refentry *e,
    struct guts_msg_bucket *buckets, struct guts_msg_ref_entry *out)
{
	bool by_bucket = a->mode == GUTS_ENTRIES_BUCKETS;
	size_t k = 0, size = 0;

	ar->buckets.v = buckets;
	ar->entries.v = out;
	for (; a->bucket < GUTS_REFTREE_BUCKETS; a->bucket++, a->at = 0) {
		struct guts_msg_bucket *b = &buckets[ar->buckets.n];

		if (by_bucket ? !v->wanted[a->bucket] : a->base && memcmp(guts_reftree_bucket_hash(a->base, a->bucket),
		    guts_reftree_bucket_hash(a->tree, a->bucket), GUTS_HASH_SIZE) == 0)
			continue;
		if (by_bucket) {
			b->number = a->bucket;
			b->entries.v = &out[k];
			ar->buckets.n++;
		}
		for (; a->at < guts_reftree_bucket_count(a->tree, a->bucket); a->at++) {
			struct guts_refentry old;

			if (size >= FRAME_SOFT_MAX)
				return false;
			guts_reftree_at(a->tree, a->bucket, a->at, &e[k]);
			if (a->base && guts_reftree_find_in(a->base, a->bucket, e[k].name, &old) && old.version == e[k].version &&
			    guts_oid_eq(&old.oid, &e[k].oid))
				continue;
			size += e[k].name.n + ENTRY_COST;
			guts_msg_entry_write(&out[k], &e[k]);
			k++;
			if (by_bucket)
				b->entries.n++;
			else
				ar->entries.n++;
		}
	}
	return true;
}

/* A frame of the author whose turn it is. */
static void
put_author(struct guts_serve *v, struct guts_repo *r, struct guts_msg_response *m)
{
	enum { ENTRIES = FRAME_SOFT_MAX / ENTRY_COST + 1 };
	struct serve_author *a = &v->authors.v[v->author];
	struct guts_msg_author_refs ar = { .author = guts_peerid_slice(&a->id) };
	struct guts_msg_bucket buckets[GUTS_REFTREE_BUCKETS] = { 0 };
	struct guts_msg_ref_entry *out = guts_calloc(ENTRIES, sizeof *out);
	struct guts_refentry *e = guts_calloc(ENTRIES, sizeof *e);
	struct guts_slice *records = NULL, none = { 0 };
	uint8_t hashes[GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE];
	struct chain c = { .since = a->since };
	struct guts_storekey k;

	if (!a->started) {
		if (a->since)
			guts_store_scan(v->sync->s.store, GUTS_TABLE_REFS, guts_key_author(&k, r, &a->id), none, chain_row, &c);
		records = guts_calloc(c.n + 1, sizeof *records);
		for (size_t i = 0; i < c.n; i++)
			records[i] = guts_bytes_slice(c.v[i]);
		records[c.n] = guts_bytes_slice(a->head); /* the last one owns the entries */
		ar.records = (struct guts_pb_bytes_list){ records, c.n + 1 };
		a->started = true;
		if (a->base && guts_reftree_diff(a->base, a->tree, nothing, NULL)) {
			guts_reftree_unref(a->base); /* no delta exists: everything */
			a->base = NULL;
		}
	}
	if (a->base)
		ar.base = guts_slice(a->base_hash, GUTS_HASH_SIZE);
	if (a->mode == GUTS_ENTRIES_HASHES) {
		for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++)
			memcpy(hashes + i * GUTS_HASH_SIZE, guts_reftree_bucket_hash(a->tree, i), GUTS_HASH_SIZE);
		ar.bucket_hashes = guts_slice(hashes, sizeof hashes);
	} else if (a->mode != GUTS_ENTRIES_NONE) {
		ar.more = !next_entries(v, a, &ar, e, buckets, out);
	}
	v->author += !ar.more;
	m->refs.authors.v = &ar;
	m->refs.authors.n = 1;
	m->refs.more = v->author < v->authors.n;
	put(v, m);
	for (size_t i = 0; i < c.n; i++)
		guts_bytes_free(&c.v[i]);
	free(c.v);
	free(records);
	free(out);
	free(e);
}

/* Put the next Refs frame into `out`. */
static void
put_refs(struct guts_serve *v)
{
	struct guts_msg_response m = { .has_refs = true };
	struct guts_repo *r = repo_of(v);

	if (!r)
		return;
	if (v->versions_over)
		put_author(v, r, &m);
	else if (!put_versions(v, r, &m))
		put_error(v, GUTS_EBUSY, "the identity has changed", 0);
	v->done |= !m.refs.more;
}

/* -- objects ------------------------------------------------------------------------------------------- */

static void
on_pack_data(void *owner, struct guts_slice bytes)
{
	struct guts_serve *v = owner;

	v->bytes += bytes.n;
	if (v->limit && v->bytes > v->limit) {
		guts_pack_close(v->sync->s.repos, v->packer);
		v->packer = NULL;
		put_error(v, GUTS_ELIMIT, "the pack is larger than was asked for", v->limit);
		guts_stream_want_write(v->stream);
		return;
	}
	guts_sha256_add(&v->sha, bytes);
	while (bytes.n) {
		struct guts_msg_response m = { .has_objects_data = true };
		size_t n = bytes.n < GUTS_MSG_PACK_PART_MAX ? bytes.n : GUTS_MSG_PACK_PART_MAX;

		m.objects_data.pack = guts_slice(bytes.p, n);
		put(v, &m);
		bytes = guts_slice(bytes.p + n, bytes.n - n);
	}
	if (v->out.len >= PACK_AHEAD && !v->paused) {
		v->paused = true;
		guts_pack_pause(v->sync->s.repos, v->packer, true);
	}
	guts_stream_want_write(v->stream);
}

static void
on_pack_end(void *owner, int err)
{
	struct guts_serve *v = owner;
	struct guts_msg_response m = { .has_objects_end = true };
	uint8_t sum[32];

	guts_pack_close(v->sync->s.repos, v->packer);
	v->packer = NULL;
	guts_sha256_end(&v->sha, sum);
	v->hashing = false;
	if (err) {
		m.objects_end.has_error = true;
		m.objects_end.error.code = guts_msg_code_from_err(err);
		m.objects_end.error.text = guts_slice_str(guts_err_text(err));
	}
	m.objects_end.bytes = v->bytes;
	m.objects_end.sha256 = guts_slice(sum, sizeof sum);
	put(v, &m);
	v->done = true;
	guts_stream_want_write(v->stream);
}

static const struct guts_packer_events pack_events = { .data = on_pack_data, .end = on_pack_end };

static int
read_ids(const struct guts_pb_bytes_list *l, struct guts_oid *out)
{
	for (size_t i = 0; i < l->n; i++) {
		if (guts_oid_from_bytes(&out[i], l->v[i]) || guts_oid_is_none(&out[i]))
			return GUTS_EINVAL;
	}
	return GUTS_OK;
}

static void
serve_objects(struct guts_serve *v, struct guts_repo *r, const struct guts_msg_get_objects *q)
{
	struct guts_oid *wants = guts_calloc(q->wants.n + q->haves.n + 1, sizeof *wants);
	struct guts_oid *haves = wants + q->wants.n;
	struct guts_msg_response m = { .has_objects_header = true };
	int err = q->wants.n == 0 || (q->exact && q->haves.n) ? GUTS_EINVAL : read_ids(&q->wants, wants);

	if (!err)
		err = read_ids(&q->haves, haves);
	v->kind = SERVE_OBJECTS;
	v->is_large = true;
	if (!err && !has_room(v))
		err = GUTS_EBUSY;
	v->limit = q->pack_max;
	if (!err && q->exact)
		err = guts_pack_exact(v->sync->s.repos, r->id, wants, q->wants.n, &pack_events, v, &v->packer);
	else if (!err)
		err = guts_pack_open(v->sync->s.repos, r->id, wants, q->wants.n, haves, q->haves.n, &pack_events, v,
		    &v->packer);
	free(wants);
	if (err) {
		put_error(v, err, guts_err_text(err), 0);
		return;
	}
	guts_sha256_begin(&v->sha);
	v->hashing = true;
	put(v, &m);
}

/* -- statuses -------------------------------------------------------------------------------------------- */

struct statuses {
	const struct guts_identity *id;
	struct guts_bytes v[GUTS_MSG_STATUSES_MAX];
	size_t n, size;
	uint64_t skip, at; /* rows passed over, rows seen */
	bool more;
	struct guts_slice commit;
};

static bool
status_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct statuses *w = owner;
	struct guts_status st;

	(void)key;
	if (w->at++ < w->skip || guts_status_peek(&st, value) || !guts_identity_is_signer(w->id, &st.signer) ||
	    (w->commit.n && !guts_slice_eq(w->commit, guts_oid_slice(&st.commit))))
		return true;
	if (w->n == GUTS_MSG_STATUSES_MAX || w->size + value.n > GUTS_MESSAGE_MAX / 2) {
		w->more = true;
		w->at--;
		return false;
	}
	w->v[w->n++] = guts_bytes_dup(value);
	w->size += value.n;
	return true;
}

static void
serve_statuses(struct guts_serve *v, const struct guts_msg_get_statuses *q)
{
	struct guts_cursor c;

	guts_cursor_init(&c, q->cursor);
	if (q->cursor.n)
		v->skip = guts_cursor_be64(&c);
	if (q->commit.n && guts_oid_from_bytes(&v->commit, q->commit))
		put_error(v, GUTS_EINVAL, "that is no object id", 0);
	else
		v->kind = SERVE_STATUSES;
}

/* Statuses that count by the identity; the cursor is the number of rows passed, so a row that is added meanwhile may be
 * missed: the digests still differ then, and the asker comes again. */
static void
put_statuses(struct guts_serve *v)
{
	struct guts_repo *r = repo_of(v);
	struct statuses w = { .skip = v->skip, .commit = guts_oid_slice(&v->commit) };
	struct guts_msg_response m = { .has_statuses = true };
	struct guts_slice list[GUTS_MSG_STATUSES_MAX], after = { 0 };
	struct guts_storekey k;
	struct guts_buf cursor;

	if (!r)
		return;
	w.id = guts_repo_identity(r);
	guts_store_scan(r->sync->s.store, GUTS_TABLE_STATUS, guts_key_repo(&k, r), after, status_row, &w);
	for (size_t i = 0; i < w.n; i++)
		list[i] = guts_bytes_slice(w.v[i]);
	guts_buf_init(&cursor, 16);
	guts_buf_add_be64(&cursor, w.at);
	m.statuses.records = (struct guts_pb_bytes_list){ list, w.n };
	m.statuses.more = w.more;
	m.statuses.cursor = guts_buf_slice(&cursor);
	put(v, &m);
	guts_buf_deinit(&cursor);
	for (size_t i = 0; i < w.n; i++)
		guts_bytes_free(&w.v[i]);
	v->done = true;
}

/* What the layer above knows of a CI job, in one frame. */
static void
serve_job(struct guts_serve *v, const struct guts_msg_get_job *q)
{
	const struct guts_sync_setup *s = &v->sync->s;
	struct guts_msg_response m = { .has_job = true };
	struct guts_job_told told;
	int err = GUTS_ENOTFOUND;

	guts_buf_init(&told.json, GUTS_MSG_JOB_JSON_MAX);
	guts_buf_init(&told.record, GUTS_MSG_JOB_RECORD_MAX);
	guts_buf_init(&told.data, GUTS_MSG_JOB_DATA_MAX);
	if (s->events->job)
		err = s->events->job(s->owner, v->repository, q->job.p, q->file, q->offset, &told);
	if (err) {
		put_error(v, err, err == GUTS_EBUSY ? "it is being fetched" : "no such job or file", 0);
	} else {
		m.job.json = guts_buf_slice(&told.json);
		m.job.record = guts_buf_slice(&told.record);
		m.job.data = guts_buf_slice(&told.data);
		put(v, &m);
		v->kind = SERVE_JOB;
		v->done = true;
	}
	guts_buf_deinit(&told.json);
	guts_buf_deinit(&told.record);
	guts_buf_deinit(&told.data);
}

/* -- the stream --------------------------------------------------------------------------------------------- */

static void
dispatch(struct guts_serve *v, struct guts_slice frame)
{
	struct guts_sync *s = v->sync;
	struct guts_msg_request m;
	struct guts_arena arena;
	struct guts_slice id = { 0 };
	struct guts_repo *r = NULL;
	int err;

	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	err = guts_msg_request_decode(&m, frame, &arena);
	if (err) {
		s->s.events->offence(s->s.owner, &v->peer, err, "request on /guts/sync");
		put_error(v, GUTS_EINVAL, "the request is not well formed", 0);
		goto out;
	}
	v->request_id = m.request_id;
	if (m.has_get_refs)
		id = m.get_refs.repository;
	else if (m.has_get_objects)
		id = m.get_objects.repository;
	else if (m.has_get_statuses)
		id = m.get_statuses.repository;
	else if (m.has_get_job)
		id = m.get_job.repository;
	if (id.n)
		memcpy(v->repository, id.p, sizeof v->repository);
	if (s->nserves > GUTS_SERVES_MAX || !guts_peers_take(s->s.peers, &v->peer, GUTS_PEER_SYNC_REQUESTS, 1))
		put_error(v, GUTS_EBUSY, "too many requests", 0);
	else if (m.has_get_inventory)
		serve_inventory(v, &m.get_inventory);
	else if (guts_msg_request_kind(&m) == GUTS_REQUEST_NONE)
		put_error(v, GUTS_EUNSUPPORTED, "a request this node does not know", 0);
	else if ((r = repo_of(v)) == NULL)
		goto out;
	else if (m.has_get_refs)
		serve_refs(v, r, &m.get_refs);
	else if (m.has_get_objects)
		serve_objects(v, r, &m.get_objects);
	else if (m.has_get_job)
		serve_job(v, &m.get_job);
	else
		serve_statuses(v, &m.get_statuses);
out:
	guts_arena_deinit(&arena);
	guts_stream_want_write(v->stream);
}

static size_t
on_data(void *owner, struct guts_stream *st, struct guts_slice data)
{
	struct guts_serve *v = owner;
	struct guts_slice frame;
	size_t n;
	uint64_t len;
	int err;

	touch(v);
	if (v->kind != SERVE_NOTHING)
		return data.n; /* one request per stream */
	err = guts_frame_read(data, REQUEST_MAX, &frame, &n);
	if (err == GUTS_EAGAIN) {
		if (guts_uvarint_read(data, &len, &n))
			return 0;
		v->is_large = len > REQUEST_LARGE;
		if (v->is_large && !has_room(v)) {
			put_error(v, GUTS_EBUSY, "too many large requests", 0);
			guts_stream_want_write(st);
			return data.n;
		}
		(void)guts_stream_need(st, (size_t)len + n);
		return 0;
	}
	if (err) {
		v->sync->s.events->offence(v->sync->s.owner, &v->peer, err, "frame on /guts/sync");
		guts_stream_reset(st, 0);
		serve_free(v);
		return data.n;
	}
	dispatch(v, frame);
	return data.n;
}

static void
on_eof(void *owner, struct guts_stream *st)
{
	struct guts_serve *v = owner;

	if (v->kind == SERVE_NOTHING) {
		guts_stream_reset(st, 0);
		serve_free(v);
	}
}

/* Of an answer from memory. */
static void
next_frame(struct guts_serve *v)
{
	if (v->kind == SERVE_INVENTORY)
		put_inventory(v);
	else if (v->kind == SERVE_REFS)
		put_refs(v);
	else
		put_statuses(v);
}

static size_t
on_pull(void *owner, struct guts_stream *st, uint8_t *out, size_t max)
{
	struct guts_serve *v = owner;
	size_t n;

	if (!v->done && v->kind != SERVE_OBJECTS && v->kind != SERVE_NOTHING && v->out.len == 0)
		next_frame(v);
	n = v->out.len < max ? v->out.len : max;
	if (n) {
		memcpy(out, guts_buf_slice(&v->out).p, n);
		guts_buf_consume(&v->out, n);
		if (v->out.len == 0)
			guts_buf_deinit(&v->out); /* its memory goes until there is more */
		touch(v);
	}
	if (v->paused && v->packer && v->out.len < PACK_AHEAD / 2) {
		v->paused = false;
		guts_pack_pause(v->sync->s.repos, v->packer, false);
	}
	if (v->done && v->out.len == 0)
		guts_stream_finish(st);
	return n;
}

static void
on_closed(void *owner, struct guts_stream *st, int err)
{
	(void)st;
	(void)err;
	serve_free(owner);
}

static const struct guts_stream_events stream_events = {
	.data = on_data, .eof = on_eof, .pull = on_pull, .closed = on_closed,
};

void
guts_sync_serve(struct guts_sync *s, const struct guts_peerid *peer, struct guts_stream *st)
{
	struct guts_serve *v = guts_alloc(sizeof *v);

	v->sync = s;
	v->peer = *peer;
	v->stream = st;
	v->timer.fire = on_timer;
	v->timer.owner = v;
	guts_buf_init(&v->out, GUTS_MESSAGE_MAX + PACK_AHEAD);
	DL_APPEND(s->serves, v);
	s->nserves++;
	guts_stream_set_events(st, &stream_events, v);
	guts_stream_set_prio(st, GUTS_PRIO_BULK);
	touch(v);
}

void
guts_serves_free(struct guts_sync *s)
{
	while (s->serves) {
		guts_stream_reset(s->serves->stream, 0);
		serve_free(s->serves);
	}
}
