/* tests/sim/sim_gossip.c - broadcast is complete: 50 gossip objects, 20 % of all RPCs lost, 10 s of partition.
 *
 * Every message reaches every node, once, whatever the seed; one seed gives one run.  GUTS_LONG: 1,000 seeds.
 * What broadcast costs: sim_broadcast.c.
 */
#include "gossip_net.h"
#include "simdigest.h"

#include "base/alloc.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int tests, failures;

static void
result(bool ok, const char *text)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++tests, text);
	fflush(stdout);
	failures += !ok;
}

static uint64_t
seconds(struct gnet *net, double s)
{
	return net->now + (uint64_t)(s * 1000) * GNET_MS;
}

/* Publish `count` messages over `span_s` seconds from random nodes that are up. */
static void
publish_some(struct gnet *net, unsigned count, double span_s, size_t size)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t node;

		do
			node = (uint32_t)guts_rng_below(&net->rng, net->n);
		while (net->nodes[node].down || net->nodes[node].mute);
		gnet_publish(net, node, size);
		gnet_run(net, seconds(net, span_s / count));
	}
}

/* --- lossy and partitioned ----------------------------------------------- */

static size_t
run_lossy(uint64_t seed, uint8_t digest[32])
{
	struct gnet net;
	uint64_t start;
	size_t missing;

	gnet_init(&net, 50, seed, NULL);
	gnet_connect_random(&net, 10);
	net.loss_permille = 200;
	for (size_t i = 0; i < net.n; i++)
		net.nodes[i].group = (unsigned)guts_rng_below(&net.rng, 2);
	gnet_run(&net, seconds(&net, 3));
	publish_some(&net, 5, 5, 200);
	net.partitioned = true;
	start = net.now;
	publish_some(&net, 10, 8, 200);
	gnet_run(&net, start + 10 * GNET_S);
	net.partitioned = false;
	publish_some(&net, 5, 5, 200);
	gnet_run(&net, seconds(&net, 75));
	missing = gnet_missing(&net);
	gnet_digest(&net, digest);
	for (size_t i = 0; i < net.n; i++)
		gossip_check(net.nodes[i].g);
	gnet_deinit(&net);
	return missing;
}

static void
lossy(uint64_t first)
{
	unsigned seeds = getenv("GUTS_LONG") ? 1000 : 100, complete = 0;
	uint8_t digest[32], again[32];
	char text[160], hex[65];

	for (unsigned i = 0; i < seeds; i++) {
		size_t missing = run_lossy(first + i, digest);

		complete += missing == 0;
		if (missing > 0)
			printf("# seed %" PRIu64 ": %zu missing\n", first + i, missing);
	}
	snprintf(text, sizeof text,
		 "50 nodes, 20 %% loss, 10 s partition: complete in %u of %u seeds", complete,
		 seeds);
	result(complete == seeds, text);

	run_lossy(first, digest);
	run_lossy(first, again);
	guts_hex_encode(hex, digest, 32);
	printf("# digest of seed %" PRIu64 ": %.16s\n", first, hex);
	result(memcmp(digest, again, 32) == 0, "same seed, same deliveries at the same time");
}

static void
lossy_world(uint64_t seed, uint8_t digest[32])
{
	(void)run_lossy(seed, digest);
}

int
main(void)
{
	const char *env = getenv("GUTS_SEED");
	uint64_t seed = env ? strtoull(env, NULL, 0) : 1;

	if (guts_crypto_init())
		return 99;
	if (simdigest_print(lossy_world))
		return 0;
	printf("1..2\n# seed %" PRIu64 "\n", seed);
	lossy(seed);
	return failures > 0;
}
