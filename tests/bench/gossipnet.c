/* tests/bench/gossipnet.c - one node of a measured gossip network: a peer manager and gossipsub, led by lines.
 *
 *	gossipnet                  prints its address; ends with standard input
 *	    dial ADDRESS           no answer
 *	    mesh                   answers how many peers are in its mesh
 *	    publish COUNT EVERY    one message of 256 bytes every so many milliseconds; answers COUNT at the end
 *	    heard                  answers how many messages of others came since the last report
 *	    report                 answers how long each of them was on its way [us]
 *
 * A message carries the time it was made at by the monotonic clock, which all processes of a machine share.
 * gossipnet.mjs does the same with js-libp2p; gossip.py leads both.
 */
#include "loop/uvenv.h"
#include "peer/peers.h"

#include "../interop/lines.h"
#include "../interop/probe_gossip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOPIC "guts-bench"
#define DATA_BYTES 256
#define HEARD_MAX 100000

static struct guts_uvenv *uv;
static struct guts_env *env;
static struct guts_peers *peers;
static struct guts_key key;
static struct guts_timer more;
static uint64_t left, count, every_ns, next_ns; /* next_ns: when the message after this one is due */
static uint32_t heard_us[HEARD_MAX];
static size_t n_heard;

static uint64_t
monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * GUTS_SECOND_NS + (uint64_t)t.tv_nsec;
}

static void
say(uint64_t n)
{
	printf("%" PRIu64 "\n", n);
	fflush(stdout);
}

static void
on_heard(const struct guts_peerid *author, struct guts_slice topic, struct guts_slice data)
{
	char text[24] = "";

	(void)author;
	(void)topic;
	memcpy(text, data.p, data.n < 20 ? data.n : 20);
	if (n_heard < HEARD_MAX)
		heard_us[n_heard++] = (uint32_t)((monotonic_ns() - strtoull(text, NULL, 10)) / 1000);
}

static void
on_more(struct guts_timer *t, void *owner)
{
	char text[DATA_BYTES + 1];

	(void)owner;
	memset(text, '.', DATA_BYTES);
	text[DATA_BYTES] = '\0';
	text[snprintf(text, sizeof(text), "%020" PRIu64, monotonic_ns())] = '.';
	if (probe_gossip_publish(TOPIC, text) != 0)
		fprintf(stderr, "gossipnet: cannot publish\n");
	if (--left > 0)
		guts_env_timer_set(env, t, next_ns += every_ns);
	else
		say(count);
}

static void
report(void)
{
	for (size_t i = 0; i < n_heard; i++)
		printf("%s%" PRIu32, i ? " " : "", heard_us[i]);
	printf("\n");
	fflush(stdout);
	n_heard = 0;
}

static void
on_line(void *arg)
{
	char word[16] = "", rest[GUTS_MADDR_TEXT_MAX] = "";
	struct guts_maddr m;
	uint64_t ms;

	sscanf(arg, "%15s %383[^\n]", word, rest);
	if (strcmp(word, "dial") == 0) {
		if (guts_maddr_parse(&m, guts_slice_str(rest)) != 0 || guts_peers_connect(peers, &m) != 0)
			fprintf(stderr, "gossipnet: cannot dial %s\n", rest);
	} else if (strcmp(word, "mesh") == 0) {
		say(probe_gossip_mesh(TOPIC));
	} else if (strcmp(word, "heard") == 0) {
		say(n_heard);
	} else if (strcmp(word, "report") == 0) {
		report();
	} else if (strcmp(word, "publish") == 0 && sscanf(rest, "%" SCNu64 " %" SCNu64, &count, &ms) == 2) {
		left = count;
		every_ns = ms * GUTS_MS_NS;
		next_ns = guts_env_now(env);
		guts_env_timer_set(env, &more, next_ns);
	}
	free(arg);
}

static void
on_identified(void *owner, const struct guts_peerid *id)
{
	(void)owner;
	probe_gossip_identified(id);
}

static void
on_disconnected(void *owner, const struct guts_peerid *id, int err, const char *reason)
{
	(void)owner;
	(void)err;
	(void)reason;
	probe_gossip_gone(id);
}

static const struct guts_peers_events peer_events = { .identified = on_identified, .disconnected = on_disconnected };

int
main(void)
{
	struct guts_peers_config cfg = { .key = &key, .agent = "guts-bench/1", .no_auto_dial = true };
	char text[GUTS_MADDR_TEXT_MAX];
	struct guts_maddr at, bound;
	struct guts_errinfo ei;
	uint8_t seed[32];

	if (guts_crypto_init() != 0 || guts_uvenv_new(NULL, &uv) != 0)
		return 1;
	env = cfg.env = guts_uvenv_env(uv);
	guts_env_random(env, seed, sizeof(seed));
	guts_key_from_seed(&key, seed);
	peers = guts_peers_new(&cfg, &peer_events, NULL);
	probe_gossip_start(env, peers, &key, on_heard);
	probe_gossip_subscribe(TOPIC);
	more = (struct guts_timer){ .fire = on_more, .at_ns = GUTS_NEVER };
	guts_maddr_parse(&at, guts_slice_str("/ip4/127.0.0.1/tcp/0"));
	if (guts_peers_listen(peers, &at, &bound, &ei) != 0) {
		fprintf(stderr, "gossipnet: %s\n", ei.text);
		return 1;
	}
	guts_maddr_add_peer(&bound, guts_peerid_slice(&key.id));
	guts_maddr_text(text, &bound);
	printf("%s\n", text);
	fflush(stdout);
	lines_start(uv, on_line);
	guts_uvenv_run(uv);
	lines_end();
	return 0; /* the process ends with its links */
}
