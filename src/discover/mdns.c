/* discover/mdns.c - three deadlines: the next question, the answer to one, the answer about services.
 *
 * Answers wait 20 to 120 ms by chance, so that many nodes do not speak at once, and gather all
 * questions of that time; one second passes between two of a kind, whoever asks and how often.
 */
#include "discover/mdns.h"

#include "base/alloc.h"
#include "base/err.h"
#include "base/ratelimit.h"
#include "base/rng.h"

#include <stdlib.h>

#define MS_NS UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define NEVER UINT64_MAX

#define SOON_MIN_NS (20 * MS_NS)
#define SOON_MAX_NS (120 * MS_NS)
#define ASK_MIN_NS SECOND_NS         /* between the first two questions; then twice as long each time … */
#define ASK_MAX_NS (300 * SECOND_NS) /* … up to this */
#define ANSWER_NS SECOND_NS          /* between two answers of a kind */
#define PACKET_RATE 50
#define PACKET_BURST 200

struct answer {
	uint64_t at_ns;     /* NEVER: nobody asked */
	uint64_t not_before_ns;
};

struct guts_mdns {
	char name[GUTS_MDNS_NAME_SIZE];
	struct guts_rng rng;
	struct guts_ratelimit packets;
	uint64_t ask_at_ns, ask_wait_ns;
	struct answer peers, services;
};

static uint64_t
soon(struct guts_mdns *m, uint64_t now)
{
	return now + SOON_MIN_NS + guts_rng_below(&m->rng, SOON_MAX_NS - SOON_MIN_NS);
}

/* The question was asked: the next one in ask_wait_ns, a tenth more or less. */
static void
asked(struct guts_mdns *m, uint64_t now)
{
	m->ask_at_ns = now + m->ask_wait_ns - m->ask_wait_ns / 10 + guts_rng_below(&m->rng, m->ask_wait_ns / 5);
}

struct guts_mdns *
guts_mdns_new(uint64_t seed, uint64_t now_ns)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	struct guts_mdns *m = guts_alloc(sizeof(*m));

	guts_rng_seed(&m->rng, seed);
	for (size_t i = 0; i < GUTS_MDNS_NAME_SIZE - 1; i++)
		m->name[i] = alphabet[guts_rng_below(&m->rng, sizeof(alphabet) - 1)];
	guts_ratelimit_init(&m->packets, PACKET_RATE, PACKET_BURST);
	m->peers.at_ns = m->services.at_ns = NEVER;
	guts_mdns_restart(m, now_ns);
	return m;
}

void
guts_mdns_free(struct guts_mdns *m)
{
	free(m);
}

void
guts_mdns_restart(struct guts_mdns *m, uint64_t now_ns)
{
	m->ask_wait_ns = ASK_MIN_NS;
	m->ask_at_ns = soon(m, now_ns);
}

static void
want(struct guts_mdns *m, struct answer *a, uint64_t now)
{
	if (a->at_ns != NEVER)
		return;
	a->at_ns = soon(m, now);
	if (a->at_ns < a->not_before_ns)
		a->at_ns = a->not_before_ns;
}

int
guts_mdns_receive(struct guts_mdns *m, struct guts_slice packet, uint64_t now_ns, struct guts_mdns_packet *out)
{
	int err;

	out->n = 0;
	if (!guts_ratelimit_take(&m->packets, 1, now_ns))
		return GUTS_EBUSY;
	err = guts_mdns_decode(out, packet);
	if (err || out->is_response)
		return err;
	if (out->asks_peers) {
		want(m, &m->peers, now_ns);
		asked(m, now_ns);
	}
	if (out->asks_services)
		want(m, &m->services, now_ns);
	out->n = 0; /* what a question calls known is no news */
	return GUTS_OK;
}

uint64_t
guts_mdns_deadline(const struct guts_mdns *m)
{
	uint64_t at = m->ask_at_ns;

	if (m->peers.at_ns < at)
		at = m->peers.at_ns;
	return m->services.at_ns < at ? m->services.at_ns : at;
}

/* The answer is due, and is given now. */
static bool
take(struct answer *a, uint64_t now)
{
	if (a->at_ns > now)
		return false;
	a->at_ns = NEVER;
	a->not_before_ns = now + ANSWER_NS;
	return true;
}

bool
guts_mdns_produce(struct guts_mdns *m, uint64_t now_ns, const struct guts_maddr *addrs, size_t n,
    struct guts_buf *out)
{
	guts_buf_clear(out);
	if (m->ask_at_ns <= now_ns) {
		asked(m, now_ns);
		m->ask_wait_ns = m->ask_wait_ns * 2 < ASK_MAX_NS ? m->ask_wait_ns * 2 : ASK_MAX_NS;
		guts_mdns_encode_query(out);
		return true;
	}
	if (take(&m->peers, now_ns) && n > 0) {
		guts_mdns_encode_answer(out, m->name, addrs, n);
		return true;
	}
	if (take(&m->services, now_ns) && n > 0) {
		guts_mdns_encode_services(out);
		return true;
	}
	return false;
}
