/* tests/unit/test_peers.c - peer managers on an environment in memory: who stays linked to whom. */
#include "base/alloc.h"
#include "discover/bootstrap.h"
#include "memenv.h"
#include "memrows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <uthash.h>

#define GUTS_ID "/guts/node/1.0.0"
#define NODES_MAX 12

struct node {
	struct guts_env *env;
	struct guts_key key;
	struct guts_peers *peers;
	struct guts_maddr at; /* with /p2p */
	struct memrows rows;  /* what persists */
	struct guts_protocol proto, extra;
	int connected, disconnected, identified, banned, lifted, failed, penalized, unreached;
	struct guts_peerid unreached_id;
	int last_err;
	char reason[GUTS_PEER_REASON_MAX];
	int streams;
};

static struct memnet *net;
static struct node nodes[NODES_MAX];
static size_t n_nodes;

/* --- events --- */

static void
on_connected(void *owner, const struct guts_peerid *id, bool inbound)
{
	(void)id;
	(void)inbound;
	((struct node *)owner)->connected++;
}

static void
on_identified(void *owner, const struct guts_peerid *id)
{
	(void)id;
	((struct node *)owner)->identified++;
}

static void
on_disconnected(void *owner, const struct guts_peerid *id, int err, const char *reason)
{
	struct node *d = owner;

	(void)id;
	d->disconnected++;
	d->last_err = err;
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

static void
on_banned(void *owner, const struct guts_peerid *id, uint64_t until, const char *reason)
{
	(void)id;
	(void)until;
	(void)reason;
	((struct node *)owner)->banned++;
}

static void
on_penalized(void *owner, const struct guts_peerid *id, enum guts_offence what, unsigned points, int score)
{
	(void)id;
	(void)what;
	assert_true(points > 0 && score < 0);
	((struct node *)owner)->penalized++;
}

static void
on_lifted(void *owner, const struct guts_peerid *id)
{
	(void)id;
	((struct node *)owner)->lifted++;
}

static void
on_dial_failed(void *owner, const struct guts_maddr *addr, int err, const char *reason)
{
	struct node *d = owner;

	(void)addr;
	d->failed++;
	d->last_err = err;
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

static void
on_unreached(void *owner, const struct guts_peerid *id, int err)
{
	struct node *d = owner;

	d->unreached++;
	d->unreached_id = *id;
	d->last_err = err;
}

static const struct guts_peers_events events = {
	.connected = on_connected, .identified = on_identified, .disconnected = on_disconnected,
	.banned = on_banned, .lifted = on_lifted, .penalized = on_penalized, .dial_failed = on_dial_failed,
	.unreached = on_unreached,
};

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	(void)s;
	(void)p;
	((struct node *)owner)->streams++;
	return true;
}

/* --- nodes --- */

static struct guts_peers_config
base_config(void)
{
	return (struct guts_peers_config){ .agent = "test/1", .guts_protocol = GUTS_ID, .no_auto_dial = true };
}

static void
node_start(struct node *d, struct guts_peers_config cfg, const char *at, bool plain)
{
	struct guts_maddr m;

	cfg.env = d->env;
	cfg.key = &d->key;
	cfg.store = memrows_store(&d->rows);
	d->peers = guts_peers_new(&cfg, &events, d);
	d->proto = (struct guts_protocol){ .id = GUTS_ID, .inbound_max = 2, .on_stream = on_stream, .owner = d };
	if (!plain)
		assert_int_equal(guts_peers_handle(d->peers, &d->proto), 0);
	assert_int_equal(guts_maddr_parse(&m, guts_slice_str(at)), 0);
	assert_int_equal(guts_peers_listen(d->peers, &m, &d->at, NULL), 0);
	guts_maddr_add_peer(&d->at, guts_peerid_slice(&d->key.id));
}

/* Host i + 1 with a key of that number. */
static struct node *
node_new(struct guts_peers_config cfg, uint8_t host, bool plain)
{
	uint8_t seed[32] = { (uint8_t)(n_nodes + 1) };
	struct node *d = &nodes[n_nodes++];
	char at[64];

	memset(d, 0, sizeof(*d));
	if (!net)
		net = memnet_new(5 * GUTS_MS_NS);
	d->env = memnet_node(net, host);
	guts_key_from_seed(&d->key, seed);
	snprintf(at, sizeof(at), host ? "/ip4/10.0.0.%u/tcp/4001" : "/ip4/127.0.0.1/tcp/4001", host);
	node_start(d, cfg, at, plain);
	return d;
}

static void
all_end(void)
{
	for (size_t i = 0; i < n_nodes; i++) {
		guts_peers_free(nodes[i].peers);
		memrows_free(&nodes[i].rows);
	}
	memnet_free(net);
	net = NULL;
	n_nodes = 0;
}

static void
pair(struct node **a, struct node **b)
{
	*a = node_new(base_config(), 1, false);
	*b = node_new(base_config(), 2, false);
}

static void
connect_pair(struct node **a, struct node **b)
{
	pair(a, b);
	assert_int_equal(guts_peers_connect((*a)->peers, &(*b)->at), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal((*a)->connected, 1);
	assert_int_equal((*b)->connected, 1);
}

static bool
linked(const struct node *a, const struct node *b)
{
	return guts_peers_is_connected(a->peers, &b->key.id);
}

/* --- tests --- */

static void
connect_and_identify(void **state)
{
	struct guts_peer_state st;
	struct node *a, *b;
	struct guts_maddr bare;

	(void)state;
	connect_pair(&a, &b);
	assert_int_equal(a->identified, 1);
	assert_int_equal(b->identified, 1);
	assert_int_equal(guts_peers_state(a->peers, &b->key.id, &st), 0);
	assert_true(st.identified && st.speaks_guts && !st.inbound);
	assert_string_equal(st.agent, "test/1");
	assert_int_equal(st.n_addrs, 1);
	bare = b->at;
	guts_maddr_strip_peer(&bare);
	assert_true(guts_maddr_eq(&st.addrs[0], &bare));
	assert_int_equal(st.n_protocols, 4);
	assert_int_equal(st.rtt_ns, 10 * GUTS_MS_NS);
	assert_int_equal(st.score, 0);
	assert_true(st.bytes_in > 0 && st.bytes_out > 0 && st.last_seen_wall_ns > st.connected_since_wall_ns);
	assert_int_equal(guts_peers_state(b->peers, &a->key.id, &st), 0);
	assert_true(st.inbound);
	assert_true(guts_peers_speaks(a->peers, &b->key.id, "/ipfs/ping/1.0.0"));
	assert_int_equal(guts_peers_connect(a->peers, &b->at), GUTS_EEXIST);
	assert_non_null(guts_book_find(guts_peers_book(b->peers), &a->key.id));
	all_end();
}

static void
push_tells_of_a_new_protocol(void **state)
{
	struct node *a, *b;

	(void)state;
	connect_pair(&a, &b);
	assert_false(guts_peers_speaks(b->peers, &a->key.id, "/more/1"));
	a->extra = (struct guts_protocol){ .id = "/more/1", .on_stream = on_stream, .owner = a };
	assert_int_equal(guts_peers_handle(a->peers, &a->extra), 0);
	assert_int_equal(guts_peers_handle(a->peers, &a->extra), GUTS_EEXIST);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_true(guts_peers_speaks(b->peers, &a->key.id, "/more/1"));
	assert_int_equal(b->identified, 2);
	all_end();
}

static void
streams_by_protocol_and_their_limit(void **state)
{
	static const char *const names[] = { GUTS_ID }, *const none[] = { "/none/1" };
	static const struct guts_stream_events silent;
	struct guts_stream *s[4];
	struct node *a, *b;

	(void)state;
	connect_pair(&a, &b);
	assert_int_equal(guts_peers_open_stream(a->peers, &b->key.id, none, 1, &silent, NULL, &s[0]), GUTS_EUNSUPPORTED);
	assert_int_equal(guts_peers_open_stream(a->peers, &a->key.id, names, 1, &silent, NULL, &s[0]), GUTS_ENOTFOUND);
	for (int i = 0; i < 4; i++)
		assert_int_equal(guts_peers_open_stream(a->peers, &b->key.id, names, 1, &silent, NULL, &s[i]), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(b->streams, 2);
	guts_stream_reset(s[0], 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(guts_peers_open_stream(a->peers, &b->key.id, names, 1, &silent, NULL, &s[0]), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(b->streams, 3);
	all_end();
}

static void
both_dial_at_once_and_one_link_stays(void **state)
{
	struct guts_peers_stats sa, sb;
	struct guts_peer_state st;
	struct node *a, *b, *small;

	(void)state;
	pair(&a, &b);
	assert_int_equal(guts_peers_connect(a->peers, &b->at), 0);
	assert_int_equal(guts_peers_connect(b->peers, &a->at), 0);
	memnet_pass(net, 10 * GUTS_SECOND_NS);
	guts_peers_stats(a->peers, &sa);
	guts_peers_stats(b->peers, &sb);
	assert_true(linked(a, b) && linked(b, a));
	assert_int_equal(sa.inbound + sa.outbound, 1);
	assert_int_equal(sb.inbound + sb.outbound, 1);
	assert_int_equal(a->connected - a->disconnected, 1);
	assert_int_equal(b->connected - b->disconnected, 1);
	small = guts_peerid_cmp(&a->key.id, &b->key.id) < 0 ? a : b;
	assert_int_equal(guts_peers_state(small->peers, small == a ? &b->key.id : &a->key.id, &st), 0);
	assert_false(st.inbound);
	assert_true(st.identified);
	all_end();
}

static void
a_restarted_peer_replaces_its_old_link(void **state)
{
	struct node *a, *b;

	(void)state;
	connect_pair(&a, &b);
	/* a goes without a word: nothing it says on the way out arrives. */
	memnet_pass(net, 20 * GUTS_SECOND_NS);
	memnet_cut(net, true);
	guts_peers_free(a->peers);
	memnet_pass(net, GUTS_SECOND_NS);
	memnet_cut(net, false);
	memnet_pass(net, 10 * GUTS_MS_NS);
	node_start(a, base_config(), "/ip4/10.0.0.1/tcp/4001", false);
	a->connected = 0;
	assert_int_equal(guts_peers_connect(a->peers, &b->at), 0);
	/* Its first stream, identify, says that the new link is in use. */
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(b->connected, 2);
	memnet_pass(net, 10 * GUTS_SECOND_NS);
	assert_true(linked(a, b) && linked(b, a));
	assert_int_equal(b->connected - b->disconnected, 1);
	assert_int_equal(b->connected, 2);
	all_end();
}

static void
dialling_a_connected_peer_by_bare_address(void **state)
{
	struct guts_peers_stats st;
	struct guts_maddr bare;
	struct node *a, *b;

	(void)state;
	connect_pair(&a, &b);
	memnet_pass(net, 20 * GUTS_SECOND_NS);
	bare = b->at;
	guts_maddr_strip_peer(&bare);
	assert_int_equal(guts_peers_connect(a->peers, &bare), 0);
	memnet_pass(net, 20 * GUTS_SECOND_NS);
	guts_peers_stats(b->peers, &st);
	assert_int_equal(st.inbound + st.outbound, 1);
	assert_int_equal(b->connected, 1);
	assert_int_equal(b->disconnected, 0);
	assert_true(linked(a, b));
	all_end();
}

static void
dialling_ourselves(void **state)
{
	struct guts_maddr bare;
	struct node *a, *b;

	(void)state;
	pair(&a, &b);
	assert_int_equal(guts_peers_connect(a->peers, &a->at), GUTS_ECONFLICT);
	assert_int_equal(guts_peers_keep(a->peers, &a->at, true), GUTS_ECONFLICT);
	bare = a->at;
	guts_maddr_strip_peer(&bare);
	assert_int_equal(guts_peers_connect(a->peers, &bare), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(a->failed, 1);
	assert_int_equal(a->last_err, GUTS_ECONFLICT);
	assert_string_equal(a->reason, "this is us");
	assert_int_equal(a->connected, 0);
	assert_int_equal(guts_peers_connect(a->peers, &bare), GUTS_ECONFLICT);
	all_end();
}

static void
another_peer_at_the_address(void **state)
{
	struct node *a, *b;
	struct guts_maddr wrong;

	(void)state;
	pair(&a, &b);
	node_new(base_config(), 3, false);
	wrong = b->at;
	guts_maddr_strip_peer(&wrong);
	guts_maddr_add_peer(&wrong, guts_peerid_slice(&nodes[2].key.id));
	assert_int_equal(guts_peers_connect(a->peers, &wrong), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(a->failed, 1);
	assert_int_equal(a->last_err, GUTS_EDENIED);
	assert_int_equal(a->connected + b->connected, 0);
	all_end();
}

/* For a purpose of our own: the end is told by the peer's id, and neither news nor listed. */
static void
reaching_a_peer_is_no_news(void **state)
{
	struct node *a, *b;
	struct guts_maddr bare, wrong;
	struct guts_peer_dial dial;
	const void *it = NULL;

	(void)state;
	pair(&a, &b);
	node_new(base_config(), 3, false);
	bare = wrong = b->at;
	guts_maddr_strip_peer(&bare);
	assert_int_equal(guts_peers_reach(a->peers, &bare), GUTS_EINVAL);
	guts_maddr_strip_peer(&wrong);
	guts_maddr_add_peer(&wrong, guts_peerid_slice(&nodes[2].key.id));
	assert_int_equal(guts_peers_reach(a->peers, &wrong), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(a->unreached, 1);
	assert_true(guts_peerid_eq(&a->unreached_id, &nodes[2].key.id));
	assert_int_equal(a->last_err, GUTS_EDENIED);
	assert_int_equal(a->failed, 0);
	assert_false(guts_peers_next_dial(a->peers, &it, &dial));
	assert_int_equal(guts_peers_reach(a->peers, &b->at), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(a->connected, 1);
	assert_int_equal(a->unreached, 1);
	all_end();
}

static void
slots_and_those_kept_for_outbound(void **state)
{
	struct guts_peers_config small = base_config();
	struct guts_peers_stats st;
	struct node *hub;

	(void)state;
	small.max_connections = 6;
	small.outbound_reserved = 2;
	hub = node_new(small, 1, false);
	for (uint8_t i = 2; i <= 8; i++)
		assert_int_equal(guts_peers_connect(node_new(base_config(), i, false)->peers, &hub->at), 0);
	memnet_pass(net, 5 * GUTS_SECOND_NS);
	guts_peers_stats(hub->peers, &st);
	assert_int_equal(st.inbound, 4);
	assert_int_equal(guts_peers_count(hub->peers), 4);
	/* The rest is ours to give. */
	for (size_t i = 1; i < n_nodes; i++)
		if (!linked(hub, &nodes[i]))
			guts_peers_connect(hub->peers, &nodes[i].at);
	memnet_pass(net, 10 * GUTS_SECOND_NS);
	guts_peers_stats(hub->peers, &st);
	assert_int_equal(st.inbound + st.outbound, 6);
	assert_int_equal(st.outbound, 2);
	all_end();
}

static void
links_of_one_address_are_few_before_any_crypto(void **state)
{
	struct node *hub, *from;
	struct guts_peers_stats st;

	(void)state;
	hub = node_new(base_config(), 1, false);
	from = node_new(base_config(), 2, false);
	(void)from;
	for (int i = 0; i < 9; i++) {
		struct node *d = &nodes[n_nodes];
		uint8_t seed[32] = { 100, (uint8_t)i };

		memset(d, 0, sizeof(*d));
		d->env = nodes[1].env;
		guts_key_from_seed(&d->key, seed);
		n_nodes++;
		node_start(d, base_config(), "/ip4/10.0.0.2/tcp/0", false);
		guts_peers_connect(d->peers, &hub->at);
		memnet_pass(net, GUTS_SECOND_NS);
	}
	guts_peers_stats(hub->peers, &st);
	assert_int_equal(guts_peers_count(hub->peers), GUTS_LINKS_PER_IP_MAX);
	assert_true(st.accepted_refused >= 1);
	all_end();
}

static void
plain_peers_have_few_slots(void **state)
{
	struct guts_peers_config small = base_config();
	struct node *hub;

	(void)state;
	small.max_connections = 20;
	small.plain_max = 2;
	hub = node_new(small, 1, false);
	for (uint8_t i = 2; i <= 5; i++) {
		guts_peers_connect(node_new(base_config(), i, true)->peers, &hub->at);
		memnet_pass(net, GUTS_SECOND_NS);
	}
	guts_peers_connect(node_new(base_config(), 6, false)->peers, &hub->at);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(guts_peers_count(hub->peers), 3);
	assert_true(linked(hub, &nodes[5]));
	all_end();
}

static void
bans_hold_and_are_lifted_and_persist(void **state)
{
	struct guts_peer_ban ban;
	const void *it = NULL;
	struct node *a, *b;

	(void)state;
	connect_pair(&a, &b);
	assert_int_equal(guts_peers_ban(b->peers, &a->key.id, 60 * GUTS_SECOND_NS, "noise"), 0);
	assert_true(linked(b, a));
	memnet_pass(net, GUTS_SECOND_NS);
	assert_false(linked(b, a));
	assert_false(linked(a, b));
	assert_int_equal(b->banned, 1);
	assert_string_equal(b->reason, "banned");
	assert_true(guts_peers_next_ban(b->peers, &it, &ban));
	assert_string_equal(ban.reason, "noise");
	assert_false(guts_peers_next_ban(b->peers, &it, &ban));
	/* Neither side may link. */
	assert_int_equal(guts_peers_connect(b->peers, &a->at), GUTS_EDENIED);
	guts_peers_connect(a->peers, &b->at);
	memnet_pass(net, 2 * GUTS_SECOND_NS);
	assert_false(linked(a, b));
	/* It outlives the process. */
	guts_peers_free(b->peers);
	node_start(b, base_config(), "/ip4/10.0.0.2/tcp/4001", false);
	assert_true(guts_peers_is_banned(b->peers, &a->key.id));
	memnet_pass(net, 130 * GUTS_SECOND_NS);
	assert_false(guts_peers_is_banned(b->peers, &a->key.id));
	assert_int_equal(b->lifted, 1);
	assert_int_equal(guts_peers_lift(b->peers, &a->key.id), GUTS_ENOTFOUND);
	guts_peers_connect(a->peers, &b->at);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_true(linked(a, b) && linked(b, a));
	all_end();
}

static void
misbehaviour_adds_up_and_fades(void **state)
{
	struct guts_peer_state st;
	struct guts_peer_ban ban;
	const void *it = NULL;
	uint64_t last;
	struct node *a, *b;

	(void)state;
	connect_pair(&a, &b);
	guts_peers_offend(b->peers, &a->key.id, GUTS_OFFENCE_NODE_ORDER, 3);
	guts_peers_state(b->peers, &a->key.id, &st);
	assert_int_equal(st.score, -60);
	assert_int_equal(b->penalized, 1);
	assert_int_equal(st.n_offences, 1);
	assert_int_equal(st.offences[0].what, GUTS_OFFENCE_NODE_ORDER);
	assert_int_equal(st.offences[0].count, 3);
	assert_int_equal(st.offences[0].points, 60);
	memnet_pass(net, 120 * GUTS_SECOND_NS);
	guts_peers_state(b->peers, &a->key.id, &st);
	assert_int_equal(st.score, -40);
	/* What costs nothing is noted and does nothing. */
	guts_peers_offend(b->peers, &a->key.id, GUTS_OFFENCE_GOSSIP_STALLED, 1000);
	guts_peers_offend(b->peers, &a->key.id, GUTS_OFFENCE_NODE_ORDER, 1);
	guts_peers_state(b->peers, &a->key.id, &st);
	assert_int_equal(st.score, -60);
	assert_int_equal(st.n_offences, 2);
	assert_int_equal(st.offences[0].what, GUTS_OFFENCE_NODE_ORDER);
	assert_int_equal(st.offences[0].count, 4);
	assert_int_equal(st.offences[1].count, 1000);
	assert_int_equal(b->penalized, 2);
	assert_int_equal(guts_peers_offences(b->peers, GUTS_OFFENCE_NODE_ORDER, &last), 4);
	assert_true(last > 0);
	guts_peers_offend(b->peers, &a->key.id, GUTS_OFFENCE_GOSSIP_REJECTED, 4);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_false(linked(b, a));
	assert_true(guts_peers_is_banned(b->peers, &a->key.id));
	assert_true(guts_peers_next_ban(b->peers, &it, &ban));
	assert_string_equal(ban.reason, guts_offence_rule(GUTS_OFFENCE_GOSSIP_REJECTED)->text);
	assert_int_equal(ban.until_wall_ns - ban.since_wall_ns, 600 * GUTS_SECOND_NS);
	memnet_pass(net, 700 * GUTS_SECOND_NS);
	assert_false(guts_peers_is_banned(b->peers, &a->key.id));
	all_end();
}

static void
rates_are_per_class_and_survive_the_link(void **state)
{
	struct node *a, *b;
	uint32_t n = 0;

	(void)state;
	connect_pair(&a, &b);
	while (guts_peers_take(b->peers, &a->key.id, GUTS_PEER_SYNC_REQUESTS, 1))
		n++;
	assert_int_equal(n, 500);
	assert_true(guts_peers_take(b->peers, &a->key.id, GUTS_PEER_GOSSIP, 1));
	guts_peers_disconnect(b->peers, &a->key.id, "enough");
	memnet_pass(net, 100 * GUTS_MS_NS);
	assert_false(linked(b, a));
	assert_false(guts_peers_take(b->peers, &a->key.id, GUTS_PEER_SYNC_REQUESTS, 100));
	all_end();
}

static void
kept_peers_come_back_with_backoff(void **state)
{
	struct guts_bootstrap *boot;
	struct guts_peer_dial d;
	const void *it = NULL;
	struct node *a, *b;
	int failed;

	(void)state;
	pair(&a, &b);
	boot = guts_bootstrap_new(a->peers);
	assert_int_equal(guts_bootstrap_set(boot, (struct guts_maddr[]){ b->at, a->at }, 2, NULL), 0);
	assert_int_equal(guts_bootstrap_count(boot), 1);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_int_equal(guts_bootstrap_connected(boot), 1);
	assert_false(guts_peers_next_dial(a->peers, &it, &d));
	/* b is gone for five minutes. */
	guts_peers_free(b->peers);
	memnet_pass(net, 300 * GUTS_SECOND_NS);
	failed = a->failed;
	assert_true(failed >= 6 && failed <= 20);
	it = NULL;
	assert_true(guts_peers_next_dial(a->peers, &it, &d));
	assert_true(d.failures >= 6 && d.next_wall_ns > d.last_wall_ns);
	node_start(b, base_config(), "/ip4/10.0.0.2/tcp/4001", false);
	memnet_pass(net, 100 * GUTS_SECOND_NS);
	assert_true(linked(a, b));
	/* A link that is closed by the other side comes back too. */
	guts_peers_disconnect(b->peers, &a->key.id, "try");
	memnet_pass(net, 20 * GUTS_SECOND_NS);
	assert_true(linked(a, b));
	guts_bootstrap_free(boot);
	guts_peers_disconnect(b->peers, &a->key.id, "and stay away");
	memnet_pass(net, 200 * GUTS_SECOND_NS);
	assert_false(linked(a, b));
	all_end();
}

static void
bootstrap_list_is_checked(void **state)
{
	struct guts_bootstrap *boot;
	struct guts_errinfo ei;
	struct guts_maddr bare;
	struct node *a, *b;

	(void)state;
	pair(&a, &b);
	boot = guts_bootstrap_new(a->peers);
	bare = b->at;
	guts_maddr_strip_peer(&bare);
	assert_int_equal(guts_bootstrap_set(boot, (struct guts_maddr[]){ b->at, bare }, 2, &ei), GUTS_EINVAL);
	assert_non_null(strstr(ei.text, "peer id"));
	assert_int_equal(guts_bootstrap_count(boot), 0);
	guts_bootstrap_free(boot);
	all_end();
}

static void
the_book_brings_a_node_back_without_bootstrap(void **state)
{
	struct guts_peers_config cfg = base_config();
	struct node *a, *b;

	(void)state;
	connect_pair(&a, &b);
	guts_peers_free(a->peers);
	memnet_pass(net, GUTS_SECOND_NS);
	cfg.no_auto_dial = false;
	node_start(a, cfg, "/ip4/10.0.0.1/tcp/4001", false);
	assert_int_equal(guts_book_count(guts_peers_book(a->peers)), 1);
	memnet_pass(net, 20 * GUTS_SECOND_NS);
	assert_true(linked(a, b));
	all_end();
}

static bool
announces(const struct node *d, const char *text)
{
	struct guts_maddr list[16], m;
	size_t n = guts_peers_addresses(d->peers, list, 16);

	assert_int_equal(guts_maddr_parse(&m, guts_slice_str(text)), 0);
	for (size_t i = 0; i < n; i++)
		if (guts_maddr_eq(&list[i], &m))
			return true;
	return false;
}

static void
a_wildcard_is_announced_by_its_real_address(void **state)
{
	struct guts_peer_state st;
	struct node *a, *b;

	(void)state;
	pair(&a, &b);
	guts_peers_free(a->peers);
	node_start(a, base_config(), "/ip4/10.0.0.1/tcp/4001", false);
	assert_true(announces(a, "/ip4/10.0.0.1/tcp/4001"));
	guts_peers_free(a->peers);
	node_start(a, base_config(), "/ip4/0.0.0.0/tcp/4001", false);
	assert_false(announces(a, "/ip4/0.0.0.0/tcp/4001"));
	assert_int_equal(guts_peers_connect(a->peers, &b->at), 0);
	memnet_pass(net, GUTS_SECOND_NS);
	assert_true(announces(a, "/ip4/10.0.0.1/tcp/4001"));
	assert_int_equal(guts_peers_state(b->peers, &a->key.id, &st), 0);
	assert_int_equal(st.n_addrs, 1);
	all_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_and_identify),
		cmocka_unit_test(push_tells_of_a_new_protocol),
		cmocka_unit_test(streams_by_protocol_and_their_limit),
		cmocka_unit_test(both_dial_at_once_and_one_link_stays),
		cmocka_unit_test(a_restarted_peer_replaces_its_old_link),
		cmocka_unit_test(dialling_a_connected_peer_by_bare_address),
		cmocka_unit_test(dialling_ourselves),
		cmocka_unit_test(another_peer_at_the_address),
		cmocka_unit_test(reaching_a_peer_is_no_news),
		cmocka_unit_test(slots_and_those_kept_for_outbound),
		cmocka_unit_test(links_of_one_address_are_few_before_any_crypto),
		cmocka_unit_test(plain_peers_have_few_slots),
		cmocka_unit_test(bans_hold_and_are_lifted_and_persist),
		cmocka_unit_test(misbehaviour_adds_up_and_fades),
		cmocka_unit_test(rates_are_per_class_and_survive_the_link),
		cmocka_unit_test(kept_peers_come_back_with_backoff),
		cmocka_unit_test(bootstrap_list_is_checked),
		cmocka_unit_test(the_book_brings_a_node_back_without_bootstrap),
		cmocka_unit_test(a_wildcard_is_announced_by_its_real_address),
	};

	return guts_crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
