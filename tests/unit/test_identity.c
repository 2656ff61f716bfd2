/* tests/unit/test_identity.c - names, rules of a version, votes, successors, rivals. */
#include "record_samples.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static int
set_up(void **state)
{
	(void)state;
	return guts_crypto_init();
}

/* Sign by key `n` and open again; *id becomes what was opened. */
static int
sign(struct guts_identity *id, uint8_t n)
{
	struct guts_identity back;
	struct guts_buf b;
	struct guts_key k;
	int err;

	sample_key(&k, n);
	guts_buf_init(&b, GUTS_RECORD_MAX);
	err = guts_identity_make(&b, &k, id);
	if (!err) {
		assert_int_equal(guts_identity_open(&back, guts_buf_slice(&b), 0), 0);
		assert_memory_equal(id, &back, sizeof back);
		*id = back;
	}
	guts_buf_deinit(&b);
	return err;
}

static struct guts_vote
vote(uint8_t n, const struct guts_identity *id)
{
	struct guts_vote v, back;
	struct guts_buf b;
	struct guts_key k;

	sample_key(&k, n);
	guts_buf_init(&b, GUTS_VOTE_MAX);
	assert_int_equal(guts_vote_make(&b, &k, id, SAMPLE_MS, &v), 0);
	assert_int_equal(guts_vote_open(&back, guts_buf_slice(&b), SAMPLE_MS), 0);
	assert_memory_equal(&v, &back, sizeof v);
	guts_buf_deinit(&b);
	return back;
}

static void
set_keys(struct guts_peerid *out, uint32_t *count, uint8_t first, uint32_t n)
{
	struct guts_key k;

	memset(out, 0, *count * sizeof *out);
	for (uint32_t i = 0; i < n; i++) {
		sample_key(&k, (uint8_t)(first + i));
		out[i] = k.id;
	}
	*count = n;
}

/* -- names ------------------------------------------------------------------------------ */

static void
repository_names(void **state)
{
	static const char *const good[] = { "a", "A9", "hello-world", "x.y_z-1", "0", "gitx",
					    "a.git.b", "apis", "lock", "api", "guts" };
	static const char *const bad[] = { "", ".a", "-a", "_a", "a/b", "a b", "a.git", "a.GIT",
					   "a.lock", "a\n", "ä", "a\\b", "a:b" };
	char name[GUTS_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(guts_reponame_is_valid(guts_slice_str(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(guts_reponame_is_valid(guts_slice_str(bad[i])));
	memset(name, 'n', sizeof name);
	assert_true(guts_reponame_is_valid(guts_slice(name, GUTS_NAME_MAX)));
	assert_false(guts_reponame_is_valid(guts_slice(name, GUTS_NAME_MAX + 1)));
	assert_false(guts_reponame_is_valid(guts_slice("a\0b", 3)));
}

/* -- one version ------------------------------------------------------------------------ */

static void
a_genesis_names_itself(void **state)
{
	struct guts_identity id;

	(void)state;
	sample_genesis(&id);
	assert_int_equal(sign(&id, 1), 0);
	assert_memory_equal(id.repository, id.hash, sizeof id.hash);
	assert_int_equal(guts_identity_delegate_index(&id, &id.creator), 0);
	assert_true(guts_identity_is_signer(&id, &id.creator));

	sample_genesis(&id);
	assert_int_equal(sign(&id, 2), GUTS_EINVAL); /* creator is key 1 */
}

#define REFUSED(change)                                   \
	do {                                              \
		sample_genesis(&id);                      \
		change;                                   \
		assert_int_equal(sign(&id, 1), GUTS_EINVAL); \
	} while (0)

static void
each_rule_of_a_version_is_kept(void **state)
{
	struct guts_identity id;

	(void)state;
	REFUSED(id.threshold = 0);
	REFUSED(id.threshold = 2);
	REFUSED(id.ndelegates = 0);
	REFUSED(id.ndelegates = GUTS_DELEGATES_MAX + 1);
	REFUSED(id.delegates[1] = id.delegates[0]; id.ndelegates = 2);
	REFUSED(id.recovery[0] = id.recovery[1] = id.creator; id.nrecovery = 2);
	REFUSED(id.signers[0] = id.signers[1] = id.creator; id.nsigners = 2);
	REFUSED(id.readers[0] = id.readers[1] = id.creator; id.nreaders = 2);
	REFUSED(id.object_format = (enum guts_object_format)0);
	REFUSED(id.object_format = (enum guts_object_format)3);
	REFUSED(id.name[0] = '\0');
	REFUSED(snprintf(id.name, sizeof id.name, "x.git"));
	REFUSED(id.default_branch[0] = '\0');
	REFUSED(snprintf(id.default_branch, sizeof id.default_branch, "a..b"));
	REFUSED(snprintf(id.default_branch, sizeof id.default_branch, "main.lock"));
	REFUSED(snprintf(id.description, sizeof id.description, "bell \a"));
	REFUSED(snprintf(id.description, sizeof id.description, "\xff"));
	REFUSED(id.previous[0] = 1);
	REFUSED(id.version = 1); /* a successor names what it follows */
	REFUSED(id.version = GUTS_IDENTITY_VERSIONS_MAX; id.previous[0] = 1);
	REFUSED(id.ncontexts = 1); /* an empty context */
	REFUSED(id.ncontexts = 2; memset(id.contexts[0], 'c', 3); memset(id.contexts[1], 'c', 3));
	REFUSED(id.ngates = 1); /* an empty branch */
	REFUSED(id.ngates = GUTS_GATES_MAX + 1);
	REFUSED(id.ngates = 1; snprintf(id.gates[0], sizeof id.gates[0], "a..b"));
	REFUSED(id.ngates = 1; snprintf(id.gates[0], sizeof id.gates[0], "a*b*"));
	REFUSED(id.ngates = 1; snprintf(id.gates[0], sizeof id.gates[0], "*b"));
	REFUSED(id.ngates = 2; id.gates[0][0] = id.gates[1][0] = 'm');
}

static void
the_largest_identity_is_refused_as_a_whole_or_fits(void **state)
{
	struct guts_identity id;

	(void)state;
	sample_genesis(&id);
	set_keys(id.delegates, &id.ndelegates, 1, GUTS_DELEGATES_MAX);
	set_keys(id.recovery, &id.nrecovery, 40, GUTS_RECOVERY_MAX);
	set_keys(id.readers, &id.nreaders, 60, GUTS_READERS_MAX);
	set_keys(id.signers, &id.nsigners, 80, GUTS_SIGNERS_MAX);
	assert_int_equal(sign(&id, 1), 0);
	memset(id.description, 'd', GUTS_DESCRIPTION_MAX);
	assert_int_equal(sign(&id, 1), 0);
	for (id.ncontexts = 0; id.ncontexts < GUTS_CONTEXTS_MAX; id.ncontexts++) {
		memset(id.contexts[id.ncontexts], 'c', GUTS_CONTEXT_MAX);
		id.contexts[id.ncontexts][0] = (char)('0' + id.ncontexts);
	}
	assert_int_equal(sign(&id, 1), GUTS_ELIMIT); /* more than 4 KiB */
}

static bool
gates(const struct guts_identity *id, const char *ref)
{
	return guts_identity_gates(id, guts_slice_str(ref));
}

static void
gated_branches_wait_for_the_required_contexts(void **state)
{
	struct guts_identity id;

	(void)state;
	sample_genesis(&id);
	id.ngates = 2;
	snprintf(id.gates[0], sizeof id.gates[0], "main");
	snprintf(id.gates[1], sizeof id.gates[1], "release/*");
	assert_false(gates(&id, "refs/heads/main")); /* for nothing */
	id.ncontexts = 1;
	snprintf(id.contexts[0], sizeof id.contexts[0], "build");
	assert_true(gates(&id, "refs/heads/main"));
	assert_true(gates(&id, "refs/heads/release/1"));
	assert_true(gates(&id, "refs/heads/release/1/a"));
	assert_false(gates(&id, "refs/heads/release"));
	assert_false(gates(&id, "refs/heads/main2"));
	assert_false(gates(&id, "refs/heads/mai"));
	assert_false(gates(&id, "refs/heads/"));
	assert_false(gates(&id, "refs/tags/main"));
	memset(id.gates[1], 0, sizeof id.gates[1]);
	id.gates[1][0] = '*';
	assert_true(gates(&id, "refs/heads/anything"));
	assert_true(gates(&id, "refs/heads/candidates"));
	assert_false(gates(&id, "refs/heads/candidates/main"));
	assert_int_equal(sign(&id, 1), 0); /* and reads the same */
	assert_int_equal(id.ngates, 2);
}

static void
a_private_repository_is_for_those_it_names(void **state)
{
	struct guts_identity id;
	struct guts_key k;

	(void)state;
	sample_genesis(&id);
	sample_key(&k, 50);
	assert_true(guts_identity_may_read(&id, &k.id));
	id.is_private = true;
	assert_false(guts_identity_may_read(&id, &k.id));
	assert_true(guts_identity_may_read(&id, &id.creator));
	set_keys(id.readers, &id.nreaders, 50, 1);
	assert_true(guts_identity_may_read(&id, &k.id));
	assert_false(guts_identity_is_signer(&id, &k.id));
	set_keys(id.signers, &id.nsigners, 50, 1);
	assert_true(guts_identity_is_signer(&id, &k.id));
}

/* -- successors ------------------------------------------------------------------------- */

/* Genesis by key 1 with delegates 1..3, threshold 2, recovery keys 10 and 11. */
static void
base(struct guts_identity *id)
{
	sample_genesis(id);
	set_keys(id->delegates, &id->ndelegates, 1, 3);
	set_keys(id->recovery, &id->nrecovery, 10, 2);
	id->threshold = 2;
	assert_int_equal(sign(id, 1), 0);
}

static void
a_successor_needs_the_threshold_of_the_version_before(void **state)
{
	struct guts_identity id, next;
	struct guts_vote v[4];

	(void)state;
	base(&id);
	guts_identity_successor(&next, &id);
	set_keys(next.delegates, &next.ndelegates, 7, 1); /* hands over to key 7 alone */
	next.threshold = 1;
	assert_int_equal(sign(&next, 1), 0);

	assert_int_equal(guts_identity_check_successor(&id, &next, NULL, 0), GUTS_EDENIED);
	v[0] = vote(1, &next);
	assert_int_equal(guts_identity_check_successor(&id, &next, v, 1), GUTS_EDENIED);
	v[1] = v[0]; /* the same vote twice counts once */
	assert_int_equal(guts_identity_check_successor(&id, &next, v, 2), GUTS_EDENIED);
	v[1] = vote(7, &next); /* a delegate of the *new* version has no say yet */
	assert_int_equal(guts_identity_check_successor(&id, &next, v, 2), GUTS_EDENIED);
	v[2] = vote(3, &next);
	assert_int_equal(guts_identity_check_successor(&id, &next, v, 3), 0);
}

static void
all_recovery_keys_together_replace_the_delegates(void **state)
{
	struct guts_identity id, next;
	struct guts_vote v[2];

	(void)state;
	base(&id);
	guts_identity_successor(&next, &id);
	assert_int_equal(sign(&next, 10), 0); /* proposed by a recovery key */
	v[0] = vote(10, &next);
	assert_int_equal(guts_identity_check_successor(&id, &next, v, 1), GUTS_EDENIED);
	v[1] = vote(11, &next);
	assert_int_equal(guts_identity_check_successor(&id, &next, v, 2), 0);

	sample_genesis(&id); /* no recovery keys: none is not all */
	assert_int_equal(sign(&id, 1), 0);
	guts_identity_successor(&next, &id);
	assert_int_equal(sign(&next, 1), 0);
	assert_int_equal(guts_identity_check_successor(&id, &next, NULL, 0), GUTS_EDENIED);
}

#define CANNOT_FOLLOW(by, change)                                                       \
	do {                                                                            \
		guts_identity_successor(&next, &id);                                    \
		change;                                                                 \
		assert_int_equal(sign(&next, by), 0);                                   \
		v[0] = vote(1, &next);                                                  \
		v[1] = vote(2, &next);                                                  \
		assert_int_equal(guts_identity_check_successor(&id, &next, v, 2), GUTS_EPROTO); \
	} while (0)

static void
what_may_never_change_does_not(void **state)
{
	struct guts_identity id, next;
	struct guts_vote v[2];
	struct guts_key k;

	(void)state;
	base(&id);
	sample_key(&k, 2);
	CANNOT_FOLLOW(1, next.creator = k.id);
	CANNOT_FOLLOW(1, next.nonce[0] ^= 1);
	CANNOT_FOLLOW(1, next.object_format = GUTS_SHA256);
	CANNOT_FOLLOW(1, next.version = 2);
	CANNOT_FOLLOW(1, next.previous[5] ^= 1);
	CANNOT_FOLLOW(1, next.repository[5] ^= 1);
	CANNOT_FOLLOW(9, next.name[0] = 'x'); /* proposed by a stranger */
}

static void
votes_are_for_one_successor_of_one_repository(void **state)
{
	struct guts_identity id, a, b;
	struct guts_vote v[2];

	(void)state;
	base(&id);
	guts_identity_successor(&a, &id);
	a.name[0] = 'a';
	assert_int_equal(sign(&a, 1), 0);
	guts_identity_successor(&b, &id);
	b.name[0] = 'b';
	assert_int_equal(sign(&b, 1), 0);
	v[0] = vote(1, &a);
	v[1] = vote(2, &a);
	assert_int_equal(guts_identity_check_successor(&id, &a, v, 2), 0);
	assert_int_equal(guts_identity_check_successor(&id, &b, v, 2), GUTS_EDENIED);
	v[1].repository[0] ^= 1;
	assert_int_equal(guts_identity_check_successor(&id, &a, v, 2), GUTS_EDENIED);
	v[1].repository[0] ^= 1;
	v[1].version++;
	assert_int_equal(guts_identity_check_successor(&id, &a, v, 2), GUTS_EDENIED);
	assert_int_not_equal(guts_identity_cmp_rivals(&a, &b), 0);
	assert_int_equal(guts_identity_cmp_rivals(&a, &b) < 0,
			 memcmp(a.hash, b.hash, sizeof a.hash) < 0);
}

static void
nobody_votes_for_a_genesis(void **state)
{
	struct guts_identity id;
	struct guts_vote v;
	struct guts_buf b;
	struct guts_key k;

	(void)state;
	base(&id);
	sample_key(&k, 1);
	guts_buf_init(&b, GUTS_VOTE_MAX);
	assert_int_equal(guts_vote_make(&b, &k, &id, SAMPLE_MS, &v), GUTS_EINVAL);
	guts_buf_deinit(&b);
}

static void
chains_are_settled_where_they_part(void **state)
{
	uint8_t a[3][GUTS_HASH_SIZE] = { { 1 }, { 5 }, { 9 } };
	uint8_t b[3][GUTS_HASH_SIZE] = { { 1 }, { 4 }, { 200 } };
	const uint8_t(*ca)[GUTS_HASH_SIZE] = (const uint8_t(*)[GUTS_HASH_SIZE])a;
	const uint8_t(*cb)[GUTS_HASH_SIZE] = (const uint8_t(*)[GUTS_HASH_SIZE])b;
	size_t fork;

	(void)state;
	assert_true(guts_identity_cmp_chains(ca, 3, cb, 3, &fork) > 0);
	assert_int_equal(fork, 1);
	assert_true(guts_identity_cmp_chains(ca, 3, cb, 2, &fork) > 0); /* though it is longer */
	assert_true(guts_identity_cmp_chains(ca, 3, ca, 2, &fork) < 0);
	assert_true(fork == SIZE_MAX);
	assert_true(guts_identity_cmp_chains(ca, 1, cb, 1, &fork) == 0);
	assert_true(guts_identity_cmp_chains(ca, 0, cb, 1, &fork) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repository_names),
		cmocka_unit_test(a_genesis_names_itself),
		cmocka_unit_test(each_rule_of_a_version_is_kept),
		cmocka_unit_test(the_largest_identity_is_refused_as_a_whole_or_fits),
		cmocka_unit_test(gated_branches_wait_for_the_required_contexts),
		cmocka_unit_test(a_private_repository_is_for_those_it_names),
		cmocka_unit_test(a_successor_needs_the_threshold_of_the_version_before),
		cmocka_unit_test(all_recovery_keys_together_replace_the_delegates),
		cmocka_unit_test(what_may_never_change_does_not),
		cmocka_unit_test(votes_are_for_one_successor_of_one_repository),
		cmocka_unit_test(nobody_votes_for_a_genesis),
		cmocka_unit_test(chains_are_settled_where_they_part),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
