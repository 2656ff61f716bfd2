/* sync/fork.c - two chains of one author: which head is applied, and how the author joins them.
 *
 *	… ─ P ─ C (applied)            a new head H comes:
 *	     \                          H descends from C       → H is applied
 *	      H                         H is higher than C      → H is applied, C becomes a rival
 *	                                H is lower              → H becomes a rival
 *
 * "Higher" is the record's own order (sequence, then smaller hash), so every node that sees both heads
 * applies the same one.  A record that names several heads has joined them.  Only the author can sign it: it
 * takes, name by name, the entry with the highest version of all its heads.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

/* Is `hash` reached from `rec` by previous links, through the records of `chain`? */
static bool
reaches(const struct guts_signedrefs *rec, const struct guts_signedrefs *chain, size_t n,
    const uint8_t hash[GUTS_HASH_SIZE])
{
	bool *seen = guts_calloc(n + 1, sizeof *seen);
	const struct guts_signedrefs **todo = guts_calloc(n + 1, sizeof(void *));
	size_t ntodo = 0;
	bool found = false;

	todo[ntodo++] = rec;
	while (ntodo && !found) {
		const struct guts_signedrefs *x = todo[--ntodo];

		found = guts_signedrefs_names(x, hash);
		for (size_t i = 0; i < n; i++) {
			if (!seen[i] && guts_signedrefs_names(x, chain[i].hash)) {
				seen[i] = true;
				todo[ntodo++] = &chain[i];
			}
		}
	}
	free(todo);
	free(seen);
	return found;
}

static bool
first_only(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_signedrefs rec;

	(void)key;
	if (guts_signedrefs_open(&rec, value, 0) == GUTS_OK)
		*(uint64_t *)owner = rec.sequence;
	return false;
}

/* Is the record in our stored chain, or older than all of it? */
static bool
is_past(struct guts_repo *r, const struct guts_signedrefs *rec)
{
	struct guts_slice none = { 0 };
	struct guts_storekey k;
	struct guts_buf v;
	uint64_t oldest = UINT64_MAX;
	bool known;

	guts_buf_init(&v, GUTS_SIGNEDREFS_MAX);
	known = guts_store_get(r->sync->s.store, GUTS_TABLE_REFS, guts_key_record(&k, r, rec), &v) == GUTS_OK;
	guts_buf_deinit(&v);
	if (known)
		return true;
	guts_store_scan(r->sync->s.store, GUTS_TABLE_REFS, guts_key_author(&k, r, &rec->author), none, first_only, &oldest);
	return rec->sequence < oldest;
}

static void
keep_rival(struct guts_change_author *out, const struct guts_head *h)
{
	if (out->nrivals < GUTS_RIVALS_MAX)
		guts_head_copy(&out->rivals[out->nrivals++], h);
}

int
guts_fork_decide(struct guts_repo *r, struct guts_author *a, const struct guts_head *h,
    const struct guts_signedrefs *chain, size_t nchain, struct guts_change_author *out)
{
	const struct guts_head *cur = &a->head;
	bool descends;
	int err;

	*out = (struct guts_change_author){ .id = a->id };
	if (!cur->rec.sequence) {
		guts_head_copy(&out->head, h);
		return GUTS_OK;
	}
	if (memcmp(h->rec.hash, cur->rec.hash, GUTS_HASH_SIZE) == 0)
		return GUTS_ESTALE;
	for (size_t i = 0; i < a->nrivals; i++) {
		if (memcmp(h->rec.hash, a->rivals[i].rec.hash, GUTS_HASH_SIZE) == 0 && (a->rivals[i].tree || !h->tree))
			return GUTS_ESTALE;
	}
	descends = reaches(&h->rec, chain, nchain, cur->rec.hash);
	if (guts_signedrefs_names(&h->rec, cur->rec.hash)) {
		err = guts_signedrefs_check_after(&h->rec, &cur->rec);
		if (err)
			return err;
	}
	if (!descends && guts_signedrefs_cmp(&h->rec, &cur->rec) > 0) {
		if (is_past(r, &h->rec))
			return GUTS_ESTALE;
		out->rivals_only = true;
	}
	/* Heads that the new one does not descend from stay beside it. */
	for (size_t i = 0; i < a->nrivals; i++) {
		if (memcmp(a->rivals[i].rec.hash, h->rec.hash, GUTS_HASH_SIZE) != 0 &&
		    !reaches(&h->rec, chain, nchain, a->rivals[i].rec.hash))
			keep_rival(out, &a->rivals[i]);
	}
	if (out->rivals_only) {
		keep_rival(out, h);
		return GUTS_OK;
	}
	if (!descends && nchain < GUTS_RECORD_CHAIN_KEPT - 1)
		keep_rival(out, cur);
	guts_head_copy(&out->head, h);
	return GUTS_OK;
}

int
guts_fork_sign(struct guts_change *c, struct guts_reftree *tree, bool join_rivals)
{
	struct guts_repo *r = c->repo;
	struct guts_sync *s = r->sync;
	const struct guts_author *a = guts_repo_author_add(r, &s->s.key->id);
	struct guts_change_author ca = { .id = a->id };
	struct guts_signedrefs *rec = &ca.head.rec;
	struct guts_buf out;
	uint64_t above = a->head.rec.sequence;
	int err;

	memcpy(rec->repository, r->id, sizeof r->id);
	if (a->head.rec.sequence)
		memcpy(rec->previous[rec->nprevious++], a->head.rec.hash, GUTS_HASH_SIZE);
	for (size_t i = 0; i < a->nrivals; i++) {
		if (!join_rivals) {
			keep_rival(&ca, &a->rivals[i]);
			continue;
		}
		memcpy(rec->previous[rec->nprevious++], a->rivals[i].rec.hash, GUTS_HASH_SIZE);
		if (a->rivals[i].rec.sequence > above)
			above = a->rivals[i].rec.sequence;
	}
	rec->sequence = guts_sync_sequence(s, above);
	memcpy(rec->refs_root, guts_reftree_root(tree), GUTS_HASH_SIZE);
	rec->ref_count = guts_reftree_count(tree);
	rec->identity_version = guts_repo_identity(r)->version;
	rec->time_ms = guts_sync_wall_ms(s);
	guts_buf_init(&out, GUTS_SIGNEDREFS_MAX);
	err = guts_signedrefs_make(&out, s->s.key, rec);
	if (err) {
		guts_buf_deinit(&out);
		for (size_t i = 0; i < ca.nrivals; i++)
			guts_head_free(&ca.rivals[i]);
		guts_reftree_unref(tree);
		return err;
	}
	ca.head.envelope = guts_bytes_dup(guts_buf_slice(&out));
	ca.head.tree = tree;
	guts_buf_deinit(&out);
	GUTS_VEC_PUSH(c->authors, ca);
	return GUTS_OK;
}

/* Entries of a rival that the tree lacks or has in a lower version. */
struct join {
	const struct guts_reftree *tree;
	struct guts_refentry *v;
	size_t n, cap;
};

static int
join_entry(void *owner, const struct guts_refentry *e)
{
	struct join *j = owner;
	struct guts_refentry have;

	if (e->version && (!guts_reftree_find(j->tree, e->name, &have) || have.version < e->version))
		GUTS_VEC_PUSH(*j, *e);
	return GUTS_OK;
}

static int
prepare_close(struct guts_change *c)
{
	struct guts_repo *r = c->repo;
	const struct guts_author *a = guts_repo_author(r, &r->sync->s.key->id);
	struct guts_reftree *tree;
	int err = GUTS_OK;

	if (!a || !a->nrivals)
		return GUTS_OK;
	tree = guts_reftree_ref(a->head.tree);
	for (size_t i = 0; i < a->nrivals && !err; i++) {
		struct join j = { .tree = tree };
		struct guts_reftree *next;

		if (!a->rivals[i].tree) {
			guts_reftree_unref(tree);
			return GUTS_OK;
		}
		err = guts_reftree_changes(tree, a->rivals[i].tree, join_entry, &j);
		if (!err)
			err = guts_reftree_apply(tree, j.v, j.n, &next);
		free(j.v);
		if (!err) {
			guts_reftree_unref(tree);
			tree = next;
		}
	}
	if (err) {
		guts_reftree_unref(tree);
		return err;
	}
	guts_log(GUTS_LOG_NOTICE, "sync", "repo=%s: joining %zu heads of this node's own chain", r->id_text, a->nrivals + 1);
	return guts_fork_sign(c, tree, true);
}

void
guts_fork_close(struct guts_repo *r)
{
	const struct guts_author *a = guts_repo_author(r, &r->sync->s.key->id);
	struct guts_change *c;

	if (!a || !a->nrivals || r->is_removed)
		return;
	for (size_t i = 0; i < a->nrivals; i++) {
		if (!a->rivals[i].tree)
			return;
	}
	c = guts_change_new(r, &a->id);
	c->prepare = prepare_close;
	if (guts_change_submit(c))
		guts_change_free(c);
}
