/* tests/sim/sim_udp.c - datagrams of the simulator: who hears them, loss, borders, back-pressure, the digest. */
#include "sim.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PLACES 5
#define PORT 5353
#define GROUP UINT32_C(0xe00000fb)

static struct place {
	struct guts_env *e;
	struct guts_udp *u;
	unsigned came, rooms;
	struct guts_udp_path last;
} place[PLACES];

static void
on_datagram(void *owner, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice data)
{
	struct place *p = owner;

	assert_ptr_equal(p->u, u);
	assert_true(data.n > 0);
	p->came++;
	p->last = *path;
}

static void
on_writable(void *owner, struct guts_udp *u)
{
	struct place *p = owner;

	(void)u;
	p->rooms++;
}

static const struct guts_udp_events events = { on_datagram, on_writable };

static struct sockaddr_storage
address(uint32_t host, uint16_t port)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(host);
	in->sin_port = htons(port);
	return ss;
}

static void *
start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned i, void *arg)
{
	struct sockaddr_storage any = address(0, PORT), group = address(GROUP, 0);
	struct guts_interface here[2];

	(void)st;
	(void)r;
	(void)arg;
	place[i] = (struct place){ .e = e };
	assert_int_equal(guts_env_udp_open(e, (struct sockaddr *)&any, true, &events, &place[i], &place[i].u, NULL), 0);
	assert_int_equal(guts_env_interfaces(e, here, 2), 1);
	assert_int_equal(guts_env_udp_join(e, place[i].u, (struct sockaddr *)&group, here[0].index), 0);
	return &place[i];
}

static void
no_op(void *owner)
{
	(void)owner;
}

static const struct sim_program program = { start, no_op, no_op };

static struct sim *
world(uint64_t seed, uint32_t loss_ppm)
{
	struct sim_config c = { .seed = seed, .places = PLACES, .loss_ppm = loss_ppm };
	struct sim *s = sim_new(&c);

	for (unsigned i = 0; i < PLACES; i++)
		sim_start(s, i, &program, NULL);
	return s;
}

static int
say(unsigned from, uint32_t to, const char *text)
{
	struct guts_udp_path path = { .remote = address(to, PORT) };

	return guts_env_udp_send(place[from].e, place[from].u, &path, guts_slice_str(text));
}

static unsigned
came(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PLACES; i++)
		n += place[i].came;
	return n;
}

static void
test_who_hears(void **state)
{
	struct sim *s = world(1, 0);
	unsigned groups[PLACES] = { 0, 0, 0, 1, 1 };

	(void)state;
	assert_int_equal(say(0, GROUP, "to all"), 0);
	assert_int_equal(came(), 0); /* never from inside the call */
	sim_run_for(s, GUTS_SECOND_NS);
	assert_int_equal(came(), PLACES);
	assert_int_equal(place[0].came, 1); /* the sender too */

	struct sockaddr_storage from;
	sim_address(0, PORT, &from);
	assert_memory_equal(&place[3].last.remote, &from, sizeof(struct sockaddr_in));
	from = address(GROUP, PORT);
	assert_memory_equal(&place[3].last.local, &from, sizeof(struct sockaddr_in));

	assert_int_equal(say(1, UINT32_C(10) << 24 | 2, "to one"), 0);
	sim_run_for(s, GUTS_SECOND_NS);
	assert_int_equal(came(), PLACES + 1);
	assert_int_equal(place[2].came, 2);

	sim_partition(s, groups);
	sim_clog(s, 2, true);
	assert_int_equal(say(0, GROUP, "to some"), 0);
	assert_int_equal(say(0, UINT32_C(10) << 24 | 4, "to none"), 0);
	sim_run_for(s, GUTS_SECOND_NS);
	assert_int_equal(came(), PLACES + 3); /* 0 and 1 */

	sim_heal(s);
	assert_int_equal(say(0, GROUP, "under way"), 0);
	sim_crash(s, 4, SIM_CRASH_PROCESS);
	sim_run_for(s, GUTS_SECOND_NS);
	assert_int_equal(came(), PLACES + 3 + PLACES - 1);
	assert_int_equal(say(0, UINT32_C(192) << 24, "abroad"), GUTS_EIO);
	sim_free(s);
}

static void
test_loss(void **state)
{
	struct sim *s = world(2, 200000);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(say(0, GROUP, "x"), 0);
		sim_run_for(s, GUTS_MS_NS);
	}
	sim_run_for(s, GUTS_SECOND_NS);
	assert_int_equal(place[0].came, 1000);
	for (unsigned i = 1; i < PLACES; i++)
		assert_in_range(place[i].came, 700, 900);
	sim_free(s);
}

static void
test_back_pressure(void **state)
{
	struct sim *s = world(3, 0);
	static char text[1201];
	unsigned sent = 0;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	while (say(0, UINT32_C(10) << 24 | 1, text) == 0)
		sent++;
	assert_int_equal(sent, ((208 << 10) - 1200) / 1228 + 1); /* headers take their time, too */
	assert_int_equal(place[0].rooms, 0);
	sim_run_for(s, GUTS_SECOND_NS);
	assert_int_equal(place[0].rooms, 1);
	assert_int_equal(place[1].came, sent); /* what was taken arrives */
	assert_int_equal(say(0, UINT32_C(10) << 24 | 1, text), 0);
	sim_free(s);
}

static void
digest_of(uint64_t seed, uint8_t out[SIM_DIGEST_SIZE])
{
	struct sim *s = world(seed, 100000);

	for (unsigned i = 0; i < 200; i++) {
		say(i % PLACES, i % 3 ? GROUP : UINT32_C(10) << 24 | (i + 1) % PLACES, "digest");
		sim_run_for(s, GUTS_MS_NS);
	}
	sim_run_for(s, GUTS_SECOND_NS);
	sim_digest(s, out);
	sim_free(s);
}

static void
test_same_seed_same_digest(void **state)
{
	uint8_t a[SIM_DIGEST_SIZE], b[SIM_DIGEST_SIZE];

	(void)state;
	digest_of(7, a);
	digest_of(7, b);
	assert_memory_equal(a, b, sizeof a);
	digest_of(8, b);
	assert_memory_not_equal(a, b, sizeof a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_hears),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_same_seed_same_digest),
	};

	return cmocka_run_group_tests_name("sim_udp", tests, NULL, NULL);
}
