/* transport/tcp.c - a link over one TCP connection.
 *
 *	bytes of the socket
 *	   │ multistream: /noise             (dialer: greeting, proposal and first
 *	   │ Noise frames: handshake          handshake message in one flight)
 *	   │ (multistream: /yamux/1.0.0       only if not agreed inside the handshake)
 *	   │ yamux
 *	streams
 *
 * One deadline covers everything up to the open muxer, so that a dribbler gains nothing by
 * sending a byte now and then.  Sending is pulled: while fewer than GUTS_LINK_BULK_AHEAD bytes
 * wait in the socket's queue, yamux fills one Noise frame after the other.  Wishes to
 * send within one turn are gathered by a timer that fires in the next, and leave in one write.
 */
#include "base/alloc.h"
#include "transport/link_int.h"

#include <assert.h>
#include <utlist.h>

#define NOISE_ID "/noise"
#define YAMUX_ID "/yamux/1.0.0"
#define RX_MAX (2 + GUTS_NOISE_FRAME_MAX + (64u << 10)) /* [bytes] a cut frame and one read */
#define RX_STEP (64u << 10)
#define STALL_NS (12 * GUTS_SECOND_NS)  /* no byte taken by the other side for so long: it is gone */
#define LINGER_NS (2 * GUTS_SECOND_NS)  /* for what was sent before a goodbye */
#define ROUNDS_MAX 4                    /* writes per turn */
#define FAREWELL_MAX (256u << 10)       /* [bytes] still framed when we close */

enum tcp_state { CONNECTING, AGREE_NOISE, HANDSHAKE, AGREE_MUXER, OPEN };

struct tcp_link {
	struct guts_link base;
	struct guts_conn *conn;
	enum tcp_state state;
	struct guts_msel msel;
	struct guts_noise *noise;
	struct guts_yamux *yamux;
	struct guts_peerid expect;     /* n = 0: anybody */
	struct guts_buf rx;            /* bytes of a frame that is not whole */
	struct guts_timer timer, kick;
	uint64_t handshake_at;         /* deadline; GUTS_NEVER once open */
	uint64_t linger_at;            /* the other side said goodbye: how long we hear it out */
	uint64_t stall_at, stall_mark; /* when to look again; bytes that had left then */
	bool in_turn;                  /* an event of ours is handled: its end pumps */
};

static const char *const noise_names[] = { NOISE_ID };
static const char *const muxer_names[] = { YAMUX_ID };
static const char *const early_muxers[] = { YAMUX_ID, NULL };

static struct tcp_link *
tcp_of(struct guts_link *l)
{
	return (struct tcp_link *)l;
}

static struct guts_env *
env_of(const struct tcp_link *t)
{
	return t->base.ctx->env;
}

/* --- timers --- */

static void
rearm(struct guts_link *l)
{
	struct tcp_link *t = tcp_of(l);
	uint64_t at = t->handshake_at, d;

	if (l->dead)
		return;
	if (t->yamux && (d = guts_yamux_deadline(t->yamux)) < at)
		at = d;
	if ((d = stream_deadline(l)) < at)
		at = d;
	if (t->stall_at < at)
		at = t->stall_at;
	if (t->linger_at < at)
		at = t->linger_at;
	if (t->timer.at_ns != at || at == GUTS_NEVER)
		guts_env_timer_set(env_of(t), &t->timer, at);
}

/* Send what waits, in the next turn. */
static void
wake(struct tcp_link *t)
{
	if (!t->base.dead && !t->in_turn && t->kick.at_ns == GUTS_NEVER)
		guts_env_timer_set(env_of(t), &t->kick, guts_env_now(env_of(t)));
}

static void
later(struct guts_link *l)
{
	struct tcp_link *t = tcp_of(l);

	guts_env_timer_set(env_of(t), &t->kick, guts_env_now(env_of(t)));
}

/* --- sending --- */

static void
write_sealed(struct tcp_link *t)
{
	struct guts_buf *out = &t->base.ctx->sealed;

	if (out->len == 0)
		return;
	t->base.bytes_out += out->len;
	if (t->conn && guts_env_write(env_of(t), t->conn, guts_buf_slice(out)) != 0)
		link_fail(&t->base, GUTS_ECLOSED);
	guts_buf_clear(out);
}

static void
write_plain(struct tcp_link *t, struct guts_slice data)
{
	t->base.bytes_out += data.n;
	if (t->conn && guts_env_write(env_of(t), t->conn, data) != 0)
		link_fail(&t->base, GUTS_ECLOSED);
}

static int
seal(struct tcp_link *t, struct guts_slice plain)
{
	return guts_noise_seal(t->noise, &plain, 1, &t->base.ctx->sealed);
}

/* Frame and encrypt until `room` bytes are made or nothing is left; returns the bytes of plaintext. */
static size_t
fill_sealed(struct tcp_link *t, size_t room)
{
	struct guts_link_context *ctx = t->base.ctx;
	size_t total = 0;

	assert(!ctx->pulling && ctx->sealed.len == 0);
	ctx->pulling = true;
	while (total < room && !t->base.dead) {
		size_t n = guts_yamux_pull(t->yamux, ctx->plain, sizeof(ctx->plain), guts_env_now(ctx->env));

		if (n == 0)
			break;
		if (seal(t, guts_slice(ctx->plain, n)) != 0) {
			link_fail(&t->base, GUTS_EINTERNAL);
			break;
		}
		total += n;
	}
	ctx->pulling = false;
	return total;
}

static void
watch_stall(struct tcp_link *t)
{
	size_t queued = t->conn ? guts_env_queued(env_of(t), t->conn) : 0;

	if (queued == 0) {
		t->stall_at = GUTS_NEVER;
	} else if (t->stall_at == GUTS_NEVER) {
		t->stall_at = guts_env_now(env_of(t)) + STALL_NS;
		t->stall_mark = t->base.bytes_out - queued;
	}
}

/* Move what may be sent to the socket. */
static void
pump(struct tcp_link *t)
{
	struct guts_env *env = env_of(t);

	for (int i = 0; i < ROUNDS_MAX && t->yamux && t->conn && !t->base.dead; i++) {
		size_t queued = guts_env_queued(env, t->conn);

		if (queued >= GUTS_LINK_BULK_AHEAD)
			break;
		if (!fill_sealed(t, GUTS_LINK_BULK_AHEAD - queued))
			break;
		write_sealed(t);
	}
	if (t->yamux && t->conn && !t->base.dead && t->kick.at_ns == GUTS_NEVER) {
		bool more = guts_yamux_has_output(t->yamux)
		    && guts_env_queued(env, t->conn) < GUTS_LINK_BULK_AHEAD;

		/* A writer that got room may have let its reader go on: that is for the next turn. */
		if (more || guts_yamux_wants_poll(t->yamux))
			guts_env_timer_set(env, &t->kick, guts_env_now(env));
	}
	watch_stall(t);
}

/* The two ends of handling an event of the environment. */
static void
begin(struct tcp_link *t)
{
	link_enter(&t->base);
	t->in_turn = true;
}

static void
finish(struct tcp_link *t)
{
	if (t->yamux && !t->base.dead)
		guts_yamux_poll(t->yamux, guts_env_now(env_of(t)));
	pump(t);
	t->in_turn = false;
	rearm(&t->base);
	link_leave(&t->base);
}

/* --- yamux to streams --- */

static size_t
raw_data(void *owner, struct guts_ystream *ys, struct guts_slice data)
{
	(void)ys;
	return stream_on_data(owner, data);
}

static void
raw_eof(void *owner, struct guts_ystream *ys)
{
	(void)ys;
	stream_on_eof(owner);
}

static size_t
raw_pull(void *owner, struct guts_ystream *ys, uint8_t *out, size_t max)
{
	(void)ys;
	return stream_on_pull(owner, out, max);
}

static void
raw_closed(void *owner, struct guts_ystream *ys, int err)
{
	(void)ys;
	stream_on_closed(owner, err);
}

static const struct guts_ystream_events raw_events = { raw_data, raw_eof, raw_pull, raw_closed };

static bool
mux_incoming(void *owner, struct guts_ystream *ys)
{
	struct tcp_link *t = owner;

	guts_ystream_set_events(ys, &raw_events, stream_new_inbound(&t->base, ys));
	return true;
}

static void
mux_wake(void *owner)
{
	wake(owner);
}

static void
mux_goaway(void *owner, uint32_t code)
{
	struct tcp_link *t = owner;

	(void)code;
	t->linger_at = guts_env_now(env_of(t)) + LINGER_NS;
}

static const struct guts_yamux_events mux_events = { mux_incoming, mux_wake, mux_goaway };

static int
op_open(struct guts_link *l, struct guts_stream *s)
{
	struct guts_ystream *ys = NULL;
	int err = guts_ystream_open(tcp_of(l)->yamux, &raw_events, s, &ys);

	s->raw = ys;
	wake(tcp_of(l));
	return err;
}

static int
op_send(void *raw, struct guts_slice data)
{
	return guts_ystream_send(raw, data);
}

static size_t
op_queued(const void *raw)
{
	return guts_ystream_queued(raw);
}

static void
op_want_write(void *raw)
{
	guts_ystream_want_write(raw);
}

static void
op_finish(void *raw)
{
	guts_ystream_finish(raw);
}

static void
op_reset(void *raw, uint32_t code)
{
	guts_ystream_reset(raw, code);
}

static void
op_pause(void *raw, bool pause)
{
	guts_ystream_pause(raw, pause);
}

static int
op_need(void *raw, size_t n)
{
	return guts_ystream_need(raw, n);
}

static void
op_set_prio(void *raw, enum guts_prio prio)
{
	guts_ystream_set_prio(raw, prio);
}

static uint64_t
op_rtt(const struct guts_link *l)
{
	const struct tcp_link *t = (const struct tcp_link *)l;

	return t->yamux ? guts_yamux_rtt_ns(t->yamux) : 0;
}

static size_t
op_unread(const struct guts_link *l)
{
	const struct tcp_link *t = (const struct tcp_link *)l;

	return t->yamux ? guts_yamux_unread_bytes(t->yamux) : 0;
}

static void
op_local(struct guts_link *l, struct guts_maddr *out)
{
	struct sockaddr_storage sa = { .ss_family = AF_INET };
	struct tcp_link *t = tcp_of(l);

	if (t->conn)
		guts_env_conn_local(env_of(t), t->conn, &sa);
	guts_maddr_from_tcp(out, (struct sockaddr *)&sa);
}

/* Called once, by the outermost link_leave. */
static void
op_destroy(struct guts_link *l)
{
	struct tcp_link *t = tcp_of(l);
	struct guts_env *env = env_of(t);

	if (t->yamux && t->conn) {
		guts_yamux_goaway(t->yamux, l->close_code);
		l->dead = false; /* the last frames pass the usual way */
		fill_sealed(t, FAREWELL_MAX);
		write_sealed(t);
		l->dead = true;
	}
	guts_yamux_free(t->yamux);
	t->yamux = NULL;
	guts_env_timer_clear(env, &t->timer);
	guts_env_timer_clear(env, &t->kick);
	if (t->conn)
		guts_env_close(env, t->conn);
	t->conn = NULL;
	guts_noise_free(t->noise);
	guts_msel_deinit(&t->msel);
	guts_buf_deinit(&t->rx);
}

static const struct guts_link_ops tcp_ops = {
	.open = op_open, .destroy = op_destroy, .rearm = rearm, .later = later, .rtt = op_rtt,
	.unread = op_unread, .local = op_local, .send = op_send, .queued = op_queued, .want_write = op_want_write,
	.finish = op_finish, .reset = op_reset, .pause = op_pause, .need = op_need,
	.set_prio = op_set_prio,
};

/* --- handshake --- */

static const void *
serve_name(void *owner, struct guts_slice name)
{
	return guts_slice_eq(name, guts_slice_str(owner)) ? owner : NULL;
}

static void
open_muxer(struct tcp_link *t)
{
	struct guts_link *l = &t->base;
	struct guts_yamux_config cfg = {
		.client = !l->inbound,
		.keepalive_ns = l->ctx->keepalive_ns,
		.budget = &l->ctx->budget,
	};

	guts_msel_deinit(&t->msel);
	t->yamux = guts_yamux_new(&cfg, &mux_events, t, guts_env_now(env_of(t)));
	t->state = OPEN;
	t->handshake_at = GUTS_NEVER;
	link_up(l);
}

static void
start_noise(struct tcp_link *t)
{
	struct guts_link *l = &t->base;
	uint8_t ephemeral[32];

	guts_env_random(env_of(t), ephemeral, sizeof(ephemeral));
	t->noise = guts_noise_new(l->inbound ? GUTS_NOISE_LISTENER : GUTS_NOISE_DIALER, &l->ctx->noise,
	    ephemeral, t->expect.n ? &t->expect : NULL, early_muxers);
	explicit_bzero(ephemeral, sizeof(ephemeral));
}

/* Append our handshake messages to the sealed output, if it is our turn. */
static int
noise_speak(struct tcp_link *t)
{
	int err = 0;

	while (!err && guts_noise_wants_send(t->noise))
		err = guts_noise_handshake_send(t->noise, &t->base.ctx->sealed);
	return err;
}

/* The negotiation of `names` in the open or inside Noise. */
static void
start_msel(struct tcp_link *t, const char *const *names)
{
	if (t->base.inbound)
		guts_msel_listen(&t->msel, serve_name, (void *)(uintptr_t)names[0]);
	else
		guts_msel_dial(&t->msel, names, 1);
}

/* Noise is done: on to the muxer. */
static int
secured(struct tcp_link *t)
{
	struct guts_link *l = &t->base;
	int err = 0;

	l->peer = *guts_noise_peer(t->noise);
	if (guts_noise_muxer(t->noise)) {
		write_sealed(t);
		open_muxer(t);
		return 0;
	}
	t->state = AGREE_MUXER;
	start_msel(t, muxer_names);
	if (!l->inbound) {
		err = seal(t, guts_buf_slice(&t->msel.out));
		guts_buf_clear(&t->msel.out);
	}
	write_sealed(t);
	return err;
}

static int
recv_handshake(struct tcp_link *t, struct guts_slice body)
{
	int err = guts_noise_handshake_recv(t->noise, body);

	if (!err)
		err = noise_speak(t);
	if (err)
		return err;
	if (guts_noise_is_done(t->noise))
		return secured(t);
	write_sealed(t);
	return 0;
}

/* Plaintext while the muxer is agreed on; what follows it is the muxer's already. */
static int
recv_agree_muxer(struct tcp_link *t, struct guts_slice plain)
{
	size_t used;
	int err = guts_msel_recv(&t->msel, plain, &used);

	if (!err && t->msel.out.len > 0)
		err = seal(t, guts_buf_slice(&t->msel.out));
	guts_buf_clear(&t->msel.out);
	write_sealed(t);
	if (err || !t->msel.done)
		return err;
	open_muxer(t);
	if (used < plain.n && !t->base.dead)
		err = guts_yamux_recv(t->yamux, guts_slice(plain.p + used, plain.n - used), guts_env_now(env_of(t)));
	return err;
}

static int
recv_frame(struct tcp_link *t, struct guts_slice body)
{
	struct guts_slice plain;
	int err;

	if (t->state == HANDSHAKE)
		return recv_handshake(t, body);
	/* The body lies in our own buffer: decrypted in place. */
	err = guts_noise_open(t->noise, (uint8_t *)(uintptr_t)body.p, body.n, &plain);
	if (err)
		return err;
	if (t->state == AGREE_MUXER)
		return recv_agree_muxer(t, plain);
	return guts_yamux_recv(t->yamux, plain, guts_env_now(env_of(t)));
}

/* Every whole frame in rx. */
static int
recv_frames(struct tcp_link *t)
{
	int err = 0;

	while (!err && !t->base.dead && t->rx.len > 0) {
		struct guts_slice body;
		size_t used;

		err = guts_noise_frame(t->noise, guts_buf_slice(&t->rx), &body, &used);
		if (err)
			break;
		err = recv_frame(t, body);
		guts_buf_consume(&t->rx, used);
	}
	if (t->rx.len == 0)
		guts_buf_deinit(&t->rx);
	return err == GUTS_EAGAIN ? 0 : err;
}

/* Plain bytes at the start; *used of them were the negotiation's. */
static int
recv_agree_noise(struct tcp_link *t, struct guts_slice data, size_t *used)
{
	int err = guts_msel_recv(&t->msel, data, used);

	if (t->msel.out.len > 0)
		write_plain(t, guts_buf_slice(&t->msel.out));
	guts_buf_clear(&t->msel.out);
	if (err || !t->msel.done)
		return err;
	guts_msel_deinit(&t->msel);
	t->state = HANDSHAKE;
	if (t->base.inbound)
		start_noise(t);
	return 0;
}

static int
recv_bytes(struct tcp_link *t, struct guts_slice data)
{
	int err = 0;

	while (!err && data.n > 0 && !t->base.dead) {
		size_t n = data.n < RX_STEP ? data.n : RX_STEP;

		if (t->state == AGREE_NOISE) {
			err = recv_agree_noise(t, data, &n);
		} else {
			err = guts_buf_add(&t->rx, data.p, n);
			if (!err)
				err = recv_frames(t);
		}
		data = guts_slice(data.p + n, data.n - n);
	}
	return err;
}

/* --- events of the connection and timers --- */

static void
conn_open(void *owner, struct guts_conn *c, int err)
{
	struct tcp_link *t = owner;

	(void)c;
	begin(t);
	if (err) {
		t->conn = NULL;
		link_fail(&t->base, err);
	} else {
		t->state = AGREE_NOISE;
		start_msel(t, noise_names);
		start_noise(t);
		guts_buf_add_slice(&t->base.ctx->sealed, guts_buf_slice(&t->msel.out));
		guts_buf_clear(&t->msel.out);
		err = noise_speak(t);
		write_sealed(t);
		if (err)
			link_fail(&t->base, err);
	}
	finish(t);
}

static void
conn_data(void *owner, struct guts_conn *c, struct guts_slice data)
{
	struct tcp_link *t = owner;
	int err;

	(void)c;
	begin(t);
	t->base.bytes_in += data.n;
	t->base.last_seen_ns = guts_env_now(env_of(t));
	err = recv_bytes(t, data);
	if (err) {
		guts_buf_clear(&t->base.ctx->sealed);
		link_fail(&t->base, err);
	}
	finish(t);
}

static void
conn_writable(void *owner, struct guts_conn *c)
{
	struct tcp_link *t = owner;

	(void)c;
	begin(t);
	t->stall_at = GUTS_NEVER;
	finish(t);
}

static void
conn_closed(void *owner, struct guts_conn *c, int err)
{
	struct tcp_link *t = owner;

	(void)c;
	begin(t);
	t->conn = NULL;
	link_fail(&t->base, err ? err : GUTS_ECLOSED);
	finish(t);
}

static const struct guts_conn_events conn_events = { conn_open, conn_data, conn_writable, conn_closed };

static void
check_stall(struct tcp_link *t, uint64_t now)
{
	uint64_t left;

	if (t->stall_at > now)
		return;
	left = t->base.bytes_out - (t->conn ? guts_env_queued(env_of(t), t->conn) : 0);
	if (left == t->stall_mark)
		link_fail(&t->base, GUTS_ETIMEOUT);
	t->stall_at = GUTS_NEVER;
}

static void
timer_fired(struct guts_timer *timer, void *owner)
{
	struct tcp_link *t = owner;
	uint64_t now = guts_env_now(env_of(t));

	(void)timer;
	begin(t);
	if (t->handshake_at <= now)
		link_fail(&t->base, GUTS_ETIMEOUT);
	if (t->linger_at <= now)
		link_fail(&t->base, GUTS_ECLOSED);
	stream_expire(&t->base, now);
	if (t->yamux && guts_yamux_tick(t->yamux, now) != 0)
		link_fail(&t->base, GUTS_ETIMEOUT);
	check_stall(t, now);
	finish(t);
}

static void
kick_fired(struct guts_timer *timer, void *owner)
{
	struct tcp_link *t = owner;

	(void)timer;
	begin(t);
	finish(t);
}

/* --- making --- */

static struct tcp_link *
tcp_new(struct guts_link_context *ctx, const struct sockaddr *remote, bool inbound,
    const struct guts_link_events *ev, void *owner)
{
	struct tcp_link *t = guts_alloc(sizeof(*t));
	uint64_t now = guts_env_now(ctx->env);

	t->base.ops = &tcp_ops;
	t->base.ctx = ctx;
	t->base.ev = ev;
	t->base.owner = owner;
	t->base.inbound = inbound;
	t->base.last_seen_ns = now;
	guts_maddr_from_tcp(&t->base.remote, remote);
	guts_buf_init(&t->rx, RX_MAX);
	t->timer = (struct guts_timer){ .fire = timer_fired, .owner = t, .at_ns = GUTS_NEVER };
	t->kick = (struct guts_timer){ .fire = kick_fired, .owner = t, .at_ns = GUTS_NEVER };
	t->handshake_at = now + ctx->handshake_timeout_ns;
	t->stall_at = t->linger_at = GUTS_NEVER;
	rearm(&t->base);
	return t;
}

int
guts_link_dial_tcp(struct guts_link_context *ctx, const struct sockaddr *to, const struct guts_peerid *expect,
    const struct guts_link_events *ev, void *owner, struct guts_link **out)
{
	struct tcp_link *t = tcp_new(ctx, to, false, ev, owner);
	int err;

	if (expect)
		t->expect = *expect;
	err = guts_env_dial(ctx->env, to, &conn_events, t, &t->conn);
	if (err) {
		t->conn = NULL;
		guts_link_close(&t->base, GUTS_GOAWAY_NORMAL);
		return err;
	}
	*out = &t->base;
	return 0;
}

struct guts_link *
guts_link_accept_tcp(struct guts_link_context *ctx, struct guts_conn *c, const struct sockaddr *from,
    const struct guts_link_events *ev, void *owner, const struct guts_conn_events **events, void **conn_owner)
{
	struct tcp_link *t = tcp_new(ctx, from, true, ev, owner);

	t->conn = c;
	t->state = AGREE_NOISE;
	start_msel(t, noise_names);
	*events = &conn_events;
	*conn_owner = t;
	return &t->base;
}
