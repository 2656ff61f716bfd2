/* tests/unit/test_broker_url.c - addresses of brokers and the file with their credentials; what a tally says of a round. */
#include "unit.h"

#include "sink/natsuser.h"
#include "sink/tally.h"
#include "sink/url.h"

#include <stdio.h>
#include <string.h>

static int
parse(struct guts_broker_url *u, const char *text)
{
	struct guts_errinfo ei = { 0 };
	int err = guts_broker_url_parse(u, guts_slice_str(text), &ei);

	assert_true(err == 0 || ei.text[0] != '\0');
	return err;
}

static void
addresses(void **state)
{
	static const struct {
		const char *text, *host;
		enum guts_broker_kind kind;
		bool is_tls;
		unsigned port;
	} rows[] = {
		{ "mqtt://broker.example", "broker.example", GUTS_BROKER_MQTT, false, 1883 },
		{ "mqtts://broker.example", "broker.example", GUTS_BROKER_MQTT, true, 8883 },
		{ "nats://127.0.0.1:1", "127.0.0.1", GUTS_BROKER_NATS, false, 1 },
		{ "tls://n-1_a", "n-1_a", GUTS_BROKER_NATS, true, 4222 },
		{ "nats://[::1]:65535", "::1", GUTS_BROKER_NATS, false, 65535 },
		{ "mqtt://[fe80::1]", "fe80::1", GUTS_BROKER_MQTT, false, 1883 },
	};
	static const char *const bad[] = { "", "mqtt://", "http://h", "MQTT://h", "nats://h:0", "nats://h:65536", "nats://h:", "nats://h:1x",
		"nats://h/", "nats://h?x", "nats://[::1", "nats://::1", "nats://[::1]x", "nats://[]", "nats://[x]", "nats://a b", "nats://@h",
		"nats://:p@h", "nats://u:%0@h", "nats://u:%zz@h", "nats://u:%0a@h", "nats://u:%00@h", "nats://u@" };
	struct guts_broker_url u;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(parse(&u, rows[i].text), GUTS_OK);
		assert_string_equal(u.host, rows[i].host);
		assert_int_equal(u.kind, rows[i].kind);
		assert_int_equal(u.is_tls, rows[i].is_tls);
		assert_int_equal(u.port, rows[i].port);
		assert_string_equal(u.user, "");
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (parse(&u, bad[i]) != GUTS_EINVAL)
			fail_msg("%s was taken", bad[i]);
	}
}

static void
lengths(void **state)
{
	char text[2 * GUTS_BROKER_URL_MAX];
	struct guts_broker_url u;

	(void)state;
	for (int n = GUTS_BROKER_SECRET_MAX; n <= GUTS_BROKER_SECRET_MAX + 1; n++) {
		snprintf(text, sizeof text, "nats://%0*d@h", n, 0);
		assert_int_equal(parse(&u, text), n == GUTS_BROKER_SECRET_MAX ? GUTS_OK : GUTS_EINVAL);
	}
	for (int n = GUTS_BROKER_HOST_MAX; n <= GUTS_BROKER_HOST_MAX + 1; n++) {
		snprintf(text, sizeof text, "nats://%0*d", n, 0);
		assert_int_equal(parse(&u, text), n == GUTS_BROKER_HOST_MAX ? GUTS_OK : GUTS_EINVAL);
	}
}

static int
look(struct guts_broker_url *u, const char *file, struct guts_errinfo *ei)
{
	return guts_broker_url_credentials(u, guts_slice_str(file), ei);
}

static void
credentials(void **state)
{
	struct guts_broker_url u;
	struct guts_errinfo ei = { 0 };

	(void)state;
	parse(&u, "nats://h");
	assert_int_equal(look(&u, "# all\n\nnats://a:b@g\nmqtt://c:d@h\r\nnats://e:f@h:4223\nnats://g%40:h%3Ai@H:4222\nnats://no@h", &ei), GUTS_OK);
	assert_string_equal(u.user, "g@");
	assert_string_equal(u.password, "h:i");
	assert_true(u.has_password);
	parse(&u, "tls://h");
	assert_int_equal(look(&u, "nats://a@h\n", &ei), GUTS_OK);
	assert_string_equal(u.user, "");
	assert_int_equal(look(&u, "tls://t0k@n@h", &ei), GUTS_OK);
	assert_string_equal(u.user, "t0k@n");
	assert_false(u.has_password);
	assert_int_equal(look(&u, "tls://secret:@h:x\n", &ei), GUTS_EINVAL);
	assert_non_null(strstr(ei.text, "line 1"));
	assert_null(strstr(ei.text, "secret"));
}

/* The example of NATS' documentation of NKeys. */
#define SEED "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
#define NKEY "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

static void
nats_users(void **state)
{
	static const struct {
		const char *file, *jwt, *error;
	} rows[] = {
		{ SEED, NULL, NULL },
		{ "# a key\n  " SEED "\r\n", NULL, NULL },
		{ "-----BEGIN NATS USER JWT-----\neyJ0eXAi.x.y\n------END NATS USER JWT------\n\n" SEED "\n", "eyJ0eXAi.x.y", NULL },
		{ "", NULL, "there is no NKey seed" },
		{ "eyJ0eXAi.x.y\n", NULL, "there is no NKey seed" },
		{ SEED "A", NULL, "there is no NKey seed" },
		{ "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VA", NULL, "is damaged" },
		{ "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3V1", NULL, "is damaged" },
		{ "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI", NULL, "is not of a user" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guts_nats_user u;
		struct guts_errinfo ei = { 0 };
		int err = guts_nats_user_parse(&u, guts_slice_str(rows[i].file), &ei);

		assert_int_equal(err, rows[i].error ? GUTS_EINVAL : GUTS_OK);
		if (!err)
			assert_string_equal(u.nkey, NKEY);
		else if (!strstr(ei.text, rows[i].error))
			fail_msg("row %zu: %s", i, ei.text);
		if (!err && rows[i].jwt)
			assert_string_equal(u.jwt, rows[i].jwt);
		guts_nats_user_wipe(&u);
	}
}

static void
rounds(void **state)
{
	struct guts_tally t;
	struct guts_errinfo ei;
	size_t taken;

	(void)state;
	guts_tally_init(&t);
	assert_int_equal(guts_tally_wait_up(&t, 0, &ei), GUTS_ETIMEOUT);
	guts_tally_up(&t);
	assert_int_equal(guts_tally_wait_up(&t, 0, &ei), GUTS_OK);
	guts_tally_begin(&t, 3);
	guts_tally_answer(&t, 0, NULL);
	guts_tally_answer(&t, 2, NULL);
	guts_tally_answer(&t, 2, "twice");
	guts_tally_answer(&t, 3, "nobody's");
	assert_int_equal(guts_tally_wait(&t, 0, &taken, &ei), GUTS_ETIMEOUT);
	assert_int_equal(taken, 1);
	guts_tally_answer(&t, 1, NULL);
	assert_int_equal(guts_tally_wait(&t, 0, &taken, &ei), GUTS_OK);
	assert_int_equal(taken, 3);
	guts_tally_begin(&t, 2);
	guts_tally_answer(&t, 0, NULL);
	guts_tally_answer(&t, 1, "too large");
	assert_int_equal(guts_tally_wait(&t, 0, &taken, &ei), GUTS_EDENIED);
	assert_int_equal(taken, 1);
	assert_string_equal(ei.text, "too large");
	guts_tally_reset(&t);
	guts_tally_break(&t, "gone %d", 1);
	guts_tally_break(&t, "gone %d", 2);
	assert_int_equal(guts_tally_wait_up(&t, 100, &ei), GUTS_ECLOSED);
	assert_string_equal(ei.text, "gone 1");
	guts_tally_reset(&t);
	guts_tally_stop(&t);
	assert_int_equal(guts_tally_wait_up(&t, 100, &ei), GUTS_ECANCELED);
	guts_tally_deinit(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(addresses), cmocka_unit_test(lengths), cmocka_unit_test(credentials),
		cmocka_unit_test(nats_users), cmocka_unit_test(rounds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
