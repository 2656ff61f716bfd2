/* proto/reftree.c - an author's entries in 256 shared, immutable buckets.
 *
 *	tree ──► bucket 0 ──► { hash, entries sorted by name, their names }
 *	     ──► bucket 1      one block of memory, counted references
 *	     …
 *
 * A change copies the touched buckets, hashes them and then the 8 KiB of bucket hashes; all
 * other buckets are shared with the tree it came from.  Readers on other threads hold a tree
 * and need no lock, because nothing in it ever changes.  Rejected: a balanced tree with
 * shared nodes; it makes smaller copies (a bucket of 100,000 refs is 40 KB) but the root
 * would depend on its shape or need a second structure.
 */
#include "proto/reftree.h"

#include "base/alloc.h"
#include "base/err.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct entry {
	const uint8_t *name; /* into the bucket's own block */
	uint64_t version;
	uint32_t tag;
	uint16_t name_n;
	uint8_t oid_n;
	uint8_t oid[GUTS_OID_MAX];
};

struct bucket {
	atomic_int refs;
	uint32_t n, live;
	uint8_t hash[GUTS_HASH_SIZE];
	struct entry e[];
};

struct guts_reftree {
	atomic_int refs;
	uint8_t oid_n; /* length of all oids; 0 = none seen yet */
	size_t count, live;
	uint8_t root[GUTS_HASH_SIZE];
	struct bucket *b[GUTS_REFTREE_BUCKETS]; /* NULL = no entries */
};

static const uint8_t no_entries[GUTS_HASH_SIZE];

/* -- hashing ---------------------------------------------------------------------------- */

#define BUCKET_TAG "guts-refs-bucket/1" /* hashed with its NUL */
#define ROOT_TAG "guts-refs-root/1"

static uint8_t *
put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	return p + bytes;
}

static uint8_t *
put(uint8_t *p, const void *bytes, size_t n)
{
	if (n)
		memcpy(p, bytes, n);
	return p + n;
}

static void
hash_bucket(struct bucket *b, unsigned number)
{
	size_t size = sizeof BUCKET_TAG + 1 + 4;
	uint8_t *mem, *p;

	for (uint32_t i = 0; i < b->n; i++)
		size += 2u + b->e[i].name_n + 1u + b->e[i].oid_n + 8u;
	mem = p = guts_alloc(size);
	p = put(p, BUCKET_TAG, sizeof BUCKET_TAG);
	p = put_be(p, number, 1);
	p = put_be(p, b->n, 4);
	for (uint32_t i = 0; i < b->n; i++) {
		const struct entry *e = &b->e[i];

		p = put_be(p, e->name_n, 2);
		p = put(p, e->name, e->name_n);
		p = put_be(p, e->oid_n, 1);
		p = put(p, e->oid, e->oid_n);
		p = put_be(p, e->version, 8);
	}
	guts_sha256(b->hash, guts_slice(mem, size));
	free(mem);
}

void
guts_reftree_root_of(const uint8_t *bucket_hashes, uint64_t count, uint8_t root[GUTS_HASH_SIZE])
{
	uint8_t mem[sizeof ROOT_TAG + 8 + GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE], *p = mem;

	p = put(p, ROOT_TAG, sizeof ROOT_TAG);
	p = put_be(p, count, 8);
	p = put(p, bucket_hashes, GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE);
	guts_sha256(root, guts_slice(mem, (size_t)(p - mem)));
}

static void
hash_root(struct guts_reftree *t)
{
	uint8_t hashes[GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE], *p = hashes;

	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++)
		p = put(p, guts_reftree_bucket_hash(t, i), GUTS_HASH_SIZE);
	guts_reftree_root_of(hashes, t->count, t->root);
}

/* -- references ------------------------------------------------------------------------- */

static struct bucket *
bucket_ref(struct bucket *b)
{
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

static void
bucket_unref(struct bucket *b)
{
	if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}

struct guts_reftree *
guts_reftree_empty(void)
{
	struct guts_reftree *t = guts_alloc(sizeof *t);

	atomic_init(&t->refs, 1);
	hash_root(t);
	return t;
}

struct guts_reftree *
guts_reftree_ref(struct guts_reftree *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
guts_reftree_unref(struct guts_reftree *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++)
		bucket_unref(t->b[i]);
	free(t);
}

/* A new tree that shares all buckets of `t`. */
static struct guts_reftree *
copy_of(const struct guts_reftree *t)
{
	struct guts_reftree *c = guts_alloc(sizeof *c);

	atomic_init(&c->refs, 1);
	c->oid_n = t->oid_n;
	c->count = t->count;
	c->live = t->live;
	memcpy(c->root, t->root, sizeof c->root);
	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++)
		c->b[i] = bucket_ref(t->b[i]);
	return c;
}

/* -- asking ----------------------------------------------------------------------------- */

const uint8_t *
guts_reftree_root(const struct guts_reftree *t)
{
	return t->root;
}

const uint8_t *
guts_reftree_bucket_hash(const struct guts_reftree *t, unsigned bucket)
{
	assert(bucket < GUTS_REFTREE_BUCKETS);
	return t->b[bucket] ? t->b[bucket]->hash : no_entries;
}

size_t
guts_reftree_count(const struct guts_reftree *t)
{
	return t->count;
}

size_t
guts_reftree_live(const struct guts_reftree *t)
{
	return t->live;
}

unsigned
guts_reftree_oid_size(const struct guts_reftree *t)
{
	return t->oid_n;
}

size_t
guts_reftree_bucket_count(const struct guts_reftree *t, unsigned bucket)
{
	assert(bucket < GUTS_REFTREE_BUCKETS);
	return t->b[bucket] ? t->b[bucket]->n : 0;
}

unsigned
guts_reftree_bucket_of(struct guts_slice name)
{
	uint8_t hash[GUTS_HASH_SIZE];

	guts_sha256(hash, name);
	return hash[0];
}

static struct guts_slice
name_of(const struct entry *e)
{
	return guts_slice(e->name, e->name_n);
}

static void
show(struct guts_refentry *out, const struct entry *e)
{
	out->name = name_of(e);
	memset(&out->oid, 0, sizeof out->oid);
	out->oid.n = e->oid_n;
	memcpy(out->oid.b, e->oid, e->oid_n);
	out->version = e->version;
	out->tag = e->tag;
}

bool
guts_reftree_find_in(const struct guts_reftree *t, unsigned bucket, struct guts_slice name,
		     struct guts_refentry *e)
{
	const struct bucket *b;
	uint32_t lo = 0, hi;

	assert(bucket < GUTS_REFTREE_BUCKETS);
	b = t->b[bucket];
	hi = b ? b->n : 0;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = guts_slice_cmp(name, name_of(&b->e[mid]));

		if (c == 0) {
			show(e, &b->e[mid]);
			return true;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return false;
}

bool
guts_reftree_find(const struct guts_reftree *t, struct guts_slice name, struct guts_refentry *e)
{
	return guts_reftree_find_in(t, guts_reftree_bucket_of(name), name, e);
}

void
guts_reftree_at(const struct guts_reftree *t, unsigned bucket, size_t i, struct guts_refentry *e)
{
	assert(i < guts_reftree_bucket_count(t, bucket));
	show(e, &t->b[bucket]->e[i]);
}

bool
guts_reftree_next(const struct guts_reftree *t, uint64_t *pos, struct guts_refentry *e)
{
	unsigned bucket = (unsigned)(*pos >> 32);
	uint32_t i = (uint32_t)*pos;

	for (; bucket < GUTS_REFTREE_BUCKETS; bucket++, i = 0) {
		if (i < guts_reftree_bucket_count(t, bucket)) {
			show(e, &t->b[bucket]->e[i]);
			*pos = (uint64_t)bucket << 32 | (i + 1);
			return true;
		}
	}
	*pos = (uint64_t)GUTS_REFTREE_BUCKETS << 32;
	return false;
}

static int
by_name(const void *a, const void *b)
{
	return guts_slice_cmp(((const struct guts_refentry *)a)->name,
			      ((const struct guts_refentry *)b)->name);
}

struct guts_refentry *
guts_reftree_sorted(const struct guts_reftree *t)
{
	struct guts_refentry *v = guts_calloc(t->count + 1, sizeof *v);
	uint64_t pos = 0;
	size_t n = 0;

	while (guts_reftree_next(t, &pos, &v[n]))
		n++;
	qsort(v, n, sizeof *v, by_name);
	return v;
}

/* -- changing --------------------------------------------------------------------------- */

struct change {
	const struct guts_refentry *e;
	unsigned bucket;
};

static int
by_bucket_and_name(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return guts_slice_cmp(x->e->name, y->e->name);
}

/* Names valid and single, oids of one length (known in *oid_n, if not 0); sorted by bucket and
 * name in *out.  Owner: caller, free(). */
static int
sort_changes(const struct guts_refentry *changes, size_t n, uint8_t *oid_n, struct change **out)
{
	struct change *v = guts_calloc(n + 1, sizeof *v);

	for (size_t i = 0; i < n; i++) {
		const struct guts_refentry *e = &changes[i];

		if (!guts_refname_is_valid(e->name))
			goto bad;
		if (e->oid.n != 0) {
			if ((e->oid.n != 20 && e->oid.n != 32) || (*oid_n && e->oid.n != *oid_n))
				goto bad;
			*oid_n = e->oid.n;
		}
		v[i].e = e;
		v[i].bucket = guts_reftree_bucket_of(e->name);
	}
	qsort(v, n, sizeof *v, by_bucket_and_name);
	for (size_t i = 1; i < n; i++)
		if (v[i].bucket == v[i - 1].bucket &&
		    guts_slice_eq(v[i].e->name, v[i - 1].e->name))
			goto bad;
	*out = v;
	return 0;
bad:
	free(v);
	return GUTS_EPROTO;
}

static bool
same_value(const struct entry *a, const struct entry *b)
{
	return a->version == b->version && a->oid_n == b->oid_n &&
	       memcmp(a->oid, b->oid, a->oid_n) == 0;
}

static void
take(struct entry *to, const struct guts_refentry *e)
{
	memset(to, 0, sizeof *to);
	to->name = e->name.p;
	to->name_n = (uint16_t)e->name.n;
	to->version = e->version;
	to->tag = e->tag;
	to->oid_n = e->oid.n;
	memcpy(to->oid, e->oid.b, e->oid.n);
}

/* A bucket of `n` entries whose names stand elsewhere: copies them.  NULL if n = 0. */
static struct bucket *
build_bucket(unsigned number, const struct entry *v, size_t n)
{
	size_t names = 0;
	struct bucket *b;
	uint8_t *p;

	if (n == 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		names += v[i].name_n;
	b = guts_alloc(sizeof *b + n * sizeof b->e[0] + names);
	atomic_init(&b->refs, 1);
	b->n = (uint32_t)n;
	p = (uint8_t *)&b->e[n];
	for (size_t i = 0; i < n; i++) {
		b->e[i] = v[i];
		b->e[i].name = p;
		p = put(p, v[i].name, v[i].name_n);
		b->live += v[i].oid_n != 0;
	}
	hash_bucket(b, number);
	return b;
}

static void
replace_bucket(struct guts_reftree *t, unsigned number, struct bucket *b)
{
	struct bucket *old = t->b[number];

	if (old) {
		t->count -= old->n;
		t->live -= old->live;
	}
	if (b) {
		t->count += b->n;
		t->live += b->live;
	}
	t->b[number] = b;
	bucket_unref(old);
}

/* Merge `n` sorted changes of one bucket into it; true if anything is different now. */
static bool
merge_bucket(struct guts_reftree *t, unsigned number, const struct change *c, size_t n)
{
	const struct bucket *old = t->b[number];
	size_t old_n = old ? old->n : 0, i = 0, j = 0, k = 0;
	struct entry *v = guts_calloc(old_n + n, sizeof *v);
	bool changed = false;

	while (i < old_n || j < n) {
		int order = i == old_n ? 1 :
			    j == n     ? -1 :
					 guts_slice_cmp(name_of(&old->e[i]), c[j].e->name);

		if (order < 0) {
			v[k++] = old->e[i++];
			continue;
		}
		if (c[j].e->version > 0) {
			take(&v[k], c[j].e);
			changed |= order != 0 || !same_value(&v[k], &old->e[i]) ||
				   v[k].tag != old->e[i].tag;
			k++;
		} else {
			changed |= order == 0;
		}
		i += order == 0;
		j++;
	}
	if (changed)
		replace_bucket(t, number, build_bucket(number, v, k));
	free(v);
	return changed;
}

int
guts_reftree_apply_max(const struct guts_reftree *t, const struct guts_refentry *changes, size_t n,
		       size_t count_max, struct guts_reftree **out)
{
	struct guts_reftree *next;
	uint8_t oid_n = t->oid_n;
	struct change *c = NULL;
	bool changed = false;
	int err;

	*out = NULL;
	err = sort_changes(changes, n, &oid_n, &c);
	if (err)
		return err;
	next = copy_of(t);
	next->oid_n = oid_n;
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && c[end].bucket == c[i].bucket; end++)
			;
		changed |= merge_bucket(next, c[i].bucket, c + i, end - i);
	}
	free(c);
	if (next->count > count_max) {
		guts_reftree_unref(next);
		return GUTS_ELIMIT;
	}
	if (changed)
		hash_root(next);
	*out = next;
	return 0;
}

int
guts_reftree_apply(const struct guts_reftree *t, const struct guts_refentry *changes, size_t n,
		   struct guts_reftree **out)
{
	return guts_reftree_apply_max(t, changes, n, GUTS_REFS_PER_AUTHOR_MAX, out);
}

int
guts_reftree_apply_delta(const struct guts_reftree *t, const struct guts_refentry *changes,
			 size_t n, const uint8_t want[GUTS_HASH_SIZE], struct guts_reftree **out)
{
	int err;

	*out = NULL;
	for (size_t i = 0; i < n; i++)
		if (changes[i].version == 0 || changes[i].tag != 0)
			return GUTS_EPROTO;
	err = guts_reftree_apply(t, changes, n, out);
	if (!err && memcmp((*out)->root, want, GUTS_HASH_SIZE) != 0) {
		guts_reftree_unref(*out);
		*out = NULL;
		err = GUTS_EPROTO;
	}
	return err;
}

int
guts_reftree_set_bucket(const struct guts_reftree *t, unsigned bucket,
			const struct guts_refentry *entries, size_t n, struct guts_reftree **out)
{
	struct guts_reftree *next = NULL;
	uint8_t oid_n = t->oid_n;
	struct change *c = NULL;
	struct entry *v;
	int err;

	assert(bucket < GUTS_REFTREE_BUCKETS);
	*out = NULL;
	if (t->count - guts_reftree_bucket_count(t, bucket) + n > GUTS_REFS_PER_AUTHOR_MAX)
		return GUTS_ELIMIT;
	err = sort_changes(entries, n, &oid_n, &c);
	if (err)
		return err;
	v = guts_calloc(n + 1, sizeof *v);
	for (size_t i = 0; i < n && !err; i++) {
		if (c[i].bucket != bucket || c[i].e->version == 0)
			err = GUTS_EPROTO;
		else
			take(&v[i], c[i].e);
	}
	if (!err) {
		next = copy_of(t);
		next->oid_n = oid_n;
		replace_bucket(next, bucket, build_bucket(bucket, v, n));
		hash_root(next);
		*out = next;
	}
	free(v);
	free(c);
	return err;
}

/* -- comparing -------------------------------------------------------------------------- */

typedef int each_fn(void *owner, const struct guts_refentry *e);

/* Walk two versions of one bucket by name.  `both_ways`: report what only `a` has as version 0 and
 * look at tags; otherwise that is GUTS_ECONFLICT. */
static int
diff_bucket(const struct bucket *a, const struct bucket *b, bool both_ways, each_fn *each,
	    void *owner)
{
	uint32_t na = a ? a->n : 0, nb = b ? b->n : 0, i = 0, j = 0;
	struct guts_refentry e;
	int err = 0;

	while (!err && (i < na || j < nb)) {
		int order = i == na ? 1 :
			    j == nb ? -1 :
				      guts_slice_cmp(name_of(&a->e[i]), name_of(&b->e[j]));

		if (order < 0) {
			if (!both_ways)
				return GUTS_ECONFLICT;
			show(&e, &a->e[i++]);
			e.version = 0;
			err = each(owner, &e);
			continue;
		}
		if (order > 0 || !same_value(&a->e[i], &b->e[j]) ||
		    (both_ways && a->e[i].tag != b->e[j].tag)) {
			show(&e, &b->e[j]);
			err = each(owner, &e);
		}
		i += order == 0;
		j++;
	}
	return err;
}

int
guts_reftree_diff(const struct guts_reftree *a, const struct guts_reftree *b, each_fn *each,
		  void *owner)
{
	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++) {
		int err;

		if (a->b[i] == b->b[i] || memcmp(guts_reftree_bucket_hash(a, i),
						 guts_reftree_bucket_hash(b, i),
						 GUTS_HASH_SIZE) == 0)
			continue;
		err = diff_bucket(a->b[i], b->b[i], false, each, owner);
		if (err)
			return err;
	}
	return 0;
}

int
guts_reftree_changes(const struct guts_reftree *a, const struct guts_reftree *b, each_fn *each,
		     void *owner)
{
	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++) {
		int err;

		if (a->b[i] == b->b[i])
			continue;
		err = diff_bucket(a->b[i], b->b[i], true, each, owner);
		if (err)
			return err;
	}
	return 0;
}
