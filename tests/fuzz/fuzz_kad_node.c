/* tests/fuzz/fuzz_kad_node.c - hostile peers: raw bytes and random sequences of messages against
 * one Kademlia object.
 *
 * The input is a program: each byte names a step, the next ones its arguments.  Steps connect
 * and disconnect peers, send arbitrary bytes and well-formed messages of every type over a few
 * keys, begin and cancel lookups of every kind, answer what the object asked with arbitrary bytes,
 * well-formed answers or failures, publish, load a saved table and let time pass.  After every
 * input the object must be consistent (kad_check).
 */
#include "../sim/kad_net.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "fuzz.h"

#include <stdlib.h>

#define PEERS  24
#define KEYS   4
#define ASKED  32
#define SECOND UINT64_C(1000000000)

static struct {
	struct guts_key us, peers[PEERS];
	struct guts_maddr addrs[PEERS];
	struct guts_buf record; /* valid under the last key */
	bool ready;
} fixed;

struct run {
	struct guts_kad *k;
	struct guts_cursor in;
	uint64_t now;
	struct {
		uint64_t number;
		bool is_answered;
	} asked[ASKED];
	size_t n_asked;
	uint64_t lookups[4];
	unsigned n_lookups;
};

static void
prepare(void)
{
	static const char *const texts[3] = {"/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1",
					     "/ip4/9.8.7.6/tcp/1"};
	struct guts_peerrecord *r = guts_alloc(sizeof *r);
	uint8_t seed[32] = {9};

	if (guts_crypto_init())
		abort();
	guts_key_from_seed(&fixed.us, seed);
	for (uint8_t i = 0; i < PEERS; i++) {
		seed[1] = (uint8_t)(i + 1);
		guts_key_from_seed(&fixed.peers[i], seed);
		if (guts_maddr_parse(&fixed.addrs[i], guts_slice_str(texts[i % 3])))
			abort();
	}
	guts_buf_init(&fixed.record, GUTS_KAD_VALUE_MAX);
	r->seq = 5;
	if (guts_peerrecord_make(&fixed.record, &fixed.peers[0], r))
		abort();
	free(r);
	fixed.ready = true;
}

static struct guts_slice
key_of(unsigned n, uint8_t out[GUTS_KAD_KEY_MAX])
{
	uint8_t id[GUTS_REPOID_SIZE] = {(uint8_t)n};

	n %= KEYS;
	if (n == KEYS - 1)
		return guts_kad_value_key(out, GUTS_KAD_NS_PEER,
					  guts_peerid_slice(&fixed.peers[0].id));
	if (n == KEYS - 2)
		return guts_peerid_slice(&fixed.peers[1].id);
	return guts_kad_provider_key(out, id);
}

static void
on_done(void *owner, const struct guts_kad_result *r)
{
	struct run *run = owner;

	(void)r;
	if (run->n_lookups > 0) /* a look at the object from inside is allowed */
		(void)guts_kad_cancel(run->k, run->lookups[0]);
}

static int
on_value(void *owner, struct guts_slice key, struct guts_buf *out)
{
	(void)owner;
	(void)key;
	return guts_buf_add_slice(out, guts_buf_slice(&fixed.record));
}

static const struct guts_kad_events events = {.value = on_value};

/* A message with lists of known peers, as the bytes say. */
static void
message(struct run *r, struct guts_buf *out)
{
	struct guts_kad_message m = {.has_type = true};
	struct guts_kad_peer peers[16];
	struct guts_slice addrs[16];
	uint8_t key[GUTS_KAD_KEY_MAX];
	uint8_t shape = guts_cursor_u8(&r->in);
	size_t n = guts_cursor_u8(&r->in) % 16;

	m.type = guts_cursor_u8(&r->in) % 7;
	m.key = key_of(guts_cursor_u8(&r->in), key);
	for (size_t i = 0; i < n; i++) {
		unsigned p = guts_cursor_u8(&r->in) % PEERS;

		addrs[i] = guts_maddr_slice(&fixed.addrs[(p + shape) % PEERS]);
		peers[i] = (struct guts_kad_peer){.id = guts_peerid_slice(&fixed.peers[p].id),
						  .addrs = {&addrs[i], 1}};
	}
	if (shape & 1)
		m.closer = (struct guts_kad_peers){peers, n};
	else
		m.providers = (struct guts_kad_peers){peers, n};
	if (shape & 2) {
		m.has_record = true;
		m.record.key = m.key;
		m.record.value = guts_buf_slice(&fixed.record);
	}
	if (guts_pb_encode(&guts_kad_message_desc, &m, out))
		abort();
}

static void
pump(struct run *r)
{
	struct guts_kad_out o;

	while (guts_kad_next(r->k, &o)) {
		if (o.is_drop)
			continue;
		if (o.frame.n == 0 || o.frame.n > GUTS_KAD_MESSAGE_MAX + 3)
			abort();
		if (r->n_asked == ASKED) {
			guts_kad_failed(r->k, o.request, GUTS_EBUSY, r->now);
			continue;
		}
		r->asked[r->n_asked].is_answered = o.is_answered;
		r->asked[r->n_asked++].number = o.request;
	}
}

static void
answer(struct run *r, uint8_t how)
{
	struct guts_buf b;
	uint64_t number;
	bool is_answered;

	if (r->n_asked == 0)
		return;
	number = r->asked[how / 4 % r->n_asked].number;
	is_answered = r->asked[how / 4 % r->n_asked].is_answered;
	r->asked[how / 4 % r->n_asked] = r->asked[r->n_asked - 1];
	r->n_asked--;
	guts_buf_init(&b, GUTS_KAD_RECV_MAX);
	if (how == 0) {
		guts_kad_retry(r->k, number, r->now);
	} else if (how % 4 == 0) {
		guts_kad_failed(r->k, number, how & 64 ? GUTS_EUNSUPPORTED : GUTS_ECLOSED, r->now);
	} else if (!is_answered) {
		guts_kad_sent(r->k, number, r->now);
	} else if (how % 4 == 1) {
		guts_kad_answer(r->k, number, guts_cursor_bytes(&r->in, guts_cursor_u8(&r->in)), 0,
				r->now);
	} else {
		message(r, &b);
		guts_kad_answer(r->k, number, guts_buf_slice(&b), 0, r->now);
	}
	guts_buf_deinit(&b);
}

static void
serve(struct run *r, unsigned peer, bool raw)
{
	struct guts_buf in, out;

	guts_buf_init(&in, GUTS_KAD_RECV_MAX);
	guts_buf_init(&out, GUTS_KAD_RECV_MAX);
	if (raw)
		guts_buf_add_slice(&in, guts_cursor_bytes(&r->in, guts_cursor_u8(&r->in)));
	else
		message(r, &in);
	if (guts_kad_serve(r->k, &fixed.peers[peer].id, guts_buf_slice(&in), &out, 0, r->now) ==
		    0 &&
	    out.len > GUTS_KAD_MESSAGE_MAX + 3)
		abort();
	guts_buf_deinit(&in);
	guts_buf_deinit(&out);
}

static void
begin(struct run *r, uint8_t arg)
{
	struct guts_kad_goal goal = {.kind = (enum guts_kad_kind)(arg % GUTS_KAD_KINDS)};
	uint8_t key[GUTS_KAD_KEY_MAX];

	goal.key = key_of(arg >> 4, key);
	if (goal.kind == GUTS_KAD_STORE)
		goal.value = guts_buf_slice(&fixed.record);
	if (guts_kad_lookup(r->k, &goal, on_done, r, 0, r->now, &r->lookups[r->n_lookups % 4]) ==
		    0 &&
	    r->n_lookups < 3)
		r->n_lookups++;
}

static void
step(struct run *r, uint8_t what)
{
	uint8_t arg = guts_cursor_u8(&r->in);
	unsigned peer = arg % PEERS;
	struct guts_kad_contact c = {.id = fixed.peers[peer].id, .n_addrs = 1};
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_buf saved;

	c.addrs[0] = fixed.addrs[peer];
	switch (what % 12) {
	case 0:
	case 1: guts_kad_peer_up(r->k, &c, &c.addrs[0], (enum guts_kad_role)(arg >> 6) % 3, r->now); break;
	case 2: guts_kad_peer_down(r->k, &c.id, r->now); break;
	case 3: serve(r, peer, true); break;
	case 4: serve(r, peer, false); break;
	case 5: begin(r, arg); break;
	case 6: (void)guts_kad_cancel(r->k, r->lookups[arg % 4]); break;
	case 7:
	case 8: answer(r, arg); break;
	case 9: (void)guts_kad_publish(r->k, key_of(arg, key), arg & 128, r->now); break;
	case 10:
		r->now += (uint64_t)arg * arg * arg * (SECOND / 100);
		guts_kad_tick(r->k, r->now, r->now);
		break;
	default:
		guts_buf_init(&saved, 1u << 20);
		(void)guts_kad_save(r->k, &saved);
		guts_kad_load(r->k,
			      arg & 1 ? guts_buf_slice(&saved) : guts_cursor_bytes(&r->in, arg),
			      r->now);
		guts_buf_deinit(&saved);
		break;
	}
	pump(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_kad_config cfg = {.is_server = true,
				      .providers_max = 8,
				      .providers_per_peer_max = 4,
				      .values_max = 2,
				      .lookups_max = 8};
	struct run r = {.now = SECOND};

	if (!fixed.ready)
		prepare();
	r.k = guts_kad_new(&cfg, &fixed.us.id, 1, &events, &r, r.now);
	guts_kad_set_addresses(r.k, fixed.addrs, 3);
	guts_cursor_init(&r.in, guts_slice(data, size));
	while (guts_cursor_left(&r.in) > 0)
		step(&r, guts_cursor_u8(&r.in));
	kad_check(r.k);
	guts_kad_free(r.k);
	return 0;
}
