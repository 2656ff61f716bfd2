/* tests/unit/test_kad.c - Kademlia: wire bytes, table, lookups, provider records, values. */
#include "../sim/kad_net.h"
#include "discover/kad_int.h"
#include "proto/identity.h"
#include "record_samples.h"
#include "unit.h"
#include "vectors.h"
#include "wire/varint.h"

#include <stdio.h>

#define NODES 40

static struct kad_net net;
static struct kad_net_result got;

static int
teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < net.n; i++)
		if (net.nodes[i].kad)
			kad_check(net.nodes[i].kad);
	kad_net_deinit(&net);
	return 0;
}

static int
setup_two(void **state)
{
	(void)state;
	kad_net_init(&net, 8, 1, true);
	kad_net_up(&net, 0, true);
	kad_net_up(&net, 1, true);
	kad_net_link(&net, 0, 1);
	kad_net_run(&net, net.now + KAD_NET_S, NULL);
	return 0;
}

static int
setup_many(void **state)
{
	(void)state;
	kad_net_init(&net, NODES, 1, true);
	kad_net_grow(&net);
	return 0;
}

static struct guts_slice
repo_key(uint8_t key[GUTS_KAD_KEY_MAX], uint8_t n)
{
	uint8_t id[GUTS_REPOID_SIZE] = {'r', n};

	return guts_kad_provider_key(key, id);
}

static unsigned
place_of(const struct guts_peerid *id)
{
	for (unsigned i = 0; i < net.n; i++)
		if (guts_peerid_eq(&net.nodes[i].key.id, id))
			return i;
	return net.n;
}

/* The running nodes in the order of their distance to the key, without `but`. */
static size_t
truth(struct guts_slice key, unsigned but, unsigned *out)
{
	struct kad_place at, place, d[KAD_NET_MAX];
	size_t n = 0, j;

	kad_place_of(&at, key);
	for (unsigned i = 0; i < net.n; i++) {
		struct kad_place mine;

		if (i == but || !net.nodes[i].is_up || !net.nodes[i].is_server)
			continue;
		kad_place_of(&place, guts_peerid_slice(&net.nodes[i].key.id));
		kad_distance(&mine, &place, &at);
		for (j = n++; j > 0 && kad_place_cmp(&mine, &d[j - 1]) < 0; j--) {
			d[j] = d[j - 1];
			out[j] = out[j - 1];
		}
		d[j] = mine;
		out[j] = i;
	}
	return n;
}

/* --- bytes ----------------------------------------------------------------- */

static void
requests_have_the_bytes_of_others(void **state)
{
	struct guts_kad_goal goal = {.kind = GUTS_KAD_FIND_PEER};
	struct json_object *doc = vectors_load("libp2p.json");
	struct guts_slice want = vectors_hex(vectors_get(doc, "kad"), "findNode");
	struct guts_kad_out out;
	struct guts_peerid id;

	(void)state;
	/* Its key is a peer id: look for that one. */
	assert_int_equal(guts_peerid_decode(&id, guts_slice(want.p + 4, want.n - 4)), 0);
	goal.key = guts_peerid_slice(&id);
	assert_int_equal(guts_kad_lookup(net.nodes[0].kad, &goal, NULL, NULL, 0, net.now, NULL), 0);
	assert_true(guts_kad_next(net.nodes[0].kad, &out));
	assert_true(guts_peerid_eq(&out.to.id, &net.nodes[1].key.id));
	assert_true(out.is_answered && !out.is_drop);
	assert_int_equal(out.frame.p[0], want.n);
	assert_slice_equal(guts_slice(out.frame.p + 1, out.frame.n - 1), want);
	json_object_put(doc);
}

static void
places_and_shared_bits(void **state)
{
	struct kad_place a = {{0}}, b = {{0}};

	(void)state;
	assert_int_equal(kad_shared_bits(&a, &b), 256);
	b.b[31] = 1;
	assert_int_equal(kad_shared_bits(&a, &b), 255);
	b.b[1] = 0x10;
	assert_int_equal(kad_shared_bits(&a, &b), 11);
	b.b[0] = 0x80;
	assert_int_equal(kad_shared_bits(&a, &b), 0);
}

/* --- table ----------------------------------------------------------------- */

static void
only_servers_enter_the_table(void **state)
{
	struct guts_kad_entry e;
	const void *it = NULL;

	(void)state;
	kad_net_up(&net, 2, false);
	kad_net_link(&net, 0, 2);
	kad_net_run(&net, net.now + KAD_NET_S, NULL);
	assert_true(guts_kad_next_entry(net.nodes[0].kad, &it, &e));
	assert_true(guts_peerid_eq(&e.contact.id, &net.nodes[1].key.id));
	assert_true(e.is_connected && e.is_verified && e.rtt_ns > 0);
	assert_int_equal(e.contact.n_addrs, 1);
	assert_true(guts_maddr_eq(&e.contact.addrs[0], &net.nodes[1].addr));
	assert_false(guts_kad_next_entry(net.nodes[0].kad, &it, &e));
	/* And the client knows both servers. */
	it = NULL;
	assert_true(guts_kad_next_entry(net.nodes[2].kad, &it, &e));
	assert_true(guts_kad_next_entry(net.nodes[2].kad, &it, &e));
	assert_false(guts_kad_next_entry(net.nodes[2].kad, &it, &e));
}

static void
a_full_bucket_keeps_who_was_there(void **state)
{
	struct guts_kad *k = net.nodes[0].kad;
	struct guts_peerid first[GUTS_KAD_K];
	struct guts_kad_stats st;
	unsigned n = 0, before;

	(void)state;
	for (unsigned i = 0; n < GUTS_KAD_K + 12; i++) {
		uint8_t seed[32] = {7, (uint8_t)i, (uint8_t)(i >> 8)};
		struct guts_kad_contact c = {.n_addrs = 1};
		struct kad_place place;
		struct guts_key key;
		char text[64];

		guts_key_from_seed(&key, seed);
		kad_place_of(&place, guts_peerid_slice(&key.id));
		if (kad_shared_bits(&place, &k->place) != 0)
			continue;
		c.id = key.id;
		snprintf(text, sizeof text, "/ip4/5.%u.1.1/tcp/1", n);
		assert_int_equal(guts_maddr_parse(&c.addrs[0], S(text)), 0);
		guts_kad_peer_up(k, &c, &c.addrs[0], GUTS_KAD_SERVER, net.now);
		if (n < GUTS_KAD_K)
			first[n] = c.id;
		n++;
	}
	guts_kad_stats(k, &st);
	before = k->buckets[0].n_live;
	assert_int_equal(before, GUTS_KAD_K);
	assert_int_equal(st.spares, KAD_SPARES);
	/* One fails twice, and the newest spare moves up. */
	kad_table_failed(k, &first[3]);
	assert_int_equal(k->buckets[0].n_live, GUTS_KAD_K);
	kad_table_failed(k, &first[3]);
	assert_null(kad_table_find(k, &first[3]));
	assert_int_equal(k->buckets[0].n_live, GUTS_KAD_K);
	assert_int_equal(k->buckets[0].n_spares, KAD_SPARES - 1);
}

static void
one_network_gets_few_places(void **state)
{
	struct guts_kad *k = net.nodes[0].kad;
	struct guts_kad_stats st;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		uint8_t seed[32] = {8, (uint8_t)i};
		struct guts_kad_contact c = {.n_addrs = 1};
		struct guts_key key;
		char text[64];

		guts_key_from_seed(&key, seed);
		c.id = key.id;
		snprintf(text, sizeof text, "/ip4/66.77.%u.1/tcp/1", i);
		assert_int_equal(guts_maddr_parse(&c.addrs[0], S(text)), 0);
		guts_kad_peer_up(k, &c, &c.addrs[0], GUTS_KAD_SERVER, net.now);
	}
	kad_check(k);
	guts_kad_stats(k, &st);
	assert_int_equal(st.contacts, 1 + 10);
	assert_int_equal(st.contacts_refused, 190);
	assert_true(k->buckets[0].n_live <= 3 + 1);
}

static void
the_table_survives_a_restart(void **state)
{
	struct kad_net_node *n = &net.nodes[5];
	struct guts_kad_stats before, after;
	struct guts_kad_entry e;
	const void *it = NULL;
	struct guts_buf saved;

	(void)state;
	guts_buf_init(&saved, 256u << 10);
	guts_kad_stats(n->kad, &before);
	assert_int_equal(guts_kad_save(n->kad, &saved), 0);
	kad_net_down(&net, 5);
	kad_net_up(&net, 5, true);
	guts_kad_load(n->kad, guts_buf_slice(&saved), net.now);
	guts_kad_stats(n->kad, &after);
	assert_true(before.contacts >= 30);
	assert_int_equal(after.contacts, before.contacts);
	while (guts_kad_next_entry(n->kad, &it, &e))
		assert_false(e.is_verified);
	/* From nothing but the saved table it finds its way back: the refresh asks them. */
	kad_net_run(&net, net.now + 65 * KAD_NET_S, NULL);
	it = NULL;
	after.contacts = 0;
	while (guts_kad_next_entry(n->kad, &it, &e))
		after.contacts += e.is_verified;
	assert_true(after.contacts >= 30);
	/* Cut anywhere, it loads what is whole and nothing else. */
	for (size_t cut = 0; cut < saved.len; cut += 7) {
		kad_net_down(&net, 5);
		kad_net_up(&net, 5, true);
		guts_kad_load(n->kad, guts_slice(guts_buf_slice(&saved).p, cut), net.now);
		kad_check(n->kad);
	}
	guts_buf_deinit(&saved);
}

/* --- lookups --------------------------------------------------------------- */

static void
the_closest_are_the_true_ones(void **state)
{
	unsigned want[KAD_NET_MAX], exact = 0;
	uint8_t key[GUTS_KAD_KEY_MAX];

	(void)state;
	for (uint8_t i = 0; i < 20; i++) {
		struct guts_slice s = repo_key(key, i);
		size_t same = 0;

		assert_int_equal(kad_net_lookup(&net, i, GUTS_KAD_FIND_CLOSEST, s, S(""), &got), 0);
		assert_int_equal(got.n_closest, GUTS_KAD_K);
		assert_true(truth(s, i, want) >= GUTS_KAD_K);
		for (unsigned j = 0; j < GUTS_KAD_K; j++)
			same += place_of(&got.closest[j].id) == want[j];
		exact += same == GUTS_KAD_K;
	}
	assert_true(exact >= 19);
}

static void
a_peer_is_found_from_anywhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NODES; i++) {
		unsigned target = (i * 7 + 3) % NODES;

		if (target == i)
			continue;
		assert_int_equal(kad_net_lookup(&net, i, GUTS_KAD_FIND_PEER,
						guts_peerid_slice(&net.nodes[target].key.id), S(""),
						&got),
				 0);
		assert_true(guts_peerid_eq(&got.closest[0].id, &net.nodes[target].key.id));
		assert_int_equal(got.closest[0].n_addrs, 1);
		assert_true(guts_maddr_eq(&got.closest[0].addrs[0], &net.nodes[target].addr));
	}
	kad_net_down(&net, 9);
	assert_int_equal(kad_net_lookup(&net, 3, GUTS_KAD_FIND_PEER,
					guts_peerid_slice(&net.nodes[9].key.id), S(""), &got),
			 GUTS_ENOTFOUND);
}

static void
hops_tell_the_way(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX];
	unsigned paths = 0;

	(void)state;
	assert_int_equal(
		kad_net_lookup(&net, 0, GUTS_KAD_FIND_CLOSEST, repo_key(key, 77), S(""), &got), 0);
	assert_true(got.n_hops >= GUTS_KAD_K);
	for (size_t i = 0; i < got.n_hops; i++) {
		const struct guts_kad_hop *h = &got.hops[i];

		assert_true(place_of(&h->id) < NODES);
		assert_int_equal(h->err, 0);
		assert_true(h->rtt_ns >= net.latency_ns && h->at_ns + h->rtt_ns <= got.took_ns);
		assert_true(h->closer > 0 && h->path < 5);
		paths |= 1u << h->path;
		for (size_t j = 0; j < i; j++)
			assert_false(guts_peerid_eq(&h->id, &got.hops[j].id));
	}
	assert_int_equal(paths, 0x1f);
}

static void
mute_peers_cost_time_not_the_result(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX];

	(void)state;
	for (unsigned i = 1; i < NODES; i += 4)
		net.nodes[i].is_mute = true;
	assert_int_equal(
		kad_net_lookup(&net, 0, GUTS_KAD_FIND_CLOSEST, repo_key(key, 5), S(""), &got), 0);
	assert_int_equal(got.n_closest, GUTS_KAD_K);
	for (size_t i = 0; i < got.n_closest; i++)
		assert_false(net.nodes[place_of(&got.closest[i].id)].is_mute);
}

/* A liar names only peers that do not exist, and near ones: only its own path is lost. */
static void
lie(struct kad_net *n, unsigned from, struct guts_buf *message)
{
	struct guts_kad_message m;
	struct guts_arena arena;
	struct guts_slice frame;
	size_t used;

	if (from % 5 != 0 ||
	    guts_frame_read(guts_buf_slice(message), GUTS_KAD_RECV_MAX, &frame, &used))
		return;
	guts_arena_init(&arena, 1u << 20);
	assert_int_equal(guts_pb_decode(&guts_kad_message_desc, frame, &m, &arena), 0);
	for (size_t i = 0; i < m.closer.n; i++) {
		uint8_t *id = guts_arena_memdup(&arena, n->nodes[0].key.id.b, n->nodes[0].key.id.n);

		guts_rng_bytes(n->rng, id + 6, 32);
		m.closer.v[i].id = guts_slice(id, n->nodes[0].key.id.n);
	}
	guts_buf_clear(message);
	assert_int_equal(guts_pb_encode_framed(&guts_kad_message_desc, &m, message), 0);
	guts_arena_deinit(&arena);
}

static void
liars_mislead_only_their_paths(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX];
	unsigned want[KAD_NET_MAX];
	size_t honest = 0;

	(void)state;
	net.tamper = lie;
	assert_int_equal(
		kad_net_lookup(&net, 1, GUTS_KAD_FIND_CLOSEST, repo_key(key, 9), S(""), &got), 0);
	truth(guts_slice(key, 34), 1, want);
	for (size_t i = 0; i < got.n_closest; i++)
		for (size_t j = 0; j < GUTS_KAD_K; j++)
			honest += place_of(&got.closest[i].id) == want[j];
	assert_true(honest >= GUTS_KAD_K - 2);
}

static void
lookups_are_bounded_and_can_be_cancelled(void **state)
{
	struct guts_kad *k = net.nodes[0].kad;
	struct guts_kad_goal goal = {.kind = GUTS_KAD_FIND_CLOSEST, .key = S("x")};
	uint64_t number[64], more;
	struct guts_kad_stats st;

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(guts_kad_lookup(k, &goal, NULL, NULL, 0, net.now, &number[i]), 0);
	assert_int_equal(guts_kad_lookup(k, &goal, NULL, NULL, 0, net.now, &more), GUTS_EBUSY);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(guts_kad_cancel(k, number[i]), 0);
	assert_int_equal(guts_kad_cancel(k, number[0]), GUTS_ENOTFOUND);
	guts_kad_stats(k, &st);
	assert_int_equal(st.lookups, 0);
	goal.key = S("");
	assert_int_equal(guts_kad_lookup(k, &goal, NULL, NULL, 0, net.now, &more), GUTS_EINVAL);
	goal.kind = GUTS_KAD_FIND_PROVIDERS;
	goal.key = S("no multihash");
	assert_int_equal(guts_kad_lookup(k, &goal, NULL, NULL, 0, net.now, &more), GUTS_EINVAL);
}

static void
nobody_to_ask_ends_at_once(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX];

	(void)state;
	kad_net_up(&net, 5, true);
	assert_int_equal(
		kad_net_lookup(&net, 5, GUTS_KAD_FIND_PROVIDERS, repo_key(key, 1), S(""), &got),
		GUTS_ENOTFOUND);
	assert_int_equal(got.took_ns, 0);
}

/* --- records --------------------------------------------------------------- */

static void
a_provider_is_found_by_everyone(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_slice s = repo_key(key, 3);

	(void)state;
	assert_int_equal(guts_kad_publish(net.nodes[8].kad, s, true, net.now), 0);
	kad_net_run(&net, net.now + 10 * KAD_NET_S, NULL);
	for (unsigned i = 0; i < NODES; i++) {
		if (i == 8)
			continue;
		assert_int_equal(kad_net_lookup(&net, i, GUTS_KAD_FIND_PROVIDERS, s, S(""), &got),
				 0);
		assert_int_equal(got.n_providers, 1);
		assert_int_equal(place_of(&got.providers[0].id), 8);
		assert_true(guts_maddr_eq(&got.providers[0].addrs[0], &net.nodes[8].addr));
	}
	assert_int_equal(
		kad_net_lookup(&net, 0, GUTS_KAD_FIND_PROVIDERS, repo_key(key, 4), S(""), &got),
		GUTS_ENOTFOUND);
}

/* How many hold the record, by their own store. */
static size_t
holders(struct guts_slice key)
{
	struct guts_kad_contact c;
	size_t n = 0;

	for (unsigned i = 0; i < net.n; i++)
		n += net.nodes[i].kad &&
		     guts_kad_providers(net.nodes[i].kad, key, &c, 1, net.now) > 0;
	return n;
}

static void
a_record_lives_48_hours_and_is_told_again(void **state)
{
	const uint64_t hour = 3600 * KAD_NET_S;
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_slice s = repo_key(key, 6);

	(void)state;
	assert_int_equal(kad_net_lookup(&net, 0, GUTS_KAD_PROVIDE, s, S(""), &got), 0);
	assert_int_equal(got.n_stored, 1);
	assert_int_equal(holders(s), 1);
	kad_net_run(&net, net.now + 47 * hour, NULL);
	assert_int_equal(holders(s), 1);
	assert_int_equal(net.nodes[1].kad->n_providers, 1);
	kad_net_run(&net, net.now + 2 * hour, NULL);
	assert_int_equal(holders(s), 0);
	assert_int_equal(net.nodes[1].kad->n_providers, 0);
	/* Published, it does not go. */
	assert_int_equal(guts_kad_publish(net.nodes[0].kad, s, true, net.now), 0);
	kad_net_run(&net, net.now + 200 * hour, NULL);
	assert_int_equal(holders(s), 1);
	assert_int_equal(net.nodes[0].kad->stats.succeeded[GUTS_KAD_PROVIDE] >= 9, 1);
	assert_int_equal(guts_kad_publish(net.nodes[0].kad, s, false, net.now), 0);
	assert_int_equal(guts_kad_publish(net.nodes[0].kad, s, false, net.now), GUTS_ENOTFOUND);
	kad_net_run(&net, net.now + 49 * hour, NULL);
	assert_int_equal(holders(s), 0);
}

static void
a_newcomer_is_given_what_it_is_close_to(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX];

	(void)state;
	for (uint8_t i = 0; i < 100; i++)
		assert_int_equal(
			guts_kad_publish(net.nodes[0].kad, repo_key(key, i), true, net.now), 0);
	kad_net_run(&net, net.now + 60 * KAD_NET_S, NULL);
	assert_int_equal(net.nodes[1].kad->n_providers, 100);
	kad_net_up(&net, 2, true);
	kad_net_link(&net, 2, 0);
	kad_net_run(&net, net.now + 2 * KAD_NET_S, NULL);
	assert_int_equal(net.nodes[2].kad->n_providers, 100);
	/* It forgets, comes back, and has them again. */
	kad_net_down(&net, 2);
	kad_net_up(&net, 2, true);
	kad_net_link(&net, 2, 0);
	kad_net_run(&net, net.now + 15 * KAD_NET_S, NULL);
	assert_int_equal(net.nodes[2].kad->n_providers, 100);
}

static void
a_thousand_keys_are_spread_over_time(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX], id[GUTS_REPOID_SIZE] = {0};
	uint64_t before = net.messages;
	struct guts_kad_stats st;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		id[0] = (uint8_t)i;
		id[1] = (uint8_t)(i >> 8);
		assert_int_equal(guts_kad_publish(net.nodes[0].kad, guts_kad_provider_key(key, id),
						  true, net.now),
				 0);
	}
	kad_net_run(&net, net.now + KAD_NET_S, NULL);
	assert_true(net.messages - before <= 5 * 3 + 10);
	kad_net_run(&net, net.now + 300 * KAD_NET_S, NULL);
	guts_kad_stats(net.nodes[0].kad, &st);
	assert_int_equal(st.published, 1000);
	assert_int_equal(st.unpublished, 0);
	assert_int_equal(net.nodes[1].kad->n_providers, 1000);
	print_message("# 1,000 keys published to 1 peer: %zu messages\n",
		      (size_t)(net.messages - before));
}

/* --- values ---------------------------------------------------------------- */

static void
make_record(struct guts_buf *out, const struct guts_key *k, uint64_t seq)
{
	struct guts_peerrecord *r = guts_alloc(sizeof *r);

	r->seq = seq;
	r->naddrs = 1;
	r->addrs[0] = net.nodes[0].addr;
	guts_buf_init(out, GUTS_KAD_VALUE_MAX);
	assert_int_equal(guts_peerrecord_make(out, k, r), 0);
	free(r);
}

static void
peer_records_go_through_and_the_newest_wins(void **state)
{
	struct guts_buf old, new;
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_slice s =
		guts_kad_value_key(key, GUTS_KAD_NS_PEER, guts_peerid_slice(&net.nodes[4].key.id));

	(void)state;
	make_record(&old, &net.nodes[4].key, 5);
	make_record(&new, &net.nodes[4].key, 6);
	assert_int_equal(kad_net_lookup(&net, 4, GUTS_KAD_STORE, s, guts_buf_slice(&old), &got), 0);
	assert_int_equal(got.n_stored, GUTS_KAD_K);
	assert_int_equal(kad_net_lookup(&net, 30, GUTS_KAD_FIND_VALUE, s, S(""), &got), 0);
	assert_slice_equal(guts_slice(got.value, got.value_n), guts_buf_slice(&old));
	/* The newer one reaches only the nearest three; it is found all the same. */
	net.nodes[4].published = guts_buf_slice(&new);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(kad_store_value(net.nodes[place_of(&got.closest[i].id)].kad, s,
						 guts_buf_slice(&new), &net.nodes[4].key.id),
				 0);
	assert_int_equal(kad_net_lookup(&net, 31, GUTS_KAD_FIND_VALUE, s, S(""), &got), 0);
	assert_slice_equal(guts_slice(got.value, got.value_n), guts_buf_slice(&new));
	/* The old one does not come back. */
	assert_int_equal(kad_store_value(net.nodes[place_of(&got.closest[0].id)].kad, s,
					 guts_buf_slice(&old), &net.nodes[4].key.id),
			 GUTS_ESTALE);
	guts_buf_deinit(&old);
	guts_buf_deinit(&new);
}

static void
genesis_records_prove_themselves(void **state)
{
	struct guts_identity *id = guts_alloc(sizeof *id);
	uint8_t key[GUTS_KAD_KEY_MAX], other[GUTS_REPOID_SIZE] = {1};
	struct guts_slice s;
	struct guts_buf b, hidden;
	struct guts_key k;
	uint64_t rank;

	(void)state;
	sample_key(&k, 1);
	guts_buf_init(&b, GUTS_KAD_VALUE_MAX);
	guts_buf_init(&hidden, GUTS_KAD_VALUE_MAX);
	sample_genesis(id);
	assert_int_equal(guts_identity_make(&b, &k, id), 0);
	s = guts_kad_value_key(key, GUTS_KAD_NS_REPO, guts_slice(id->hash, sizeof id->hash));
	assert_int_equal(kad_net_lookup(&net, 0, GUTS_KAD_STORE, s, guts_buf_slice(&b), &got), 0);
	assert_int_equal(kad_net_lookup(&net, 1, GUTS_KAD_FIND_VALUE, s, S(""), &got), 0);
	assert_slice_equal(guts_slice(got.value, got.value_n), guts_buf_slice(&b));
	/* Under another id, damaged, or of a private repository it is nothing. */
	s = guts_kad_value_key(key, GUTS_KAD_NS_REPO, guts_slice(other, sizeof other));
	assert_int_equal(kad_net_lookup(&net, 0, GUTS_KAD_STORE, s, guts_buf_slice(&b), &got),
			 GUTS_EDENIED);
	sample_genesis(id);
	id->is_private = true;
	assert_int_equal(guts_identity_make(&hidden, &k, id), 0);
	s = guts_kad_value_key(key, GUTS_KAD_NS_REPO, guts_slice(id->hash, sizeof id->hash));
	assert_int_equal(
		guts_kad_value_check(s, guts_buf_slice(&hidden), SAMPLE_MS * 1000000, &rank),
		GUTS_EDENIED);
	guts_buf_bytes(&b)[b.len - 1] ^= 1;
	assert_int_equal(guts_kad_value_check(s, guts_buf_slice(&b), SAMPLE_MS * 1000000, &rank),
			 GUTS_ESIG);
	assert_int_equal(guts_kad_value_check(S("/other/x"), guts_buf_slice(&b), 0, &rank),
			 GUTS_EUNSUPPORTED);
	guts_buf_deinit(&b);
	guts_buf_deinit(&hidden);
	free(id);
}

static void
one_seed_one_sequence(void **state)
{
	uint64_t messages[2], bytes[2], end[2];
	uint8_t key[GUTS_KAD_KEY_MAX];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		kad_net_deinit(&net);
		kad_net_init(&net, 25, 3, true);
		kad_net_grow(&net);
		assert_int_equal(
			kad_net_lookup(&net, 3, GUTS_KAD_PROVIDE, repo_key(key, 1), S(""), &got),
			0);
		messages[i] = net.messages;
		bytes[i] = net.bytes;
		end[i] = net.now;
	}
	assert_int_equal(messages[0], messages[1]);
	assert_int_equal(bytes[0], bytes[1]);
	assert_int_equal(end[0], end[1]);
}

#define TWO(f)  cmocka_unit_test_setup_teardown(f, setup_two, teardown)
#define MANY(f) cmocka_unit_test_setup_teardown(f, setup_many, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWO(requests_have_the_bytes_of_others),
		cmocka_unit_test(places_and_shared_bits),
		TWO(only_servers_enter_the_table),
		TWO(a_full_bucket_keeps_who_was_there),
		TWO(one_network_gets_few_places),
		MANY(the_table_survives_a_restart),
		MANY(the_closest_are_the_true_ones),
		MANY(a_peer_is_found_from_anywhere),
		MANY(hops_tell_the_way),
		MANY(mute_peers_cost_time_not_the_result),
		MANY(liars_mislead_only_their_paths),
		TWO(lookups_are_bounded_and_can_be_cancelled),
		TWO(nobody_to_ask_ends_at_once),
		MANY(a_provider_is_found_by_everyone),
		TWO(a_record_lives_48_hours_and_is_told_again),
		TWO(a_newcomer_is_given_what_it_is_close_to),
		TWO(a_thousand_keys_are_spread_over_time),
		MANY(peer_records_go_through_and_the_newest_wins),
		TWO(genesis_records_prove_themselves),
		TWO(one_seed_one_sequence),
	};

	if (guts_crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
