/* tests/unit/test_idset.c - the set of seen ids against a slow exact model. */
#include "base/rng.h"
#include "gossip/idset.h"
#include "unit.h"

#define SECOND UINT64_C(1000000000)

static void
make_id(uint8_t id[32], uint32_t n)
{
	memset(id, 0, 32);
	memcpy(id, &n, sizeof n); /* neighbours on purpose: the index must spread them */
}

static void
keeps_and_forgets(void **state)
{
	struct guts_idset s;
	uint8_t id[32], other[32];

	(void)state;
	guts_idset_init(&s, 1000, 10 * SECOND, 1, 2);
	make_id(id, 1);
	make_id(other, 2);
	assert_int_equal(guts_idset_get(&s, id, 0), -1);
	guts_idset_put(&s, id, 3, 5 * SECOND);
	assert_int_equal(guts_idset_get(&s, id, 5 * SECOND), 3);
	assert_int_equal(guts_idset_get(&s, other, 5 * SECOND), -1);
	guts_idset_put(&s, id, 4, 14 * SECOND); /* new state, old age */
	assert_int_equal(guts_idset_get(&s, id, 15 * SECOND - 1), 4);
	assert_int_equal(guts_idset_get(&s, id, 15 * SECOND), -1);
	guts_idset_put(&s, other, 1, 16 * SECOND);
	assert_int_equal(s.live, 1);
	guts_idset_remove(&s, other);
	guts_idset_remove(&s, other);
	assert_int_equal(guts_idset_get(&s, other, 16 * SECOND), -1);
	guts_idset_expire(&s, 30 * SECOND);
	assert_int_equal(guts_idset_bytes(&s), 0);
	guts_idset_deinit(&s);
}

static void
oldest_goes_first(void **state)
{
	struct guts_idset s;
	uint8_t id[32];

	(void)state;
	guts_idset_init(&s, 100, 10 * SECOND, 1, 2);
	for (uint32_t i = 0; i < 1000; i++) {
		make_id(id, i);
		guts_idset_put(&s, id, 0, SECOND);
	}
	assert_int_equal(s.live, 100);
	for (uint32_t i = 0; i < 1000; i++) {
		make_id(id, i);
		assert_int_equal(guts_idset_get(&s, id, SECOND), i < 900 ? -1 : 0);
	}
	guts_idset_deinit(&s);
}

static void
is_small(void **state)
{
	struct guts_idset s;
	uint8_t id[32];

	(void)state;
	guts_idset_init(&s, 1u << 16, 10 * SECOND, 1, 2);
	for (uint32_t i = 0; i < 1u << 16; i++) {
		make_id(id, i);
		guts_idset_put(&s, id, 0, SECOND);
	}
	assert_true(guts_idset_bytes(&s) <= 64u << 16); /* 64 bytes per id */
	for (int i = 0; i < 20; i++)
		guts_idset_expire(&s, 12 * SECOND);
	assert_int_equal(guts_idset_bytes(&s), 0);
	guts_idset_deinit(&s);
}

/* Random puts, removals and time against an array. */
static void
agrees_with_a_model(void **state)
{
	enum { IDS = 300 };
	struct {
		int state;
		uint64_t born;
	} model[IDS];
	bool hit = false, miss = false;
	struct guts_idset s;
	struct guts_rng rng;
	uint64_t now = 100 * SECOND;

	(void)state;
	memset(model, 0, sizeof model);
	for (int i = 0; i < IDS; i++)
		model[i].state = -1;
	guts_rng_seed(&rng, 7);
	guts_idset_init(&s, 1000, 10 * SECOND, 3, 4);
	for (int step = 0; step < 200000; step++) {
		uint32_t i = (uint32_t)guts_rng_below(&rng, IDS);
		uint8_t id[32];
		int got;

		now += guts_rng_below(&rng, SECOND / 20) / 1000 * 1000;
		make_id(id, i);
		if (model[i].state >= 0 && now >= model[i].born + 10 * SECOND)
			model[i].state = -1;
		got = guts_idset_get(&s, id, now);
		assert_int_equal(got, model[i].state);
		hit |= got >= 0;
		miss |= got < 0;
		switch (guts_rng_below(&rng, 8)) {
		case 0:
		case 1:
			if (model[i].state < 0)
				model[i].born = now;
			model[i].state = (int)guts_rng_below(&rng, 7);
			guts_idset_put(&s, id, (unsigned)model[i].state, now);
			break;
		case 2:
			model[i].state = -1;
			guts_idset_remove(&s, id);
			break;
		case 3: guts_idset_expire(&s, now); break;
		default: break;
		}
	}
	assert_true(hit && miss);
	guts_idset_deinit(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_and_forgets),
		cmocka_unit_test(oldest_goes_first),
		cmocka_unit_test(is_small),
		cmocka_unit_test(agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
