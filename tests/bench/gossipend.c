/* tests/bench/gossipend.c - one end of measured gossip: gossipsub on a link, led by lines.
 *
 *	gossipend serve            prints its address; ends with standard input
 *	gossipend dial ADDRESS     says "ready" when it knows the other's subscription
 *	    expect COUNT           answers 0 at once, COUNT when so many more messages were delivered
 *	    publish COUNT          signs and sends messages of 256 bytes, no faster than they leave
 *
 * gossipend.mjs does the same with js-libp2p; gossip.py leads both.
 */
#include "gossip/gossip.h"
#include "loop/uvenv.h"
#include "transport/link.h"

#include "../interop/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC "guts-bench"
#define DATA_BYTES 256
#define QUEUE_BYTES (64u << 10)  /* [bytes] the publisher keeps waiting for the stream */

static struct guts_uvenv *uv;
static struct guts_env *env;
static struct guts_link_context *ctx;
static struct guts_gossip *gossip;
static struct guts_key key;
static struct guts_peerid other;
static struct guts_stream *out_stream;
static struct guts_timer tick, more;
static uint64_t delivered, expected, to_publish, published;
static bool is_dialler, is_ready;

static void
fail(const char *what)
{
	fprintf(stderr, "gossipend: %s\n", what);
	exit(1);
}

static void
say_count(uint64_t n)
{
	printf("%" PRIu64 "\n", n);
	fflush(stdout);
}

/* Every message is another one. */
static int
publish_one(struct guts_gossip *g, uint64_t number, uint64_t now)
{
	uint8_t data[DATA_BYTES] = { 0 }, id[GUTS_GOSSIP_ID_SIZE];

	memcpy(data, &number, sizeof(number));
	return guts_gossip_publish(g, guts_slice_str(TOPIC), guts_slice(data, sizeof(data)), number + 1, now, id);
}

static struct guts_gossip *
make_gossip(const struct guts_key *k, const struct guts_gossip_events *ev, uint64_t seed, uint64_t now)
{
	struct guts_gossip *g = guts_gossip_new(NULL, k, seed, ev, NULL, now);

	if (guts_gossip_subscribe(g, guts_slice_str(TOPIC), now) != 0)
		fail("cannot subscribe");
	return g;
}

/* --- gossip on a link --- */

static void
arm(void)
{
	guts_env_timer_set(env, &tick, guts_gossip_deadline(gossip));
}

static void
on_tick(struct guts_timer *t, void *owner)
{
	(void)t;
	(void)owner;
	guts_gossip_tick(gossip, guts_env_now(env));
	arm();
}

static size_t
queued(void)
{
	struct guts_gossip_peer_info p = { .queue_bytes = 0 };
	const void *it = NULL;

	guts_gossip_next_peer(gossip, &it, &p);
	return p.queue_bytes;
}

static void
on_more(struct guts_timer *t, void *owner)
{
	(void)t;
	(void)owner;
	while (to_publish > 0 && queued() < QUEUE_BYTES) {
		if (publish_one(gossip, published++, guts_env_now(env)) != 0)
			fail("cannot publish");
		to_publish--;
	}
	arm();
}

static void
look_ready(void)
{
	struct guts_gossip_topic_info t;
	const void *it = NULL;

	while (!is_ready && guts_gossip_next_topic(gossip, &it, &t))
		is_ready = t.subscribed && t.peers > 0;
	if (is_ready && is_dialler) {
		printf("ready\n");
		fflush(stdout);
	}
}

static size_t
in_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	(void)owner;
	(void)s;
	if (guts_gossip_recv(gossip, &other, data, guts_env_now(env)) != 0)
		fail("bad frames");
	if (!is_ready)
		look_ready();
	arm();
	return data.n;
}

static size_t
out_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	size_t n = guts_gossip_pull(gossip, &other, out, max);

	(void)owner;
	(void)s;
	if (to_publish > 0)
		guts_env_timer_set(env, &more, guts_env_now(env));
	return n;
}

static void
no_eof(void *owner, struct guts_stream *s)
{
	(void)owner;
	(void)s;
}

static void
stream_closed(void *owner, struct guts_stream *s, int err)
{
	(void)owner;
	(void)s;
	(void)err;
}

static const struct guts_stream_events in_events = { .data = in_data, .eof = no_eof, .closed = stream_closed };
static const struct guts_stream_events out_events = { .pull = out_pull, .eof = no_eof, .closed = stream_closed };

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	(void)owner;
	(void)p;
	guts_stream_set_events(s, &in_events, NULL);
	return true;
}

static const struct guts_protocol meshsub = { .id = GUTS_MESHSUB_11, .on_stream = on_stream };

static void
up(void *owner, struct guts_link *l)
{
	const char *name = GUTS_MESHSUB_11;

	(void)owner;
	other = *guts_link_peer(l);
	if (guts_gossip_peer_add(gossip, &other, is_dialler, GUTS_GOSSIP_MESHSUB_11, guts_env_now(env)) != 0
	    || guts_link_open_stream(l, &name, 1, &out_events, NULL, &out_stream) != 0)
		fail("no stream");
	guts_stream_want_write(out_stream);
	arm();
}

static const struct guts_protocol *
lookup(void *owner, struct guts_link *l, struct guts_slice name)
{
	(void)owner;
	(void)l;
	return guts_slice_eq(name, guts_slice_str(meshsub.id)) ? &meshsub : NULL;
}

static bool
admit(void *owner, struct guts_link *l, const struct guts_protocol *p)
{
	(void)owner;
	(void)l;
	(void)p;
	return true;
}

static void
released(void *owner, struct guts_link *l, const struct guts_protocol *p)
{
	(void)owner;
	(void)l;
	(void)p;
}

static void
down(void *owner, struct guts_link *l, int err)
{
	(void)owner;
	(void)l;
	if (is_dialler)
		fail(guts_err_name(err));
}

static const struct guts_link_events link_events = { up, lookup, admit, released, down };

static bool
on_accept(void *owner, struct guts_conn *c, const struct sockaddr *from, const struct guts_conn_events **ev,
    void **conn_owner)
{
	(void)owner;
	guts_link_accept_tcp(ctx, c, from, &link_events, NULL, ev, conn_owner);
	return true;
}

static const struct guts_listener_events listener_events = { on_accept };

static enum guts_gossip_verdict
on_validate(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	(void)owner;
	(void)peer;
	(void)m;
	return GUTS_GOSSIP_ACCEPT;
}

static void
on_deliver(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	(void)owner;
	(void)peer;
	(void)m;
	if (++delivered == expected)
		say_count(delivered);
}

static void
on_wants_write(void *owner, const struct guts_peerid *peer)
{
	(void)owner;
	(void)peer;
	if (out_stream)
		guts_stream_want_write(out_stream);
}

static const struct guts_gossip_events gossip_events = {
	.validate = on_validate, .deliver = on_deliver, .wants_write = on_wants_write,
};

static void
on_line(void *arg)
{
	char what[16];
	uint64_t n = 0;

	if (sscanf(arg, "%15s %" SCNu64, what, &n) == 2 && strcmp(what, "expect") == 0) {
		delivered = 0;
		expected = n;
		say_count(0);
	} else if (strcmp(what, "publish") == 0) {
		to_publish = n;
		on_more(NULL, NULL);
	}
	free(arg);
}

static void
serve(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage bound;
	struct guts_listener *l;
	struct guts_maddr m;
	char text[GUTS_MADDR_TEXT_MAX];

	if (guts_env_listen(env, (struct sockaddr *)&at, &listener_events, NULL, &l, &bound) != 0)
		fail("cannot listen");
	guts_maddr_from_tcp(&m, (struct sockaddr *)&bound);
	guts_maddr_add_peer(&m, guts_peerid_slice(&key.id));
	guts_maddr_text(text, &m);
	printf("%s\n", text);
	fflush(stdout);
}

static void
dial(const char *text)
{
	struct guts_maddr m;
	struct guts_maddr_target t;
	struct guts_link *l;

	if (guts_maddr_parse(&m, guts_slice_str(text)) != 0 || guts_maddr_target(&m, &t) != 0
	    || guts_link_dial_tcp(ctx, (struct sockaddr *)&t.addr, NULL, &link_events, NULL, &l) != 0)
		fail("cannot dial");
}

static int
end_of_gossip(const char *address)
{
	uint8_t seed[32];

	if (guts_crypto_init() != 0 || guts_uvenv_new(NULL, &uv) != 0)
		return 1;
	env = guts_uvenv_env(uv);
	guts_env_random(env, seed, sizeof(seed));
	guts_key_from_seed(&key, seed);
	ctx = guts_link_context_new(env, &key, 0, 0);
	gossip = make_gossip(&key, &gossip_events, seed[0], guts_env_now(env));
	tick = (struct guts_timer){ .fire = on_tick, .at_ns = GUTS_NEVER };
	more = (struct guts_timer){ .fire = on_more, .at_ns = GUTS_NEVER };
	is_dialler = address != NULL;
	if (is_dialler)
		dial(address);
	else
		serve();
	lines_start(uv, on_line);
	guts_uvenv_run(uv);
	lines_end();
	return 0; /* the process ends with its link */
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return end_of_gossip(NULL);
	if (argc == 3 && strcmp(argv[1], "dial") == 0)
		return end_of_gossip(argv[2]);
	fputs("usage: gossipend serve | dial ADDRESS\n", stderr);
	return 2;
}
