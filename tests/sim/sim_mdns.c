/* tests/sim/sim_mdns.c - peer managers that know of each other by multicast DNS alone.
 *
 * Every place listens on all its addresses and has no bootstrap list.  All find all, through loss;
 * a node of another network is not dialled in a loop; a liar fills no memory.
 */
#include "sim.h"
#include "simdigest.h"
#include "simnode.h"

#include "discover/mdnslan.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define PLACES 6
#define PORT 9000

struct place {
	struct guts_env *env;
	struct guts_key key;
	struct guts_peers *peers;
	struct guts_mdnslan *mdns;
	unsigned connected;
};

static struct place place[PLACES];
static struct sim *sim;

static void
on_connected(void *owner, const struct guts_peerid *id, bool inbound)
{
	struct place *p = owner;

	(void)inbound;
	p->connected++;
	sim_audit(sim, (unsigned)(p - place), "connected", guts_peerid_slice(id));
}

static const struct guts_peers_events events = { .connected = on_connected };

static void *
start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned i, void *arg)
{
	struct guts_peers_config cfg = { .env = e, .key = &place[i].key, .agent = "sim" };
	struct guts_maddr any;

	(void)st;
	(void)r;
	(void)arg;
	place[i].env = e;
	place[i].peers = guts_peers_new(&cfg, &events, &place[i]);
	assert_int_equal(guts_maddr_parse(&any, guts_slice_str("/ip4/0.0.0.0/tcp/9000")), 0);
	assert_int_equal(guts_peers_listen(place[i].peers, &any, NULL, NULL), 0);
	assert_int_equal(guts_mdnslan_new(&place[i].mdns, e, place[i].peers, GUTS_MDNS_PORT), 0);
	return &place[i];
}

static void
stop(void *owner)
{
	struct place *p = owner;

	guts_mdnslan_free(p->mdns);
	guts_peers_free(p->peers);
}

static const struct sim_program program = { start, stop, stop };

/* Places 0..n-1 run. */
static void
begin(uint64_t seed, uint32_t loss_ppm, unsigned n)
{
	struct sim_config c = { .seed = seed, .places = PLACES, .loss_ppm = loss_ppm };

	sim = sim_new(&c);
	for (unsigned i = 0; i < PLACES; i++) {
		uint8_t secret[32] = { (uint8_t)(i + 1) };

		place[i] = (struct place){ 0 };
		guts_key_from_seed(&place[i].key, secret);
	}
	for (unsigned i = 0; i < n; i++)
		sim_start(sim, i, &program, NULL);
}

static void
end(void)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (sim_runs(sim, i))
			sim_stop(sim, i);
	sim_free(sim);
}

static bool
linked(unsigned a, unsigned b)
{
	return guts_peers_is_connected(place[a].peers, &place[b].key.id);
}

static void
all_find_all(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		begin(seed, 200000, PLACES);
		sim_run_for(sim, 600 * S);
		for (unsigned a = 0; a < PLACES; a++) {
			assert_int_equal(guts_mdnslan_count(place[a].mdns), PLACES - 1);
			for (unsigned b = 0; b < PLACES; b++)
				if (a != b && !linked(a, b))
					fail_msg("seed %" PRIu64 ": %u lacks %u", seed, a, b);
		}
		end();
	}
}

/* It hears nothing of the others' earlier answers: its own question and answer must do. */
static void
who_comes_late_is_found_at_once(void **state)
{
	(void)state;
	begin(1, 0, PLACES - 1);
	sim_run_for(sim, 3600 * S);
	sim_start(sim, PLACES - 1, &program, NULL);
	sim_run_for(sim, 3 * S);
	for (unsigned i = 0; i < PLACES - 1; i++)
		assert_true(linked(i, PLACES - 1));
	end();
}

/* Whole nodes: the link is ended by the first words of /guts/node. */
static void
another_network_is_not_dialled_in_a_loop(void **state)
{
	struct simnet_world w = { .mdns = true, .stranger = true };
	struct sim_config c = { .seed = 1, .places = 3 };
	struct guts_snapshot *s;

	(void)state;
	sim = sim_new(&c);
	simnet_world_start(&w, sim, 3, 0);
	sim_run_for(sim, 3600 * S);
	s = guts_node_snapshot(simnet_world_node(&w, 0)->node);
	assert_int_equal(s->npeers, 1);
	guts_snapshot_unref(s);
	s = guts_node_snapshot(simnet_world_node(&w, 2)->node);
	assert_int_equal(s->npeers, 0);
	assert_int_equal(s->nbook, 0);
	/* A start, then two facts per link: with two others, from both sides, after 0, 1, 3, 7, 15 and 31 minutes. */
	assert_in_range(s->fact_newest, 1 + 2 * 2 * 6, 1 + 2 * 2 * 2 * 6);
	guts_snapshot_unref(s);
	sim_free(sim);
	simnet_world_end(&w);
}

/* --- a liar --------------------------------------------------------------- */

static void
on_datagram(void *owner, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice data)
{
	(void)owner;
	(void)u;
	(void)path;
	(void)data;
}

static const struct guts_udp_events deaf = { .datagram = on_datagram };

/* Only a socket. */
static struct {
	struct guts_env *env;
	struct guts_udp *udp;
} liar;

static void *
liar_start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned i, void *arg)
{
	struct sockaddr_storage any = { .ss_family = AF_INET };

	(void)st;
	(void)r;
	(void)i;
	(void)arg;
	liar.env = e;
	((struct sockaddr_in *)&any)->sin_port = htons(GUTS_MDNS_PORT);
	assert_int_equal(guts_env_udp_open(e, (struct sockaddr *)&any, true, &deaf, NULL, &liar.udp, NULL), 0);
	return &liar;
}

static void
liar_stop(void *owner)
{
	(void)owner;
	guts_env_udp_close(liar.env, liar.udp);
}

static const struct sim_program liar_program = { liar_start, liar_stop, liar_stop };

static void
invented_peers_cost_little(void **state)
{
	struct guts_udp_path path = { .remote = { .ss_family = AF_INET } };
	struct sockaddr_in *group = (struct sockaddr_in *)&path.remote;
	struct guts_peers_stats stats;
	struct guts_buf b;

	(void)state;
	begin(1, 0, 2);
	sim_run_for(sim, 10 * S);
	group->sin_port = htons(GUTS_MDNS_PORT);
	group->sin_addr.s_addr = htonl(GUTS_MDNS_GROUP4);
	sim_start(sim, PLACES - 1, &liar_program, NULL);
	guts_buf_init(&b, GUTS_MDNS_SEND_MAX);
	for (unsigned i = 0; i < 6000; i++) {
		uint8_t secret[32] = { 99, (uint8_t)i, (uint8_t)(i >> 8) };
		struct sockaddr_storage sa;
		struct guts_maddr m;
		struct guts_key key;

		guts_key_from_seed(&key, secret);
		sim_address(PLACES - 2, PORT, &sa); /* where nobody is */
		guts_maddr_from_tcp(&m, (struct sockaddr *)&sa);
		guts_maddr_add_peer(&m, guts_peerid_slice(&key.id));
		guts_buf_clear(&b);
		guts_mdns_encode_answer(&b, "abcdefghijklmnopqrstuvwxyz234567", &m, 1);
		assert_int_equal(guts_env_udp_send(liar.env, liar.udp, &path, guts_buf_slice(&b)), 0);
		sim_run_for(sim, S / 100);
	}
	guts_buf_deinit(&b);
	assert_int_equal(guts_mdnslan_count(place[0].mdns), GUTS_MDNSLAN_PEERS_MAX);
	guts_peers_stats(place[0].peers, &stats);
	assert_in_range(stats.dialled + stats.pending_out, 1, 8 + 61);
	assert_in_range(guts_book_count(guts_peers_book(place[0].peers)), 1, 1 + 8 + 61);
	assert_true(linked(0, 1));
	end();
}

static void
world(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE])
{
	begin(seed, 100000, PLACES);
	sim_run_for(sim, 300 * S);
	sim_digest(sim, digest);
	end();
}

static void
same_seed_same_digest(void **state)
{
	uint8_t a[SIM_DIGEST_SIZE], b[SIM_DIGEST_SIZE];

	(void)state;
	world(7, a);
	world(7, b);
	assert_memory_equal(a, b, sizeof(a));
	world(8, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_find_all),
		cmocka_unit_test(who_comes_late_is_found_at_once),
		cmocka_unit_test(another_network_is_not_dialled_in_a_loop),
		cmocka_unit_test(invented_peers_cost_little),
		cmocka_unit_test(same_seed_same_digest),
	};

	if (guts_crypto_init())
		return 1;
	if (simdigest_print(world))
		return 0;
	return cmocka_run_group_tests_name("sim_mdns", tests, NULL, NULL);
}
