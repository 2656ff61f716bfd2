/* tests/unit/test_book.c - the address book: shares, tried and new, better and worse words, what persists. */
#include "base/buf.h"
#include "base/err.h"
#include "memrows.h"
#include "peer/book.h"
#include "unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_NS (UINT64_C(3600) * 1000000000)
#define DAY_NS (24 * HOUR_NS)
#define NOW (20000 * DAY_NS)

static const uint8_t secret[GUTS_BOOK_SECRET_SIZE] = { 7 };

static struct guts_book *
book_new(void)
{
	return guts_book_new(&(struct guts_book_store){ 0 }, secret);
}

/* --- peers, addresses, sources --- */

static struct guts_peerid
peer(uint32_t i)
{
	uint8_t pub[32] = { 2, (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16) };
	struct guts_peerid id;

	guts_peerid_from_pubkey(&id, pub);
	return id;
}

static struct guts_maddr
at(const char *text)
{
	struct guts_maddr m;

	assert_int_equal(guts_maddr_parse(&m, guts_slice_str(text)), 0);
	return m;
}

/* An address of the netgroup `net`. */
static struct guts_maddr
in_net(unsigned net, unsigned host)
{
	char text[64];

	snprintf(text, sizeof(text), "/ip4/%u.%u.%u.%u/tcp/4001", 60 + net / 200, net % 200, host / 250 % 250, 1 + host % 250);
	return at(text);
}

static struct guts_book_source
told(enum guts_book_via via, uint32_t teller, unsigned net)
{
	struct guts_maddr m = in_net(net, 1);
	struct guts_book_source s = { .via = via, .teller = peer(teller), .group = guts_netgroup_of(&m) };

	return s;
}

static int
add(struct guts_book *b, uint32_t id, struct guts_maddr m, struct guts_book_source s, uint64_t wall)
{
	struct guts_peerid p = peer(id);

	return guts_book_add(b, &p, &m, &s, wall);
}

static const struct guts_book_entry *
entry(struct guts_book *b, uint32_t id)
{
	struct guts_peerid p = peer(id);

	return guts_book_find(b, &p);
}

static void
worked(struct guts_book *b, uint32_t id, struct guts_maddr m, uint64_t wall)
{
	struct guts_peerid p = peer(id);

	guts_book_worked(b, &p, &m, wall);
}

static void
failed(struct guts_book *b, uint32_t id, struct guts_maddr m, bool online, uint64_t wall)
{
	struct guts_peerid p = peer(id);

	guts_book_failed(b, &p, &m, online, wall);
}

/* --- netgroups --- */

static void
netgroups(void **state)
{
	static const struct {
		const char *addr, *text;
		bool is_public;
	} rows[] = {
		{ "/ip4/203.0.113.7/tcp/1", "203.0.0.0/16", true },
		{ "/ip4/10.1.2.3/tcp/1", "10.1.0.0/16", false },
		{ "/ip4/172.31.2.3/tcp/1", "172.31.0.0/16", false },
		{ "/ip4/172.32.2.3/tcp/1", "172.32.0.0/16", true },
		{ "/ip4/127.9.9.9/tcp/1", "loopback", false },
		{ "/ip6/::1/tcp/1", "loopback", false },
		{ "/ip6/2001:db8:1::5/tcp/1", "2001:db8::/32", true },
		{ "/ip6/2002:cb00:7107::1/tcp/1", "203.0.0.0/16", true },
		{ "/ip6/::ffff:203.0.113.9/tcp/1", "203.0.0.0/16", true },
		{ "/ip6/fd00:1:2::3/tcp/1", "fd00:1::/32", false },
		{ "/dns4/a.example.org/tcp/1", "dns", true },
		{ "/p2p-circuit", "none", false },
	};
	struct guts_netgroup x, y;
	struct guts_maddr m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[GUTS_NETGROUP_TEXT_SIZE];

		m = at(rows[i].addr);
		x = guts_netgroup_of(&m);
		guts_netgroup_text(text, &x);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(guts_netgroup_is_public(&x), rows[i].is_public);
	}
	m = at("/dns4/a.b.Example.org/tcp/1");
	x = guts_netgroup_of(&m);
	m = at("/dns4/c.example.org./tcp/1");
	y = guts_netgroup_of(&m);
	assert_true(guts_netgroup_eq(&x, &y));
	m = at("/dns4/example.net/tcp/1");
	y = guts_netgroup_of(&m);
	assert_false(guts_netgroup_eq(&x, &y));
}

/* --- shares --- */

static void
one_teller_has_a_share(void **state)
{
	struct guts_book *b = book_new();
	size_t taken = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		taken += add(b, 1000 + i, in_net(i % 5000, i), told(GUTS_BOOK_EXCHANGE, 1, 1), NOW) == 0;
	assert_true(taken <= GUTS_BOOK_SHARE_MAX && taken > GUTS_BOOK_SHARE_MAX / 2);
	assert_int_equal(guts_book_count(b), taken);
	guts_book_free(b);
}

static void
one_network_fills_its_buckets_and_no_more(void **state)
{
	struct guts_book *b = book_new();
	const size_t most = GUTS_BOOK_NEW_SHARE * GUTS_BOOK_SLOTS;
	size_t from_others = 0;

	(void)state;
	/* 200 tellers of one netgroup tell 500 peers each. */
	for (uint32_t i = 0; i < 100000; i++)
		add(b, 1000 + i, in_net(i % 5000, i), told(GUTS_BOOK_EXCHANGE, i / 500, 1), NOW);
	assert_true(guts_book_count(b) <= most);
	assert_true(guts_book_count(b) > most / 2);
	/* There is room for what others tell. */
	for (uint32_t i = 0; i < 100; i++)
		from_others += add(b, 200000 + i, in_net(100 + i, 1), told(GUTS_BOOK_EXCHANGE, 300 + i, 100 + i), NOW) == 0;
	assert_true(from_others > 80);
	guts_book_free(b);
}

static void
peers_of_one_network_have_a_share_of_tried(void **state)
{
	struct guts_book *b = book_new();

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		add(b, i, in_net(3, i), told(GUTS_BOOK_SIGNED, i, i % 150), NOW);
		worked(b, i, in_net(3, i), NOW);
	}
	assert_true(guts_book_count_tried(b) <= GUTS_BOOK_TRIED_SHARE * GUTS_BOOK_SLOTS);
	assert_true(guts_book_count_tried(b) > GUTS_BOOK_TRIED_SHARE * GUTS_BOOK_SLOTS / 2);
	assert_true(guts_book_count(b) > 1000);
	guts_book_free(b);
}

static void
the_book_has_a_cap(void **state)
{
	struct guts_book *b = book_new();

	(void)state;
	for (uint32_t i = 0; i < 4 * GUTS_BOOK_MAX; i++)
		add(b, i, in_net(i % 5000, i / 5000), told(GUTS_BOOK_SIGNED, i, i % 5000), NOW);
	assert_true(guts_book_count(b) <= GUTS_BOOK_NEW_BUCKETS * GUTS_BOOK_SLOTS);
	assert_true(guts_book_count(b) > GUTS_BOOK_NEW_BUCKETS * GUTS_BOOK_SLOTS * 3 / 4);
	guts_book_free(b);
}

/* --- better and worse words --- */

static void
addresses_by_worth(void **state)
{
	struct guts_maddr hear[6], own, udp = at("/ip4/60.2.0.1/udp/1"), good = in_net(2, 9);
	struct guts_book *b = book_new();

	(void)state;
	assert_int_equal(add(b, 1, udp, told(GUTS_BOOK_SIGNED, 1, 1), NOW), GUTS_EUNSUPPORTED);
	for (unsigned i = 0; i < 6; i++) {
		hear[i] = in_net(50, i);
		add(b, 1, hear[i], told(GUTS_BOOK_DHT, 9, 9), NOW);
	}
	assert_int_equal(entry(b, 1)->n_addrs, GUTS_BOOK_HEARSAY_MAX);
	assert_int_equal(entry(b, 1)->source.via, GUTS_BOOK_DHT);
	/* What the peer signed goes before hearsay, and is the entry's source now. */
	own = in_net(2, 1);
	assert_int_equal(add(b, 1, own, told(GUTS_BOOK_SIGNED, 1, 2), NOW), 0);
	assert_true(guts_maddr_eq(&entry(b, 1)->addrs[0].at, &own));
	assert_int_equal(entry(b, 1)->source.via, GUTS_BOOK_SIGNED);
	/* What worked goes before all. */
	assert_int_equal(add(b, 1, good, told(GUTS_BOOK_IDENTIFY, 1, 2), NOW), 0);
	worked(b, 1, good, NOW);
	assert_true(guts_maddr_eq(&entry(b, 1)->addrs[0].at, &good));
	/* Many addresses of its own push out hearsay and the oldest, not the one that works. */
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(add(b, 1, in_net(2, 20 + i), told(GUTS_BOOK_SIGNED, 1, 2), NOW + i), 0);
	assert_int_equal(entry(b, 1)->n_addrs, GUTS_BOOK_ADDRS_MAX);
	assert_true(guts_maddr_eq(&entry(b, 1)->addrs[0].at, &good));
	/* Hearsay has no place any more … */
	assert_int_equal(add(b, 1, hear[0], told(GUTS_BOOK_EXCHANGE, 9, 9), NOW), GUTS_ELIMIT);
	/* … and what failed goes to the end. */
	failed(b, 1, good, true, NOW);
	assert_true(guts_maddr_eq(&entry(b, 1)->addrs[GUTS_BOOK_ADDRS_MAX - 1].at, &good));
	assert_int_equal(entry(b, 1)->failures, 1);
	guts_book_free(b);
}

static void
hearsay_gives_way_to_own_words(void **state)
{
	struct guts_book *b = book_new();
	size_t before, taken = 0, heard = 0;

	(void)state;
	for (uint32_t i = 0; i < 2 * GUTS_BOOK_MAX; i++)
		add(b, i, in_net(i % 5000, i / 5000), told(GUTS_BOOK_DHT, i % 5000, i % 5000), NOW);
	before = guts_book_count(b);
	for (uint32_t i = 0; i < 2000; i++)
		taken += add(b, 500000 + i, in_net(i, 1), told(GUTS_BOOK_SIGNED, 500000 + i, i), NOW) == 0;
	assert_true(taken > 1800);
	for (const void *it = NULL;;) {
		const struct guts_book_entry *e = guts_book_next(b, &it);

		if (!e)
			break;
		heard += e->source.via == GUTS_BOOK_DHT;
	}
	assert_int_equal(heard, guts_book_count(b) - taken);
	assert_true(heard < before - taken / 2);
	guts_book_free(b);
}

static void
failing_ones_decay(void **state)
{
	struct guts_maddr m = in_net(1, 1);
	struct guts_book *b = book_new();
	unsigned n;

	(void)state;
	/* Heard of, never reached. */
	add(b, 1, m, told(GUTS_BOOK_SIGNED, 1, 1), NOW);
	for (n = 0; entry(b, 1); n++)
		failed(b, 1, m, true, NOW);
	assert_int_equal(n, 8);
	/* Reached: kept for a week, whatever happens. */
	worked(b, 2, m, NOW);
	add(b, 3, m, told(GUTS_BOOK_SIGNED, 3, 1), NOW);
	worked(b, 3, m, NOW);
	for (int i = 0; i < 30; i++) {
		failed(b, 2, m, true, NOW);
		failed(b, 3, m, true, NOW + 6 * DAY_NS);
	}
	assert_non_null(entry(b, 3));
	failed(b, 3, m, true, NOW + 8 * DAY_NS);
	failed(b, 2, m, true, NOW + 8 * DAY_NS);
	assert_null(entry(b, 3));
	assert_non_null(entry(b, 2)); /* asked for by hand */
	/* Without a network it does not count. */
	add(b, 4, m, told(GUTS_BOOK_SIGNED, 4, 1), NOW);
	for (int i = 0; i < 100; i++)
		failed(b, 4, m, false, NOW);
	assert_int_equal(entry(b, 4)->failures, 1);
	guts_book_free(b);
}

/* --- choosing --- */

static bool
any(void *arg, const struct guts_book_entry *e)
{
	(void)arg;
	(void)e;
	return true;
}

static bool
in_group(void *arg, const struct guts_book_entry *e)
{
	struct guts_netgroup g = guts_netgroup_of(&e->addrs[0].at);

	return guts_netgroup_eq(&g, arg);
}

static void
a_loud_network_weighs_its_buckets(void **state)
{
	struct guts_book *b = book_new();
	struct guts_rng rng;
	unsigned loud = 0;

	(void)state;
	/* 90 % of the book are of one mouth. */
	for (uint32_t i = 0; i < 900; i++)
		add(b, i, in_net(i % 5000, i), told(GUTS_BOOK_EXCHANGE, 100000 + i / 300, 7), NOW);
	for (uint32_t i = 0; i < 100; i++)
		add(b, 10000 + i, in_net(100 + i, 1), told(GUTS_BOOK_SIGNED, 10000 + i, 100 + i), NOW);
	guts_rng_seed(&rng, 1);
	for (int i = 0; i < 1000; i++) {
		struct guts_peerid id;

		assert_true(guts_book_pick(b, &rng, false, any, NULL, &id));
		loud += guts_book_find(b, &id)->source.via == GUTS_BOOK_EXCHANGE;
	}
	assert_in_range(loud, 1, 300);
	assert_false(guts_book_pick(b, &rng, true, any, NULL, &(struct guts_peerid){ 0 }));
	guts_book_free(b);
}

static void
a_holder_in_tried_is_tested_first(void **state)
{
	struct guts_maddr m = in_net(3, 1);
	struct guts_netgroup g = guts_netgroup_of(&m);
	struct guts_book *b = book_new();
	struct guts_peerid holder, again;
	struct guts_rng rng;
	uint32_t i;

	(void)state;
	guts_rng_seed(&rng, 1);
	/* Peers of one network work until one finds its place taken. */
	for (i = 0; guts_book_count_tried(b) == i; i++)
		worked(b, i, in_net(3, i), NOW);
	assert_false(entry(b, i - 1)->is_tried);
	assert_true(guts_book_pick_feeler(b, &rng, in_group, &g, &holder));
	assert_true(guts_book_find(b, &holder)->is_tried);
	/* It works: it stays, and is not asked again. */
	guts_book_worked(b, &holder, &m, NOW);
	assert_true(guts_book_pick_feeler(b, &rng, in_group, &g, &again));
	assert_false(guts_book_find(b, &again)->is_tried);
	/* Contested again, it fails: the other one gets the place. */
	worked(b, i - 1, in_net(3, i - 1), NOW);
	guts_book_failed(b, &holder, &m, true, NOW);
	assert_false(guts_book_find(b, &holder)->is_tried);
	worked(b, i - 1, in_net(3, i - 1), NOW);
	assert_true(entry(b, i - 1)->is_tried);
	guts_book_free(b);
}

/* --- restarts --- */

static void
it_persists(void **state)
{
	struct memrows rows = { 0 };
	struct guts_book_store store = memrows_store(&rows);
	struct guts_book *b = guts_book_new(&store, secret);
	struct guts_book_entry before;
	size_t n, tried;

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		add(b, i, in_net(i % 50, i), told(i % GUTS_BOOK_VIA_COUNT, 1000 + i % 20, i % 30), NOW + i * HOUR_NS);
		if (i % 3 == 0)
			worked(b, i, in_net(i % 50, i), NOW + i * HOUR_NS);
		if (i % 7 == 0)
			failed(b, i, in_net(i % 50, i), true, NOW + i * HOUR_NS);
	}
	n = guts_book_count(b);
	tried = guts_book_count_tried(b);
	before = *entry(b, 21);
	guts_book_free(b);
	assert_int_equal(memrows_count(&rows), n);
	b = guts_book_new(&store, secret);
	assert_int_equal(guts_book_count(b), n);
	assert_int_equal(guts_book_count_tried(b), tried);
	before.cursor = entry(b, 21)->cursor;
	assert_int_equal(entry(b, 21)->is_tried, before.is_tried);
	assert_int_equal(entry(b, 21)->failures, before.failures);
	assert_int_equal(entry(b, 21)->source.via, before.source.via);
	assert_true(guts_peerid_eq(&entry(b, 21)->source.teller, &before.source.teller));
	assert_true(guts_netgroup_eq(&entry(b, 21)->source.group, &before.source.group));
	assert_int_equal(entry(b, 21)->seen_wall_ns, before.seen_wall_ns);
	assert_int_equal(entry(b, 21)->worked_wall_ns, before.worked_wall_ns);
	assert_int_equal(entry(b, 21)->addrs[0].via, before.addrs[0].via);
	guts_book_forget(b, &before.id);
	assert_null(entry(b, 21));
	assert_int_equal(memrows_count(&rows), n - 1);
	guts_book_free(b);
	memrows_free(&rows);
}

/* Rows as the first version wrote them. */
static void
it_reads_the_old_form(void **state)
{
	struct memrows rows = { 0 };
	struct guts_book_store store = memrows_store(&rows);
	struct guts_maddr m = in_net(4, 1);
	struct guts_book *b;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct guts_peerid id = peer(i);
		struct guts_buf key, value;

		guts_buf_init(&key, 64);
		guts_buf_init(&value, 512);
		guts_buf_add_str(&key, "addr/");
		guts_buf_add_slice(&key, guts_peerid_slice(&id));
		guts_buf_add_u8(&value, 1);
		guts_buf_add_be64(&value, NOW);                    /* seen */
		guts_buf_add_be64(&value, i == 1 ? NOW - 5 : 0);   /* worked */
		guts_buf_add_be64(&value, 0);                      /* failed */
		guts_buf_add_be32(&value, 2);
		guts_buf_add_u8(&value, id.n);
		guts_buf_add_slice(&value, guts_peerid_slice(&id));
		guts_buf_add_be16(&value, i == 2 ? 500 : m.n);     /* the third is damaged */
		guts_buf_add_slice(&value, guts_maddr_slice(&m));
		store.save(store.owner, guts_buf_slice(&key), guts_buf_slice(&value));
		guts_buf_deinit(&key);
		guts_buf_deinit(&value);
	}
	b = guts_book_new(&store, secret);
	assert_int_equal(guts_book_count(b), 2);
	assert_false(entry(b, 0)->is_tried);
	assert_true(entry(b, 1)->is_tried);
	assert_int_equal(entry(b, 0)->failures, 2);
	assert_true(guts_maddr_eq(&entry(b, 0)->addrs[0].at, &m));
	guts_book_free(b);
	memrows_free(&rows);
}

static void
names_of_sources(void **state)
{
	(void)state;
	for (int i = 0; i < GUTS_BOOK_VIA_COUNT; i++)
		assert_int_equal(guts_book_via_parse(guts_slice_str(guts_book_via_name((enum guts_book_via)i))), i);
	assert_int_equal(guts_book_via_parse(guts_slice_str("rumour")), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netgroups),
		cmocka_unit_test(one_teller_has_a_share),
		cmocka_unit_test(one_network_fills_its_buckets_and_no_more),
		cmocka_unit_test(peers_of_one_network_have_a_share_of_tried),
		cmocka_unit_test(the_book_has_a_cap),
		cmocka_unit_test(addresses_by_worth),
		cmocka_unit_test(hearsay_gives_way_to_own_words),
		cmocka_unit_test(failing_ones_decay),
		cmocka_unit_test(a_loud_network_weighs_its_buckets),
		cmocka_unit_test(a_holder_in_tried_is_tested_first),
		cmocka_unit_test(it_persists),
		cmocka_unit_test(it_reads_the_old_form),
		cmocka_unit_test(names_of_sources),
	};

	return guts_crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
