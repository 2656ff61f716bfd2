/* sync/fetchbucket.c - a large tree whose base the provider does not know: compared by bucket.
 *
 * The provider sends 256 bucket hashes instead of entries; they must make the root that the record signs.  Only the
 * buckets that differ from ours are asked for, and what they make of our tree must have that root again.
 */
#include "sync/fetch.h"

#include "base/alloc.h"

#include <stdlib.h>

int
guts_fetch_note_buckets(struct guts_fetch *f, const struct guts_fetch_block *b, const struct guts_signedrefs *rec)
{
	const struct guts_author *a = guts_repo_author(f->repo, &b->author);
	const struct guts_reftree *ours = a ? a->head.tree : f->repo->sync->empty;
	uint8_t root[GUTS_HASH_SIZE];

	if (b->bucket_hashes.n != GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE)
		return GUTS_EPROTO;
	guts_reftree_root_of(b->bucket_hashes.p, rec->ref_count, root);
	if (memcmp(root, rec->refs_root, sizeof root) != 0)
		return GUTS_EPROTO;
	if (f->by_bucket) /* one author at a time: the next look takes the others */
		return GUTS_OK;
	f->by_bucket = true;
	f->bucket_author = b->author;
	memcpy(f->answer.bucket_record, rec->hash, sizeof f->answer.bucket_record);
	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++) {
		if (memcmp(b->bucket_hashes.p + i * GUTS_HASH_SIZE, guts_reftree_bucket_hash(ours, i), GUTS_HASH_SIZE) != 0)
			GUTS_VEC_PUSH(f->answer.bucket_wants, i);
	}
	return GUTS_OK;
}

int
guts_fetch_join_buckets(const struct guts_fetch_answer *a, const struct guts_fetch_block *b,
    const struct guts_signedrefs *rec, struct guts_reftree **out)
{
	struct guts_reftree *tree = guts_reftree_ref(b->onto), *next;
	struct guts_refentry *v;
	int err = memcmp(rec->hash, a->bucket_record, GUTS_HASH_SIZE) == 0 ? GUTS_OK : GUTS_ECONFLICT;

	v = guts_calloc(b->entries.n + 1, sizeof *v);
	for (size_t w = 0; w < a->bucket_wants.n && !err; w++) {
		size_t n = 0;

		for (size_t i = 0; i < b->entries.n; i++) {
			if (b->buckets.v[i] == a->bucket_wants.v[w])
				v[n++] = b->entries.v[i];
		}
		err = guts_reftree_set_bucket(tree, (unsigned)a->bucket_wants.v[w], v, n, &next);
		if (!err) {
			guts_reftree_unref(tree);
			tree = next;
		}
	}
	free(v);
	if (!err && memcmp(guts_reftree_root(tree), rec->refs_root, GUTS_HASH_SIZE) != 0)
		err = GUTS_EPROTO;
	if (err)
		guts_reftree_unref(tree);
	else
		*out = tree;
	return err;
}
