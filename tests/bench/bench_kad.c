/* tests/bench/bench_kad.c - requests per second through one Kademlia object with a table of about 160 contacts.
 *
 *   find_node       20 closest of the table, encoded
 *   add_provider    new provider records, from many peers
 *   get_providers   of a key with 20 providers
 *
 * Each figure is the best of several rounds over bytes prepared before.
 */
#include "discover/kad.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PEERS 2000
#define REQUESTS 20000
#define ROUNDS 3
#define SECOND UINT64_C(1000000000)

static struct guts_key us, peers[PEERS];
static struct guts_kad *kad;
static uint64_t virtual_now = SECOND;

static double
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
address_of(unsigned i, struct guts_maddr *m)
{
	char text[64];

	snprintf(text, sizeof text, "/ip4/%u.%u.1.1/tcp/4001", 11 + i / 200, i % 200);
	if (guts_maddr_parse(m, guts_slice_str(text)))
		abort();
}

/* Everything the object wants to ask is answered with nothing: so its contacts count as verified. */
static void
answer_all(void)
{
	static const uint8_t empty[] = { 8, 4 };
	struct guts_kad_out *o = guts_alloc(sizeof *o);

	while (guts_kad_next(kad, o))
		if (!o->is_drop)
			guts_kad_answer(kad, o->request, guts_slice(empty, sizeof empty), 0, virtual_now);
	free(o);
}

static void
prepare(void)
{
	static const struct guts_kad_events events;
	struct guts_kad_config cfg = { .is_server = true, .requests_per_s = 1000000, .requests_burst = 1000000 };
	uint8_t seed[32] = { 1 };

	if (guts_crypto_init())
		abort();
	guts_key_from_seed(&us, seed);
	kad = guts_kad_new(&cfg, &us.id, 1, &events, NULL, virtual_now);
	for (unsigned i = 0; i < PEERS; i++) {
		struct guts_kad_contact c = { .n_addrs = 1 };

		seed[0] = 2;
		seed[1] = (uint8_t)i;
		seed[2] = (uint8_t)(i >> 8);
		guts_key_from_seed(&peers[i], seed);
		c.id = peers[i].id;
		address_of(i, &c.addrs[0]);
		guts_kad_peer_up(kad, &c, &c.addrs[0], GUTS_KAD_SERVER, virtual_now);
		answer_all();
	}
}

static struct guts_slice
request(struct guts_buf *b, uint32_t type, unsigned n, const struct guts_key *provider)
{
	struct guts_kad_message m = { .type = type, .has_type = true };
	struct guts_kad_peer p = { 0 };
	uint8_t key[GUTS_KAD_KEY_MAX], id[GUTS_REPOID_SIZE] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16) };

	m.key = guts_kad_provider_key(key, id);
	if (provider) {
		p.id = guts_peerid_slice(&provider->id);
		m.providers.v = &p;
		m.providers.n = 1;
	}
	guts_buf_clear(b);
	if (guts_pb_encode(&guts_kad_message_desc, &m, b))
		abort();
	return guts_buf_slice(b);
}

/* Best rate of REQUESTS requests; `vary`: each has a key of its own. */
static double
rate(uint32_t type, bool vary, size_t *answer)
{
	struct guts_buf *in = guts_calloc(REQUESTS, sizeof *in), out;
	double best = 0;

	guts_buf_init(&out, GUTS_KAD_RECV_MAX);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < REQUESTS; i++) {
			if (round == 0)
				guts_buf_init(&in[i], 4096);
			request(&in[i], type, vary ? round * REQUESTS + i : 0,
			    type == GUTS_KAD_ADD_PROVIDER ? &peers[i % PEERS] : NULL);
		}
		double start = seconds_now();
		for (unsigned i = 0; i < REQUESTS; i++) {
			guts_buf_clear(&out);
			if (guts_kad_serve(kad, &peers[i % PEERS].id, guts_buf_slice(&in[i]), &out, 0, virtual_now))
				abort();
			*answer = out.len;
		}
		double took = seconds_now() - start;
		best = REQUESTS / took > best ? REQUESTS / took : best;
	}
	for (unsigned i = 0; i < REQUESTS; i++)
		guts_buf_deinit(&in[i]);
	free(in);
	guts_buf_deinit(&out);
	return best;
}

int
main(void)
{
	struct guts_kad_stats st;
	struct guts_buf b;
	size_t bytes;
	double got;

	prepare();
	guts_kad_stats(kad, &st);
	printf("  kademlia, one object, %zu contacts\n", st.contacts);
	got = rate(GUTS_KAD_FIND_NODE, true, &bytes);
	printf("  %-38s %.0f /s (answers of %zu bytes)\n", "find_node", got, bytes);
	got = rate(GUTS_KAD_ADD_PROVIDER, true, &bytes);
	printf("  %-38s %.0f /s\n", "add_provider, new ones into a full store", got);
	guts_buf_init(&b, 4096);
	for (unsigned i = 0; i < GUTS_KAD_K; i++) {
		struct guts_buf out;

		guts_buf_init(&out, GUTS_KAD_RECV_MAX);
		if (guts_kad_serve(kad, &peers[i].id, request(&b, GUTS_KAD_ADD_PROVIDER, 0, &peers[i]), &out, 0, virtual_now))
			abort();
		guts_buf_deinit(&out);
	}
	guts_buf_deinit(&b);
	got = rate(GUTS_KAD_GET_PROVIDERS, false, &bytes);
	printf("  %-38s %.0f /s (answers of %zu bytes)\n", "get_providers", got, bytes);
	guts_kad_free(kad);
	return 0;
}
