/* tests/interop/peer_probe.c - a peer manager on real sockets, led by JSON lines.
 *
 * Events go to standard output, one object per line; commands come on standard input and are
 * answered with their "id".  It listens on a free loopback port, serves an echo protocol and
 * ends with standard input.
 *
 *	{"cmd":"connect","addr":"/ip4/…"}            connected or dial_failed
 *	{"cmd":"disconnect","peer":"12D3…"}
 *	{"cmd":"serve","protocol":"/x/1"}            a name more in identify
 *	{"cmd":"open","peer":…,"protocol":…,"id":1}  does it take the protocol?
 *	{"cmd":"ping","peer":…,"count":9,"id":2}
 *	{"cmd":"echo","peer":…,"bytes":9,"id":3}     sends, receives, compares
 *	{"cmd":"state","peer":…,"id":4}
 *	{"cmd":"subscribe","topic":…,"id":5}         then heard: author, topic, data
 *	{"cmd":"unsubscribe","topic":…,"id":5}
 *	{"cmd":"publish","topic":…,"data":"text","id":6}
 *	{"cmd":"mesh","topic":…,"id":7}              "bytes": peers in our mesh
 *	{"cmd":"control","id":7}                     entries of gossip's control, sent and received
 *	{"cmd":"redial","addr":…,"count":9,"id":8}   links made and closed one after the other
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "loop/uvenv.h"
#include "peer/peers.h"
#include "lines.h"
#include "probe_gossip.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#define ECHO_ID "/guts/test/echo/1.0.0"
#define PING_ID "/ipfs/ping/1.0.0"
#define RING_MAX (256u << 10)

static struct guts_uvenv *uv;
static struct guts_env *env;
static struct guts_peers *peers;
static struct guts_key key;

/* Links still to be made by "redial". */
static struct {
	struct guts_maddr addr;
	int64_t left, count, id;
} redial;

/* --- telling --- */

static void
say(json_object *o)
{
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(o);
}

static void
add_str(json_object *o, const char *name, const char *v)
{
	json_object_object_add(o, name, json_object_new_string(v));
}

static void
add_int(json_object *o, const char *name, uint64_t v)
{
	json_object_object_add(o, name, json_object_new_int64((int64_t)v));
}

static void
add_bool(json_object *o, const char *name, bool v)
{
	json_object_object_add(o, name, json_object_new_boolean(v));
}

static json_object *
event_of(const char *name, const struct guts_peerid *id)
{
	json_object *o = json_object_new_object();
	char text[GUTS_PEERID_TEXT_SIZE];

	add_str(o, "event", name);
	if (id) {
		guts_peerid_text(text, id);
		add_str(o, "peer", text);
	}
	return o;
}

static void
answer(int64_t id, int err, uint64_t bytes)
{
	json_object *o = json_object_new_object();

	add_int(o, "id", (uint64_t)id);
	add_bool(o, "ok", err == 0);
	add_str(o, "err", guts_err_name(err));
	add_int(o, "bytes", bytes);
	say(o);
}

/* --- events of the manager --- */

static void
on_connected(void *owner, const struct guts_peerid *id, bool inbound)
{
	json_object *o;

	(void)owner;
	if (redial.left > 0) {
		guts_peers_disconnect(peers, id, "again");
		return;
	}
	o = event_of("connected", id);
	add_bool(o, "inbound", inbound);
	say(o);
}

static json_object *
state_of(json_object *o, const struct guts_peerid *id)
{
	struct guts_peer_state *st = guts_alloc(sizeof(*st));
	json_object *protocols = json_object_new_array(), *addrs = json_object_new_array();
	char text[GUTS_MADDR_TEXT_MAX];

	add_int(o, "found", guts_peers_state(peers, id, st) == 0);
	for (size_t i = 0; i < st->n_protocols; i++)
		json_object_array_add(protocols, json_object_new_string(st->protocols[i]));
	for (size_t i = 0; i < st->n_addrs; i++) {
		guts_maddr_text(text, &st->addrs[i]);
		json_object_array_add(addrs, json_object_new_string(text));
	}
	add_str(o, "agent", st->agent);
	json_object_object_add(o, "protocols", protocols);
	json_object_object_add(o, "addrs", addrs);
	add_bool(o, "inbound", st->inbound);
	add_int(o, "bytes_in", st->bytes_in);
	add_int(o, "bytes_out", st->bytes_out);
	add_int(o, "rtt_ns", st->rtt_ns);
	add_int(o, "streams", st->streams);
	free(st);
	return o;
}

static void
on_identified(void *owner, const struct guts_peerid *id)
{
	(void)owner;
	if (redial.left == 0)
		probe_gossip_identified(id);
	say(state_of(event_of("identified", id), id));
}

static void
on_disconnected(void *owner, const struct guts_peerid *id, int err, const char *reason)
{
	json_object *o;

	(void)owner;
	if (redial.left > 0) {
		if (--redial.left == 0)
			answer(redial.id, 0, (uint64_t)redial.count);
		else
			guts_peers_connect(peers, &redial.addr);
		return;
	}
	probe_gossip_gone(id);
	o = event_of("disconnected", id);
	add_str(o, "err", guts_err_name(err));
	add_str(o, "reason", reason);
	say(o);
}

static void
on_dial_failed(void *owner, const struct guts_maddr *addr, int err, const char *reason)
{
	json_object *o = event_of("dial_failed", NULL);
	char text[GUTS_MADDR_TEXT_MAX];

	(void)owner;
	guts_maddr_text(text, addr);
	add_str(o, "addr", text);
	add_str(o, "err", guts_err_name(err));
	add_str(o, "reason", reason);
	say(o);
}

static const struct guts_peers_events peer_events = {
	.connected = on_connected, .identified = on_identified, .disconnected = on_disconnected,
	.dial_failed = on_dial_failed,
};

static void
on_heard(const struct guts_peerid *author, struct guts_slice topic, struct guts_slice data)
{
	json_object *o = event_of("heard", author);

	json_object_object_add(o, "topic", json_object_new_string_len((const char *)topic.p, (int)topic.n));
	json_object_object_add(o, "data", json_object_new_string_len((const char *)data.p, (int)data.n));
	say(o);
}

/* --- the echo we serve: what came waits in a ring until there is room to send --- */

struct echo {
	struct guts_buf ring;
	bool eof, refused;
};

static size_t
echo_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct echo *e = owner;
	size_t n = data.n < RING_MAX - e->ring.len ? data.n : RING_MAX - e->ring.len;

	guts_buf_add(&e->ring, data.p, n);
	e->refused = n < data.n;
	guts_stream_want_write(s);
	return n;
}

static void
echo_eof(void *owner, struct guts_stream *s)
{
	struct echo *e = owner;

	e->eof = true;
	if (e->ring.len == 0)
		guts_stream_finish(s);
}

static size_t
echo_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	struct echo *e = owner;
	size_t n = max < e->ring.len ? max : e->ring.len;

	if (n > 0)
		memcpy(out, guts_buf_slice(&e->ring).p, n);
	guts_buf_consume(&e->ring, n);
	if (e->refused) {
		guts_stream_pause(s, true);
		guts_stream_pause(s, false);
	}
	if (e->eof && e->ring.len == 0)
		guts_stream_finish(s);
	return n;
}

static void
echo_closed(void *owner, struct guts_stream *s, int err)
{
	struct echo *e = owner;

	(void)s;
	(void)err;
	guts_buf_deinit(&e->ring);
	free(e);
}

static const struct guts_stream_events echo_events = {
	.data = echo_data, .eof = echo_eof, .pull = echo_pull, .closed = echo_closed,
};

static bool
on_echo(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	struct echo *e = guts_alloc(sizeof(*e));

	(void)owner;
	(void)p;
	guts_buf_init(&e->ring, RING_MAX);
	guts_stream_set_events(s, &echo_events, e);
	return true;
}

static const struct guts_protocol echo_protocol = {
	.id = ECHO_ID, .inbound_max = 64, .prio = GUTS_PRIO_BULK, .on_stream = on_echo,
};

static bool
on_late(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	(void)owner;
	(void)s;
	(void)p;
	return false;
}

static struct guts_protocol late_protocol = { .on_stream = on_late };

/* --- exchanges we start: send `bytes` of a seeded pattern, expect the same back --- */

struct exchange {
	int64_t id;
	struct guts_rng out, in;
	uint64_t to_send, to_come, bytes;
	unsigned rounds;      /* of 32 bytes, for ping */
	bool differs, is_ping, only_open, answered;
};

static void
end_exchange(struct exchange *x, int err)
{
	if (!x->answered)
		answer(x->id, x->differs ? GUTS_ECONFLICT : err, x->bytes - x->to_come);
	x->answered = true;
}

/* The pattern's bytes are those of one generator, whatever the pieces. */
static void
pattern(struct guts_rng *r, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)guts_rng_u64(r);
}

static void
send_ping(struct exchange *x, struct guts_stream *s)
{
	uint8_t b[32];

	pattern(&x->out, b, sizeof(b));
	guts_stream_send(s, guts_slice(b, sizeof(b)));
}

static void
exchange_open(void *owner, struct guts_stream *s, const char *protocol)
{
	struct exchange *x = owner;

	(void)protocol;
	if (!x->only_open)
		return;
	end_exchange(x, 0);
	guts_stream_finish(s);
}

static size_t
exchange_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct exchange *x = owner;
	size_t n = x->is_ping ? data.n - data.n % 32 : data.n;

	for (size_t i = 0; i < n; i++)
		x->differs |= data.p[i] != (uint8_t)guts_rng_u64(&x->in);
	x->differs |= n > x->to_come;
	x->to_come -= n < x->to_come ? n : x->to_come;
	if (!x->is_ping || n == 0)
		return n;
	if (x->to_come > 0) {
		send_ping(x, s);
	} else {
		end_exchange(x, 0);
		guts_stream_finish(s);
	}
	return n;
}

static void
exchange_eof(void *owner, struct guts_stream *s)
{
	struct exchange *x = owner;

	end_exchange(x, x->to_come == 0 ? 0 : GUTS_EPROTO);
	guts_stream_finish(s);
}

static size_t
exchange_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	struct exchange *x = owner;
	size_t n = max < x->to_send ? max : (size_t)x->to_send;

	pattern(&x->out, out, n);
	x->to_send -= n;
	if (x->to_send == 0)
		guts_stream_finish(s);
	return n;
}

static void
exchange_closed(void *owner, struct guts_stream *s, int err)
{
	(void)s;
	end_exchange(owner, err ? err : GUTS_ECLOSED);
	free(owner);
}

static const struct guts_stream_events exchange_events = {
	exchange_open, exchange_data, exchange_eof, exchange_pull, exchange_closed,
};

static void
start_exchange(const struct guts_peerid *peer, const char *protocol, struct exchange x)
{
	struct exchange *own = guts_memdup(&x, sizeof(x));
	struct guts_stream *s;
	int err;

	guts_rng_seed(&own->out, (uint64_t)x.id);
	guts_rng_seed(&own->in, (uint64_t)x.id);
	own->to_come = own->to_send = own->bytes;
	err = guts_peers_open_stream(peers, peer, &protocol, 1, &exchange_events, own, &s);
	if (err) {
		answer(x.id, err, 0);
		free(own);
		return;
	}
	if (x.is_ping) {
		send_ping(own, s);
	} else if (!x.only_open) {
		guts_stream_set_prio(s, GUTS_PRIO_BULK);
		guts_stream_want_write(s);
	}
}

/* --- commands --- */

static const char *
str_of(json_object *o, const char *name)
{
	json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : "";
}

static int64_t
int_of(json_object *o, const char *name)
{
	json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_int64(v) : 0;
}

static void
say_control(int64_t id)
{
	json_object *o = json_object_new_object();
	struct guts_gossip_stats st;

	probe_gossip_stats(&st);
	add_int(o, "id", (uint64_t)id);
	add_int(o, "graft_sent", st.graft_sent);
	add_int(o, "prune_sent", st.prune_sent);
	add_int(o, "ihave_sent", st.ihave_sent);
	add_int(o, "iwant_sent", st.iwant_sent);
	add_int(o, "idontwant_sent", st.idontwant_sent);
	add_int(o, "graft_received", st.graft_received);
	add_int(o, "prune_received", st.prune_received);
	add_int(o, "ihave_received", st.ihave_received);
	add_int(o, "iwant_received", st.iwant_received);
	add_int(o, "idontwant_received", st.idontwant_received);
	add_int(o, "broken_promises", st.broken_promises);
	for (int i = 0; i < GUTS_GOSSIP_OFFENCE_COUNT; i++)
		add_int(o, guts_gossip_offence_name((enum guts_gossip_offence)i), st.offences[i]);
	say(o);
}

static void
obey(json_object *o)
{
	const char *cmd = str_of(o, "cmd");
	int64_t id = int_of(o, "id");
	struct guts_peerid peer = { 0 };
	struct guts_maddr addr;

	guts_peerid_parse(&peer, guts_slice_str(str_of(o, "peer")));
	if (strcmp(cmd, "connect") == 0) {
		int err = guts_maddr_parse(&addr, guts_slice_str(str_of(o, "addr")));

		if (!err)
			err = guts_peers_connect(peers, &addr);
		if (err)
			answer(id, err, 0);
	} else if (strcmp(cmd, "disconnect") == 0) {
		guts_peers_disconnect(peers, &peer, "told to");
	} else if (strcmp(cmd, "serve") == 0) {
		late_protocol.id = guts_strdup(str_of(o, "protocol"));
		guts_peers_handle(peers, &late_protocol);
	} else if (strcmp(cmd, "open") == 0) {
		start_exchange(&peer, str_of(o, "protocol"), (struct exchange){ .id = id, .only_open = true });
	} else if (strcmp(cmd, "ping") == 0) {
		start_exchange(&peer, PING_ID,
		    (struct exchange){ .id = id, .is_ping = true, .bytes = 32 * (uint64_t)int_of(o, "count") });
	} else if (strcmp(cmd, "echo") == 0) {
		start_exchange(&peer, ECHO_ID, (struct exchange){ .id = id, .bytes = (uint64_t)int_of(o, "bytes") });
	} else if (strcmp(cmd, "subscribe") == 0) {
		answer(id, probe_gossip_subscribe(str_of(o, "topic")), 0);
	} else if (strcmp(cmd, "unsubscribe") == 0) {
		answer(id, probe_gossip_unsubscribe(str_of(o, "topic")), 0);
	} else if (strcmp(cmd, "control") == 0) {
		say_control(id);
	} else if (strcmp(cmd, "publish") == 0) {
		answer(id, probe_gossip_publish(str_of(o, "topic"), str_of(o, "data")), 0);
	} else if (strcmp(cmd, "mesh") == 0) {
		answer(id, 0, probe_gossip_mesh(str_of(o, "topic")));
	} else if (strcmp(cmd, "redial") == 0) {
		guts_maddr_parse(&redial.addr, guts_slice_str(str_of(o, "addr")));
		redial.left = redial.count = int_of(o, "count");
		redial.id = id;
		guts_peers_connect(peers, &redial.addr);
	} else if (strcmp(cmd, "state") == 0) {
		json_object *st = json_object_new_object();

		add_int(st, "id", (uint64_t)id);
		say(state_of(st, &peer));
	}
}

static void
on_line(void *arg)
{
	json_object *o = json_tokener_parse(arg);

	free(arg);
	if (o)
		obey(o);
	json_object_put(o);
}

static void
say_ready(const struct guts_maddr *bound)
{
	json_object *o = event_of("ready", NULL);
	char text[GUTS_MADDR_TEXT_MAX], id[GUTS_PEERID_TEXT_SIZE];
	struct guts_maddr m = *bound;

	guts_maddr_add_peer(&m, guts_peerid_slice(&key.id));
	guts_maddr_text(text, &m);
	guts_peerid_text(id, &key.id);
	add_str(o, "peer_id", id);
	add_str(o, "listen", text);
	say(o);
}

int
main(void)
{
	struct guts_peers_config cfg = { .key = &key, .agent = "guts-probe/1", .no_auto_dial = true };
	struct guts_maddr at, bound;
	struct guts_errinfo ei;
	uint8_t seed[32];

	if (guts_crypto_init() != 0 || guts_uvenv_new(NULL, &uv) != 0)
		return 1;
	env = cfg.env = guts_uvenv_env(uv);
	guts_env_random(env, seed, sizeof(seed));
	guts_key_from_seed(&key, seed);
	peers = guts_peers_new(&cfg, &peer_events, NULL);
	guts_peers_handle(peers, &echo_protocol);
	probe_gossip_start(env, peers, &key, on_heard);
	guts_maddr_parse(&at, guts_slice_str("/ip4/127.0.0.1/tcp/0"));
	if (guts_peers_listen(peers, &at, &bound, &ei) != 0) {
		fprintf(stderr, "%s\n", ei.text);
		return 1;
	}
	say_ready(&bound);
	lines_start(uv, on_line);
	guts_uvenv_run(uv);
	lines_end();
	guts_peers_free(peers);
	probe_gossip_stop();
	guts_uvenv_free(uv);
	free((char *)(uintptr_t)late_protocol.id);
	return 0;
}
