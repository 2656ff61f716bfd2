/* tests/sim/sim_portmap.c - a port mapping's life, in virtual time, against a router that is a table of two functions. */
#include "discover/portmap.h"
#include "sim.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define MINUTE (60 * S)

static struct {
	int err;             /* of the next calls */
	const char *address;
	uint16_t external;   /* 0 = what is wanted */
	uint32_t lease_s;
	unsigned maps, unmaps;
	struct guts_portmap_mapping last; /* as asked */
} router;

static struct {
	unsigned changes, stops;
	char addr[GUTS_MADDR_TEXT_MAX]; /* empty: none */
} told;

static struct sim *sim;
static struct guts_env *env;
static struct guts_portmap *map;

static int
router_map(struct guts_portmap_mapping *m, char error[GUTS_PORTMAP_ERROR_SIZE])
{
	router.maps++;
	router.last = *m;
	if (router.err) {
		snprintf(error, GUTS_PORTMAP_ERROR_SIZE, "as the test has it");
		return router.err;
	}
	assert_int_equal(inet_pton(AF_INET, router.address, &m->address), 1);
	if (router.external)
		m->external = router.external;
	m->lease_s = router.lease_s;
	m->method = "test";
	snprintf(m->router, sizeof(m->router), "ticket %u", router.maps);
	return 0;
}

static void
router_unmap(const struct guts_portmap_mapping *m)
{
	router.unmaps++;
	router.last = *m;
}

static const struct guts_portmap_router table = { router_map, router_unmap };

static void
on_changed(void *owner, enum guts_portmap_state s, const struct guts_maddr *addr)
{
	assert_ptr_equal(owner, &told);
	assert_int_equal(s, guts_portmap_state(map));
	told.changes++;
	told.addr[0] = '\0';
	if (addr)
		guts_maddr_text(told.addr, addr);
}

static void
on_stopped(void *owner)
{
	assert_ptr_equal(owner, &told);
	told.stops++;
}

static const struct guts_portmap_events events = { on_changed, on_stopped };

static void *
start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned place, void *arg)
{
	(void)st;
	(void)r;
	(void)place;
	(void)arg;
	env = e;
	map = guts_portmap_new(e, &table, 9000, &events, &told);
	return map;
}

static void
stop(void *owner)
{
	(void)owner;
	guts_portmap_free(map);
}

static const struct sim_program program = { start, stop, stop };

static int
setup(void **state)
{
	struct sim_config c = { .seed = 1, .places = 1, .job_min_ns = S, .job_max_ns = 2 * S };

	(void)state;
	memset(&router, 0, sizeof(router));
	memset(&told, 0, sizeof(told));
	router.address = "198.51.100.7";
	router.lease_s = 3600;
	sim = sim_new(&c);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sim_stop(sim, 0);
	sim_free(sim);
	return 0;
}

static void
begin(void)
{
	sim_start(sim, 0, &program, NULL);
	assert_int_equal(guts_portmap_state(map), GUTS_PORTMAP_ASKING);
	assert_int_equal(router.maps, 0); /* not from inside the call */
	sim_run_for(sim, 2 * S);
}

static void
a_lease_is_renewed_at_half(void **state)
{
	(void)state;
	begin();
	assert_int_equal(guts_portmap_state(map), GUTS_PORTMAP_MAPPED);
	assert_string_equal(told.addr, "/ip4/198.51.100.7/tcp/9000");
	assert_int_equal(router.last.internal, 9000);
	assert_int_equal(router.last.external, 9000);
	sim_run_for(sim, 29 * MINUTE);
	assert_int_equal(router.maps, 1);
	sim_run_for(sim, 2 * MINUTE);
	assert_int_equal(router.maps, 2);
	sim_run_for(sim, 240 * MINUTE);
	assert_in_range(router.maps, 9, 10);
	assert_int_equal(told.changes, 1); /* nothing changed */
}

static void
another_port_or_address_is_told(void **state)
{
	(void)state;
	router.external = 9007;
	begin();
	assert_string_equal(told.addr, "/ip4/198.51.100.7/tcp/9007");
	sim_run_for(sim, 31 * MINUTE);
	assert_int_equal(router.last.external, 9007); /* asked for again */
	router.address = "203.0.113.9";
	sim_run_for(sim, 31 * MINUTE);
	assert_string_equal(told.addr, "/ip4/203.0.113.9/tcp/9007");
	assert_int_equal(told.changes, 2);
}

static void
no_router_is_asked_ever_more_rarely(void **state)
{
	(void)state;
	router.err = GUTS_EUNAVAILABLE;
	begin();
	assert_int_equal(guts_portmap_state(map), GUTS_PORTMAP_FAILED);
	assert_int_equal(told.changes, 1);
	sim_run_for(sim, 65 * MINUTE); /* after 1, 3, 7, 15, 31, 63 minutes */
	assert_int_equal(router.maps, 7);
	sim_run_for(sim, 600 * MINUTE);
	assert_in_range(router.maps, 16, 17);
	router.err = 0;
	sim_run_for(sim, 61 * MINUTE);
	assert_int_equal(guts_portmap_state(map), GUTS_PORTMAP_MAPPED);
}

static void
a_failed_renewal_holds_until_the_lease_ends(void **state)
{
	(void)state;
	begin();
	router.err = GUTS_EUNAVAILABLE;
	sim_run_for(sim, 55 * MINUTE);
	assert_true(router.maps > 3);
	assert_int_equal(guts_portmap_state(map), GUTS_PORTMAP_MAPPED);
	assert_int_equal(told.changes, 1);
	sim_run_for(sim, 6 * MINUTE);
	assert_int_equal(guts_portmap_state(map), GUTS_PORTMAP_FAILED);
	assert_int_equal(told.changes, 2);
	assert_string_equal(told.addr, "");
}

static void
leases_for_ever_and_very_short_ones(void **state)
{
	(void)state;
	router.lease_s = 0;
	begin();
	sim_run_for(sim, 100 * MINUTE);
	assert_int_equal(router.maps, 1 + 4); /* every 20 minutes */
	router.lease_s = 1;
	sim_run_for(sim, 20 * MINUTE);
	unsigned before = router.maps;
	sim_run_for(sim, 60 * MINUTE);
	assert_in_range(router.maps - before, 55, 60); /* once per minute, whatever it says */
}

static void
behind_another_router_nobody_is_told(void **state)
{
	(void)state;
	router.address = "100.64.3.2";
	begin();
	assert_int_equal(guts_portmap_state(map), GUTS_PORTMAP_BEHIND_NAT);
	assert_string_equal(told.addr, "");
}

static void
a_stop_takes_it_back(void **state)
{
	(void)state;
	begin();
	guts_portmap_stop(map);
	assert_int_equal(told.stops, 0);
	sim_run_for(sim, 10 * S);
	assert_int_equal(router.unmaps, 1);
	assert_int_equal(router.last.external, 9000);
	assert_string_equal(router.last.router, "ticket 1");
	assert_int_equal(told.stops, 1);
	sim_run_for(sim, 120 * MINUTE);
	assert_int_equal(router.maps, 1);
}

static void
a_stop_while_it_is_made(void **state)
{
	(void)state;
	sim_start(sim, 0, &program, NULL);
	guts_portmap_stop(map);
	sim_run_for(sim, 10 * S);
	assert_int_equal(router.maps, 1);
	assert_int_equal(router.unmaps, 1);
	assert_int_equal(told.stops, 1);
	assert_int_equal(told.changes, 0);
}

static void
a_stop_without_a_mapping(void **state)
{
	(void)state;
	router.err = GUTS_EDENIED;
	begin();
	guts_portmap_stop(map);
	assert_int_equal(told.stops, 0);
	sim_run_for(sim, S);
	assert_int_equal(told.stops, 1);
	assert_int_equal(router.unmaps, 0);
}

/* The job that runs has memory of its own. */
static void
freed_while_a_job_runs(void **state)
{
	(void)state;
	begin();
	guts_portmap_stop(map);
	guts_portmap_free(map);
	map = guts_portmap_new(env, &table, 9001, &events, &told);
	sim_run_for(sim, 10 * S);
	assert_int_equal(router.unmaps, 1);
	assert_int_equal(told.stops, 0);
	assert_string_equal(told.addr, "/ip4/198.51.100.7/tcp/9001");
	guts_portmap_free(map);
	map = guts_portmap_new(env, &table, 9002, &events, &told);
	guts_portmap_free(map);
	map = NULL;
	sim_run_for(sim, 10 * S);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_lease_is_renewed_at_half),
		T(another_port_or_address_is_told),
		T(no_router_is_asked_ever_more_rarely),
		T(a_failed_renewal_holds_until_the_lease_ends),
		T(leases_for_ever_and_very_short_ones),
		T(behind_another_router_nobody_is_told),
		T(a_stop_takes_it_back),
		T(a_stop_while_it_is_made),
		T(a_stop_without_a_mapping),
		T(freed_while_a_job_runs),
	};

	return cmocka_run_group_tests_name("sim_portmap", tests, NULL, NULL);
}
