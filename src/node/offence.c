/* node/offence.c - offences of gossip, sync and the DHT in the words of the one table, and told to listeners. */
#include "node/internal.h"

#include "base/alloc.h"

static const enum guts_offence of_gossip[GUTS_GOSSIP_OFFENCE_COUNT] = {
	[GUTS_GOSSIP_UNDECODABLE] = GUTS_OFFENCE_GOSSIP_UNDECODABLE,
	[GUTS_GOSSIP_OVERSIZED] = GUTS_OFFENCE_GOSSIP_OVERSIZED,
	[GUTS_GOSSIP_BAD_SIGNATURE] = GUTS_OFFENCE_GOSSIP_SIGNATURE,
	[GUTS_GOSSIP_REJECTED] = GUTS_OFFENCE_GOSSIP_REJECTED,
	[GUTS_GOSSIP_GRAFT_FLOOD] = GUTS_OFFENCE_GOSSIP_GRAFT,
	[GUTS_GOSSIP_IHAVE_FLOOD] = GUTS_OFFENCE_GOSSIP_IHAVE,
	[GUTS_GOSSIP_IWANT_FLOOD] = GUTS_OFFENCE_GOSSIP_IWANT,
	[GUTS_GOSSIP_CONTROL_FLOOD] = GUTS_OFFENCE_GOSSIP_CONTROL,
	[GUTS_GOSSIP_TOO_MANY_TOPICS] = GUTS_OFFENCE_GOSSIP_TOPICS,
	[GUTS_GOSSIP_BROKEN_PROMISE] = GUTS_OFFENCE_GOSSIP_PROMISE,
	[GUTS_GOSSIP_STALLED] = GUTS_OFFENCE_GOSSIP_STALLED,
};
_Static_assert(GUTS_GOSSIP_OFFENCE_COUNT == GUTS_GOSSIP_STALLED + 1, "each offence of gossip has a row here");

void
guts_offence_gossip(struct guts_node *n, const struct guts_peerid *peer, enum guts_gossip_offence what, unsigned count)
{
	guts_peers_offend(n->peers, peer, of_gossip[what], count);
}

/* What an error of a message is on each of two protocols; other errors are nobody's fault. */
static const struct {
	int err;
	enum guts_offence sync, dht;
} of_error[] = {
	{ GUTS_EPROTO, GUTS_OFFENCE_SYNC_PROTOCOL, GUTS_OFFENCE_DHT_PROTOCOL },
	{ GUTS_ELIMIT, GUTS_OFFENCE_SYNC_LIMIT, GUTS_OFFENCE_DHT_LIMIT },
	{ GUTS_ESIG, GUTS_OFFENCE_SYNC_SIGNATURE, GUTS_OFFENCE_DHT_SIGNATURE },
	{ GUTS_EDENIED, GUTS_OFFENCE_SYNC_DENIED, GUTS_OFFENCE_DHT_DENIED },
	{ GUTS_EFUTURE, GUTS_OFFENCE_SYNC_FUTURE, GUTS_OFFENCE_DHT_FUTURE },
	{ GUTS_ETIMEOUT, GUTS_OFFENCE_SYNC_TIMEOUT, GUTS_OFFENCE_COUNT },
};

static void
offend(struct guts_node *n, const struct guts_peerid *peer, int err, bool is_dht)
{
	for (size_t i = 0; i < sizeof of_error / sizeof of_error[0]; i++) {
		enum guts_offence what = is_dht ? of_error[i].dht : of_error[i].sync;

		if (of_error[i].err == err && what != GUTS_OFFENCE_COUNT)
			guts_peers_offend(n->peers, peer, what, 1);
	}
}

void
guts_offence_sync(struct guts_node *n, const struct guts_peerid *peer, int err)
{
	offend(n, peer, err, false);
}

void
guts_offence_dht(struct guts_node *n, const struct guts_peerid *peer, int err)
{
	offend(n, peer, err, true);
}

void
guts_offence_tell(struct guts_node *n, const struct guts_peerid *peer, enum guts_offence what, unsigned points, int score)
{
	const struct guts_offence_rule *rule = guts_offence_rule(what);
	struct guts_signal s = { .type = "peer.penalized", .peer = guts_peerid_slice(peer), .n = 4 };

	s.attr[0] = guts_node_attr("offence", rule->name);
	s.attr[1] = guts_node_attr("reason", rule->text);
	s.attr[2] = guts_node_attr_num("points", points);
	s.attr[3] = guts_node_attr_num("total", (uint64_t)-(int64_t)score);
	guts_events_signal(n, &s, true);
	guts_snapshot_dirty(n);
}

size_t
guts_offence_fill(struct guts_node *n, struct guts_offence_info **out)
{
	struct guts_offence_info *v = guts_calloc(GUTS_OFFENCE_COUNT, sizeof *v);

	for (int i = 0; i < GUTS_OFFENCE_COUNT; i++) {
		const struct guts_offence_rule *rule = guts_offence_rule((enum guts_offence)i);

		v[i] = (struct guts_offence_info){ .name = rule->name, .text = rule->text, .points = rule->points,
			.ends = guts_offence_end_name(rule->ends), .ban_s = rule->ban_s };
		v[i].count = guts_peers_offences(n->peers, (enum guts_offence)i, &v[i].last_wall_ms);
		v[i].last_wall_ms /= GUTS_MS_NS;
	}
	*out = v;
	return GUTS_OFFENCE_COUNT;
}
