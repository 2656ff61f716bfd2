/* sync/serve.c - the answering side of /guts/sync: one request per stream, answered as room appears.
 *
 * Nothing long is kept in memory: refs are turned into frames of at most 48 KiB when the stream asks
 * for more, pack bytes come from a git child that is paused while 128 KiB wait to be sent.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "wire/varint.h"

#include <stdlib.h>

#define FRAME_SOFT_MAX (48u << 10)  /* [bytes] a frame of entries is closed when it reaches this */
#define PACK_AHEAD (128u << 10)     /* [bytes] pack bytes that wait for the stream */
#define REQUEST_MAX (400u << 10)    /* [bytes] one request frame: 8,192 ids */
#define ENTRY_COST 64               /* [bytes] of an entry in a frame, beside its name */
#define BUCKETS_FROM 4096           /* entries; a tree of more is compared by bucket when the asker's record is not known here */
#define DEADLINE_NS (60 * GUTS_SECOND_NS) /* a stopped reader holds its place no longer */

enum serve_kind { SERVE_NOTHING, SERVE_REFS, SERVE_OBJECTS, SERVE_ONCE };

struct serve_author {
	struct guts_peerid id;
	struct guts_bytes *records;
	size_t nrecords;
	struct guts_reftree *tree, *base; /* base NULL = everything */
	uint8_t base_hash[GUTS_HASH_SIZE];
	enum guts_msg_entries mode;       /* DELTA and FULL: entries; HASHES; BUCKETS; NONE */
	uint8_t wanted[GUTS_REFTREE_BUCKETS];
	unsigned bucket;                  /* the next to send, and how far it is */
	struct guts_refentry *entries;
	size_t nentries, at, cap;
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
	bool done;                        /* everything is in `out` */
	/* refs */
	GUTS_VEC(struct guts_bytes) identities;
	GUTS_VEC(struct guts_bytes) votes;
	GUTS_VEC(struct serve_author) authors;
	size_t at;
	bool head_sent;
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
	for (size_t i = 0; i < v->identities.n; i++)
		guts_bytes_free(&v->identities.v[i]);
	for (size_t i = 0; i < v->votes.n; i++)
		guts_bytes_free(&v->votes.v[i]);
	for (size_t i = 0; i < v->authors.n; i++) {
		struct serve_author *a = &v->authors.v[i];

		for (size_t k = 0; k < a->nrecords; k++)
			guts_bytes_free(&a->records[k]);
		free(a->records);
		free(a->entries);
		guts_reftree_unref(a->tree);
		guts_reftree_unref(a->base);
	}
	GUTS_VEC_FREE(v->identities);
	GUTS_VEC_FREE(v->votes);
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
	v->kind = SERVE_ONCE;
	v->done = true;
}

/* -- inventory -------------------------------------------------------------------------------------- */

static void
serve_inventory(struct guts_serve *v, const struct guts_msg_get_inventory *q)
{
	struct guts_sync *s = v->sync;
	struct guts_msg_response m = { .has_inventory = true };
	struct guts_msg_inventory_entry *e = guts_calloc(GUTS_MSG_INVENTORY_MAX, sizeof *e);
	size_t n = 0;

	for (size_t i = 0; i < s->sorted.n; i++) {
		const struct guts_repo *r = s->sorted.v[i];

		if ((q->cursor.n && memcmp(r->id, q->cursor.p, GUTS_REPOID_SIZE) <= 0) ||
		    (q->prefix.n && memcmp(r->id, q->prefix.p, q->prefix.n) != 0) || !guts_repo_may_know(r, &v->peer))
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
	v->kind = SERVE_ONCE;
	v->done = true;
}

/* -- refs -------------------------------------------------------------------------------------------- */

struct chain {
	struct serve_author *a;
	uint64_t since;
	size_t cap;
};

static bool
chain_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct chain *c = owner;
	struct guts_signedrefs rec;

	(void)key;
	if (guts_signedrefs_open(&rec, value, 0) || rec.sequence < c->since)
		return true;
	if (c->a->nrecords == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 8;
		c->a->records = guts_realloc(c->a->records, c->cap * sizeof *c->a->records);
	}
	c->a->records[c->a->nrecords++] = guts_bytes_dup(value);
	return c->a->nrecords < GUTS_MSG_RECORDS_MAX - 1;
}

/* One head of an author, with the records since and the entries against what the asker has. */
static void
add_head(struct guts_serve *v, struct guts_repo *r, const struct guts_author *a, const struct guts_head *h,
    const struct guts_msg_get_refs *q, const struct guts_msg_author_state *known, uint64_t since)
{
	struct serve_author out = { .id = a->id, .tree = guts_reftree_ref(h->tree), .mode = (enum guts_msg_entries)q->entries };
	const struct guts_reftree *base = known && out.mode == GUTS_ENTRIES_DELTA ? guts_author_tree_of(a, known->known_hash) : NULL;
	struct guts_slice none = { 0 };
	struct guts_storekey k;
	struct chain c = { &out, since, 0 };

	if (!base && out.mode == GUTS_ENTRIES_DELTA && known && known->known_hash.n &&
	    guts_reftree_count(h->tree) > BUCKETS_FROM)
		out.mode = GUTS_ENTRIES_HASHES;
	for (size_t i = 0; i < q->buckets.n; i++) /* the decoder checked that each is below 256 */
		out.wanted[q->buckets.v[i]] = 1;
	if (base) {
		out.base = guts_reftree_ref((struct guts_reftree *)(uintptr_t)base);
		memcpy(out.base_hash, known->known_hash.p, GUTS_HASH_SIZE);
	}
	if (since)
		guts_store_scan(r->sync->s.store, GUTS_TABLE_REFS, guts_key_author(&k, r, &a->id), none, chain_row, &c);
	out.records = guts_realloc(out.records, (out.nrecords + 1) * sizeof *out.records);
	out.records[out.nrecords++] = guts_bytes_dup(guts_bytes_slice(h->envelope)); /* the last one owns the entries */
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
	for (size_t i = q->identity_known; i < r->chain.n; i++) {
		GUTS_VEC_PUSH(v->identities, guts_bytes_dup(guts_bytes_slice(r->chain.v[i].envelope)));
		for (size_t k = 0; k < r->chain.v[i].nvotes; k++)
			GUTS_VEC_PUSH(v->votes, guts_bytes_dup(guts_bytes_slice(r->chain.v[i].votes[k])));
	}
	for (struct guts_author *a = r->authors; a; a = a->hh.next) {
		const struct guts_msg_author_state *known = known_of(q, &a->id);
		uint64_t since = known && known->known_sequence ? known->known_sequence : q->chain_since;

		if (!a->head.rec.sequence || (q->only_listed && !known))
			continue;
		if (known && known->known_hash.n && memcmp(known->known_hash.p, a->head.rec.hash, GUTS_HASH_SIZE) == 0)
			continue;
		for (size_t k = 0; k < a->nrivals && q->entries != GUTS_ENTRIES_BUCKETS; k++) {
			if (a->rivals[k].tree)
				add_head(v, r, a, &a->rivals[k], q, known, since);
		}
		add_head(v, r, a, &a->head, q, known, since);
	}
	v->kind = SERVE_REFS;
}

static int
add_entry(void *owner, const struct guts_refentry *e)
{
	struct serve_author *a = owner;

	if (a->nentries == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 64;
		a->entries = guts_realloc(a->entries, a->cap * sizeof *a->entries);
	}
	a->entries[a->nentries++] = *e;
	return GUTS_OK;
}

/* The entries to send: changes since the base, or all. */
static void
start_author(struct guts_serve *v, struct serve_author *a)
{
	a->started = true;
	if (a->mode != GUTS_ENTRIES_DELTA && a->mode != GUTS_ENTRIES_FULL)
		return;
	if (!a->base || guts_reftree_diff(a->base, a->tree, add_entry, a)) {
		guts_reftree_unref(a->base);
		a->base = NULL;
		a->nentries = 0;
		(void)guts_reftree_diff(v->sync->empty, a->tree, add_entry, a);
	}
}

/* Fill one frame with whole or begun buckets; false = there are more. */
static bool
next_buckets(struct serve_author *a, struct guts_msg_author_refs *ar, struct guts_msg_bucket *buckets,
    struct guts_msg_ref_entry *entries)
{
	size_t k = 0, size = 0;

	/* Messages share the memory of what they show: entries of this frame are kept in `a`. */
	if (!a->entries)
		a->entries = guts_calloc(FRAME_SOFT_MAX / ENTRY_COST + 1, sizeof *a->entries);
	ar->buckets.v = buckets;
	for (; a->bucket < GUTS_REFTREE_BUCKETS; a->bucket++, a->at = 0) {
		struct guts_msg_bucket *b = &buckets[ar->buckets.n];

		if (!a->wanted[a->bucket])
			continue;
		b->number = a->bucket;
		b->entries.v = &entries[k];
		ar->buckets.n++;
		for (; a->at < guts_reftree_bucket_count(a->tree, a->bucket); a->at++) {
			struct guts_refentry *e = &a->entries[k];

			if (size >= FRAME_SOFT_MAX)
				return false;
			guts_reftree_at(a->tree, a->bucket, a->at, e);
			size += e->name.n + ENTRY_COST;
			guts_msg_entry_write(&entries[k++], e);
			b->entries.n++;
		}
	}
	return true;
}

/* Put the next Refs frame into `out`. */
static void
next_refs(struct guts_serve *v)
{
	struct guts_msg_response m = { .has_refs = true };
	struct guts_msg_author_refs ar = { 0 };
	struct guts_slice *lists = NULL;
	struct guts_msg_ref_entry *entries = NULL;
	struct guts_msg_bucket buckets[GUTS_REFTREE_BUCKETS] = { 0 };
	uint8_t hashes[GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE];
	size_t n = v->identities.n + v->votes.n, size = 0, k = 0;

	if (!v->head_sent) {
		lists = guts_calloc(n, sizeof *lists);
		for (size_t i = 0; i < v->identities.n; i++)
			lists[i] = guts_bytes_slice(v->identities.v[i]);
		for (size_t i = 0; i < v->votes.n; i++)
			lists[v->identities.n + i] = guts_bytes_slice(v->votes.v[i]);
		m.refs.identities = (struct guts_pb_bytes_list){ lists, v->identities.n };
		m.refs.votes = (struct guts_pb_bytes_list){ lists + v->identities.n, v->votes.n };
		v->head_sent = true;
	} else if (v->at < v->authors.n) {
		struct serve_author *a = &v->authors.v[v->at];

		ar.author = guts_peerid_slice(&a->id);
		if (!a->started) {
			start_author(v, a);
			lists = guts_calloc(a->nrecords, sizeof *lists);
			for (size_t i = 0; i < a->nrecords; i++)
				lists[i] = guts_bytes_slice(a->records[i]);
			ar.records = (struct guts_pb_bytes_list){ lists, a->nrecords };
		}
		if (a->base)
			ar.base = guts_slice(a->base_hash, GUTS_HASH_SIZE);
		entries = guts_calloc(GUTS_MSG_ENTRIES_MAX, sizeof *entries);
		if (a->mode == GUTS_ENTRIES_HASHES) {
			for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++)
				memcpy(hashes + i * GUTS_HASH_SIZE, guts_reftree_bucket_hash(a->tree, i), GUTS_HASH_SIZE);
			ar.bucket_hashes = guts_slice(hashes, sizeof hashes);
		} else if (a->mode == GUTS_ENTRIES_BUCKETS) {
			ar.more = !next_buckets(a, &ar, buckets, entries);
		}
		while (a->mode != GUTS_ENTRIES_BUCKETS && a->at < a->nentries && k < GUTS_MSG_ENTRIES_MAX && size < FRAME_SOFT_MAX) {
			size += a->entries[a->at].name.n + ENTRY_COST;
			guts_msg_entry_write(&entries[k++], &a->entries[a->at++]);
		}
		ar.entries.v = entries;
		ar.entries.n = k;
		ar.more |= a->at < a->nentries;
		v->at += !ar.more;
		m.refs.authors.v = &ar;
		m.refs.authors.n = 1;
	}
	m.refs.more = v->at < v->authors.n;
	v->done = !m.refs.more;
	put(v, &m);
	free(lists);
	free(entries);
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
	int err = q->wants.n == 0 ? GUTS_EINVAL : q->exact ? GUTS_EUNSUPPORTED : read_ids(&q->wants, wants);

	if (!err)
		err = read_ids(&q->haves, haves);
	v->kind = SERVE_OBJECTS;
	v->limit = q->pack_max;
	if (!err)
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
	if (w->at++ < w->skip || guts_status_open(&st, value, 0) || !guts_identity_is_signer(w->id, &st.signer) ||
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

/* Statuses that count by the identity; the cursor is the number of rows passed, so a row that is added meanwhile may be
 * missed: the digests still differ then, and the asker comes again. */
static void
serve_statuses(struct guts_serve *v, struct guts_repo *r, const struct guts_msg_get_statuses *q)
{
	struct statuses w = { .id = guts_repo_identity(r), .commit = q->commit };
	struct guts_msg_response m = { .has_statuses = true };
	struct guts_slice list[GUTS_MSG_STATUSES_MAX], after = { 0 };
	struct guts_storekey k;
	struct guts_cursor c;
	struct guts_buf cursor;

	guts_cursor_init(&c, q->cursor);
	if (q->cursor.n)
		w.skip = guts_cursor_be64(&c);
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
	v->kind = SERVE_ONCE;
	v->done = true;
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
	if (id.n)
		r = guts_sync_find(s, id.p);
	if (s->nserves > GUTS_SERVES_MAX || !guts_peers_take(s->s.peers, &v->peer, GUTS_PEER_SYNC_REQUESTS, 1))
		put_error(v, GUTS_EBUSY, "too many requests", 0);
	else if (m.has_get_inventory)
		serve_inventory(v, &m.get_inventory);
	else if (guts_msg_request_kind(&m) == GUTS_REQUEST_NONE)
		put_error(v, GUTS_EUNSUPPORTED, "a request this node does not know", 0);
	else if (!r || !guts_repo_may_know(r, &v->peer))
		put_error(v, GUTS_ENOTFOUND, "no such repository", 0);
	else if (m.has_get_refs)
		serve_refs(v, r, &m.get_refs);
	else if (m.has_get_objects)
		serve_objects(v, r, &m.get_objects);
	else
		serve_statuses(v, r, &m.get_statuses);
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
		if (guts_uvarint_read(data, &len, &n) == GUTS_OK)
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

static size_t
on_pull(void *owner, struct guts_stream *st, uint8_t *out, size_t max)
{
	struct guts_serve *v = owner;
	size_t n;

	while (v->kind == SERVE_REFS && !v->done && v->out.len < max)
		next_refs(v);
	n = v->out.len < max ? v->out.len : max;
	if (n) {
		memcpy(out, guts_buf_slice(&v->out).p, n);
		guts_buf_consume(&v->out, n);
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
