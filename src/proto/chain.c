/* proto/chain.c - from single identity versions to a chain: votes, successors, rivals.
 *
 * What may follow depends on the version before it alone, never on which arrived first; and
 * of two valid successors the smaller hash wins, which every node computes alike.  So nodes
 * that hold the same records hold the same chain.
 */
#include "proto/fields.h"
#include "proto/identity.h"

struct payload {
	struct guts_slice voter, repository;
	uint64_t version;
	struct guts_slice identity;
	uint64_t time;
};

static const struct guts_pb_field payload_fields[] = {
	GUTS_PB_FIELD(struct payload, voter, 1, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct payload, repository, 2, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct payload, version, 3, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, identity, 4, GUTS_PB_BYTES, GUTS_HASH_SIZE),
	GUTS_PB_FIELD(struct payload, time, 5, GUTS_PB_U64, 0),
};
const struct guts_pb_desc guts_vote_payload_desc =
	GUTS_PB_DESC("Vote", struct payload, payload_fields);

int
guts_vote_make(struct guts_buf *out, const struct guts_key *k, const struct guts_identity *id,
	       uint64_t time_ms, struct guts_vote *v)
{
	struct payload p = {
		.voter = guts_peerid_slice(&k->id),
		.repository = guts_slice(id->repository, sizeof id->repository),
		.version = id->version,
		.identity = guts_slice(id->hash, sizeof id->hash),
		.time = time_ms,
	};
	struct guts_buf bytes;
	int err;

	memset(v, 0, sizeof *v);
	if (id->version == 0)
		return GUTS_EINVAL;
	v->voter = k->id;
	v->version = id->version;
	v->time_ms = time_ms;
	memcpy(v->repository, id->repository, sizeof v->repository);
	memcpy(v->identity, id->hash, sizeof v->identity);

	guts_buf_init(&bytes, GUTS_VOTE_MAX);
	err = guts_pb_encode(&guts_vote_payload_desc, &p, &bytes);
	if (!err)
		err = guts_record_seal(out, GUTS_RECORD_VOTE, k, guts_buf_slice(&bytes), v->hash);
	guts_buf_deinit(&bytes);
	return err;
}

int
guts_vote_open(struct guts_vote *v, struct guts_slice envelope, uint64_t now_wall_ms)
{
	struct guts_arena arena;
	struct guts_record r;
	struct payload p;
	int err;

	memset(v, 0, sizeof *v);
	err = guts_record_open(&r, GUTS_RECORD_VOTE, envelope);
	if (err)
		return err;
	guts_arena_init(&arena, 1024);
	err = guts_pb_decode(&guts_vote_payload_desc, r.payload, &p, &arena);
	guts_arena_deinit(&arena);
	if (err)
		return err;
	memcpy(v->hash, r.hash, sizeof v->hash);
	v->version = p.version;
	v->time_ms = p.time;
	if (guts_field_signer(&v->voter, p.voter) || !guts_peerid_eq(&v->voter, &r.signer) ||
	    guts_field_exact(v->repository, sizeof v->repository, p.repository) ||
	    guts_field_exact(v->identity, sizeof v->identity, p.identity) || v->version == 0 ||
	    v->version >= GUTS_IDENTITY_VERSIONS_MAX)
		return GUTS_EPROTO;
	return guts_record_check_time(v->time_ms, now_wall_ms);
}

/* How many of `keys` have a vote for `next`. */
static uint32_t
count_votes(const struct guts_identity *next, const struct guts_peerid *keys, uint32_t n,
	    const struct guts_vote *votes, size_t nvotes)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		for (size_t j = 0; j < nvotes; j++) {
			const struct guts_vote *v = &votes[j];

			if (guts_peerid_eq(&v->voter, &keys[i]) && v->version == next->version &&
			    memcmp(v->identity, next->hash, GUTS_HASH_SIZE) == 0 &&
			    memcmp(v->repository, next->repository, GUTS_REPOID_SIZE) == 0) {
				found++;
				break;
			}
		}
	}
	return found;
}

int
guts_identity_check_successor(const struct guts_identity *prev, const struct guts_identity *next,
			      const struct guts_vote *votes, size_t nvotes)
{
	if (next->version != prev->version + 1 ||
	    memcmp(next->previous, prev->hash, GUTS_HASH_SIZE) != 0 ||
	    memcmp(next->repository, prev->repository, GUTS_REPOID_SIZE) != 0 ||
	    !guts_peerid_eq(&next->creator, &prev->creator) ||
	    memcmp(next->nonce, prev->nonce, GUTS_NONCE_SIZE) != 0 ||
	    next->object_format != prev->object_format)
		return GUTS_EPROTO;
	if (!guts_peerid_is_among(prev->delegates, prev->ndelegates, &next->signer) &&
	    !guts_peerid_is_among(prev->recovery, prev->nrecovery, &next->signer))
		return GUTS_EPROTO;
	if (count_votes(next, prev->delegates, prev->ndelegates, votes, nvotes) >= prev->threshold)
		return 0;
	if (prev->nrecovery > 0 && count_votes(next, prev->recovery, prev->nrecovery, votes,
					       nvotes) == prev->nrecovery)
		return 0;
	return GUTS_EDENIED;
}

int
guts_identity_cmp_rivals(const struct guts_identity *a, const struct guts_identity *b)
{
	return memcmp(a->hash, b->hash, GUTS_HASH_SIZE);
}

int
guts_identity_cmp_chains(const uint8_t (*a)[GUTS_HASH_SIZE], size_t na,
			 const uint8_t (*b)[GUTS_HASH_SIZE], size_t nb, size_t *fork)
{
	for (size_t i = 0; i < na && i < nb; i++) {
		int c = memcmp(a[i], b[i], GUTS_HASH_SIZE);

		if (c) {
			*fork = i;
			return c;
		}
	}
	*fork = SIZE_MAX;
	return (na < nb) - (na > nb);
}
