/* tests/unit/test_kad_limits.c - Kademlia against hostile peers: whose words are taken, how much is
 * kept, who is told what. */
#include "../sim/kad_net.h"
#include "discover/kad_int.h"
#include "record_samples.h"
#include "unit.h"

#include <stdio.h>

static struct kad_net net;

/* Node 0 is asked by nodes 1.., all on different public networks, servers. */
static int
setup(void **state)
{
	(void)state;
	kad_net_init(&net, 40, 1, true);
	for (unsigned i = 0; i < 40; i++)
		kad_net_up(&net, i, i == 0 || i > 30);
	for (unsigned i = 1; i < 40; i++)
		kad_net_link(&net, 0, i);
	kad_net_run(&net, net.now + KAD_NET_S, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kad_check(net.nodes[0].kad);
	kad_net_deinit(&net);
	return 0;
}

static struct guts_slice
repo_key(uint8_t key[GUTS_KAD_KEY_MAX], unsigned n)
{
	uint8_t id[GUTS_REPOID_SIZE] = {'r', (uint8_t)n, (uint8_t)(n >> 8)};

	return guts_kad_provider_key(key, id);
}

static int
add_provider(unsigned from, unsigned named, struct guts_slice key, const struct guts_maddr *addr)
{
	struct guts_slice a = guts_maddr_slice(addr);
	struct guts_kad_peer p = {.id = guts_peerid_slice(&net.nodes[named].key.id),
				  .addrs = {&a, 1}};
	struct guts_kad_message m = {
		.type = GUTS_KAD_ADD_PROVIDER, .has_type = true, .key = key, .providers = {&p, 1}};
	struct guts_buf out;
	int err;

	guts_buf_init(&out, GUTS_KAD_RECV_MAX);
	err = kad_net_tell(&net, from, 0, &m, &out);
	assert_int_equal(out.len, 0); /* it has no answer, whatever it was */
	guts_buf_deinit(&out);
	return err;
}

/* Ask node 0; the answer is decoded in `arena`, of bytes in `out`. */
static int
ask(unsigned from, uint32_t type, struct guts_slice key, struct guts_kad_message *answer,
    struct guts_buf *out, struct guts_arena *arena)
{
	struct guts_kad_message m = {.type = type, .has_type = true, .key = key};
	struct guts_slice s;
	int err;

	guts_buf_init(out, GUTS_KAD_RECV_MAX);
	guts_arena_init(arena, 1u << 20);
	err = kad_net_tell(&net, from, 0, &m, out);
	if (err)
		return err;
	s = guts_buf_slice(out);
	assert_true(s.n > 3 && s.n <= GUTS_KAD_MESSAGE_MAX + 3);
	for (; *s.p & 0x80; s.p++, s.n--)
		;
	assert_int_equal(
		guts_pb_decode(&guts_kad_message_desc, guts_slice(s.p + 1, s.n - 1), answer, arena),
		0);
	return 0;
}

static void
done(struct guts_buf *out, struct guts_arena *arena)
{
	guts_buf_deinit(out);
	guts_arena_deinit(arena);
}

static void
a_provider_speaks_for_itself_only(void **state)
{
	uint8_t key[GUTS_KAD_KEY_MAX];

	(void)state;
	assert_int_equal(add_provider(1, 2, repo_key(key, 1), &net.nodes[2].addr), GUTS_EDENIED);
	assert_int_equal(net.nodes[0].offences, 1);
	assert_int_equal(net.nodes[0].last_offence, GUTS_EDENIED);
	assert_int_equal(net.nodes[0].kad->n_providers, 0);
	assert_int_equal(add_provider(1, 1, repo_key(key, 1), &net.nodes[1].addr), 0);
	assert_int_equal(net.nodes[0].kad->n_providers, 1);
	assert_int_equal(add_provider(1, 1, S("no multihash of a repository"), &net.nodes[1].addr),
			 GUTS_EUNSUPPORTED);
}

static void
a_million_keys_of_one_peer_are_a_few(void **state)
{
	unsigned n = getenv("GUTS_LONG") ? 1000000 : 20000, busy = 0, taken = 0;
	struct guts_kad *k = net.nodes[0].kad;
	uint8_t key[GUTS_KAD_KEY_MAX], id[GUTS_REPOID_SIZE] = {0};
	struct guts_kad_stats st;

	(void)state;
	assert_int_equal(add_provider(2, 2, repo_key(key, 7), &net.nodes[2].addr), 0);
	for (unsigned i = 0; i < n; i++) {
		int err;

		memcpy(id, &i, sizeof i);
		net.now += KAD_NET_S / 400;
		err = add_provider(1, 1, guts_kad_provider_key(key, id), &net.nodes[1].addr);
		busy += err == GUTS_EBUSY;
		taken += err == 0;
	}
	guts_kad_stats(k, &st);
	assert_int_equal(st.providers, 4096 + 1);
	assert_int_equal(busy, n - 4096);
	assert_int_equal(taken, 4096);
	assert_true(st.provider_bytes <= 8u << 20);
	print_message("# %u keys: %zu records, %zu bytes\n", n, st.providers, st.provider_bytes);
	/* Who stores little keeps it. */
	assert_non_null(kad_store_provided(k, repo_key(key, 7)));
	/* The rest goes with its time. */
	net.now += 49 * 3600 * KAD_NET_S;
	guts_kad_tick(k, net.now, net.now);
	guts_kad_stats(k, &st);
	assert_int_equal(st.providers + st.provider_bytes, 0);
}

static void
a_full_store_takes_from_who_has_most(void **state)
{
	struct guts_kad *k = net.nodes[0].kad;
	uint8_t key[GUTS_KAD_KEY_MAX];

	(void)state;
	for (unsigned from = 1; from <= 5; from++)
		for (unsigned i = 0; i < 4096; i++) {
			net.now += KAD_NET_S / 400;
			assert_int_equal(add_provider(from, from, repo_key(key, from * 5000 + i),
						      &net.nodes[from].addr),
					 0);
		}
	assert_true(k->n_providers <= k->cfg.providers_max);
	kad_check(k);
	/* Each of the five has about a fifth. */
	for (unsigned from = 1; from <= 5; from++) {
		struct kad_holder *h;

		HASH_FIND(hh, k->holders, &net.nodes[from].key.id, sizeof net.nodes[from].key.id,
			  h);
		assert_true(h->n_providers >= k->n_providers / 5 - 1);
	}
}

static void
many_providers_of_one_key_are_capped(void **state)
{
	struct guts_kad_message m;
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_arena arena;
	struct guts_buf out;

	(void)state;
	for (unsigned i = 1; i < 40; i++)
		assert_int_equal(add_provider(i, i, repo_key(key, 1), &net.nodes[i].addr), 0);
	assert_int_equal(ask(1, GUTS_KAD_GET_PROVIDERS, repo_key(key, 1), &m, &out, &arena), 0);
	assert_int_equal(m.providers.n, GUTS_KAD_K);
	for (size_t i = 0; i < m.providers.n; i++) /* not the asker itself */
		assert_false(guts_slice_eq(m.providers.v[i].id,
					   guts_peerid_slice(&net.nodes[1].key.id)));
	done(&out, &arena);
}

static void
requests_have_a_rate(void **state)
{
	struct guts_kad_message m;
	struct guts_arena arena;
	struct guts_buf out;
	unsigned ok = 0;
	int err;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		err = ask(1, GUTS_KAD_FIND_NODE, S("x"), &m, &out, &arena);
		assert_true(err == 0 || err == GUTS_EBUSY);
		ok += err == 0;
		done(&out, &arena);
	}
	assert_int_equal(ok, 2000);
	/* Others are not touched by it, and a second later it may ask again. */
	assert_int_equal(ask(2, GUTS_KAD_FIND_NODE, S("x"), &m, &out, &arena), 0);
	done(&out, &arena);
	net.now += KAD_NET_S;
	assert_int_equal(ask(1, GUTS_KAD_FIND_NODE, S("x"), &m, &out, &arena), 0);
	done(&out, &arena);
	assert_int_equal(net.nodes[0].offences, 0);
}

static void
values_must_prove_themselves(void **state)
{
	struct guts_kad_message m = {
		.type = GUTS_KAD_PUT_VALUE, .has_type = true, .has_record = true};
	struct guts_peerrecord *r = guts_alloc(sizeof *r);
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_buf b, out;

	(void)state;
	guts_buf_init(&b, GUTS_KAD_VALUE_MAX);
	guts_buf_init(&out, GUTS_KAD_RECV_MAX);
	r->seq = 1;
	assert_int_equal(guts_peerrecord_make(&b, &net.nodes[3].key, r), 0);
	m.key = guts_kad_value_key(key, GUTS_KAD_NS_PEER, guts_peerid_slice(&net.nodes[3].key.id));
	m.record.key = m.key;
	m.record.value = guts_buf_slice(&b);
	assert_int_equal(kad_net_tell(&net, 1, 0, &m, &out), 0); /* anybody may bring it */
	assert_true(out.len > 0);
	assert_int_equal(net.nodes[0].kad->n_values, 1);
	/* Another's record, a damaged one, another key inside, another namespace, none at all. */
	m.key = m.record.key =
		guts_kad_value_key(key, GUTS_KAD_NS_PEER, guts_peerid_slice(&net.nodes[4].key.id));
	assert_int_equal(kad_net_tell(&net, 1, 0, &m, &out), GUTS_EDENIED);
	m.record.key = S("/guts-peer/x");
	assert_int_equal(kad_net_tell(&net, 1, 0, &m, &out), GUTS_EPROTO);
	m.key = m.record.key = S("/pk/x");
	assert_int_equal(kad_net_tell(&net, 1, 0, &m, &out), GUTS_EUNSUPPORTED);
	m.key = m.record.key =
		guts_kad_value_key(key, GUTS_KAD_NS_PEER, guts_peerid_slice(&net.nodes[3].key.id));
	guts_buf_bytes(&b)[b.len - 1] ^= 1;
	assert_int_equal(kad_net_tell(&net, 1, 0, &m, &out), GUTS_ESIG);
	m.has_record = false;
	assert_int_equal(kad_net_tell(&net, 1, 0, &m, &out), GUTS_EPROTO);
	assert_int_equal(net.nodes[0].kad->n_values, 1);
	assert_int_equal(net.nodes[0].offences, 4);
	guts_buf_deinit(&b);
	guts_buf_deinit(&out);
	free(r);
}

static void
values_of_one_peer_are_capped(void **state)
{
	struct guts_kad_message m = {
		.type = GUTS_KAD_PUT_VALUE, .has_type = true, .has_record = true};
	struct guts_peerrecord *r = guts_alloc(sizeof *r);
	uint8_t key[GUTS_KAD_KEY_MAX];
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		uint8_t seed[32] = {'v', (uint8_t)i, (uint8_t)(i >> 8)};
		struct guts_buf b, out;
		struct guts_key k;

		guts_key_from_seed(&k, seed);
		guts_buf_init(&b, GUTS_KAD_VALUE_MAX);
		guts_buf_init(&out, GUTS_KAD_RECV_MAX);
		assert_int_equal(guts_peerrecord_make(&b, &k, r), 0);
		m.key = m.record.key =
			guts_kad_value_key(key, GUTS_KAD_NS_PEER, guts_peerid_slice(&k.id));
		m.record.value = guts_buf_slice(&b);
		taken += kad_net_tell(&net, 1, 0, &m, &out) == 0;
		guts_buf_deinit(&b);
		guts_buf_deinit(&out);
	}
	assert_int_equal(taken, 256);
	assert_int_equal(net.nodes[0].kad->n_values, 256);
	free(r);
}

static struct guts_maddr
addr(const char *text)
{
	struct guts_maddr m;

	assert_int_equal(guts_maddr_parse(&m, S(text)), 0);
	return m;
}

/* Where node 0 says that node `named` provides `key`, to an asker whose link ends at `remote`. */
static size_t
told_addresses(unsigned asker, const char *remote, struct guts_slice key)
{
	struct guts_kad_contact c = {.id = net.nodes[asker].key.id, .n_addrs = 1};
	struct guts_maddr at = addr(remote);
	struct guts_kad_message m;
	struct guts_arena arena;
	struct guts_buf out;
	size_t n;

	c.addrs[0] = at;
	guts_kad_peer_up(net.nodes[0].kad, &c, &at, GUTS_KAD_CLIENT, net.now);
	assert_int_equal(ask(asker, GUTS_KAD_GET_PROVIDERS, key, &m, &out, &arena), 0);
	n = m.providers.n ? m.providers.v[0].addrs.n : 0;
	done(&out, &arena);
	return n;
}

static void
addresses_go_only_where_they_mean_something(void **state)
{
	struct guts_kad *k = net.nodes[0].kad;
	struct guts_kad_contact c = {.id = net.nodes[1].key.id, .n_addrs = 3};
	struct guts_maddr remote = addr("/ip4/127.0.0.1/tcp/9");
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_slice s = repo_key(key, 1);

	(void)state;
	/* Node 1 is on our machine: all of its addresses are taken. */
	c.addrs[0] = addr("/ip4/127.0.0.1/tcp/1");
	c.addrs[1] = addr("/ip4/192.168.1.1/tcp/1");
	c.addrs[2] = addr("/ip4/9.9.9.9/tcp/1");
	guts_kad_peer_up(k, &c, &remote, GUTS_KAD_CLIENT, net.now);
	assert_int_equal(add_provider(1, 1, s, &c.addrs[0]), 0);
	assert_int_equal(told_addresses(2, "/ip4/127.0.0.1/tcp/5", s), 3);
	assert_int_equal(told_addresses(2, "/ip4/192.168.1.7/tcp/5", s), 2);
	assert_int_equal(told_addresses(2, "/ip4/8.8.8.8/tcp/5", s), 1);
	/* A stranger cannot make us, or others, dial into a private network. */
	assert_int_equal(add_provider(3, 3, repo_key(key, 2), &c.addrs[1]), 0);
	guts_kad_peer_down(k, &net.nodes[3].key.id, net.now);
	assert_int_equal(told_addresses(2, "/ip4/127.0.0.1/tcp/5", repo_key(key, 2)), 1);
	/* What is no host at all is taken from nobody. */
	c.addrs[0] = addr("/ip4/0.0.0.0/tcp/1");
	c.addrs[1] = addr("/ip4/224.0.0.1/tcp/1");
	c.addrs[2] = addr("/ip6/::/tcp/1");
	guts_kad_peer_up(k, &c, &remote, GUTS_KAD_SERVER, net.now);
	assert_null(kad_table_find(k, &c.id));
}

static void
garbage_is_an_offence(void **state)
{
	struct guts_kad *k = net.nodes[0].kad;
	const struct guts_peerid *from = &net.nodes[1].key.id;
	uint8_t *large = guts_alloc(GUTS_KAD_RECV_MAX + 1);
	struct guts_peerid stranger = {0};
	struct guts_buf out;

	(void)state;
	guts_buf_init(&out, GUTS_KAD_RECV_MAX);
	assert_int_equal(guts_kad_serve(k, from, S("\x08"), &out, 0, net.now), GUTS_EPROTO);
	assert_int_equal(
		guts_kad_serve(k, from, guts_slice(large, GUTS_KAD_RECV_MAX + 1), &out, 0, net.now),
		GUTS_ELIMIT);
	assert_int_equal(net.nodes[0].offences, 2);
	assert_int_equal(guts_kad_serve(k, from, S("\x08\x07"), &out, 0, net.now),
			 GUTS_EUNSUPPORTED);
	assert_int_equal(guts_kad_serve(k, &stranger, S("\x08\x04"), &out, 0, net.now),
			 GUTS_ENOTFOUND);
	guts_kad_set_server(k, false);
	assert_int_equal(guts_kad_serve(k, from, S("\x08\x04"), &out, 0, net.now),
			 GUTS_EUNSUPPORTED);
	assert_int_equal(out.len, 0);
	assert_int_equal(net.nodes[0].offences, 2);
	guts_buf_deinit(&out);
	free(large);
}

static void
strangers_are_told_only_who_answered(void **state)
{
	struct guts_kad *k = net.nodes[0].kad;
	struct guts_kad_contact c = {.n_addrs = 1};
	struct guts_kad_message m;
	struct guts_arena arena;
	struct guts_buf out;
	struct guts_key silent;
	uint8_t seed[32] = {3};

	(void)state;
	guts_key_from_seed(&silent, seed);
	c.id = silent.id;
	c.addrs[0] = addr("/ip4/77.1.1.1/tcp/1");
	guts_kad_peer_up(k, &c, &c.addrs[0], GUTS_KAD_SERVER, net.now);
	guts_kad_peer_down(k, &c.id, net.now);
	assert_non_null(kad_table_find(k, &c.id));
	assert_int_equal(ask(1, GUTS_KAD_FIND_NODE, guts_peerid_slice(&c.id), &m, &out, &arena), 0);
	assert_int_equal(m.closer.n, 9); /* nodes 31..39 */
	done(&out, &arena);
	/* A client is told if it is linked to us, for it is in no table. */
	assert_int_equal(ask(1, GUTS_KAD_FIND_NODE, guts_peerid_slice(&net.nodes[5].key.id), &m,
			     &out, &arena),
			 0);
	assert_int_equal(m.closer.n, 10);
	assert_slice_equal(m.closer.v[9].id, guts_peerid_slice(&net.nodes[5].key.id));
	done(&out, &arena);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_provider_speaks_for_itself_only),
		T(a_million_keys_of_one_peer_are_a_few),
		T(a_full_store_takes_from_who_has_most),
		T(many_providers_of_one_key_are_capped),
		T(requests_have_a_rate),
		T(values_must_prove_themselves),
		T(values_of_one_peer_are_capped),
		T(addresses_go_only_where_they_mean_something),
		T(garbage_is_an_offence),
		T(strangers_are_told_only_who_answered),
	};

	if (guts_crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
