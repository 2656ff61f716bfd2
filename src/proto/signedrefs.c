/* proto/signedrefs.c - signed refs: reading, writing, and how two records stand to each other.
 *
 * A record says nothing about its refs but their root.  Rollback is impossible because a
 * record is only ever compared by (sequence, hash) and names what it follows; cross-repository
 * use because it names the repository; both are under the signature.
 */
#include "proto/signedrefs.h"

#include "proto/fields.h"

struct payload {
	uint32_t format;
	struct guts_slice repository, author;
	uint64_t sequence;
	struct guts_pb_bytes_list previous;
	struct guts_slice refs_root;
	uint64_t ref_count, identity_version, time;
};

static const struct guts_pb_field payload_fields[] = {
	GUTS_PB_FIELD(struct payload, format, 1, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct payload, repository, 2, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct payload, author, 3, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct payload, sequence, 4, GUTS_PB_U64, 0),
	GUTS_PB_REPEATED(struct payload, previous, 5, GUTS_PB_BYTES, GUTS_HASH_SIZE,
			 GUTS_PREVIOUS_MAX, NULL),
	GUTS_PB_FIELD(struct payload, refs_root, 6, GUTS_PB_BYTES, GUTS_HASH_SIZE),
	GUTS_PB_FIELD(struct payload, ref_count, 7, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, identity_version, 8, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, time, 9, GUTS_PB_U64, 0),
};
const struct guts_pb_desc guts_signedrefs_payload_desc =
	GUTS_PB_DESC("SignedRefs", struct payload, payload_fields);

static bool
rules_ok(const struct guts_signedrefs *r)
{
	if (r->format < 1 || r->sequence < 1 || r->sequence > GUTS_SEQUENCE_MAX ||
	    r->nprevious > GUTS_PREVIOUS_MAX || r->ref_count > GUTS_REFS_PER_AUTHOR_MAX ||
	    r->identity_version >= GUTS_IDENTITY_VERSIONS_MAX)
		return false;
	for (size_t i = 1; i < r->nprevious; i++)
		if (memcmp(r->previous[i - 1], r->previous[i], GUTS_HASH_SIZE) >= 0)
			return false;
	return true;
}

static void
sort_previous(struct guts_signedrefs *r)
{
	uint8_t h[GUTS_HASH_SIZE];

	for (size_t i = 1; i < r->nprevious; i++) {
		size_t j = i;

		memcpy(h, r->previous[i], sizeof h);
		for (; j > 0 && memcmp(r->previous[j - 1], h, sizeof h) > 0; j--)
			memcpy(r->previous[j], r->previous[j - 1], sizeof h);
		memcpy(r->previous[j], h, sizeof h);
	}
}

int
guts_signedrefs_make(struct guts_buf *out, const struct guts_key *k, struct guts_signedrefs *r)
{
	struct guts_slice previous[GUTS_PREVIOUS_MAX];
	struct guts_buf bytes;
	struct payload p;
	int err;

	r->author = k->id;
	if (r->format == 0)
		r->format = GUTS_SIGNEDREFS_FORMAT;
	if (r->nprevious > GUTS_PREVIOUS_MAX)
		return GUTS_EINVAL;
	sort_previous(r);
	if (!rules_ok(r))
		return GUTS_EINVAL;
	for (size_t i = 0; i < r->nprevious; i++)
		previous[i] = guts_slice(r->previous[i], GUTS_HASH_SIZE);
	p = (struct payload){
		.format = r->format,
		.repository = guts_slice(r->repository, sizeof r->repository),
		.author = guts_peerid_slice(&r->author),
		.sequence = r->sequence,
		.previous = { previous, r->nprevious },
		.refs_root = guts_slice(r->refs_root, sizeof r->refs_root),
		.ref_count = r->ref_count,
		.identity_version = r->identity_version,
		.time = r->time_ms,
	};
	guts_buf_init(&bytes, GUTS_SIGNEDREFS_MAX);
	err = guts_pb_encode(&guts_signedrefs_payload_desc, &p, &bytes);
	if (!err)
		err = guts_record_seal(out, GUTS_RECORD_SIGNEDREFS, k, guts_buf_slice(&bytes),
				       r->hash);
	guts_buf_deinit(&bytes);
	return err;
}

static int
read_payload(struct guts_signedrefs *r, const struct payload *p, const struct guts_peerid *signer)
{
	r->format = p->format;
	r->sequence = p->sequence;
	r->ref_count = p->ref_count;
	r->identity_version = p->identity_version;
	r->time_ms = p->time;
	if (guts_field_signer(&r->author, p->author) || !guts_peerid_eq(&r->author, signer) ||
	    guts_field_exact(r->repository, sizeof r->repository, p->repository) ||
	    guts_field_exact(r->refs_root, sizeof r->refs_root, p->refs_root))
		return GUTS_EPROTO;
	r->nprevious = p->previous.n;
	for (size_t i = 0; i < p->previous.n; i++)
		if (guts_field_exact(r->previous[i], GUTS_HASH_SIZE, p->previous.v[i]))
			return GUTS_EPROTO;
	return rules_ok(r) ? 0 : GUTS_EPROTO;
}

int
guts_signedrefs_open(struct guts_signedrefs *r, struct guts_slice envelope, uint64_t now_wall_ms)
{
	struct guts_arena arena;
	struct guts_record rec;
	struct payload p;
	int err;

	memset(r, 0, sizeof *r);
	guts_arena_init(&arena, 4096);
	err = guts_record_open(&rec, GUTS_RECORD_SIGNEDREFS, envelope);
	if (err)
		goto out;
	err = guts_pb_decode(&guts_signedrefs_payload_desc, rec.payload, &p, &arena);
	if (err)
		goto out;
	memcpy(r->hash, rec.hash, sizeof r->hash);
	err = read_payload(r, &p, &rec.signer);
	if (!err)
		err = guts_record_check_time(r->time_ms, now_wall_ms);
out:
	guts_arena_deinit(&arena);
	return err;
}

bool
guts_signedrefs_names(const struct guts_signedrefs *r, const uint8_t hash[GUTS_HASH_SIZE])
{
	for (size_t i = 0; i < r->nprevious; i++)
		if (memcmp(r->previous[i], hash, GUTS_HASH_SIZE) == 0)
			return true;
	return false;
}

int
guts_signedrefs_check_after(const struct guts_signedrefs *r, const struct guts_signedrefs *prev)
{
	if (memcmp(r->repository, prev->repository, GUTS_REPOID_SIZE) != 0 ||
	    !guts_peerid_eq(&r->author, &prev->author) || !guts_signedrefs_names(r, prev->hash))
		return GUTS_EPROTO;
	if (r->sequence <= prev->sequence || r->format < prev->format ||
	    r->identity_version < prev->identity_version)
		return GUTS_ESTALE;
	return 0;
}

int
guts_signedrefs_cmp(const struct guts_signedrefs *a, const struct guts_signedrefs *b)
{
	if (a->sequence != b->sequence)
		return a->sequence > b->sequence ? -1 : 1;
	return memcmp(a->hash, b->hash, GUTS_HASH_SIZE);
}
