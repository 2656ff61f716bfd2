/* tests/unit/gossip_case.h - the gossip object of a test program: made for each case, checked and freed after it. */
#ifndef GUTS_TESTS_GOSSIP_CASE_H
#define GUTS_TESTS_GOSSIP_CASE_H

#include "../sim/gossip_net.h"
#include "gossip_one.h"
#include "unit.h"

static struct one o;

static inline int
setup(void **state)
{
	(void)state;
	one_init(&o, NULL);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	gossip_check(o.g);
	one_deinit(&o);
	return 0;
}

/* We and `n` peers on "t", every second one outbound; all of them in the mesh. */
static inline void
join_mesh(unsigned n)
{
	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	for (unsigned i = 0; i < n; i++) {
		one_add(&o, i, i % 2 == 0, GUTS_GOSSIP_MESHSUB_12);
		one_sub(&o, i, "t", true);
		one_graft(&o, i, "t");
		assert_true(one_in_mesh(&o, i, "t"));
	}
	one_forget(&o);
}

#endif
