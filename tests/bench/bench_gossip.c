/* tests/bench/bench_gossip.c - messages per second through one gossip object.
 *
 *   verify      Ed25519 alone, the ceiling for new messages
 *   new         signed messages never seen, from one peer, forwarded to a mesh of six
 *   duplicate   the same ones from another peer
 *   publish     own messages, signed and sent to six
 *   quiet beat  a heartbeat with 1,000 settled topics and 50 peers
 *
 * Each figure is the best of several rounds over bytes prepared before.
 */
#include "gossip/gossip.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGES 2000
#define MESH     6
#define DATA     256
#define ROUNDS   3
#define SECOND   UINT64_C(1000000000)

static struct guts_key us, peers[64];
static uint64_t virtual_now = 1000 * SECOND;
static size_t delivered;

static double
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static enum guts_gossip_verdict
on_validate(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	(void)owner;
	(void)peer;
	(void)m;
	delivered++;
	return GUTS_GOSSIP_ACCEPT;
}

static const struct guts_gossip_events events = {.validate = on_validate};

static struct guts_gossip *
object(unsigned n_peers)
{
	struct guts_gossip *g = guts_gossip_new(NULL, &us, 1, &events, NULL, virtual_now);
	struct guts_rpc_sub sub = {true, true, guts_slice_str("t")};
	struct guts_rpc_graft graft = {guts_slice_str("t")};
	struct guts_rpc rpc = {
		.subs = {&sub, 1}, .has_control = true, .control.graft = {&graft, 1}};
	struct guts_buf b;

	guts_gossip_subscribe(g, guts_slice_str("t"), virtual_now);
	guts_buf_init(&b, 4096);
	if (guts_pb_encode_framed(&guts_rpc_desc, &rpc, &b))
		abort();
	for (unsigned i = 0; i < n_peers; i++) {
		guts_gossip_peer_add(g, &peers[i].id, true, GUTS_GOSSIP_MESHSUB_11, virtual_now);
		guts_gossip_recv(g, &peers[i].id, guts_buf_slice(&b), virtual_now);
	}
	guts_buf_deinit(&b);
	return g;
}

static void
drain(struct guts_gossip *g, unsigned n_peers)
{
	static uint8_t out[1u << 16];

	for (unsigned i = 0; i < n_peers; i++)
		while (guts_gossip_pull(g, &peers[i].id, out, sizeof out) > 0)
			continue;
}

/* One frame per message, by an author who is no peer. */
static void
prepare(struct guts_buf *frames)
{
	for (uint64_t i = 0; i < MESSAGES; i++) {
		uint8_t data[DATA] = {0}, seqno[8] = {0}, sig[GUTS_SIG_SIZE];
		struct guts_rpc_message m = {.from = guts_peerid_slice(&peers[40].id),
					     .data = guts_slice(data, DATA),
					     .seqno = guts_slice(seqno, 8),
					     .topic = guts_slice_str("t"),
					     .has_from = true,
					     .has_data = true,
					     .has_seqno = true,
					     .has_topic = true,
					     .has_signature = true};
		struct guts_rpc rpc = {.publish = {&m, 1}};
		struct guts_buf b;

		memcpy(data, &i, sizeof i);
		memcpy(seqno, &i, sizeof i);
		guts_buf_init(&b, 4096);
		if (guts_rpc_signed_bytes(&b, &m))
			abort();
		guts_sign(sig, &peers[40], guts_buf_slice(&b));
		m.signature = guts_slice(sig, sizeof sig);
		guts_buf_init(&frames[i], 4096);
		if (guts_pb_encode_framed(&guts_rpc_desc, &rpc, &frames[i]))
			abort();
		guts_buf_deinit(&b);
	}
}

static double
bench_verify(void)
{
	uint8_t msg[DATA + 150] = {0}, sig[GUTS_SIG_SIZE];
	double start;

	guts_sign(sig, &us, guts_slice(msg, sizeof msg));
	start = seconds_now();
	for (int i = 0; i < MESSAGES; i++)
		if (guts_verify(sig, us.pub, guts_slice(msg, sizeof msg)))
			abort();
	return MESSAGES / (seconds_now() - start);
}

static void
bench_receive(const struct guts_buf *frames, double *fresh, double *duplicate)
{
	struct guts_gossip *g = object(MESH + 1);
	double start = seconds_now(), t;

	for (int i = 0; i < MESSAGES; i++) {
		guts_gossip_recv(g, &peers[0].id, guts_buf_slice(&frames[i]), virtual_now);
		if (i % 32 == 31)
			drain(g, MESH + 1);
	}
	t = MESSAGES / (seconds_now() - start);
	*fresh = t > *fresh ? t : *fresh;

	start = seconds_now();
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < MESSAGES; i++)
			guts_gossip_recv(g, &peers[1].id, guts_buf_slice(&frames[i]), virtual_now);
	t = 20 * MESSAGES / (seconds_now() - start);
	*duplicate = t > *duplicate ? t : *duplicate;
	guts_gossip_free(g);
}

static double
bench_publish(void)
{
	struct guts_gossip *g = object(MESH);
	double start = seconds_now(), t;
	uint8_t data[DATA] = {0}, id[32];

	for (uint32_t i = 0; i < MESSAGES; i++) {
		memcpy(data, &i, sizeof i);
		guts_gossip_publish(g, guts_slice_str("t"), guts_slice(data, DATA), 1, virtual_now,
				    id);
		if (i % 32 == 31)
			drain(g, MESH);
	}
	t = MESSAGES / (seconds_now() - start);
	guts_gossip_free(g);
	return t;
}

/* Microseconds. */
static double
bench_quiet(void)
{
	struct guts_gossip *g = object(50);
	double start;

	for (unsigned t = 0; t < 1000; t++) {
		char name[32];
		struct guts_rpc_sub sub = {true, true, {NULL, 0}};
		struct guts_rpc rpc = {.subs = {&sub, 1}};
		struct guts_buf b;

		snprintf(name, sizeof name, "repo/%u", t);
		sub.topic = guts_slice_str(name);
		guts_gossip_subscribe(g, sub.topic, virtual_now);
		guts_buf_init(&b, 4096);
		guts_pb_encode_framed(&guts_rpc_desc, &rpc, &b);
		for (unsigned i = 0; i < 50; i++)
			guts_gossip_recv(g, &peers[i].id, guts_buf_slice(&b), virtual_now);
		guts_buf_deinit(&b);
	}
	for (int i = 0; i < 5; i++) {
		virtual_now = guts_gossip_deadline(g);
		guts_gossip_tick(g, virtual_now);
		drain(g, 50);
	}
	start = seconds_now();
	for (int i = 0; i < 50; i++) {
		virtual_now = guts_gossip_deadline(g);
		guts_gossip_tick(g, virtual_now);
	}
	start = (seconds_now() - start) / 50 * 1e6;
	guts_gossip_free(g);
	return start;
}

int
main(void)
{
	static struct guts_buf frames[MESSAGES];
	double verify = 0, fresh = 0, duplicate = 0, publish = 0;

	if (guts_crypto_init())
		return 99;
	for (uint8_t i = 0; i < 64; i++) {
		uint8_t seed[32] = {i, 3};

		guts_key_from_seed(&peers[i], seed);
	}
	us = peers[63];
	prepare(frames);
	for (int i = 0; i < ROUNDS; i++) {
		double v = bench_verify(), p;

		verify = v > verify ? v : verify;
		bench_receive(frames, &fresh, &duplicate);
		p = bench_publish();
		publish = p > publish ? p : publish;
	}
	printf("  verify %.0f/s\n  new %.0f/s, %.2f of verify   goal >= 0.5: %s\n", verify, fresh,
	       fresh / verify, fresh >= 0.5 * verify ? "met" : "NOT met");
	printf("  duplicate %.0f/s   goal >= 200,000: %s\n  publish %.0f/s\n", duplicate,
	       duplicate >= 200000 ? "met" : "NOT met", publish);
	printf("  quiet beat %.0f us (1,000 topics, 50 peers)\n", bench_quiet());
	for (int i = 0; i < MESSAGES; i++)
		guts_buf_deinit(&frames[i]);
	return 0;
}
