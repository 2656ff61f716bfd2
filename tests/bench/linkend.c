/* tests/bench/linkend.c - one end of a measured link: transport/ on real sockets, led by lines.
 *
 *	linkend serve         prints its address; serves what the other end measures; ends with standard input
 *	linkend dial ADDRESS  measures as told by lines on standard input, answers each with one line:
 *	    handshakes MS N   new links for MS milliseconds, N at a time  →  count ns
 *	    up BYTES          one stream, until the other end has it all   →  bytes ns
 *	    down BYTES        the other way                                →  bytes ns
 *	    ping COUNT        32 bytes there and back on one stream        →  p50 p99 [ns]
 *	linkend aead BYTES    no link: sealed records over a plain socket  →  bytes ns
 *
 * linkend.mjs does the same with js-libp2p; link.py leads both.
 */
#include "base/alloc.h"
#include "crypto/aead.h"
#include "loop/uvenv.h"
#include "transport/link.h"

#include "../interop/lines.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SINK_ID "/bench/sink/1"
#define SOURCE_ID "/bench/source/1"
#define ECHO_ID "/bench/echo/1"
#define PING_BYTES 32
#define PINGS_MAX 100000

static struct guts_uvenv *uv;
static struct guts_env *env;
static struct guts_link_context *ctx;
static struct guts_key key;

/* What is measured must not depend on the loop's idea of now. */
static uint64_t
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * GUTS_SECOND_NS + (uint64_t)t.tv_nsec;
}

static void
answer(uint64_t a, uint64_t b)
{
	printf("%" PRIu64 " %" PRIu64 "\n", a, b);
	fflush(stdout);
}

/* --- what is served; one struct for the three protocols --- */

struct served {
	uint64_t got, to_send;
	uint8_t ask[8];
};

static void
served_closed(void *owner, struct guts_stream *s, int err)
{
	(void)s;
	(void)err;
	free(owner);
}

static size_t
sink_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct served *v = owner;

	(void)s;
	v->got += data.n;
	return data.n;
}

/* All of it came: one byte says so. */
static void
sink_eof(void *owner, struct guts_stream *s)
{
	(void)owner;
	guts_stream_send(s, guts_slice("k", 1));
	guts_stream_finish(s);
}

static const struct guts_stream_events sink_events = { .data = sink_data, .eof = sink_eof, .closed = served_closed };

/* The eight bytes that come are the big-endian number wanted. */
static size_t
source_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct served *v = owner;

	for (size_t i = 0; i < data.n && v->got < sizeof(v->ask); i++) {
		v->to_send = v->to_send << 8 | data.p[i];
		v->got++;
	}
	if (v->got == sizeof(v->ask))
		guts_stream_want_write(s);
	return data.n;
}

static void
no_eof(void *owner, struct guts_stream *s)
{
	(void)owner;
	(void)s;
}

/* The bytes themselves do not matter: what the buffer holds goes. */
static size_t
source_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	struct served *v = owner;
	size_t n = max < v->to_send ? max : (size_t)v->to_send;

	if (v->got < sizeof(v->ask))
		return 0;
	memset(out, 'b', n);
	v->to_send -= n;
	if (v->to_send == 0)
		guts_stream_finish(s);
	return n;
}

static const struct guts_stream_events source_events = {
	.data = source_data, .eof = no_eof, .pull = source_pull, .closed = served_closed,
};

static size_t
echo_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	(void)owner;
	guts_stream_send(s, data);
	return data.n;
}

static void
echo_eof(void *owner, struct guts_stream *s)
{
	(void)owner;
	guts_stream_finish(s);
}

static const struct guts_stream_events echo_events = { .data = echo_data, .eof = echo_eof, .closed = served_closed };

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	(void)p;
	guts_stream_set_events(s, owner, guts_alloc(sizeof(struct served)));
	return true;
}

static const struct guts_protocol served[] = {
	{ .id = SINK_ID, .prio = GUTS_PRIO_BULK, .on_stream = on_stream, .owner = (void *)(uintptr_t)&sink_events },
	{ .id = SOURCE_ID, .prio = GUTS_PRIO_BULK, .on_stream = on_stream, .owner = (void *)(uintptr_t)&source_events },
	{ .id = ECHO_ID, .on_stream = on_stream, .owner = (void *)(uintptr_t)&echo_events },
};

static const struct guts_protocol *
lookup(void *owner, struct guts_link *l, struct guts_slice name)
{
	(void)owner;
	(void)l;
	for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		if (guts_slice_eq(name, guts_slice_str(served[i].id)))
			return &served[i];
	}
	return NULL;
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
inbound_up(void *owner, struct guts_link *l)
{
	(void)owner;
	(void)l;
}

static void
inbound_down(void *owner, struct guts_link *l, int err)
{
	(void)owner;
	(void)l;
	(void)err;
}

static const struct guts_link_events inbound_events = { inbound_up, lookup, admit, released, inbound_down };

static bool
on_accept(void *owner, struct guts_conn *c, const struct sockaddr *from, const struct guts_conn_events **ev,
    void **conn_owner)
{
	(void)owner;
	guts_link_accept_tcp(ctx, c, from, &inbound_events, NULL, ev, conn_owner);
	return true;
}

static const struct guts_listener_events listener_events = { on_accept };

static void
serve(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage bound;
	struct guts_listener *l;
	struct guts_maddr m;
	char text[GUTS_MADDR_TEXT_MAX];

	if (guts_env_listen(env, (struct sockaddr *)&at, &listener_events, NULL, &l, &bound) != 0)
		exit(1);
	guts_maddr_from_tcp(&m, (struct sockaddr *)&bound);
	guts_maddr_add_peer(&m, guts_peerid_slice(&key.id));
	guts_maddr_text(text, &m);
	printf("%s\n", text);
	fflush(stdout);
}

/* --- handshakes --- */

static struct guts_maddr_target target;
static struct guts_peerid expect;
static struct {
	uint64_t start, end, count;
	unsigned active;
} shakes;

static void dial_one(void);

static void
shake_over(void)
{
	uint64_t now = clock_ns();

	shakes.active--;
	if (now < shakes.end)
		dial_one();
	else if (shakes.active == 0)
		answer(shakes.count, now - shakes.start);
}

static void
shake_up(void *owner, struct guts_link *l)
{
	(void)owner;
	shakes.count++;
	guts_link_close(l, GUTS_GOAWAY_NORMAL);
	shake_over();
}

static void
shake_down(void *owner, struct guts_link *l, int err)
{
	(void)owner;
	(void)l;
	fprintf(stderr, "linkend: a handshake failed: %s\n", guts_err_name(err));
	exit(1);
}

static const struct guts_link_events shake_events = { shake_up, lookup, admit, released, shake_down };

static void
dial_with(const struct guts_link_events *ev)
{
	struct guts_link *l;
	int err = guts_link_dial_tcp(ctx, (struct sockaddr *)&target.addr, &expect, ev, NULL, &l);

	if (err) {
		fprintf(stderr, "linkend: cannot dial: %s\n", guts_err_name(err));
		exit(1);
	}
}

static void
dial_one(void)
{
	shakes.active++;
	dial_with(&shake_events);
}

static void
measure_handshakes(uint64_t ms, uint64_t at_a_time)
{
	shakes.count = 0;
	shakes.start = clock_ns();
	shakes.end = shakes.start + ms * GUTS_MS_NS;
	for (uint64_t i = 0; i < at_a_time; i++)
		dial_one();
}

/* --- the lasting link, and one measured exchange at a time on it --- */

static struct guts_link *lasting;
static struct guts_stream *ping_stream;
static struct {
	uint64_t start, bytes, left, got;
	uint64_t pings, *rtts, sent_at;
} run;

static size_t
up_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	(void)owner;
	(void)s;
	answer(run.bytes, clock_ns() - run.start);
	return data.n;
}

static size_t
up_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	size_t n = max < run.left ? max : (size_t)run.left;

	(void)owner;
	memset(out, 'b', n);
	run.left -= n;
	if (run.left == 0)
		guts_stream_finish(s);
	return n;
}

static void
exchange_closed(void *owner, struct guts_stream *s, int err)
{
	(void)owner;
	(void)s;
	if (err) {
		fprintf(stderr, "linkend: a stream broke: %s\n", guts_err_name(err));
		exit(1);
	}
}

static const struct guts_stream_events up_events = {
	.data = up_data, .eof = no_eof, .pull = up_pull, .closed = exchange_closed,
};

static size_t
down_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	(void)owner;
	(void)s;
	run.got += data.n;
	return data.n;
}

static void
down_eof(void *owner, struct guts_stream *s)
{
	(void)owner;
	answer(run.got, clock_ns() - run.start);
	guts_stream_finish(s);
}

static const struct guts_stream_events down_events = {
	.data = down_data, .eof = down_eof, .closed = exchange_closed,
};

static void
send_ping(void)
{
	static const uint8_t b[PING_BYTES];

	run.got = 0;
	run.sent_at = clock_ns();
	guts_stream_send(ping_stream, guts_slice(b, sizeof(b)));
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static size_t
ping_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	(void)owner;
	(void)s;
	run.got += data.n;
	if (run.got < PING_BYTES)
		return data.n;
	run.rtts[run.pings++] = clock_ns() - run.sent_at;
	if (run.pings < run.left) {
		send_ping();
	} else {
		qsort(run.rtts, run.pings, sizeof(*run.rtts), by_value);
		answer(run.rtts[run.pings / 2], run.rtts[run.pings * 99 / 100]);
	}
	return data.n;
}

static const struct guts_stream_events ping_events = {
	.data = ping_data, .eof = no_eof, .closed = exchange_closed,
};

static struct guts_stream *
open_stream(const char *protocol, const struct guts_stream_events *ev)
{
	struct guts_stream *s;

	if (guts_link_open_stream(lasting, &protocol, 1, ev, NULL, &s) != 0) {
		fputs("linkend: no stream\n", stderr);
		exit(1);
	}
	return s;
}

static void
measure(const char *what, uint64_t n, uint64_t m)
{
	struct guts_stream *s;

	run.start = clock_ns();
	run.bytes = run.left = n;
	run.got = run.pings = 0;
	if (strcmp(what, "handshakes") == 0) {
		measure_handshakes(n, m);
	} else if (strcmp(what, "up") == 0) {
		s = open_stream(SINK_ID, &up_events);
		guts_stream_set_prio(s, GUTS_PRIO_BULK);
		guts_stream_want_write(s);
	} else if (strcmp(what, "down") == 0) {
		uint8_t ask[8];

		for (int i = 0; i < 8; i++)
			ask[i] = (uint8_t)(n >> (56 - 8 * i));
		s = open_stream(SOURCE_ID, &down_events);
		guts_stream_send(s, guts_slice(ask, sizeof(ask)));
	} else if (strcmp(what, "ping") == 0 && n > 0 && n <= PINGS_MAX) {
		if (!ping_stream)
			ping_stream = open_stream(ECHO_ID, &ping_events);
		send_ping();
	} else {
		fprintf(stderr, "linkend: what is %s?\n", what);
		exit(1);
	}
}

/* --- commands --- */

static void
on_line(void *arg)
{
	char what[16];
	uint64_t n = 0, m = 1;

	if (sscanf(arg, "%15s %" SCNu64 " %" SCNu64, what, &n, &m) >= 2)
		measure(what, n, m);
	free(arg);
}

static void
lasting_up(void *owner, struct guts_link *l)
{
	(void)owner;
	lasting = l;
	printf("ready\n");
	fflush(stdout);
	lines_start(uv, on_line);
}

static void
lasting_down(void *owner, struct guts_link *l, int err)
{
	(void)owner;
	(void)l;
	fprintf(stderr, "linkend: the link broke: %s\n", guts_err_name(err));
	exit(1);
}

static const struct guts_link_events lasting_events = { lasting_up, lookup, admit, released, lasting_down };

static void
dial(const char *text)
{
	struct guts_maddr m;

	if (guts_maddr_parse(&m, guts_slice_str(text)) != 0 || guts_maddr_target(&m, &target) != 0
	    || guts_peerid_decode(&expect, guts_slice(target.peer, target.peer_n)) != 0)
		exit(1);
	run.rtts = guts_calloc(PINGS_MAX, sizeof(*run.rtts));
	dial_with(&lasting_events);
}

static int
end_of_link(int argc, char **argv)
{
	uint8_t seed[32];

	if (guts_crypto_init() != 0 || guts_uvenv_new(NULL, &uv) != 0)
		return 1;
	env = guts_uvenv_env(uv);
	guts_env_random(env, seed, sizeof(seed));
	guts_key_from_seed(&key, seed);
	ctx = guts_link_context_new(env, &key, 0, 0);
	if (strcmp(argv[1], "serve") == 0) {
		serve();
		lines_start(uv, on_line);
	} else if (argc == 3) {
		dial(argv[2]);
	}
	guts_uvenv_run(uv);
	lines_end();
	return 0; /* the process ends with its links */
}

/* --- the ceiling: sealed records from one thread to another through a loopback socket --- */

#define RECORD_BYTES (64u << 10) /* [bytes] with tag */

static const uint8_t aead_key[GUTS_AEAD_KEY_SIZE];
static uint64_t aead_bytes;

static enum guts_aead_backend
fast_backend(void)
{
	struct guts_aead *a = guts_aead_new(GUTS_AEAD_LIBCRYPTO, aead_key, true);
	bool there = a != NULL;

	guts_aead_free(a);
	return there ? GUTS_AEAD_LIBCRYPTO : GUTS_AEAD_SODIUM;
}

static void
count_nonce(uint8_t nonce[GUTS_AEAD_NONCE_SIZE])
{
	for (size_t i = 4; i < GUTS_AEAD_NONCE_SIZE && ++nonce[i] == 0; i++)
		;
}

static void *
aead_send(void *arg)
{
	static uint8_t plain[RECORD_BYTES - GUTS_AEAD_TAG_SIZE], sealed[RECORD_BYTES];
	struct guts_aead *a = guts_aead_new(fast_backend(), aead_key, true);
	struct guts_slice piece = { plain, sizeof(plain) };
	uint8_t nonce[GUTS_AEAD_NONCE_SIZE] = { 0 };
	int fd = *(int *)arg;

	for (uint64_t sent = 0; sent < aead_bytes; sent += sizeof(plain)) {
		memset(plain, 'b', sizeof(plain));
		guts_aead_seal(a, nonce, guts_slice(NULL, 0), &piece, 1, sealed);
		count_nonce(nonce);
		for (size_t at = 0; at < sizeof(sealed);) {
			ssize_t n = write(fd, sealed + at, sizeof(sealed) - at);

			if (n <= 0)
				exit(1);
			at += (size_t)n;
		}
	}
	guts_aead_free(a);
	return NULL;
}

static void
aead_receive(int fd)
{
	static uint8_t record[RECORD_BYTES];
	struct guts_aead *a = guts_aead_new(fast_backend(), aead_key, false);
	uint8_t nonce[GUTS_AEAD_NONCE_SIZE] = { 0 };

	for (uint64_t got = 0; got < aead_bytes; got += sizeof(record) - GUTS_AEAD_TAG_SIZE) {
		for (size_t at = 0; at < sizeof(record);) {
			ssize_t n = read(fd, record + at, sizeof(record) - at);

			if (n <= 0)
				exit(1);
			at += (size_t)n;
		}
		if (guts_aead_open(a, nonce, guts_slice(NULL, 0), record, sizeof(record)) != 0)
			exit(1);
		count_nonce(nonce);
	}
	guts_aead_free(a);
}

static int
aead_ceiling(uint64_t bytes)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM, 0), out = socket(AF_INET, SOCK_STREAM, 0), in;
	uint64_t start;
	pthread_t sender;

	if (guts_crypto_init() != 0 || bind(l, (struct sockaddr *)&at, n) != 0 || listen(l, 1) != 0
	    || getsockname(l, (struct sockaddr *)&at, &n) != 0
	    || connect(out, (struct sockaddr *)&at, sizeof(at)) != 0 || (in = accept(l, NULL, NULL)) < 0)
		return 1;
	aead_bytes = bytes;
	start = clock_ns();
	pthread_create(&sender, NULL, aead_send, &out);
	aead_receive(in);
	answer(bytes, clock_ns() - start);
	pthread_join(sender, NULL);
	close(in);
	close(out);
	close(l);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "aead") == 0)
		return aead_ceiling(strtoull(argv[2], NULL, 10));
	if ((argc == 2 && strcmp(argv[1], "serve") == 0) || (argc == 3 && strcmp(argv[1], "dial") == 0))
		return end_of_link(argc, argv);
	fputs("usage: linkend serve | dial ADDRESS | aead BYTES\n", stderr);
	return 2;
}
