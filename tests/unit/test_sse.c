/* test_sse.c - event streams, whole and in pieces of every size. */
#include "client/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct got {
	char text[4096];
	size_t n;
	int stop_after;
};

static bool
on_event(void *owner, const struct guts_sse_event *e)
{
	struct got *g = owner;

	g->n += (size_t)snprintf(g->text + g->n, sizeof(g->text) - g->n, "<%s|%s|%.*s>", e->type, e->last_id, (int)e->data.n,
	    (const char *)e->data.p);
	return --g->stop_after != 0;
}

/* What the stream gives, read in pieces of `size`; the answer must not depend on it. */
static void
gives(const char *in, size_t n, const char *want, const char *last_id, uint32_t retry_ms)
{
	for (size_t size = 1; size <= n; size++) {
		struct got g = { .stop_after = -1 };
		struct guts_sse s;

		guts_sse_init(&s);
		for (size_t i = 0; i < n; i += size)
			assert_int_equal(guts_sse_read(&s, guts_slice(in + i, n - i < size ? n - i : size), on_event, &g), 0);
		assert_string_equal(g.text, want);
		assert_string_equal(s.last_id, last_id);
		assert_int_equal(s.retry_ms, retry_ms);
		guts_sse_deinit(&s);
	}
}
#define GIVES(in, ...) gives(in, sizeof(in) - 1, __VA_ARGS__)

static void
the_standard_examples(void **state)
{
	(void)state;
	GIVES("data: YHOO\ndata: +2\ndata: 10\n\n", "<message||YHOO\n+2\n10>", "", 0);
	GIVES(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
	    "<message|1|first event><message||second event><message|| third event>", "", 0);
	GIVES("data\n\ndata\ndata\n\ndata:", "<message||><message||\n>", "", 0);
	GIVES("data:test\n\ndata: test\n\n", "<message||test><message||test>", "", 0);
}

static void
names_ids_and_retry(void **state)
{
	(void)state;
	GIVES("retry: 3000\nevent: hello\ndata: {}\n\nevent: x\n\nid: 7\n\ndata: y\n\n", "<hello||{}><message|7|y>", "7", 3000);
	GIVES("id: a\0b\ndata: x\n\n", "<message||x>", "", 0);
	GIVES("retry: 12x\nretry: 99999999\ndata: x\nunknown: y\n\n", "<message||x>", "", 0);
	GIVES("id: 1\ndata: half", "", "", 0); /* not dispatched, so its id does not count */
}

static void
every_kind_of_line_end(void **state)
{
	(void)state;
	GIVES("data: a\r\ndata: b\r\n\r\n", "<message||a\nb>", "", 0);
	GIVES("data: a\rdata: b\r\r", "<message||a\nb>", "", 0);
	GIVES("data: a\r\n\rdata: b\n\r\n", "<message||a><message||b>", "", 0);
	GIVES("\xef\xbb\xbf"
	      "data: bom\n\n",
	    "<message||bom>", "", 0);
}

static void
a_reset_forgets_the_half_read(void **state)
{
	struct got g = { .stop_after = -1 };
	struct guts_sse s;

	(void)state;
	guts_sse_init(&s);
	assert_int_equal(guts_sse_read(&s, guts_slice_str("id: 1\ndata: a\n\nid: 2\nevent: e\ndata: lo"), on_event, &g), 0);
	guts_sse_reset(&s);
	assert_int_equal(guts_sse_read(&s, guts_slice_str("data: b\n\n"), on_event, &g), 0);
	assert_string_equal(g.text, "<message|1|a><message|1|b>");
	guts_sse_deinit(&s);
}

static void
the_reader_may_stop(void **state)
{
	struct got g = { .stop_after = 2 };
	struct guts_sse s;

	(void)state;
	guts_sse_init(&s);
	assert_int_equal(guts_sse_read(&s, guts_slice_str("data: 1\n\ndata: 2\n\ndata: 3\n\n"), on_event, &g), GUTS_ECANCELED);
	assert_string_equal(g.text, "<message||1><message||2>");
	guts_sse_deinit(&s);
}

static void
a_line_and_an_event_have_a_cap(void **state)
{
	struct got g = { .stop_after = -1 };
	char *line = calloc(1, 65536);
	struct guts_sse s;
	int err = 0;

	(void)state;
	memset(line, 'x', 65535);
	guts_sse_init(&s);
	for (int i = 0; i < 17; i++)
		err = guts_sse_read(&s, guts_slice(line, 65535), on_event, &g);
	assert_int_equal(err, GUTS_ELIMIT);
	guts_sse_deinit(&s);

	memcpy(line, "data: ", 6);
	line[65535] = '\n';
	guts_sse_init(&s);
	err = 0;
	for (int i = 0; i < 17 && !err; i++)
		err = guts_sse_read(&s, guts_slice(line, 65536), on_event, &g);
	assert_int_equal(err, GUTS_ELIMIT);
	guts_sse_deinit(&s);
	free(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standard_examples),
		cmocka_unit_test(names_ids_and_retry),
		cmocka_unit_test(every_kind_of_line_end),
		cmocka_unit_test(a_reset_forgets_the_half_read),
		cmocka_unit_test(the_reader_may_stop),
		cmocka_unit_test(a_line_and_an_event_have_a_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
