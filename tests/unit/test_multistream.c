/* tests/unit/test_multistream.c - negotiation between two objects and against fixed bytes. */
#include "base/err.h"
#include "mux/multistream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define HELLO "\x13/multistream/1.0.0\n"

static const char *const served[] = { "/a/1", "/b/1" };

static const void *
lookup(void *owner, struct guts_slice name)
{
	(void)owner;
	for (size_t i = 0; i < 2; i++)
		if (guts_slice_eq(name, guts_slice_str(served[i])))
			return &served[i];
	return NULL;
}

/* Move all output of `from` to `to`, `step` bytes at a time; returns the first error. */
static int
carry(struct guts_msel *from, struct guts_msel *to, size_t step)
{
	while (from->out.len > 0) {
		size_t n = from->out.len < step ? from->out.len : step, used;
		int err = guts_msel_recv(to, guts_slice(guts_buf_slice(&from->out).p, n), &used);

		if (err)
			return err;
		assert_int_equal(used, n);
		guts_buf_consume(&from->out, n);
	}
	return 0;
}

static int
negotiate(struct guts_msel *d, struct guts_msel *l, size_t step)
{
	for (int round = 0; round < 64 && !(d->done && l->done && !l->out.len); round++) {
		int err = carry(d, l, step);

		if (!err)
			err = carry(l, d, step);
		if (err)
			return err;
	}
	return 0;
}

static void
first_flight_holds_greeting_and_proposal(void **state)
{
	const char *names[] = { "/noise" };
	struct guts_msel d;

	(void)state;
	guts_msel_dial(&d, names, 1);
	assert_true(guts_slice_eq(guts_buf_slice(&d.out), guts_slice_str(HELLO "\x07/noise\n")));
	guts_msel_deinit(&d);
}

static void
agrees_on_the_first_common_name(void **state)
{
	const char *names[] = { "/x/1", "/b/1", "/a/1" };

	(void)state;
	for (size_t step = 1; step < 64; step = step * 2 + 1) {
		struct guts_msel d, l;

		guts_msel_dial(&d, names, 3);
		guts_msel_listen(&l, lookup, NULL);
		assert_int_equal(negotiate(&d, &l, step), 0);
		assert_true(d.done && l.done);
		assert_int_equal(d.chosen, 1);
		assert_ptr_equal(l.choice, &served[1]);
		guts_msel_deinit(&d);
		guts_msel_deinit(&l);
	}
}

static void
nothing_in_common(void **state)
{
	const char *names[] = { "/x/1", "/y/1" };
	struct guts_msel d, l;

	(void)state;
	guts_msel_dial(&d, names, 2);
	guts_msel_listen(&l, lookup, NULL);
	assert_int_equal(negotiate(&d, &l, 64), GUTS_EUNSUPPORTED);
	guts_msel_deinit(&d);
	guts_msel_deinit(&l);
}

static void
stops_where_the_protocol_begins(void **state)
{
	static const char in[] = HELLO "\x05/a/1\nhello";
	struct guts_msel l;
	size_t used;

	(void)state;
	guts_msel_listen(&l, lookup, NULL);
	assert_int_equal(guts_msel_recv(&l, guts_slice_str(in), &used), 0);
	assert_true(l.done);
	assert_int_equal(used, sizeof(in) - 1 - 5);
	guts_msel_deinit(&l);
}

static void
list_is_answered(void **state)
{
	struct guts_msel l;
	size_t used;

	(void)state;
	guts_msel_listen(&l, lookup, NULL);
	assert_int_equal(guts_msel_recv(&l, guts_slice_str(HELLO "\x03ls\n\x03" "zz\n"), &used), 0);
	assert_true(guts_slice_eq(guts_buf_slice(&l.out), guts_slice_str(HELLO "\x01\n\x03na\n")));
	guts_msel_deinit(&l);
}

static int
listener_verdict(const char *p, size_t n)
{
	struct guts_msel l;
	size_t used;
	int err;

	guts_msel_listen(&l, lookup, NULL);
	err = guts_msel_recv(&l, guts_slice(p, n), &used);
	guts_msel_deinit(&l);
	return err;
}

static void
bad_lines_are_refused(void **state)
{
	char many[64 + 3 * (GUTS_MSEL_PROPOSALS_MAX + 1)] = HELLO;
	size_t n = strlen(many);

	(void)state;
	assert_int_equal(listener_verdict("GET", 3), GUTS_EPROTO);
	assert_int_equal(listener_verdict("\x13/multistream/2.0.0\n", 20), GUTS_EPROTO);
	assert_int_equal(listener_verdict(HELLO "\x00", 21), GUTS_EPROTO);
	assert_int_equal(listener_verdict(HELLO "\x02zz", 23), GUTS_EPROTO);
	assert_int_equal(listener_verdict(HELLO "\x81\x08", 22), GUTS_ELIMIT);
	assert_int_equal(listener_verdict(HELLO "\x80\x08", 22), 0);
	assert_int_equal(listener_verdict(HELLO "\x80\x00", 22), GUTS_EPROTO);
	for (int i = 0; i <= GUTS_MSEL_PROPOSALS_MAX; i++, n += 3)
		memcpy(many + n, "\x02x\n", 3);
	assert_int_equal(listener_verdict(many, n), GUTS_ELIMIT);
	assert_int_equal(listener_verdict(many, n - 3), 0);
}

static void
a_dialer_takes_no_other_name(void **state)
{
	const char *names[] = { "/a/1" };
	struct guts_msel d;
	size_t used;

	(void)state;
	guts_msel_dial(&d, names, 1);
	assert_int_equal(guts_msel_recv(&d, guts_slice_str(HELLO "\x05/b/1\n"), &used), GUTS_EPROTO);
	guts_msel_deinit(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_flight_holds_greeting_and_proposal),
		cmocka_unit_test(agrees_on_the_first_common_name),
		cmocka_unit_test(nothing_in_common),
		cmocka_unit_test(stops_where_the_protocol_begins),
		cmocka_unit_test(list_is_answered),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(a_dialer_takes_no_other_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
