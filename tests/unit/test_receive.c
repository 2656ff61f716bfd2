/* Unit tests of git/pktline and git/receive. */
#include "base/alloc.h"
#include "git/pktline.h"
#include "git/receive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define Z "0000000000000000000000000000000000000000"
#define A "1111111111111111111111111111111111111111"
#define B "2222222222222222222222222222222222222222"

static void
frames_are_read(void **state)
{
	static const struct {
		const char *in;
		int err;
		enum guts_pkt_kind kind;
		const char *data;
		size_t used;
	} t[] = {
		{ "0000", 0, GUTS_PKT_FLUSH, "", 4 },
		{ "0001", 0, GUTS_PKT_DELIM, "", 4 },
		{ "0002xx", 0, GUTS_PKT_END, "", 4 },
		{ "0004", 0, GUTS_PKT_DATA, "", 4 },
		{ "0006a\nmore", 0, GUTS_PKT_DATA, "a\n", 6 },
		{ "000Aabcdef", 0, GUTS_PKT_DATA, "abcdef", 10 },
		{ "0003", GUTS_EPROTO, 0, "", 0 },
		{ "fff1", GUTS_EPROTO, 0, "", 0 },
		{ "ffff", GUTS_EPROTO, 0, "", 0 },
		{ "00g0", GUTS_EPROTO, 0, "", 0 },
		{ "-001", GUTS_EPROTO, 0, "", 0 },
		{ "x", GUTS_EPROTO, 0, "", 0 },
		{ "", GUTS_EAGAIN, 0, "", 0 },
		{ "000", GUTS_EAGAIN, 0, "", 0 },
		{ "0005", GUTS_EAGAIN, 0, "", 0 },
		{ "fff0abc", GUTS_EAGAIN, 0, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		enum guts_pkt_kind kind;
		struct guts_slice data;
		size_t used;
		int err = guts_pkt_read(guts_slice_str(t[i].in), &kind, &data, &used);

		if (err != t[i].err || used != t[i].used || (!err && (kind != t[i].kind ||
		    !guts_slice_eq(data, guts_slice_str(t[i].data)))))
			fail_msg("%s: %d, %zu", t[i].in, err, used);
	}
}

static void
bands_are_split(void **state)
{
	struct guts_buf out;
	char *big = guts_alloc(140000);
	size_t sum = 0, frames = 0;

	(void)state;
	guts_buf_init(&out, 200000);
	assert_int_equal(guts_pkt_add_band(&out, GUTS_BAND_DATA, guts_slice(big, 140000)), 0);
	for (struct guts_slice s = guts_buf_slice(&out); s.n > 0; frames++) {
		enum guts_pkt_kind kind;
		struct guts_slice data;
		size_t used;

		assert_int_equal(guts_pkt_read(s, &kind, &data, &used), 0);
		assert_true(used <= GUTS_PKT_MAX && data.p[0] == 1);
		sum += data.n - 1;
		s = guts_slice(s.p + used, s.n - used);
	}
	assert_true(sum == 140000 && frames == 3);
	guts_buf_deinit(&out);
	guts_buf_init(&out, 100);
	assert_int_equal(guts_pkt_add_band(&out, GUTS_BAND_DATA, guts_slice(big, 140000)), GUTS_ELIMIT);
	guts_buf_deinit(&out);
	free(big);
}

/* Frames of text lines; "" is a flush.  The buffer is the caller's to free. */
static struct guts_buf
frames(const char *const *lines, size_t n)
{
	struct guts_buf b;

	guts_buf_init(&b, 1u << 20);
	for (size_t i = 0; i < n; i++) {
		if (lines[i][0])
			guts_pkt_add(&b, guts_slice_str(lines[i]));
		else
			guts_pkt_add_flush(&b);
	}
	return b;
}

/* Feed all in pieces of `piece` bytes; *left gets what is behind the head. */
static int
feed(struct guts_receive *p, struct guts_slice all, size_t piece, size_t *left)
{
	struct guts_errinfo ei;
	int err = GUTS_EAGAIN;

	while (err == GUTS_EAGAIN && all.n > 0) {
		size_t n = piece < all.n ? piece : all.n, used;

		err = guts_receive_feed(p, guts_slice(all.p, n), &used, &ei);
		assert_true(used <= n);
		if (err == GUTS_EAGAIN)
			assert_int_equal(used, n);
		all = guts_slice(all.p + used, all.n - used);
	}
	*left = all.n;
	return err;
}

static void
a_push_is_parsed(void **state)
{
	static const char first[] = Z " " A " refs/heads/main\0 report-status-v2 side-band-64k atomic push-options "
	    "object-format=sha1 agent=git/2.39.5";
	static const size_t pieces[] = { 1, 2, 3, 5, 7, 100, 100000 };
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, 4096);
	guts_pkt_add(&b, guts_slice(first, sizeof(first) - 1));
	guts_pkt_printf(&b, "%s %s refs/tags/v1\n", A, Z);
	guts_pkt_printf(&b, "%s %s refs/heads/a..b", A, B);
	guts_pkt_add_flush(&b);
	guts_pkt_printf(&b, "ci.skip\n");
	guts_pkt_add_flush(&b);
	guts_buf_add_str(&b, "PACK...");
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct guts_receive *p = guts_receive_new(GUTS_SHA1);
		const struct guts_receive_request *rq = guts_receive_request(p);
		struct guts_errinfo ei;
		size_t left;

		assert_int_equal(feed(p, guts_buf_slice(&b), pieces[i], &left), 0);
		assert_int_equal(left, 7);
		assert_int_equal(rq->ncmds, 3);
		assert_true(rq->report_status_v2 && rq->side_band && rq->atomic && !rq->quiet && rq->has_pack);
		assert_string_equal(rq->cmds[0].name, "refs/heads/main");
		assert_true(guts_oid_is_none(&rq->cmds[0].old_oid) && rq->cmds[0].new_oid.b[0] == 0x11);
		assert_true(guts_oid_is_none(&rq->cmds[1].new_oid) && rq->cmds[1].err == 0);
		assert_int_equal(rq->cmds[2].err, GUTS_EINVAL);
		assert_int_equal(rq->noptions, 1);
		assert_string_equal(rq->options[0], "ci.skip");
		assert_string_equal(rq->agent, "git/2.39.5");
		assert_int_equal(guts_receive_finish(p, &ei), 0);
		guts_receive_free(p);
	}
	guts_buf_deinit(&b);
}

static void
bad_pushes_are_refused(void **state)
{
	static const struct {
		const char *lines[4];
		size_t n;
		int err;
	} t[] = {
		{ { "" }, 1, 0 },
		{ { "shallow " A, A " " Z " refs/heads/a", "" }, 3, 0 },
		{ { "hello", "" }, 2, GUTS_EPROTO },
		{ { Z " " A "  ", "" }, 2, 0 },
		{ { Z " " A " ", "" }, 2, GUTS_EPROTO },
		{ { Z " " A, "" }, 2, GUTS_EPROTO },
		{ { Z "x" A " refs/heads/a", "" }, 2, GUTS_EPROTO },
		{ { "zzzz111111111111111111111111111111111111 " A " refs/heads/a", "" }, 2, GUTS_EPROTO },
		{ { Z " " A " refs/heads/a", Z " " B " refs/heads/b", Z " " A " refs/heads/a", "" }, 4, GUTS_EPROTO },
		{ { "push-cert\n", "" }, 2, GUTS_EUNSUPPORTED },
		{ { Z " " A " refs/heads/a" }, 1, GUTS_EAGAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct guts_buf b = frames(t[i].lines, t[i].n);
		struct guts_receive *p = guts_receive_new(GUTS_SHA1);
		struct guts_errinfo ei;
		size_t left;
		int err = feed(p, guts_buf_slice(&b), 11, &left);

		if (err != t[i].err)
			fail_msg("case %zu: %s", i, guts_err_name(err));
		assert_int_equal(guts_receive_finish(p, &ei), err ? GUTS_EPROTO : 0);
		guts_receive_free(p);
		guts_buf_deinit(&b);
	}
}

static void
caps_of_a_push_hold(void **state)
{
	struct guts_receive *p = guts_receive_new(GUTS_SHA1);
	struct guts_errinfo ei;
	struct guts_buf b;
	size_t left;

	(void)state;
	guts_buf_init(&b, 4u << 20);
	for (unsigned i = 0; i <= GUTS_REFS_PER_PUSH_MAX; i++)
		guts_pkt_printf(&b, "%s %s refs/heads/b%u", Z, A, i);
	assert_int_equal(feed(p, guts_buf_slice(&b), 65536, &left), GUTS_ELIMIT);
	guts_receive_free(p);
	guts_buf_clear(&b);
	p = guts_receive_new(GUTS_SHA1);
	guts_pkt_add(&b, guts_slice(Z " " A " refs/heads/m\0push-options", 95 + 12));
	guts_pkt_add_flush(&b);
	for (unsigned i = 0; i <= GUTS_RECEIVE_OPTIONS_MAX; i++)
		guts_pkt_printf(&b, "o%u", i);
	assert_int_equal(feed(p, guts_buf_slice(&b), 65536, &left), GUTS_ELIMIT);
	guts_receive_free(p);
	guts_buf_clear(&b);
	p = guts_receive_new(GUTS_SHA256);
	guts_pkt_add(&b, guts_slice(Z " " A " refs/heads/m\0object-format=sha1", 95 + 18));
	assert_int_equal(feed(p, guts_buf_slice(&b), 65536, &left), GUTS_EUNSUPPORTED);
	guts_receive_free(p);
	p = guts_receive_new(GUTS_SHA1);
	assert_int_equal(guts_receive_finish(p, &ei), 0);
	guts_receive_free(p);
	guts_buf_deinit(&b);
}

static bool
has(struct guts_buf *b, const char *text)
{
	return memmem(guts_buf_cstr(b), b->len, text, strlen(text)) != NULL;
}

static void
refs_are_advertised(void **state)
{
	struct guts_receive_ref refs[2] = { { .name = "refs/heads/a" }, { .name = "refs/heads/b" } };
	struct guts_receive_advert a = { .refs = refs, .n = 2, .format = GUTS_SHA1, .agent = "guts/1", .is_http = true };
	struct guts_buf out;

	(void)state;
	guts_oid_from_hex(&refs[0].oid, guts_slice_str(A));
	guts_oid_from_hex(&refs[1].oid, guts_slice_str(B));
	guts_buf_init(&out, 4096);
	assert_int_equal(guts_receive_advertise(&out, &a), 0);
	assert_int_equal(memcmp(guts_buf_cstr(&out), "001f# service=git-receive-pack\n0000", 35), 0);
	assert_true(has(&out, A " refs/heads/a") && has(&out, "003a" B " refs/heads/b\n0000"));
	assert_true(has(&out, " report-status-v2 ") && has(&out, " agent=guts/1\n"));
	guts_buf_clear(&out);
	a.n = 0;
	a.version = 1;
	a.is_http = false;
	assert_int_equal(guts_receive_advertise(&out, &a), 0);
	assert_int_equal(memcmp(guts_buf_cstr(&out), "000eversion 1\n", 14), 0);
	assert_true(has(&out, Z " capabilities^{}"));
	guts_buf_deinit(&out);
	guts_buf_init(&out, 50);
	assert_int_equal(guts_receive_advertise(&out, &a), GUTS_ELIMIT);
	guts_buf_deinit(&out);
}

static void
the_report_is_written(void **state)
{
	struct guts_receive_request rq = { .report_status = true, .side_band = true };
	struct guts_receive_status st[] = { { .name = "refs/heads/a" },
		{ .name = "refs/heads/b", .error = "no\033[31m\nok refs/heads/b" } };
	struct guts_buf out;

	(void)state;
	guts_buf_init(&out, 4096);
	assert_int_equal(guts_receive_message(&out, &rq, "hello\r\n"), 0);
	assert_int_equal(guts_receive_report(&out, &rq, NULL, st, 2), 0);
	assert_true(has(&out, "\2hello??\n") && has(&out, "\1" "000eunpack ok\n0014ok refs/heads/a\n"));
	assert_true(has(&out, "ng refs/heads/b no?[31m?ok refs/heads/b\n0000"));
	assert_string_equal(guts_buf_cstr(&out) + out.len - 8, "00000000");
	guts_buf_clear(&out);
	rq.side_band = false;
	assert_int_equal(guts_receive_report(&out, &rq, "disk full", st, 0), 0);
	assert_string_equal(guts_buf_cstr(&out), "0015unpack disk full\n0000");
	guts_buf_clear(&out);
	assert_int_equal(guts_receive_message(&out, &rq, "x"), 0);
	assert_int_equal(guts_receive_fatal(&out, &rq, "x"), 0);
	assert_int_equal(out.len, 0);
	rq.side_band = true;
	assert_int_equal(guts_receive_fatal(&out, &rq, "x"), 0);
	assert_string_equal(guts_buf_cstr(&out), "0007\3x\n0000");
	guts_buf_deinit(&out);
}

static void
another_ref_is_told_of_to_those_who_understand(void **state)
{
	struct guts_receive_request rq = { .report_status = true, .report_status_v2 = true, .format = GUTS_SHA1 };
	struct guts_receive_status st = { .name = "refs/heads/a", .written = "refs/heads/c/a" };
	struct guts_buf out;

	(void)state;
	assert_int_equal(guts_oid_from_hex(&st.new_oid, guts_slice_str(A)), 0);
	guts_buf_init(&out, 4096);
	assert_int_equal(guts_receive_report(&out, &rq, NULL, &st, 1), 0);
	assert_string_equal(guts_buf_cstr(&out), "000eunpack ok\n0014ok refs/heads/a\n0022option refname refs/heads/c/a\n"
	    "003coption old-oid " Z "\n003coption new-oid " A "\n0000");
	guts_buf_clear(&out);
	st.error = "no";
	assert_int_equal(guts_receive_report(&out, &rq, NULL, &st, 1), 0);
	assert_string_equal(guts_buf_cstr(&out), "000eunpack ok\n0017ng refs/heads/a no\n0000");
	st.error = NULL;
	rq.report_status_v2 = false;
	guts_buf_clear(&out);
	assert_int_equal(guts_receive_report(&out, &rq, NULL, &st, 1), 0);
	assert_string_equal(guts_buf_cstr(&out), "000eunpack ok\n0014ok refs/heads/a\n0000");
	guts_buf_deinit(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_read),
		cmocka_unit_test(bands_are_split),
		cmocka_unit_test(a_push_is_parsed),
		cmocka_unit_test(bad_pushes_are_refused),
		cmocka_unit_test(caps_of_a_push_hold),
		cmocka_unit_test(refs_are_advertised),
		cmocka_unit_test(the_report_is_written),
		cmocka_unit_test(another_ref_is_told_of_to_those_who_understand),
	};

	return cmocka_run_group_tests_name("receive", tests, NULL, NULL);
}
