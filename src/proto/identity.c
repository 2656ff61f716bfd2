/* proto/identity.c - one identity version: reading, writing, and its own rules.
 *
 * The payload is decoded into a struct of views, then copied into the plain value while each
 * rule is checked, so the same `check` serves what we sign and what we open: a record that
 * we make is one that every peer takes.  Chains and votes are in chain.c.
 */
#include "proto/identity.h"

#include "base/alloc.h"
#include "proto/fields.h"

#include <strings.h>

struct payload {
	uint64_t version;
	struct guts_slice repository, previous, creator, nonce;
	uint64_t time;
	uint32_t object_format;
	struct guts_slice name, description, default_branch;
	uint32_t visibility;
	bool retired;
	uint32_t threshold;
	struct guts_pb_bytes_list delegates, recovery, readers, status_signers,
		required_contexts, gated_branches;
};

static const struct guts_pb_field payload_fields[] = {
	GUTS_PB_FIELD(struct payload, version, 1, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, repository, 2, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct payload, previous, 3, GUTS_PB_BYTES, GUTS_HASH_SIZE),
	GUTS_PB_FIELD(struct payload, creator, 4, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct payload, nonce, 5, GUTS_PB_BYTES, GUTS_NONCE_SIZE),
	GUTS_PB_FIELD(struct payload, time, 6, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, object_format, 7, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct payload, name, 8, GUTS_PB_STRING, GUTS_NAME_MAX),
	GUTS_PB_FIELD(struct payload, description, 9, GUTS_PB_STRING, GUTS_DESCRIPTION_MAX),
	GUTS_PB_FIELD(struct payload, default_branch, 10, GUTS_PB_STRING, GUTS_BRANCH_MAX),
	GUTS_PB_FIELD(struct payload, visibility, 11, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct payload, retired, 12, GUTS_PB_BOOL, 0),
	GUTS_PB_FIELD(struct payload, threshold, 13, GUTS_PB_U32, 0),
	GUTS_PB_REPEATED(struct payload, delegates, 14, GUTS_PB_BYTES, GUTS_PEERID_MAX,
			 GUTS_DELEGATES_MAX, NULL),
	GUTS_PB_REPEATED(struct payload, recovery, 15, GUTS_PB_BYTES, GUTS_PEERID_MAX,
			 GUTS_RECOVERY_MAX, NULL),
	GUTS_PB_REPEATED(struct payload, readers, 16, GUTS_PB_BYTES, GUTS_PEERID_MAX,
			 GUTS_READERS_MAX, NULL),
	GUTS_PB_REPEATED(struct payload, status_signers, 17, GUTS_PB_BYTES, GUTS_PEERID_MAX,
			 GUTS_SIGNERS_MAX, NULL),
	GUTS_PB_REPEATED(struct payload, required_contexts, 18, GUTS_PB_STRING, GUTS_CONTEXT_MAX,
			 GUTS_CONTEXTS_MAX, NULL),
	GUTS_PB_REPEATED(struct payload, gated_branches, 19, GUTS_PB_STRING, GUTS_GATE_MAX,
			 GUTS_GATES_MAX, NULL),
};
const struct guts_pb_desc guts_identity_payload_desc =
	GUTS_PB_DESC("Identity", struct payload, payload_fields);

/* -- names ------------------------------------------------------------------------------ */

/* First path components that the gateway and the git server keep for themselves. */
static const char *const reserved_words[] = {
	"api",	  "assets",   "ci",    "dashboard", "doc",	 "docs",  "events", "favicon.ico",
	"git",	  "gossip",   "guts",  "health",    "healthz", "hooks", "livez",  "login",
	"logout", "metrics",  "peers", "readyz",    "repos",	 "robots.txt",	  "search", "session",
	"settings", "static", "status", "well-known", "webhooks",
};

bool
guts_routeword_is_reserved(struct guts_slice word)
{
	for (size_t i = 0; i < sizeof reserved_words / sizeof reserved_words[0]; i++)
		if (strlen(reserved_words[i]) == word.n &&
		    strncasecmp(reserved_words[i], (const char *)word.p, word.n) == 0)
			return true;
	return false;
}

static bool
is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
ends_with(struct guts_slice s, const char *end)
{
	size_t n = strlen(end);

	return s.n >= n && strncasecmp((const char *)s.p + s.n - n, end, n) == 0;
}

bool
guts_reponame_is_valid(struct guts_slice name)
{
	if (name.n == 0 || name.n > GUTS_NAME_MAX || !is_alnum(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!is_alnum(name.p[i]) && name.p[i] != '.' && name.p[i] != '_' && name.p[i] != '-')
			return false;
	return !ends_with(name, ".git") && !ends_with(name, ".lock");
}

/* A branch name: what guts_refname_is_valid takes behind refs/heads/. */
static bool
is_branch(struct guts_slice s)
{
	static const char head[] = "refs/heads/";
	char full[sizeof head + GUTS_BRANCH_MAX];

	if (s.n == 0 || s.n > GUTS_BRANCH_MAX)
		return false;
	memcpy(full, head, sizeof head - 1);
	memcpy(full + sizeof head - 1, s.p, s.n);
	return guts_text_is_clean(s, false) &&
	       guts_refname_is_valid(guts_slice(full, sizeof head - 1 + s.n));
}

/* -- rules ------------------------------------------------------------------------------ */

static bool
has_doubles(const struct guts_peerid *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (guts_peerid_eq(&ids[i], &ids[j]))
				return true;
	return false;
}

static bool
contexts_ok(const struct guts_identity *id)
{
	for (uint32_t i = 0; i < id->ncontexts; i++) {
		struct guts_slice c = guts_slice_str(id->contexts[i]);

		if (c.n == 0 || !guts_text_is_clean(c, false))
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(id->contexts[i], id->contexts[j]) == 0)
				return false;
	}
	return true;
}

bool
guts_gate_is_valid(struct guts_slice gate)
{
	if (gate.n > GUTS_GATE_MAX || !guts_text_is_clean(gate, false))
		return false;
	if (gate.n == 0 || gate.p[gate.n - 1] != '*')
		return is_branch(gate);
	/* what the star stands for may complete a name that is none yet */
	return !memchr(gate.p, '*', gate.n - 1);
}

static bool
gates_ok(const struct guts_identity *id)
{
	for (uint32_t i = 0; i < id->ngates; i++) {
		if (!guts_gate_is_valid(guts_slice_str(id->gates[i])))
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(id->gates[i], id->gates[j]) == 0)
				return false;
	}
	return true;
}

static bool
keys_ok(const struct guts_identity *id)
{
	return id->ndelegates >= 1 && id->threshold >= 1 && id->threshold <= id->ndelegates &&
	       !has_doubles(id->delegates, id->ndelegates) &&
	       !has_doubles(id->recovery, id->nrecovery) &&
	       !has_doubles(id->readers, id->nreaders) && !has_doubles(id->signers, id->nsigners);
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* The rules of one version by itself, for what we sign and what we open. */
static bool
rules_ok(const struct guts_identity *id)
{
	bool zero_previous = is_zero(id->previous, sizeof id->previous);

	if (id->version >= GUTS_IDENTITY_VERSIONS_MAX)
		return false;
	if (id->version == 0 ? !zero_previous || !guts_peerid_eq(&id->signer, &id->creator) :
			       zero_previous)
		return false;
	if (id->object_format != GUTS_SHA1 && id->object_format != GUTS_SHA256)
		return false;
	return guts_reponame_is_valid(guts_slice_str(id->name)) &&
	       guts_text_is_clean(guts_slice_str(id->description), true) &&
	       is_branch(guts_slice_str(id->default_branch)) && keys_ok(id) && contexts_ok(id) && gates_ok(id);
}

static int
read_keys(struct guts_peerid *out, uint32_t *n, const struct guts_pb_bytes_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		int err = guts_field_signer(&out[i], l->v[i]);

		if (err)
			return err;
	}
	*n = (uint32_t)l->n;
	return 0;
}

static int
read_texts(struct guts_identity *id, const struct payload *p)
{
	if (guts_field_text(id->name, GUTS_NAME_MAX, p->name, false) ||
	    guts_field_text(id->description, GUTS_DESCRIPTION_MAX, p->description, true) ||
	    guts_field_text(id->default_branch, GUTS_BRANCH_MAX, p->default_branch, false))
		return GUTS_EPROTO;
	for (size_t i = 0; i < p->required_contexts.n; i++)
		if (guts_field_text(id->contexts[i], GUTS_CONTEXT_MAX, p->required_contexts.v[i], false))
			return GUTS_EPROTO;
	id->ncontexts = (uint32_t)p->required_contexts.n;
	for (size_t i = 0; i < p->gated_branches.n; i++)
		if (guts_field_text(id->gates[i], GUTS_GATE_MAX, p->gated_branches.v[i], false))
			return GUTS_EPROTO;
	id->ngates = (uint32_t)p->gated_branches.n;
	return 0;
}

/* Copy the payload; signer and hash are in *id already. */
static int
read_payload(struct guts_identity *id, const struct payload *p)
{
	id->version = p->version;
	id->time_ms = p->time;
	id->threshold = p->threshold;
	id->is_retired = p->retired;
	if (p->visibility > 1)
		return GUTS_EUNSUPPORTED; /* who may know of it is not ours to guess */
	id->is_private = p->visibility == 1;
	if (p->object_format != GUTS_SHA1 && p->object_format != GUTS_SHA256)
		return p->object_format ? GUTS_EUNSUPPORTED : GUTS_EPROTO;
	id->object_format = (enum guts_object_format)p->object_format;

	if (p->version == 0) {
		if (p->repository.n || p->previous.n)
			return GUTS_EPROTO;
		memcpy(id->repository, id->hash, sizeof id->repository);
	} else if (guts_field_exact(id->repository, sizeof id->repository, p->repository) ||
		   guts_field_exact(id->previous, sizeof id->previous, p->previous)) {
		return GUTS_EPROTO;
	}
	if (guts_field_signer(&id->creator, p->creator) ||
	    guts_field_exact(id->nonce, sizeof id->nonce, p->nonce) ||
	    read_keys(id->delegates, &id->ndelegates, &p->delegates) ||
	    read_keys(id->recovery, &id->nrecovery, &p->recovery) ||
	    read_keys(id->readers, &id->nreaders, &p->readers) ||
	    read_keys(id->signers, &id->nsigners, &p->status_signers) || read_texts(id, p))
		return GUTS_EPROTO;
	return rules_ok(id) ? 0 : GUTS_EPROTO;
}

int
guts_identity_open(struct guts_identity *id, struct guts_slice envelope, uint64_t now_wall_ms)
{
	struct guts_arena arena;
	struct guts_record r;
	struct payload p;
	int err;

	memset(id, 0, sizeof *id);
	guts_arena_init(&arena, 32u << 10);
	err = guts_record_open(&r, GUTS_RECORD_IDENTITY, envelope);
	if (err)
		goto out;
	err = guts_pb_decode(&guts_identity_payload_desc, r.payload, &p, &arena);
	if (err)
		goto out;
	id->signer = r.signer;
	memcpy(id->hash, r.hash, sizeof id->hash);
	err = read_payload(id, &p);
	if (!err)
		err = guts_record_check_time(id->time_ms, now_wall_ms);
out:
	guts_arena_deinit(&arena);
	return err;
}

/* -- make ------------------------------------------------------------------------------- */

struct views {
	struct guts_slice delegates[GUTS_DELEGATES_MAX], recovery[GUTS_RECOVERY_MAX],
		readers[GUTS_READERS_MAX], signers[GUTS_SIGNERS_MAX], contexts[GUTS_CONTEXTS_MAX],
		gates[GUTS_GATES_MAX];
};

static void
view_keys(struct guts_pb_bytes_list *l, struct guts_slice *v, const struct guts_peerid *ids,
	  uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		v[i] = guts_peerid_slice(&ids[i]);
	l->v = v;
	l->n = n;
}

static void
view_payload(struct payload *p, struct views *v, const struct guts_identity *id)
{
	memset(p, 0, sizeof *p);
	p->version = id->version;
	if (id->version > 0) {
		p->repository = guts_slice(id->repository, sizeof id->repository);
		p->previous = guts_slice(id->previous, sizeof id->previous);
	}
	p->creator = guts_peerid_slice(&id->creator);
	p->nonce = guts_slice(id->nonce, sizeof id->nonce);
	p->time = id->time_ms;
	p->object_format = id->object_format;
	p->name = guts_slice_str(id->name);
	p->description = guts_slice_str(id->description);
	p->default_branch = guts_slice_str(id->default_branch);
	p->visibility = id->is_private;
	p->retired = id->is_retired;
	p->threshold = id->threshold;
	view_keys(&p->delegates, v->delegates, id->delegates, id->ndelegates);
	view_keys(&p->recovery, v->recovery, id->recovery, id->nrecovery);
	view_keys(&p->readers, v->readers, id->readers, id->nreaders);
	view_keys(&p->status_signers, v->signers, id->signers, id->nsigners);
	for (uint32_t i = 0; i < id->ncontexts; i++)
		v->contexts[i] = guts_slice_str(id->contexts[i]);
	p->required_contexts.v = v->contexts;
	p->required_contexts.n = id->ncontexts;
	for (uint32_t i = 0; i < id->ngates; i++)
		v->gates[i] = guts_slice_str(id->gates[i]);
	p->gated_branches.v = v->gates;
	p->gated_branches.n = id->ngates;
}

static bool
counts_ok(const struct guts_identity *id)
{
	return id->ndelegates <= GUTS_DELEGATES_MAX && id->nrecovery <= GUTS_RECOVERY_MAX &&
	       id->nreaders <= GUTS_READERS_MAX && id->nsigners <= GUTS_SIGNERS_MAX &&
	       id->ncontexts <= GUTS_CONTEXTS_MAX && id->ngates <= GUTS_GATES_MAX;
}

int
guts_identity_make(struct guts_buf *out, const struct guts_key *k, struct guts_identity *id)
{
	struct guts_buf bytes;
	struct payload p;
	struct views v;
	int err;

	id->signer = k->id;
	if (!counts_ok(id) || !rules_ok(id))
		return GUTS_EINVAL;
	view_payload(&p, &v, id);
	guts_buf_init(&bytes, GUTS_RECORD_MAX);
	err = guts_pb_encode(&guts_identity_payload_desc, &p, &bytes);
	if (!err)
		err = guts_record_seal(out, GUTS_RECORD_IDENTITY, k, guts_buf_slice(&bytes),
				       id->hash);
	if (!err && id->version == 0)
		memcpy(id->repository, id->hash, sizeof id->repository);
	guts_buf_deinit(&bytes);
	return err;
}

void
guts_identity_successor(struct guts_identity *next, const struct guts_identity *prev)
{
	*next = *prev;
	next->version = prev->version + 1;
	memcpy(next->previous, prev->hash, sizeof next->previous);
	memset(next->hash, 0, sizeof next->hash);
	memset(&next->signer, 0, sizeof next->signer);
}

/* -- questions -------------------------------------------------------------------------- */

int
guts_identity_delegate_index(const struct guts_identity *id, const struct guts_peerid *peer)
{
	for (uint32_t i = 0; i < id->ndelegates; i++)
		if (guts_peerid_eq(&id->delegates[i], peer))
			return (int)i;
	return -1;
}

bool
guts_identity_may_read(const struct guts_identity *id, const struct guts_peerid *peer)
{
	return !id->is_private || guts_peerid_eq(&id->creator, peer) ||
	       guts_peerid_is_among(id->delegates, id->ndelegates, peer) ||
	       guts_peerid_is_among(id->recovery, id->nrecovery, peer) ||
	       guts_peerid_is_among(id->readers, id->nreaders, peer);
}

bool
guts_identity_is_signer(const struct guts_identity *id, const struct guts_peerid *peer)
{
	return guts_peerid_is_among(id->delegates, id->ndelegates, peer) ||
	       guts_peerid_is_among(id->signers, id->nsigners, peer);
}

bool
guts_identity_gates(const struct guts_identity *id, struct guts_slice ref)
{
	static const char heads[] = "refs/heads/", candidates[] = GUTS_CANDIDATES;
	size_t n = sizeof heads - 1, c = sizeof candidates - 1;
	struct guts_slice branch;

	if (!id->ncontexts || ref.n <= n || memcmp(ref.p, heads, n) != 0 ||
	    (ref.n > c && memcmp(ref.p, candidates, c) == 0))
		return false;
	branch = guts_slice(ref.p + n, ref.n - n);
	for (uint32_t i = 0; i < id->ngates; i++) {
		size_t len = strlen(id->gates[i]);
		bool any = id->gates[i][len - 1] == '*';

		len -= any;
		if ((any ? branch.n >= len : branch.n == len) && memcmp(branch.p, id->gates[i], len) == 0)
			return true;
	}
	return false;
}
