/* sync/keys.c - keys and values of the store's tables that belong to repositories.
 *
 * Keys are made so that a prefix scan answers the questions at load time: all of a
 * repository, all of one author, a record chain in order of its sequence.
 *
 *	repo            id[32]
 *	identity        id[32] version be64
 *	vote            id[32] version be64 voter
 *	author prefix   id[32] n u8 author[n]
 *	signed refs     author prefix, sequence be64, hash[32]
 *	applied head    author prefix (the shortest, so it comes before its entries)
 *	rival head      author prefix, 00, hash[32]
 *	entry           author prefix, ref name
 *	name            n u8 owner[n] name
 *	status          id[32] n u8 commit[n] m u8 signer[m] context
 *	trust           id[32] signer
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/cursor.h"

#include <assert.h>
#include <stdlib.h>

static void
key_add(struct guts_storekey *k, const void *p, size_t n)
{
	assert(k->n + n <= sizeof k->b);
	memcpy(k->b + k->n, p, n);
	k->n += n;
}

static void
key_u8(struct guts_storekey *k, uint8_t v)
{
	key_add(k, &v, 1);
}

static void
key_be64(struct guts_storekey *k, uint64_t v)
{
	for (int i = 7; i >= 0; i--)
		key_u8(k, (uint8_t)(v >> (8 * i)));
}

static void
key_short(struct guts_storekey *k, struct guts_slice s)
{
	assert(s.n <= UINT8_MAX);
	key_u8(k, (uint8_t)s.n);
	key_add(k, s.p, s.n);
}

static struct guts_slice
key_done(const struct guts_storekey *k)
{
	return guts_slice(k->b, k->n);
}

struct guts_slice
guts_key_repo(struct guts_storekey *k, const struct guts_repo *r)
{
	k->n = 0;
	key_add(k, r->id, sizeof r->id);
	return key_done(k);
}

struct guts_slice
guts_key_version(struct guts_storekey *k, const struct guts_repo *r, uint64_t version)
{
	guts_key_repo(k, r);
	key_be64(k, version);
	return key_done(k);
}

struct guts_slice
guts_key_vote(struct guts_storekey *k, const struct guts_repo *r, uint64_t version, const struct guts_peerid *voter)
{
	guts_key_version(k, r, version);
	key_add(k, voter->b, voter->n);
	return key_done(k);
}

struct guts_slice
guts_key_author(struct guts_storekey *k, const struct guts_repo *r, const struct guts_peerid *a)
{
	guts_key_repo(k, r);
	key_short(k, guts_peerid_slice(a));
	return key_done(k);
}

struct guts_slice
guts_key_record(struct guts_storekey *k, const struct guts_repo *r, const struct guts_signedrefs *rec)
{
	guts_key_author(k, r, &rec->author);
	key_be64(k, rec->sequence);
	key_add(k, rec->hash, sizeof rec->hash);
	return key_done(k);
}

struct guts_slice
guts_key_entry(struct guts_storekey *k, const struct guts_repo *r, const struct guts_peerid *a, struct guts_slice name)
{
	guts_key_author(k, r, a);
	key_add(k, name.p, name.n);
	return key_done(k);
}

struct guts_slice
guts_key_name(struct guts_storekey *k, const struct guts_peerid *owner, struct guts_slice name)
{
	k->n = 0;
	key_short(k, guts_peerid_slice(owner));
	key_add(k, name.p, name.n);
	return key_done(k);
}

struct records {
	bool (*row)(void *owner, const struct guts_record_row *r);
	void *owner;
};

/* The key ends with the sequence and the hash. */
static bool
records_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct records *w = owner;
	struct guts_record_row r = { .envelope = value };
	const uint8_t *end = key.p + key.n - GUTS_HASH_SIZE - 8;

	for (int i = 0; i < 8; i++)
		r.sequence = r.sequence << 8 | end[i];
	memcpy(r.hash, end + 8, sizeof r.hash);
	return w->row(w->owner, &r);
}

int
guts_sync_name_bound(struct guts_store *st, const struct guts_peerid *owner, struct guts_slice name,
    uint8_t id[GUTS_REPOID_SIZE])
{
	struct guts_storekey k;
	struct guts_buf v;
	int err;

	if (name.n == 0 || name.n > GUTS_NAME_MAX)
		return GUTS_ENOTFOUND;
	guts_buf_init(&v, 64);
	err = guts_store_get(st, GUTS_TABLE_NAME, guts_key_name(&k, owner, name), &v);
	if (!err && v.len != GUTS_REPOID_SIZE)
		err = GUTS_EIO;
	if (!err)
		memcpy(id, guts_buf_slice(&v).p, GUTS_REPOID_SIZE);
	guts_buf_deinit(&v);
	return err;
}

int
guts_sync_records(struct guts_store *st, const uint8_t repo[GUTS_REPOID_SIZE], const struct guts_peerid *author,
    uint64_t after, bool (*row)(void *owner, const struct guts_record_row *r), void *owner)
{
	struct records w = { row, owner };
	struct guts_storekey prefix = { 0 }, from;

	key_add(&prefix, repo, GUTS_REPOID_SIZE);
	key_short(&prefix, guts_peerid_slice(author));
	from = prefix;
	key_be64(&from, after);
	for (size_t i = 0; i < GUTS_HASH_SIZE; i++)
		key_u8(&from, UINT8_MAX);
	return guts_store_scan(st, GUTS_TABLE_REFS, key_done(&prefix), key_done(&from), records_row, &w);
}

struct guts_slice
guts_key_status(struct guts_storekey *k, const struct guts_repo *r, const struct guts_status *st)
{
	guts_key_repo(k, r);
	key_short(k, guts_oid_slice(&st->commit));
	key_short(k, guts_peerid_slice(&st->signer));
	key_add(k, st->context, strlen(st->context));
	return key_done(k);
}

struct guts_slice
guts_key_rival(struct guts_storekey *k, const struct guts_repo *r, const struct guts_signedrefs *rec)
{
	guts_key_author(k, r, &rec->author);
	key_u8(k, 0);
	key_add(k, rec->hash, sizeof rec->hash);
	return key_done(k);
}

struct guts_slice
guts_key_trust(struct guts_storekey *k, const struct guts_repo *r, const struct guts_peerid *signer)
{
	guts_key_repo(k, r);
	key_add(k, signer->b, signer->n);
	return key_done(k);
}

int
guts_key_split(struct guts_slice key, uint8_t repo[GUTS_REPOID_SIZE], struct guts_peerid *author,
    struct guts_slice *rest)
{
	struct guts_cursor c;
	struct guts_slice id, who;

	guts_cursor_init(&c, key);
	id = guts_cursor_bytes(&c, GUTS_REPOID_SIZE);
	who = guts_cursor_bytes(&c, guts_cursor_u8(&c));
	*rest = guts_cursor_rest(&c);
	if (!guts_cursor_ok(&c))
		return GUTS_EPROTO;
	memcpy(repo, id.p, GUTS_REPOID_SIZE);
	return guts_peerid_decode(author, who);
}

static uint8_t *
put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--)
		*p++ = (uint8_t)(v >> (8 * i));
	return p;
}

struct guts_slice
guts_value_entry(uint8_t out[64], const struct guts_refentry *e)
{
	uint8_t *p = put_be64(out, e->version);

	memcpy(p, e->oid.b, e->oid.n);
	return guts_slice(out, 8u + e->oid.n);
}

int
guts_value_entry_read(struct guts_slice v, struct guts_refentry *e)
{
	struct guts_cursor c;

	guts_cursor_init(&c, v);
	e->version = guts_cursor_be64(&c);
	if (!guts_cursor_ok(&c))
		return GUTS_EPROTO;
	e->tag = 0;
	return guts_oid_from_bytes(&e->oid, guts_cursor_rest(&c));
}

struct guts_slice
guts_value_repo(uint8_t out[128], const struct guts_policy_state *ps)
{
	uint8_t *p = out;

	*p++ = 1; /* form */
	*p++ = (uint8_t)ps->policy;
	p = put_be64(p, ps->created_wall_ns);
	p = put_be64(p, ps->updated_wall_ns);
	p = put_be64(p, ps->size_bytes);
	*p++ = ps->from.n;
	memcpy(p, ps->from.b, ps->from.n);
	p += ps->from.n;
	return guts_slice(out, (size_t)(p - out));
}

int
guts_value_repo_read(struct guts_slice v, struct guts_policy_state *ps)
{
	struct guts_cursor c;
	struct guts_slice from;

	guts_cursor_init(&c, v);
	if (guts_cursor_u8(&c) != 1)
		return GUTS_EUNSUPPORTED;
	ps->policy = (enum guts_policy)guts_cursor_u8(&c);
	ps->created_wall_ns = guts_cursor_be64(&c);
	ps->updated_wall_ns = guts_cursor_be64(&c);
	ps->size_bytes = guts_cursor_be64(&c);
	from = guts_cursor_bytes(&c, guts_cursor_u8(&c));
	if (!guts_cursor_done(&c) || ps->policy > GUTS_POLICY_BLOCK)
		return GUTS_EPROTO;
	memset(&ps->from, 0, sizeof ps->from);
	return from.n ? guts_peerid_decode(&ps->from, from) : GUTS_OK;
}

#define RIVAL_MAX (GUTS_STORE_VALUE_MAX - 1024) /* [bytes] */

void
guts_value_rival(struct guts_buf *out, const struct guts_head *h)
{
	struct guts_refentry e;
	uint64_t pos = 0;
	size_t start;

	guts_buf_add_be32(out, (uint32_t)h->envelope.n);
	guts_buf_add(out, h->envelope.p, h->envelope.n);
	start = out->len;
	while (h->tree && guts_reftree_next(h->tree, &pos, &e)) {
		if (out->len + e.name.n + 64 > RIVAL_MAX) {
			guts_buf_truncate(out, start);
			return;
		}
		guts_buf_add_be16(out, (uint16_t)e.name.n);
		guts_buf_add_slice(out, e.name);
		guts_buf_add_u8(out, e.oid.n);
		guts_buf_add(out, e.oid.b, e.oid.n);
		guts_buf_add_be64(out, e.version);
	}
}

int
guts_value_rival_read(struct guts_slice v, struct guts_head *h)
{
	GUTS_VEC(struct guts_refentry) entries = { 0 };
	struct guts_reftree *empty = guts_reftree_empty();
	struct guts_cursor c;
	struct guts_slice env;
	int err;

	guts_cursor_init(&c, v);
	env = guts_cursor_bytes(&c, guts_cursor_be32(&c));
	while (guts_cursor_ok(&c) && guts_cursor_left(&c)) {
		struct guts_refentry e = { 0 };

		e.name = guts_cursor_bytes(&c, guts_cursor_be16(&c));
		if (guts_oid_from_bytes(&e.oid, guts_cursor_bytes(&c, guts_cursor_u8(&c))))
			guts_cursor_fail(&c);
		e.version = guts_cursor_be64(&c);
		GUTS_VEC_PUSH(entries, e);
	}
	err = guts_cursor_ok(&c) ? guts_signedrefs_open(&h->rec, env, 0) : GUTS_EPROTO;
	if (!err)
		h->envelope = guts_bytes_dup(env);
	/* Entries that were left out, or do not fit the root, are simply not known. */
	if (!err && guts_reftree_apply_delta(empty, entries.v, entries.n, h->rec.refs_root, &h->tree))
		h->tree = NULL;
	GUTS_VEC_FREE(entries);
	guts_reftree_unref(empty);
	return err;
}
