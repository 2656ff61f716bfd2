/* tests/unit/test_hook.c - what a hook wants, its form in the store, its signatures, when it is tried again. */
#include "unit.h"

#include "bridge/internal.h"
#include "bridge/sign.h"
#include "crypto/key.h"

#include <stdio.h>
#include <string.h>

static struct guts_hook
make(const char *event)
{
	struct guts_hook h = { .id = 7, .active = true, .nevents = 1 };

	snprintf(h.events[0], sizeof h.events[0], "%s", event);
	return h;
}

static void
which_events(void **state)
{
	static const struct {
		const char *pattern, *event;
		bool wanted;
	} rows[] = {
		{ "push", "push", true }, { "push", "pushed", false }, { "push", "status", false }, { "*", "push", true },
		{ "*", "peer.connected", true }, { "peer.*", "peer.banned", true }, { "peer.*", "peer", false },
		{ "repo.sync.*", "repo.sync.failed", true }, { "repo.sync.*", "repository", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guts_hook h = make(rows[i].pattern);
		struct guts_hook_event e = { .name = rows[i].event, .fact = 1 };

		assert_int_equal(guts_hook_wants(&h, &e), rows[i].wanted);
	}
	assert_true(guts_hook_event_exists("push", true) && guts_hook_event_exists("peer.*", false));
	assert_false(guts_hook_event_exists("peer.*", true) || guts_hook_event_exists("pull_request", true) ||
	    guts_hook_event_exists("", false));
}

static void
which_branches(void **state)
{
	static const struct {
		const char *globs, *branch;
		bool wanted;
	} rows[] = {
		{ "", "any/thing", true }, { "*", "a/b", true }, { "main", "main", true }, { "main", "mainly", false },
		{ "rel/*", "rel/1/2", true }, { "rel/*", "rel", false }, { "{main,rel/*}", "main", true },
		{ "{main,rel/*}", "rel/x", true }, { "{main,rel/*}", "dev", false }, { "v[0-9]", "v1", true }, { "{}", "a", false },
		{ "main", NULL, true }, /* a tag, a status: of no branch */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guts_hook h = make("push");
		struct guts_hook_event e = { .name = "push", .fact = 1, .branch = rows[i].branch };

		snprintf(h.branches, sizeof h.branches, "%s", rows[i].globs);
		if (guts_hook_wants(&h, &e) != rows[i].wanted)
			fail_msg("%s on %s", rows[i].globs, rows[i].branch);
	}
}

static void
whose_and_since(void **state)
{
	static const uint8_t mine[GUTS_REPOID_SIZE] = { 1 }, other[GUTS_REPOID_SIZE] = { 2 };
	struct guts_hook h = make("push");
	struct guts_hook_event e = { .name = "push", .fact = 10, .repo = mine };

	(void)state;
	h.has_repo = true;
	memcpy(h.repo, mine, sizeof mine);
	assert_true(guts_hook_wants(&h, &e));
	e.repo = other;
	assert_false(guts_hook_wants(&h, &e));
	e.repo = NULL;
	assert_false(guts_hook_wants(&h, &e));
	h.has_repo = false;
	assert_true(guts_hook_wants(&h, &e));
	e.is_other = true;
	assert_false(guts_hook_wants(&h, &e));
	h.all_authors = true;
	assert_true(guts_hook_wants(&h, &e));
	h.since_fact = 10;
	assert_false(guts_hook_wants(&h, &e));
	e.fact = 11;
	assert_true(guts_hook_wants(&h, &e));
	e = (struct guts_hook_event){ .name = "push", .message = 3 };
	h.since_message = 3;
	assert_false(guts_hook_wants(&h, &e));
}

static void
signals_are_asked_for(void **state)
{
	static const char *const asks[] = { "peer.*", "peer.penalized" }, *const others[] = { "*", "peer.connected", "push" };
	struct guts_hook_event e = { .name = "peer.penalized", .is_signal = true };
	struct guts_hook h;

	(void)state;
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
		h = make(asks[i]);
		h.since_fact = h.since_message = UINT64_MAX; /* it is in no log */
		assert_true(guts_hook_wants(&h, &e));
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		h = make(others[i]);
		assert_false(guts_hook_wants(&h, &e));
	}
}

static void
urls(void **state)
{
	static const char *const good[] = { "http://ci.example", "https://ci.example:8443/a?b=c", "HTTP://[::1]/", "http://1.2.3.4/" };
	static const char *const bad[] = { "", "ci.example", "ftp://ci.example", "http://", "http:///x", "http://:80/",
		"http://u:p@ci.example/", "http://ci.example/a b", "http://ci.example/\xc3\xa9", "file:///etc/passwd", "http://a@b" };
	struct guts_errinfo ei;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_int_equal(guts_hook_url_check(good[i], &ei), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(guts_hook_url_check(bad[i], &ei), GUTS_EINVAL);
}

/* Every byte of the row is looked at: whole it comes back, shorter or longer it does not. */
static void
stored_and_read(void **state)
{
	struct guts_hook h = make("push"), back;
	uint8_t key[GUTS_HOOK_KEY_SIZE];
	struct guts_buf v;

	(void)state;
	h.has_repo = true;
	h.repo[3] = 9;
	h.all_authors = true;
	h.format = GUTS_HOOK_GITEA;
	snprintf(h.url, sizeof h.url, "https://ci.example/");
	snprintf(h.secret, sizeof h.secret, "s");
	snprintf(h.branches, sizeof h.branches, "main");
	snprintf(h.events[h.nevents++], sizeof h.events[0], "repo.sync.*");
	h.created_ms = 1;
	h.updated_ms = 2;
	h.since_fact = 3;
	h.since_message = 4;
	guts_hook_key(key, &h);
	guts_buf_init(&v, 8192);
	guts_hook_encode(&v, &h);
	assert_int_equal(guts_hook_decode(&back, guts_slice(key, sizeof key), guts_buf_slice(&v)), 0);
	assert_memory_equal(&back, &h, sizeof h);
	for (size_t n = 0; n < v.len; n++)
		assert_int_equal(guts_hook_decode(&back, guts_slice(key, sizeof key), guts_slice(guts_buf_bytes(&v), n)), GUTS_EPROTO);
	guts_buf_add_u8(&v, 0);
	assert_int_equal(guts_hook_decode(&back, guts_slice(key, sizeof key), guts_buf_slice(&v)), GUTS_EPROTO);
	guts_buf_bytes(&v)[0] = 2;
	assert_int_equal(guts_hook_decode(&back, guts_slice(key, sizeof key), guts_buf_slice(&v)), GUTS_EUNSUPPORTED);
	guts_buf_deinit(&v);
}

static const char *
value_of(const struct guts_sign *s, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < s->n; i++) {
		if (strncmp(s->line[i], name, n) == 0 && strncmp(s->line[i] + n, ": ", 2) == 0)
			return s->line[i] + n + 2;
	}
	return NULL;
}

/* GitHub's own example ("Testing the webhook payload validation"), and the secret and body of the Standard Webhooks
 * specification's with an id of ours; SHA-1 and that one by Python's hmac. */
static void
signatures(void **state)
{
	struct guts_hook h = make("push");
	struct guts_delivery d = { .event = "push" };
	struct guts_sign s;

	(void)state;
	snprintf(h.secret, sizeof h.secret, "It's a Secret to Everybody");
	guts_sign_make(&s, &h, &d, S("Hello, World!"), 0, "http://n");
	assert_string_equal(value_of(&s, "X-Hub-Signature-256"),
	    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
	assert_string_equal(value_of(&s, "X-Gitea-Signature"), value_of(&s, "X-Hub-Signature-256") + 7);
	assert_string_equal(value_of(&s, "X-Hub-Signature"), "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
	assert_string_equal(value_of(&s, "X-GitHub-Delivery"), "00000000-0000-0000-0000-000000000000");
	assert_null(value_of(&s, "Authorization"));
	assert_null(value_of(&s, "ce-id"));
	guts_sign_deinit(&s);

	snprintf(h.secret, sizeof h.secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	guts_sign_make(&s, &h, &d, S("{\"test\": 2432232314}"), UINT64_C(1614265330999), "http://n");
	assert_string_equal(value_of(&s, "webhook-timestamp"), "1614265330");
	assert_string_equal(value_of(&s, "webhook-signature"), "v1,Y5/uRWupLQOPxe4D5mBYrd9dRGhY+xtWrnxDwy59WDE=");
	guts_sign_deinit(&s);

	h.secret[0] = '\0';
	h.format = GUTS_HOOK_CLOUDEVENTS;
	snprintf(h.authorization, sizeof h.authorization, "Bearer x");
	guts_sign_make(&s, &h, &d, S("{}"), 0, "http://n");
	assert_null(value_of(&s, "X-Hub-Signature"));
	assert_null(value_of(&s, "webhook-signature"));
	assert_string_equal(value_of(&s, "Authorization"), "Bearer x");
	assert_string_equal(value_of(&s, "ce-type"), "guts.push");
	guts_sign_deinit(&s);
	assert_true(guts_sign_is_secret("authorization", 13) && guts_sign_is_secret("SET-COOKIE", 10));
	assert_false(guts_sign_is_secret("Authorizatio", 12) || guts_sign_is_secret("webhook-id", 10));
}

static void
pauses(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (uint32_t n = 1; n < 100; n++) {
		uint64_t base = n < 11 ? UINT64_C(5000) << (n - 1) : GUTS_RETRY_MAX_MS;

		base = base < GUTS_RETRY_MAX_MS ? base : GUTS_RETRY_MAX_MS;
		for (uint64_t r = 0; r < 5000; r += 7) {
			uint64_t ms = guts_retry_delay_ms(5000, n, r * UINT64_C(0x9e3779b97f4a7c15));

			assert_true(ms >= base - base / 5 && ms <= base + base / 5);
		}
		sum += base;
		if (n == 33)
			assert_true(sum > UINT64_C(20) * 3600 * 1000 && sum < UINT64_C(26) * 3600 * 1000);
	}
	assert_int_equal(guts_retry_delay_ms(5000, 1, 0), 4000);
	assert_int_equal(guts_retry_delay_ms(5000, 1, 2000), 6000);
	assert_true(guts_retry_delay_ms(0, UINT32_MAX, 5) <= GUTS_RETRY_MAX_MS * 6 / 5);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_events),
		cmocka_unit_test(which_branches),
		cmocka_unit_test(whose_and_since),
		cmocka_unit_test(signals_are_asked_for),
		cmocka_unit_test(urls),
		cmocka_unit_test(stored_and_read),
		cmocka_unit_test(signatures),
		cmocka_unit_test(pauses),
	};

	if (guts_crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
