/* tests/unit/record_samples.c - see record_samples.h. */
#include "record_samples.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void
sample_key(struct guts_key *k, uint8_t n)
{
	uint8_t seed[32];

	memset(seed, n, sizeof seed);
	guts_key_from_seed(k, seed);
}

void
sample_genesis(struct guts_identity *id)
{
	struct guts_key k;

	sample_key(&k, 1);
	memset(id, 0, sizeof *id);
	id->creator = k.id;
	memset(id->nonce, 0xab, sizeof id->nonce);
	id->time_ms = SAMPLE_MS;
	id->object_format = GUTS_SHA1;
	snprintf(id->name, sizeof id->name, "hello");
	snprintf(id->default_branch, sizeof id->default_branch, "main");
	id->threshold = 1;
	id->ndelegates = 1;
	id->delegates[0] = k.id;
}

static void
full_genesis(struct guts_identity *id)
{
	struct guts_key k;

	sample_genesis(id);
	snprintf(id->name, sizeof id->name, "Full.name_1-x");
	snprintf(id->description, sizeof id->description, "Zwei Zeilen,\nauch Größe und 漢字");
	snprintf(id->default_branch, sizeof id->default_branch, "release/2.x");
	id->object_format = GUTS_SHA256;
	id->is_private = id->is_retired = true;
	id->threshold = 2;
	id->ndelegates = 3;
	id->nrecovery = id->nreaders = id->nsigners = 2;
	for (uint8_t i = 0; i < 3; i++) {
		sample_key(&k, (uint8_t)(i + 1));
		id->delegates[i] = k.id;
	}
	for (uint8_t i = 0; i < 2; i++) {
		sample_key(&k, (uint8_t)(i + 10));
		id->recovery[i] = k.id;
		sample_key(&k, (uint8_t)(i + 20));
		id->readers[i] = k.id;
		sample_key(&k, (uint8_t)(i + 30));
		id->signers[i] = k.id;
	}
	id->ncontexts = 2;
	snprintf(id->contexts[0], sizeof id->contexts[0], "ci/build");
	snprintf(id->contexts[1], sizeof id->contexts[1], "ci/test");
}

static struct record_sample *
begin(struct record_sample **next, const char *name, enum guts_record_kind kind)
{
	struct record_sample *s = (*next)++;

	s->name = name;
	s->kind = kind;
	guts_buf_init(&s->envelope, guts_record_max(kind));
	return s;
}

static void
identities(struct record_sample **next)
{
	struct guts_identity id, succ;
	struct record_sample *s;
	struct guts_vote v;
	struct guts_key k;

	sample_key(&k, 1);
	full_genesis(&id);
	s = begin(next, "identity-full", GUTS_RECORD_IDENTITY);
	assert(guts_identity_make(&s->envelope, &k, &id) == 0);
	memcpy(s->hash, id.hash, sizeof s->hash);

	sample_genesis(&id);
	s = begin(next, "identity-genesis", GUTS_RECORD_IDENTITY);
	assert(guts_identity_make(&s->envelope, &k, &id) == 0);
	memcpy(s->hash, id.hash, sizeof s->hash);

	guts_identity_successor(&succ, &id);
	snprintf(succ.description, sizeof succ.description, "renamed");
	snprintf(succ.name, sizeof succ.name, "hello-2");
	succ.time_ms = SAMPLE_MS + 1000;
	s = begin(next, "identity-successor", GUTS_RECORD_IDENTITY);
	assert(guts_identity_make(&s->envelope, &k, &succ) == 0);
	memcpy(s->hash, succ.hash, sizeof s->hash);

	s = begin(next, "vote", GUTS_RECORD_VOTE);
	assert(guts_vote_make(&s->envelope, &k, &succ, SAMPLE_MS + 1001, &v) == 0);
	memcpy(s->hash, v.hash, sizeof s->hash);
}

static void
refs(struct record_sample **next)
{
	struct guts_signedrefs r = { .sequence = SAMPLE_MS, .ref_count = 2, .time_ms = SAMPLE_MS };
	struct record_sample *s;
	struct guts_key k;

	sample_key(&k, 1);
	memset(r.repository, 0x11, sizeof r.repository);
	memset(r.refs_root, 0x22, sizeof r.refs_root);
	s = begin(next, "signed-refs-first", GUTS_RECORD_SIGNEDREFS);
	assert(guts_signedrefs_make(&s->envelope, &k, &r) == 0);
	memcpy(s->hash, r.hash, sizeof s->hash);

	r.sequence++;
	r.nprevious = GUTS_PREVIOUS_MAX;
	for (uint8_t i = 0; i < GUTS_PREVIOUS_MAX; i++)
		memset(r.previous[i], 0xf0 - i, GUTS_HASH_SIZE); /* make sorts them */
	r.ref_count = GUTS_REFS_PER_AUTHOR_MAX;
	r.identity_version = 7;
	s = begin(next, "signed-refs-merge", GUTS_RECORD_SIGNEDREFS);
	assert(guts_signedrefs_make(&s->envelope, &k, &r) == 0);
	memcpy(s->hash, r.hash, sizeof s->hash);
}

static void
others(struct record_sample **next)
{
	struct guts_status st = { .state = GUTS_STATUS_SUCCESS, .sequence = 9, .time_ms = SAMPLE_MS };
	struct guts_usermsg m = { .sequence = 5, .time_ms = SAMPLE_MS };
	struct record_sample *s;
	struct guts_key k;

	sample_key(&k, 2);
	memset(st.repository, 0x11, sizeof st.repository);
	st.commit.n = 20;
	memset(st.commit.b, 0x33, st.commit.n);
	snprintf(st.context, sizeof st.context, "ci/build");
	s = begin(next, "status", GUTS_RECORD_STATUS);
	assert(guts_status_make(&s->envelope, &k, &st) == 0);
	memcpy(s->hash, st.hash, sizeof s->hash);

	st.commit.n = 32;
	memset(st.commit.b, 0x33, st.commit.n);
	st.state = GUTS_STATUS_FAILURE;
	snprintf(st.target_url, sizeof st.target_url, "https://ci.example/run/7?a=b");
	snprintf(st.description, sizeof st.description, "2 of 40 tests failed – see log");
	snprintf(st.run_id, sizeof st.run_id, "run-7");
	s = begin(next, "status-full", GUTS_RECORD_STATUS);
	assert(guts_status_make(&s->envelope, &k, &st) == 0);
	memcpy(s->hash, st.hash, sizeof s->hash);

	m.topic = guts_slice_str("chat/general");
	m.content_type = guts_slice_str("text/plain");
	m.data = guts_slice_str("hello guts");
	s = begin(next, "message", GUTS_RECORD_USERMSG);
	assert(guts_usermsg_make(&s->envelope, &k, &m) == 0);
	memcpy(s->hash, m.hash, sizeof s->hash);
}

void
samples_make(struct record_sample s[RECORD_SAMPLES])
{
	struct record_sample *next = s;

	identities(&next);
	refs(&next);
	others(&next);
	assert(next == s + RECORD_SAMPLES);
}

int
sample_open(enum guts_record_kind kind, struct guts_slice envelope, uint64_t now_wall_ms)
{
	struct guts_signedrefs r;
	struct guts_identity id;
	struct guts_usermsg m;
	struct guts_status s;
	struct guts_vote v;

	switch (kind) {
	case GUTS_RECORD_IDENTITY: return guts_identity_open(&id, envelope, now_wall_ms);
	case GUTS_RECORD_VOTE: return guts_vote_open(&v, envelope, now_wall_ms);
	case GUTS_RECORD_SIGNEDREFS: return guts_signedrefs_open(&r, envelope, now_wall_ms);
	case GUTS_RECORD_STATUS: return guts_status_open(&s, envelope, now_wall_ms);
	case GUTS_RECORD_USERMSG:
		return guts_usermsg_open(&m, envelope, guts_slice(NULL, 0), now_wall_ms);
	}
	return GUTS_EINVAL;
}
