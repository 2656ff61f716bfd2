/* tests/interop/probe_gossip.c - gossipsub on the probe's streams: every message with a good signature is accepted. */
#include "probe_gossip.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <utlist.h>

struct door {
	struct guts_peerid id;
	struct guts_stream *in, *out;
	struct door *prev, *next;
};

static struct guts_env *env;
static struct guts_peers *peers;
static struct guts_gossip *gossip;
static struct door *doors;
static struct guts_timer timer;
static struct guts_protocol protocols[3];
static void (*heard_fn)(const struct guts_peerid *author, struct guts_slice topic, struct guts_slice data);

static const char *const names[3] = { GUTS_MESHSUB_12, GUTS_MESHSUB_11, GUTS_MESHSUB_10 };
static const enum guts_gossip_door kinds[3] = {
	GUTS_GOSSIP_MESHSUB_12, GUTS_GOSSIP_MESHSUB_11, GUTS_GOSSIP_MESHSUB_10,
};

static struct door *
find(const struct guts_peerid *id)
{
	struct door *d;

	DL_FOREACH(doors, d)
		if (guts_peerid_eq(&d->id, id))
			return d;
	return NULL;
}

static struct door *
get(const struct guts_peerid *id)
{
	struct door *d = find(id);

	if (d)
		return d;
	d = guts_alloc(sizeof(*d));
	d->id = *id;
	DL_APPEND(doors, d);
	return d;
}

static void
arm(void)
{
	guts_env_timer_set(env, &timer, guts_gossip_deadline(gossip));
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	(void)owner;
	guts_gossip_tick(gossip, guts_env_now(env));
	arm();
}

static size_t
in_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct door *d = owner;

	if (guts_gossip_recv(gossip, &d->id, data, guts_env_now(env)) != 0) {
		d->in = NULL;
		guts_gossip_in_reset(gossip, &d->id);
		guts_stream_reset(s, 0);
	}
	arm();
	return data.n;
}

static void
in_closed(void *owner, struct guts_stream *s, int err)
{
	struct door *d = owner;

	(void)s;
	(void)err;
	d->in = NULL;
	guts_gossip_in_reset(gossip, &d->id);
}

static const struct guts_stream_events in_events = { .data = in_data, .closed = in_closed };

static size_t
out_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	(void)s;
	return guts_gossip_pull(gossip, &((struct door *)owner)->id, out, max);
}

static void
out_closed(void *owner, struct guts_stream *s, int err)
{
	(void)s;
	(void)err;
	((struct door *)owner)->out = NULL;
}

static const struct guts_stream_events out_events = { .pull = out_pull, .closed = out_closed };

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	struct door *d = get(guts_stream_peer(s));

	(void)owner;
	(void)p;
	d->in = s;
	guts_stream_set_events(s, &in_events, d);
	/* Its bytes wait until the peer is known to gossip. */
	guts_stream_pause(s, !d->out);
	return true;
}

void
probe_gossip_identified(const struct guts_peerid *id)
{
	struct door *d = get(id);
	size_t i = 0;

	while (i < 3 && !guts_peers_speaks(peers, id, names[i]))
		i++;
	if (i == 3 || d->out)
		return;
	guts_gossip_peer_add(gossip, id, true, kinds[i], guts_env_now(env));
	if (guts_peers_open_stream(peers, id, &names[i], 1, &out_events, d, &d->out) != 0)
		return;
	guts_stream_want_write(d->out);
	if (d->in)
		guts_stream_pause(d->in, false);
	arm();
}

void
probe_gossip_gone(const struct guts_peerid *id)
{
	struct door *d = find(id);

	guts_gossip_peer_remove(gossip, id, guts_env_now(env));
	if (!d)
		return;
	DL_DELETE(doors, d);
	free(d);
	arm();
}

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
	heard_fn(&m->from, m->topic, m->data);
}

static void
on_wants_write(void *owner, const struct guts_peerid *peer)
{
	struct door *d = find(peer);

	(void)owner;
	if (d && d->out)
		guts_stream_want_write(d->out);
}

static const struct guts_gossip_events events = {
	.validate = on_validate, .deliver = on_deliver, .wants_write = on_wants_write,
};

void
probe_gossip_start(struct guts_env *e, struct guts_peers *p, const struct guts_key *key,
    void (*heard)(const struct guts_peerid *author, struct guts_slice topic, struct guts_slice data))
{
	uint64_t seed;

	env = e;
	peers = p;
	heard_fn = heard;
	guts_env_random(env, &seed, sizeof(seed));
	gossip = guts_gossip_new(NULL, key, seed, &events, NULL, guts_env_now(env));
	timer = (struct guts_timer){ .fire = on_timer, .at_ns = GUTS_NEVER };
	for (size_t i = 0; i < 3; i++) {
		protocols[i] = (struct guts_protocol){ .id = names[i], .on_stream = on_stream };
		guts_peers_handle(peers, &protocols[i]);
	}
	arm();
}

void
probe_gossip_stop(void)
{
	guts_env_timer_clear(env, &timer);
	while (doors)
		probe_gossip_gone(&doors->id);
	guts_env_timer_clear(env, &timer);
	guts_gossip_free(gossip);
}

int
probe_gossip_subscribe(const char *topic)
{
	int err = guts_gossip_subscribe(gossip, guts_slice_str(topic), guts_env_now(env));

	arm();
	return err;
}

int
probe_gossip_unsubscribe(const char *topic)
{
	int err = guts_gossip_unsubscribe(gossip, guts_slice_str(topic), guts_env_now(env));

	arm();
	return err;
}

void
probe_gossip_stats(struct guts_gossip_stats *out)
{
	guts_gossip_stats(gossip, out);
}

int
probe_gossip_publish(const char *topic, const char *text)
{
	uint8_t id[GUTS_GOSSIP_ID_SIZE];
	int err = guts_gossip_publish(gossip, guts_slice_str(topic), guts_slice_str(text), guts_env_wall(env),
	    guts_env_now(env), id);

	arm();
	return err;
}

size_t
probe_gossip_mesh(const char *topic)
{
	struct guts_gossip_topic_info t;
	const void *it = NULL;

	while (guts_gossip_next_topic(gossip, &it, &t))
		if (guts_slice_eq(t.name, guts_slice_str(topic)))
			return t.mesh;
	return 0;
}
