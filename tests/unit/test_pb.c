/* test_pb.c - the protobuf reader and writer: round trips of random messages, caps, and hostile bytes.
 *
 * tests/integration/pb_sample.py compares the same table with protoc. */
#include "pb_sample.h"
#include "vectors.h"
#include "unit.h"

#include "base/alloc.h"
#include "base/err.h"
#include "base/rng.h"
#include "wire/pb.h"

#include <stdlib.h>
#include <string.h>

static int
decode(const char *hex, struct sample *s, struct guts_arena *a)
{
	return guts_pb_decode(&sample_desc, vectors_unhex(hex), s, a);
}

/* Decode and throw away. */
static int
verdict(const char *hex)
{
	struct guts_arena a;
	struct sample s;
	int err;

	guts_arena_init(&a, 4096);
	err = decode(hex, &s, &a);
	guts_arena_deinit(&a);
	return err;
}

static void
reads_every_kind(void **state)
{
	struct guts_arena a;
	struct sample s;

	(void)state;
	guts_arena_init(&a, 4096);
	assert_int_equal(decode("08ac02" "1007" "1801" "21efcdab8967452301" "2a0300ff01" "3203616263"
	                        "3a0508011a0178" "42020102" "4801" "48ac02" "5203050608" "5a0178" "5a00"
	                        "62021005" "6200" "6800" "a00601",
	                     &s, &a), GUTS_OK);
	assert_int_equal(s.u64, 300);
	assert_int_equal(s.u32, 7);
	assert_true(s.flag);
	assert_true(s.fixed == UINT64_C(0x0123456789abcdef));
	assert_slice_equal(s.bytes, vectors_unhex("00ff01"));
	assert_slice_equal(s.string, S("abc"));
	assert_true(s.has_inner);
	assert_int_equal(s.inner.number, 1);
	assert_slice_equal(s.inner.name, S("x"));
	assert_int_equal(s.blobs.n, 1);
	assert_slice_equal(s.blobs.v[0], vectors_unhex("0102"));
	assert_int_equal(s.unpacked.n, 2);
	assert_true(s.unpacked.v[1] == 300);
	assert_int_equal(s.packed.n, 3);
	assert_true(s.packed.v[0] == 5 && s.packed.v[1] == 6 && s.packed.v[2] == 8);
	assert_int_equal(s.names.n, 2);
	assert_slice_equal(s.names.v[0], S("x"));
	assert_int_equal(s.names.v[1].n, 0);
	assert_int_equal(s.inners.n, 2);
	assert_int_equal(s.inners.v[0].number, 0);
	assert_int_equal(s.inners.v[0].more, 5);
	assert_int_equal(s.inners.v[1].more, 0);
	assert_true(s.has_maybe);
	assert_int_equal(s.maybe, 0);
	guts_arena_deinit(&a);
}

static void
an_empty_message_is_zero(void **state)
{
	struct sample s;
	struct guts_buf b;

	(void)state;
	memset(&s, 0xff, sizeof(s));
	assert_int_equal(decode("", &s, NULL), GUTS_OK);
	assert_true(s.u64 == 0 && !s.flag && s.bytes.n == 0 && s.inners.n == 0 && !s.has_inner && !s.has_maybe);
	guts_buf_init(&b, 0);
	assert_int_equal(guts_pb_encode(&sample_desc, &s, &b), GUTS_OK);
	assert_int_equal(b.len, 0);
	assert_int_equal(guts_pb_size(&sample_desc, &s), 0);
	guts_buf_deinit(&b);
}

static void
later_scalars_win_and_lists_grow(void **state)
{
	struct guts_arena a;
	struct sample s;

	(void)state;
	guts_arena_init(&a, 4096);
	/* A list in several runs with other fields between, packed and not. */
	assert_int_equal(decode("0801" "5200" "5001" "0802" "52020203" "42017a" "5004", &s, &a), GUTS_OK);
	assert_int_equal(s.u64, 2);
	assert_int_equal(s.packed.n, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(s.packed.v[i], i + 1);
	guts_arena_deinit(&a);
}

static void
skips_unknown_fields(void **state)
{
	(void)state;
	assert_int_equal(verdict("a80601" "b10600000000000000" "00" "ba060161" "c50600000000"), GUTS_OK);
	assert_int_equal(verdict("fae0ffff0f00"), GUTS_OK);
	assert_int_equal(verdict("0880808080808080808001"), GUTS_OK); /* 2^63 */
	assert_int_equal(verdict("08ac8200"), GUTS_OK); /* not minimal, but protobuf */
}

static void
refuses_malformed_bytes(void **state)
{
	static const char *const bad[] = {
		"08", "0880", "00", "0001", "0200", "2a", "2a01", "2a05616263", "2affffffffffffffffff01",
		"21000000", "0b", "0c", "1b1c", "0e", "0f", /* groups, unknown types */
		"08ffffffffffffffffff02", "08ffffffffffffffffffff01", "8080808010" "00", "ffffffffffff01" "00",
		"0a00", "0900000000000000" "00", "2001", "2800", "3000", "3801", /* wrong wire type */
		"3d00000000", "45010203" "04", "5100000000000000" "00",
		"3201ff", "5a02c080", "10ffffffff10", "10ffffffffffffffffff01", /* no UTF-8, over 32 bits */
		"3a00" "3a00", "3a020880", "3a0108", "520180", "52020180",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (verdict(bad[i]) != GUTS_EPROTO)
			fail_msg("%s: %d", bad[i], verdict(bad[i]));
}

static void
caps_hold_both_ways(void **state)
{
	static uint8_t bytes[SAMPLE_BYTES_MAX + 1];
	uint64_t numbers[SAMPLE_COUNT_MAX + 1] = { 1 };
	struct sample s = { .bytes = { bytes, SAMPLE_BYTES_MAX } };
	struct guts_buf b;
	struct guts_arena a;

	(void)state;
	guts_arena_init(&a, 1 << 16);
	guts_buf_init(&b, 1 << 16);
	assert_int_equal(guts_pb_encode(&sample_desc, &s, &b), GUTS_OK);
	assert_int_equal(guts_pb_decode(&sample_desc, guts_buf_slice(&b), &s, &a), GUTS_OK);
	s.bytes.n++;
	assert_int_equal(guts_pb_encode(&sample_desc, &s, &b), GUTS_ELIMIT);
	assert_false(b.failed);
	s = (struct sample){ .packed = { numbers, SAMPLE_COUNT_MAX } };
	guts_buf_clear(&b);
	assert_int_equal(guts_pb_encode(&sample_desc, &s, &b), GUTS_OK);
	assert_int_equal(guts_pb_decode(&sample_desc, guts_buf_slice(&b), &s, &a), GUTS_OK);
	s = (struct sample){ .packed = { numbers, SAMPLE_COUNT_MAX + 1 } };
	assert_int_equal(guts_pb_encode(&sample_desc, &s, &b), GUTS_ELIMIT);
	guts_buf_add_str(&b, "\x50\x01");
	assert_int_equal(guts_pb_decode(&sample_desc, guts_buf_slice(&b), &s, &a), GUTS_ELIMIT);
	s = (struct sample){ .small = SAMPLE_SMALL_MAX + 1 };
	assert_int_equal(guts_pb_encode(&sample_desc, &s, &b), GUTS_ELIMIT);
	assert_int_equal(verdict("70e807"), GUTS_OK); /* 1000 */
	assert_int_equal(verdict("70e907"), GUTS_ELIMIT);
	guts_buf_deinit(&b);
	guts_arena_deinit(&a);
}

static void
the_arena_bounds_memory(void **state)
{
	struct guts_arena a;
	struct sample s;
	uint8_t many[2 * SAMPLE_COUNT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = i % 2 ? 0 : 0x62; /* empty inner messages */
	guts_arena_init(&a, SAMPLE_COUNT_MAX * sizeof(struct sample_inner));
	assert_int_equal(guts_pb_decode(&sample_desc, guts_slice(many, sizeof(many)), &s, &a), GUTS_OK);
	assert_int_equal(s.inners.n, SAMPLE_COUNT_MAX);
	guts_arena_deinit(&a);
	a.max--;
	assert_int_equal(guts_pb_decode(&sample_desc, guts_slice(many, sizeof(many)), &s, &a), GUTS_ELIMIT);
	guts_arena_deinit(&a);
}

/* A message that holds itself: nested `depth` times. */
struct nested {
	struct {
		struct nested *v;
		size_t n;
	} deeper;
};
static const struct guts_pb_desc nested_desc;
static const struct guts_pb_field nested_fields[] = {
	GUTS_PB_REPEATED(struct nested, deeper, 1, GUTS_PB_MSG, 1000, 1, &nested_desc),
};
static const struct guts_pb_desc nested_desc = GUTS_PB_DESC("Nested", struct nested, nested_fields);

static void
depth_is_capped(void **state)
{
	struct guts_arena a;
	struct nested top;

	(void)state;
	for (unsigned depth = 1; depth <= 20; depth++) {
		uint8_t bytes[40];
		size_t n = 2 * (depth - 1);

		for (size_t i = 0; i < n; i += 2) {
			bytes[i] = 0x0a;
			bytes[i + 1] = (uint8_t)(n - i - 2);
		}
		guts_arena_init(&a, 4096);
		assert_int_equal(guts_pb_decode(&nested_desc, guts_slice(bytes, n), &top, &a),
		    depth <= 8 ? GUTS_OK : GUTS_ELIMIT);
		guts_arena_deinit(&a);
	}
}

static void
a_full_buffer_gets_nothing(void **state)
{
	struct sample s = { .u64 = 1, .bytes = S("abc") };
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, 8);
	guts_buf_add_str(&b, "xy");
	assert_int_equal(guts_pb_size(&sample_desc, &s), 7);
	assert_int_equal(guts_pb_encode(&sample_desc, &s, &b), GUTS_ELIMIT);
	assert_slice_equal(guts_buf_slice(&b), S("xy"));
	guts_buf_clear(&b);
	assert_int_equal(guts_pb_encode_framed(&sample_desc, &s, &b), GUTS_OK);
	assert_slice_equal(guts_buf_slice(&b), vectors_unhex("07" "0801" "2a03616263"));
	guts_buf_deinit(&b);
}

/* --- property: decode(encode(m)) = m ------------------------------------- */

static struct guts_slice
random_text(struct guts_rng *rng, struct guts_arena *a, size_t max)
{
	size_t n = guts_rng_below(rng, max + 1);
	char *p = guts_arena_alloc(a, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(' ' + guts_rng_below(rng, 95));
	return guts_slice(p, n);
}

static void
random_inner(struct guts_rng *rng, struct guts_arena *a, struct sample_inner *m)
{
	m->number = guts_rng_u64(rng) >> guts_rng_below(rng, 64);
	m->name = random_text(rng, a, 20);
	m->more = (uint32_t)guts_rng_below(rng, 3);
}

static void
random_list(struct guts_rng *rng, struct guts_arena *a, struct guts_pb_u64_list *l)
{
	l->n = guts_rng_below(rng, 6);
	l->v = guts_arena_alloc(a, l->n * sizeof(*l->v));
	for (size_t i = 0; i < l->n; i++)
		l->v[i] = guts_rng_u64(rng) >> guts_rng_below(rng, 64);
}

static void
random_sample(struct guts_rng *rng, struct guts_arena *a, struct sample *s)
{
	memset(s, 0, sizeof(*s));
	s->u64 = guts_rng_u64(rng) >> guts_rng_below(rng, 64);
	s->u32 = (uint32_t)guts_rng_u64(rng);
	s->flag = guts_rng_below(rng, 2);
	s->fixed = guts_rng_below(rng, 2) * guts_rng_u64(rng);
	s->bytes = random_text(rng, a, SAMPLE_BYTES_MAX);
	s->string = random_text(rng, a, 20);
	s->has_inner = guts_rng_below(rng, 2);
	if (s->has_inner)
		random_inner(rng, a, &s->inner);
	s->blobs.n = guts_rng_below(rng, 5);
	s->blobs.v = guts_arena_alloc(a, s->blobs.n * sizeof(*s->blobs.v));
	for (size_t i = 0; i < s->blobs.n; i++)
		s->blobs.v[i] = random_text(rng, a, 5);
	random_list(rng, a, &s->unpacked);
	random_list(rng, a, &s->packed);
	s->inners.n = guts_rng_below(rng, 5);
	s->inners.v = guts_arena_alloc(a, s->inners.n * sizeof(*s->inners.v));
	for (size_t i = 0; i < s->inners.n; i++)
		random_inner(rng, a, &s->inners.v[i]);
	s->has_maybe = guts_rng_below(rng, 2);
	s->maybe = s->has_maybe ? (uint32_t)guts_rng_below(rng, 2) : 0;
	s->small = (uint32_t)guts_rng_below(rng, SAMPLE_SMALL_MAX + 1);
}

static void
assert_inner_equal(const struct sample_inner *x, const struct sample_inner *y)
{
	assert_true(x->number == y->number && x->more == y->more);
	assert_slice_equal(x->name, y->name);
}

static void
assert_list_equal(const struct guts_pb_u64_list *x, const struct guts_pb_u64_list *y)
{
	assert_int_equal(x->n, y->n);
	if (x->n)
		assert_memory_equal(x->v, y->v, x->n * sizeof(*x->v));
}

static void
assert_sample_equal(const struct sample *x, const struct sample *y)
{
	assert_true(x->u64 == y->u64 && x->u32 == y->u32 && x->flag == y->flag && x->fixed == y->fixed);
	assert_slice_equal(x->bytes, y->bytes);
	assert_slice_equal(x->string, y->string);
	assert_int_equal(x->has_inner, y->has_inner);
	assert_inner_equal(&x->inner, &y->inner);
	assert_int_equal(x->blobs.n, y->blobs.n);
	for (size_t i = 0; i < x->blobs.n; i++)
		assert_slice_equal(x->blobs.v[i], y->blobs.v[i]);
	assert_list_equal(&x->unpacked, &y->unpacked);
	assert_list_equal(&x->packed, &y->packed);
	assert_int_equal(x->inners.n, y->inners.n);
	for (size_t i = 0; i < x->inners.n; i++)
		assert_inner_equal(&x->inners.v[i], &y->inners.v[i]);
	assert_true(x->has_maybe == y->has_maybe && x->maybe == y->maybe && x->small == y->small);
}

static void
reads_what_it_wrote(void **state)
{
	struct guts_rng rng;

	(void)state;
	guts_rng_seed(&rng, 8);
	for (int i = 0; i < 1000; i++) {
		struct guts_arena a;
		struct guts_buf b, again;
		struct sample in, out;

		guts_arena_init(&a, 1 << 16);
		guts_buf_init(&b, 1 << 16);
		guts_buf_init(&again, 1 << 16);
		random_sample(&rng, &a, &in);
		assert_int_equal(guts_pb_encode(&sample_desc, &in, &b), GUTS_OK);
		assert_int_equal(b.len, guts_pb_size(&sample_desc, &in));
		assert_int_equal(guts_pb_decode(&sample_desc, guts_buf_slice(&b), &out, &a), GUTS_OK);
		assert_sample_equal(&out, &in);
		assert_int_equal(guts_pb_encode(&sample_desc, &out, &again), GUTS_OK);
		assert_slice_equal(guts_buf_slice(&again), guts_buf_slice(&b));
		guts_arena_deinit(&a);
		guts_buf_deinit(&b);
		guts_buf_deinit(&again);
	}
}

/* Every strict prefix of a message is a message too or is refused, never read past. */
static void
prefixes_and_noise_are_judged(void **state)
{
	struct guts_rng rng;
	unsigned good = 0, refused = 0;

	(void)state;
	guts_rng_seed(&rng, 12);
	for (int i = 0; i < 20000; i++) {
		size_t n = guts_rng_below(&rng, 24);
		uint8_t *bytes = guts_alloc(n);
		struct guts_arena a;
		struct sample s;

		guts_rng_bytes(&rng, bytes, n);
		if (n > 0)
			bytes[0] = (uint8_t)(guts_rng_below(&rng, 14) << 3 | guts_rng_below(&rng, 3));
		guts_arena_init(&a, 4096);
		if (guts_pb_decode(&sample_desc, guts_slice(bytes, n), &s, &a))
			refused++;
		else
			good++;
		guts_arena_deinit(&a);
		free(bytes);
	}
	assert_true(good > 100 && refused > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind),
		cmocka_unit_test(an_empty_message_is_zero),
		cmocka_unit_test(later_scalars_win_and_lists_grow),
		cmocka_unit_test(skips_unknown_fields),
		cmocka_unit_test(refuses_malformed_bytes),
		cmocka_unit_test(caps_hold_both_ways),
		cmocka_unit_test(the_arena_bounds_memory),
		cmocka_unit_test(depth_is_capped),
		cmocka_unit_test(a_full_buffer_gets_nothing),
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(prefixes_and_noise_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
