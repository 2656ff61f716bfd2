/* tests/integration/rawpeer.c - a peer without manners: real links and streams, and whatever bytes it is told to send.
 *
 * Lines on standard input lead it, lines on standard output tell what happens; bytes are in hex:
 *
 *	connect ADDR            → connected PEER, or failed REASON
 *	disconnect PEER         → gone PEER REASON
 *	open N PEER PROTOCOL    → opened N; closed N ERROR
 *	send N HEX, finish N, reset N, pause N, resume N
 *	repeat N HEX            these bytes over and over, as fast as they are taken; until it is told so without HEX
 *	seal DOMAIN TYPE HEX    → sealed HEX            a signed envelope of its own key
 *	sign HEX                → signed HEX
 *	rekey                   → key PEER PUBKEY       all links are closed, another key is taken
 *	                        → stream N PEER PROTOCOL, data N HEX, eof N     from the other side
 *
 * It serves the protocols that its arguments name, and identify and ping.  It ends with standard input.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "crypto/envelope.h"
#include "loop/uvenv.h"
#include "peer/peers.h"

#include "../interop/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define OUT_MAX (64u << 20) /* [bytes] waiting to be sent on a stream */
#define FIRST_INBOUND 1000000

struct raw {
	unsigned number;
	struct guts_stream *s; /* NULL: over */
	struct guts_buf out, repeat;
	size_t repeat_at;
	bool finish, refused;
	UT_hash_handle hh;
};

static struct guts_uvenv *uv;
static struct guts_env *env;
static struct guts_peers *peers;
static struct guts_key key;
static struct raw *streams;
static unsigned inbound = FIRST_INBOUND;
static char **served;
static int nserved;
static struct guts_protocol protocols[8];

/* -- telling -------------------------------------------------------------------------- */

static void
say_hex(const char *what, struct guts_slice bytes)
{
	char *hex = guts_alloc(bytes.n * 2 + 1);

	guts_hex_encode(hex, bytes.p, bytes.n);
	printf("%s %s\n", what, hex);
	fflush(stdout);
	free(hex);
}

static void
say_peer(const char *what, const struct guts_peerid *id, const char *more)
{
	char text[GUTS_PEERID_TEXT_SIZE];

	guts_peerid_text(text, id);
	printf("%s %s %s\n", what, text, more);
	fflush(stdout);
}

static void
say_stream(const char *what, const struct raw *r, const char *more)
{
	printf("%s %u %s\n", what, r->number, more);
	fflush(stdout);
}

static struct guts_buf
unhex(const char *hex)
{
	struct guts_buf b;
	size_t n = strlen(hex) / 2;
	uint8_t *p = guts_alloc(n + 1);

	guts_buf_init(&b, OUT_MAX);
	if (guts_hex_decode(p, n, guts_slice(hex, n * 2)) == GUTS_OK)
		guts_buf_add(&b, p, n);
	free(p);
	return b;
}

/* -- streams ---------------------------------------------------------------------------- */

static void
on_open(void *owner, struct guts_stream *s, const char *protocol)
{
	(void)s;
	say_stream("opened", owner, protocol);
}

static size_t
on_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct raw *r = owner;
	char what[32];

	(void)s;
	snprintf(what, sizeof what, "data %u", r->number);
	say_hex(what, data);
	return data.n;
}

static void
on_eof(void *owner, struct guts_stream *s)
{
	(void)s;
	say_stream("eof", owner, "");
}

static size_t
on_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	struct raw *r = owner;
	size_t n = r->out.len < max ? r->out.len : max;

	if (n)
		memcpy(out, guts_buf_slice(&r->out).p, n);
	guts_buf_consume(&r->out, n);
	for (; n < max && r->repeat.len > 0; n++) {
		out[n] = guts_buf_slice(&r->repeat).p[r->repeat_at];
		r->repeat_at = (r->repeat_at + 1) % r->repeat.len;
	}
	if (r->finish && r->out.len == 0)
		guts_stream_finish(s);
	return n;
}

static void
forget(struct raw *r)
{
	HASH_DEL(streams, r);
	guts_buf_deinit(&r->out);
	guts_buf_deinit(&r->repeat);
	free(r);
}

static void
on_closed(void *owner, struct guts_stream *s, int err)
{
	(void)s;
	say_stream("closed", owner, guts_err_name(err));
	forget(owner);
}

static const struct guts_stream_events events = {
	.open = on_open, .data = on_data, .eof = on_eof, .pull = on_pull, .closed = on_closed,
};

static struct raw *
raw_new(unsigned number)
{
	struct raw *r = guts_alloc(sizeof *r);

	r->number = number;
	guts_buf_init(&r->out, OUT_MAX);
	guts_buf_init(&r->repeat, OUT_MAX);
	HASH_ADD_INT(streams, number, r);
	return r;
}

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	struct raw *r = raw_new(inbound++);
	char peer[GUTS_PEERID_TEXT_SIZE];

	(void)owner;
	r->s = s;
	guts_stream_set_events(s, &events, r);
	guts_peerid_text(peer, guts_stream_peer(s));
	printf("stream %u %s %s\n", r->number, peer, p->id);
	fflush(stdout);
	return true;
}

/* -- links ------------------------------------------------------------------------------- */

static void
on_connected(void *owner, const struct guts_peerid *id, bool is_inbound)
{
	(void)owner;
	say_peer("connected", id, is_inbound ? "in" : "out");
}

static void
on_identified(void *owner, const struct guts_peerid *id)
{
	(void)owner;
	say_peer("identified", id, "");
}

static void
on_disconnected(void *owner, const struct guts_peerid *id, int err, const char *reason)
{
	(void)owner;
	(void)err;
	say_peer("gone", id, reason);
}

static void
on_dial_failed(void *owner, const struct guts_maddr *addr, int err, const char *reason)
{
	(void)owner;
	(void)addr;
	(void)err;
	printf("failed %s\n", reason);
	fflush(stdout);
}

static const struct guts_peers_events peers_events = {
	.connected = on_connected, .identified = on_identified, .disconnected = on_disconnected, .dial_failed = on_dial_failed,
};

/* Take a new key; what was is closed. */
static void
rekey(void)
{
	struct guts_peers_config cfg = { .env = env, .key = &key, .agent = "raw/1", .no_auto_dial = true };
	struct raw *r, *tmp;
	char text[GUTS_PEERID_TEXT_SIZE], hex[2 * GUTS_PUBKEY_PB_SIZE + 1];
	uint8_t seed[32], pub[GUTS_PUBKEY_SIZE], pb[GUTS_PUBKEY_PB_SIZE];

	guts_peers_free(peers);
	HASH_ITER (hh, streams, r, tmp)
		forget(r);
	guts_env_random(env, seed, sizeof seed);
	guts_key_from_seed(&key, seed);
	peers = guts_peers_new(&cfg, &peers_events, NULL);
	for (int i = 0; i < nserved && i < 8; i++) {
		protocols[i] = (struct guts_protocol){ .id = served[i], .inbound_max = 64, .on_stream = on_stream };
		guts_peers_handle(peers, &protocols[i]);
	}
	guts_peerid_text(text, &key.id);
	guts_peerid_pubkey(&key.id, pub);
	guts_pubkey_encode(pb, pub);
	guts_hex_encode(hex, pb, sizeof pb);
	printf("key %s %s\n", text, hex);
	fflush(stdout);
}

/* -- commands ------------------------------------------------------------------------------ */

static void
open_stream(unsigned number, const char *peer, const char *protocol)
{
	struct raw *r = raw_new(number);
	struct guts_peerid id;
	int err = guts_peerid_parse(&id, guts_slice_str(peer));

	if (!err)
		err = guts_peers_open_stream(peers, &id, &protocol, 1, &events, r, &r->s);
	if (err) {
		say_stream("closed", r, guts_err_name(err));
		forget(r);
	}
}

static void
seal(const char *domain, const char *type, const char *hex)
{
	struct guts_buf payload = unhex(hex), out;

	guts_buf_init(&out, OUT_MAX);
	guts_envelope_seal(&out, &key, domain, guts_slice_str(type), guts_buf_slice(&payload));
	say_hex("sealed", guts_buf_slice(&out));
	guts_buf_deinit(&out);
	guts_buf_deinit(&payload);
}

static void
sign(const char *hex)
{
	struct guts_buf text = unhex(hex);
	uint8_t sig[GUTS_SIG_SIZE];

	guts_sign(sig, &key, guts_buf_slice(&text));
	say_hex("signed", guts_slice(sig, sizeof sig));
	guts_buf_deinit(&text);
}

static void
on_stream_command(const char *cmd, struct raw *r, const char *hex)
{
	if (strcmp(cmd, "send") == 0) {
		struct guts_buf b = unhex(hex);

		guts_buf_add(&r->out, guts_buf_slice(&b).p, b.len);
		guts_buf_deinit(&b);
		guts_stream_want_write(r->s);
	} else if (strcmp(cmd, "repeat") == 0) {
		guts_buf_deinit(&r->repeat);
		r->repeat = unhex(hex);
		r->repeat_at = 0;
		guts_stream_want_write(r->s);
	} else if (strcmp(cmd, "finish") == 0) {
		r->finish = true;
		guts_stream_want_write(r->s);
		if (r->out.len == 0)
			guts_stream_finish(r->s);
	} else if (strcmp(cmd, "pause") == 0 || strcmp(cmd, "resume") == 0) {
		guts_stream_pause(r->s, cmd[0] == 'p');
	} else if (strcmp(cmd, "reset") == 0) {
		guts_stream_reset(r->s, 0);
		forget(r);
	}
}

static void
obey(char *v[4])
{
	struct guts_maddr addr;
	struct guts_peerid id;
	struct raw *r;
	unsigned number = (unsigned)strtoul(v[1], NULL, 10);

	if (strcmp(v[0], "connect") == 0) {
		if (guts_maddr_parse(&addr, guts_slice_str(v[1])) || guts_peers_connect(peers, &addr)) {
			printf("failed at once\n");
			fflush(stdout);
		}
	} else if (strcmp(v[0], "disconnect") == 0) {
		if (guts_peerid_parse(&id, guts_slice_str(v[1])) == GUTS_OK)
			guts_peers_disconnect(peers, &id, "told to");
	} else if (strcmp(v[0], "open") == 0) {
		open_stream(number, v[2], v[3]);
	} else if (strcmp(v[0], "seal") == 0) {
		seal(v[1], v[2], v[3]);
	} else if (strcmp(v[0], "sign") == 0) {
		sign(v[1]);
	} else if (strcmp(v[0], "rekey") == 0) {
		rekey();
	} else {
		HASH_FIND_INT(streams, &number, r);
		if (r)
			on_stream_command(v[0], r, v[2]);
	}
}

static void
on_line(void *arg)
{
	static char none[1];
	char *v[4] = { none, none, none, none }, *rest = arg;

	rest[strcspn(rest, "\n")] = '\0';
	for (size_t i = 0; i < 4 && rest; i++)
		v[i] = strsep(&rest, " ");
	obey(v);
	free(arg);
}

int
main(int argc, char **argv)
{
	struct raw *r, *tmp;

	if (guts_crypto_init() != 0 || guts_uvenv_new(NULL, &uv) != 0)
		return 1;
	env = guts_uvenv_env(uv);
	served = argv + 1;
	nserved = argc - 1;
	rekey();
	lines_start(uv, on_line);
	guts_uvenv_run(uv);
	lines_end();
	guts_peers_free(peers);
	HASH_ITER (hh, streams, r, tmp)
		forget(r);
	guts_uvenv_free(uv);
	return 0;
}
