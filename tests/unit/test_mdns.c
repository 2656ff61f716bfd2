/* test_mdns.c - DNS messages byte by byte, hostile names, and when questions and answers are due. */
#include "unit.h"

#include "base/err.h"
#include "base/rng.h"
#include "discover/mdns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define SEC UINT64_C(1000000000)
#define PEER "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
#define ADDR1 "/ip4/192.168.1.7/tcp/9000/p2p/" PEER
#define ADDR2 "/ip6/fd00::7/tcp/9000/p2p/" PEER

static const char name[GUTS_MDNS_NAME_SIZE] = "abcdefghijklmnopqrstuvwxyz234567";
static struct guts_mdns_packet got;

static struct guts_maddr
addr(const char *text)
{
	struct guts_maddr m;

	assert_int_equal(guts_maddr_parse(&m, guts_slice_str(text)), 0);
	return m;
}

static struct guts_buf
buffer(void)
{
	struct guts_buf b;

	guts_buf_init(&b, GUTS_MDNS_SEND_MAX);
	return b;
}

/* A packet out of literal bytes. */
#define DECODE(bytes) guts_mdns_decode(&got, guts_slice(bytes, sizeof(bytes) - 1))
#define HEADER(flags, qd, an) "\0\0" flags "\0" qd "\0" an "\0\0\0\0"
#define SERVICE "\4_p2p\4_udp\5local\0"
#define QUERY HEADER("\0\0", "\1", "\0")
#define ANSWER HEADER("\x84\0", "\0", "\1")

static void
the_question(void **state)
{
	struct guts_buf b = buffer();

	(void)state;
	guts_mdns_encode_query(&b);
	assert_slice_equal(guts_buf_slice(&b), guts_slice(QUERY SERVICE "\0\14\0\1", 12 + 17 + 4));
	assert_int_equal(guts_mdns_decode(&got, guts_buf_slice(&b)), 0);
	assert_true(!got.is_response && got.asks_peers && !got.asks_services && got.n == 0);
	guts_buf_deinit(&b);
}

static void
the_answer(void **state)
{
	struct guts_maddr list[2] = { addr(ADDR1), addr(ADDR2) };
	static const char head[] = HEADER("\x84\0", "\0", "\1") SERVICE "\0\14\0\1\0\0\0\x78\0\x23"
	    "\x20" "abcdefghijklmnopqrstuvwxyz234567" "\xc0\x0c" "\xc0\x27\0\x10\x80\1\0\0\0\x78\0";
	struct guts_buf b = buffer();
	uint8_t expect[sizeof(head)];

	(void)state;
	memcpy(expect, head, sizeof(head));
	expect[11] = 1; /* one additional record */
	guts_mdns_encode_answer(&b, name, list, 2);
	assert_memory_equal(guts_buf_slice(&b).p, expect, sizeof(head) - 1);
	assert_int_equal(b.len, sizeof(head) + 2 + 2 * strlen("dnsaddr=") + strlen(ADDR1 ADDR2));
	assert_int_equal(guts_mdns_decode(&got, guts_buf_slice(&b)), 0);
	assert_true(got.is_response && got.n == 2);
	assert_true(guts_maddr_eq(&got.addrs[0], &list[0]) && guts_maddr_eq(&got.addrs[1], &list[1]));
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(guts_mdns_decode(&got, guts_slice(guts_buf_slice(&b).p, n)), GUTS_EPROTO);
	guts_buf_deinit(&b);
}

static void
more_addresses_than_a_packet_holds(void **state)
{
	struct guts_maddr list[40];
	struct guts_buf b = buffer();
	char text[128];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "/ip4/192.168.200.%d/tcp/%d/p2p/" PEER, 100 + i, 60000 + i);
		list[i] = addr(text);
	}
	guts_mdns_encode_answer(&b, name, list, 40);
	assert_false(b.failed);
	assert_in_range(b.len, GUTS_MDNS_SEND_MAX - 100, GUTS_MDNS_SEND_MAX);
	assert_int_equal(guts_mdns_decode(&got, guts_buf_slice(&b)), 0);
	assert_in_range(got.n, 12, 14);
	for (size_t i = 0; i < got.n; i++)
		assert_true(guts_maddr_eq(&got.addrs[i], &list[i]));
	guts_buf_deinit(&b);
}

static void
the_question_about_services(void **state)
{
	struct guts_buf b = buffer();

	(void)state;
	assert_int_equal(DECODE(QUERY "\11_services\7_dns-sd\4_udp\5local\0" "\0\14\0\1"), 0);
	assert_true(!got.asks_peers && got.asks_services);
	guts_mdns_encode_services(&b);
	assert_int_equal(b.len, 12 + 30 + 10 + 17);
	assert_int_equal(guts_mdns_decode(&got, guts_buf_slice(&b)), 0);
	assert_true(got.is_response && got.n == 0);
	guts_buf_deinit(&b);
}

static void
what_counts_as_a_question(void **state)
{
	(void)state;
	assert_int_equal(DECODE(QUERY "\4_P2P\4_uDp\5LOCAL\0" "\0\xff\x80\xff"), 0); /* any case, ANY, "answer me alone" */
	assert_true(got.asks_peers);
	assert_int_equal(DECODE(QUERY SERVICE "\0\20\0\1"), 0); /* TXT */
	assert_false(got.asks_peers);
	assert_int_equal(DECODE(QUERY SERVICE "\0\14\0\3"), 0); /* class CH */
	assert_false(got.asks_peers);
	assert_int_equal(DECODE(QUERY "\5_ipfs\4_udp\5local\0" "\0\14\0\1"), 0);
	assert_false(got.asks_peers);
	assert_int_equal(DECODE(HEADER("\0\0", "\2", "\0") "\5_ipfs\4_udp\5local\0" "\0\14\0\1" "\4_p2p\xc0\22" "\0\14\0\1"), 0);
	assert_true(got.asks_peers); /* compressed */
	assert_int_equal(DECODE(HEADER("\0\0", "\0", "\0")), 0);
	assert_false(got.asks_peers);
}

static void
what_counts_as_an_address(void **state)
{
#define TXT(class, ttl, n) "\0\20" class ttl "\0" n
#define ONE "\x15" "dnsaddr=/ip4/10.0.0.1"
	(void)state;
	assert_int_equal(DECODE(ANSWER "\1x" SERVICE TXT("\0\1", "\0\0\0\1", "\x16") ONE), 0);
	assert_int_equal(got.n, 1);
	assert_int_equal(DECODE(ANSWER "\1x" SERVICE TXT("\0\1", "\0\0\0\0", "\x16") ONE), 0); /* it leaves */
	assert_int_equal(got.n, 0);
	assert_int_equal(DECODE(ANSWER SERVICE TXT("\0\1", "\0\0\0\1", "\x16") ONE), 0); /* nobody's */
	assert_int_equal(got.n, 0);
	assert_int_equal(DECODE(ANSWER "\1x\1y" SERVICE TXT("\0\1", "\0\0\0\1", "\x16") ONE), 0);
	assert_int_equal(got.n, 0);
	assert_int_equal(DECODE(ANSWER "\1x" SERVICE TXT("\0\3", "\0\0\0\1", "\x16") ONE), 0); /* class CH */
	assert_int_equal(got.n, 0);
	/* other keys, no address, an empty string; then one */
	assert_int_equal(DECODE(ANSWER "\1x" SERVICE TXT("\0\1", "\0\0\0\1", "\x2b") "\4a=bc" "\0" "\x0e" "dnsaddr=/ip4/x" ONE), 0);
	assert_int_equal(got.n, 1);
	assert_int_equal(DECODE(ANSWER "\1x" SERVICE TXT("\0\1", "\0\0\0\1", "\x16") "\x20" "dnsaddr=/ip4/10.0.0.1"), 0);
	assert_int_equal(got.n, 0); /* a string longer than its record */
	assert_int_equal(DECODE(ANSWER "\1x" SERVICE TXT("\0\1", "\0\0\0\1", "\x17") ONE), GUTS_EPROTO);
}

static void
messages_that_are_none_of_ours(void **state)
{
	static uint8_t big[GUTS_MDNS_PACKET_MAX + 1];

	(void)state;
	assert_int_equal(DECODE(HEADER("\x28\0", "\0", "\0")), GUTS_EUNSUPPORTED); /* opcode update */
	assert_int_equal(DECODE(HEADER("\x80\3", "\0", "\0")), GUTS_EUNSUPPORTED); /* no such name */
	assert_int_equal(DECODE(HEADER("\0\0", "\x41", "\0")), GUTS_ELIMIT);
	assert_int_equal(DECODE("\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), GUTS_ELIMIT);
	assert_int_equal(guts_mdns_decode(&got, guts_slice(big, sizeof(big))), GUTS_ELIMIT);
	assert_int_equal(guts_mdns_decode(&got, guts_slice(big, sizeof(big) - 1)), 0);
	assert_int_equal(DECODE(""), GUTS_EPROTO);
}

static void
hostile_names(void **state)
{
	uint8_t long_name[600];
	struct guts_buf b = buffer();

	(void)state;
	assert_int_equal(DECODE(QUERY "\xc0\x0c" "\0\14\0\1"), GUTS_EPROTO);             /* at itself */
	assert_int_equal(DECODE(QUERY "\1a\xc0\x0c" "\0\14\0\1"), GUTS_EPROTO);          /* at its own begin */
	assert_int_equal(DECODE(QUERY "\xc0\x0e\xc0\x0c" "\0\14\0\1"), GUTS_EPROTO);     /* at each other */
	assert_int_equal(DECODE(QUERY "\xc0\x10" "\0\14\0\1"), GUTS_EPROTO);             /* forward */
	assert_int_equal(DECODE(QUERY "\xc0\x00" "\0\14\0\1"), GUTS_EPROTO);             /* into the header */
	assert_int_equal(DECODE(QUERY "\xff\xff" "\0\14\0\1"), GUTS_EPROTO);             /* behind the end */
	assert_int_equal(DECODE(QUERY "\x41" "a\0" "\0\14\0\1"), GUTS_EPROTO);           /* no such kind of label */
	assert_int_equal(DECODE(QUERY "\x80" "a\0" "\0\14\0\1"), GUTS_EPROTO);
	assert_int_equal(DECODE(QUERY "\x3f" "a\0" "\0\14\0\1"), GUTS_EPROTO);           /* a label behind the end */
	assert_int_equal(DECODE(QUERY "\xc0"), GUTS_EPROTO);
	assert_int_equal(DECODE(QUERY "\1a"), GUTS_EPROTO);

	/* 255 bytes are a name, 256 are none */
	for (size_t extra = 0; extra < 2; extra++) {
		size_t n = 0;

		memset(long_name, 'a', sizeof(long_name));
		for (size_t i = 0; i < 3; i++, n += 64)
			long_name[n] = 63;
		long_name[n] = (uint8_t)(61 + extra);
		n += 62 + extra;
		long_name[n++] = 0;
		guts_buf_clear(&b);
		guts_buf_add(&b, QUERY, 12);
		guts_buf_add(&b, long_name, n);
		guts_buf_add(&b, "\0\14\0\1", 4);
		assert_int_equal(n, 255 + extra);
		assert_int_equal(guts_mdns_decode(&got, guts_buf_slice(&b)), extra ? GUTS_EPROTO : 0);
	}
	guts_buf_deinit(&b);
}

/* --- the object ----------------------------------------------------------- */

static uint64_t now;
static struct guts_maddr ours;

static struct guts_mdns *
object(uint64_t seed)
{
	now = 1000 * SEC;
	ours = addr(ADDR1);
	return guts_mdns_new(seed, now);
}

/* Go to the deadline; what it gives: 'q' a question, 'a' an answer, 's' services, '-' nothing. */
static char
next(struct guts_mdns *m)
{
	struct guts_buf b = buffer();
	char what = '-';

	now = guts_mdns_deadline(m);
	if (guts_mdns_produce(m, now, &ours, 1, &b)) {
		assert_int_equal(guts_mdns_decode(&got, guts_buf_slice(&b)), 0);
		what = !got.is_response ? 'q' : got.n == 1 ? 'a' : 's';
	}
	guts_buf_deinit(&b);
	return what;
}

static int
ask(struct guts_mdns *m)
{
	struct guts_buf b = buffer();
	int err;

	guts_mdns_encode_query(&b);
	err = guts_mdns_receive(m, guts_buf_slice(&b), now, &got);
	guts_buf_deinit(&b);
	return err;
}

static void
questions_become_rare(void **state)
{
	struct guts_mdns *m = object(1);
	uint64_t before = now, wait = SEC;

	(void)state;
	assert_int_equal(next(m), 'q');
	assert_in_range(now - before, 20 * MS, 120 * MS);
	for (int i = 0; i < 12; i++) {
		before = now;
		assert_int_equal(next(m), 'q');
		assert_in_range(now - before, wait - wait / 10, wait + wait / 10);
		wait = wait * 2 < 300 * SEC ? wait * 2 : 300 * SEC;
	}
	before = now;
	guts_mdns_restart(m, now);
	assert_int_equal(next(m), 'q');
	assert_in_range(now - before, 20 * MS, 120 * MS);
	guts_mdns_free(m);
}

static void
answers_wait_and_gather(void **state)
{
	struct guts_mdns *m = object(2);
	uint64_t asked, first;

	(void)state;
	assert_int_equal(next(m), 'q');
	asked = now;
	assert_int_equal(ask(m), 0); /* its own question, come back */
	assert_int_equal(next(m), 'a');
	assert_in_range(now - asked, 20 * MS, 120 * MS);
	first = now;
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask(m), 0);
	assert_int_equal(next(m), 'a');
	assert_int_equal(now - first, SEC);
	assert_int_equal(next(m), 'q'); /* nothing is left of the hundred */
	guts_mdns_free(m);
}

static void
a_question_of_others_is_ours(void **state)
{
	struct guts_mdns *m = object(3);
	unsigned questions = 0;

	(void)state;
	/* Somebody asks every 500 ms: we never do. */
	for (uint64_t at = now; at < 1060 * SEC; at += SEC / 2) {
		while (guts_mdns_deadline(m) < at)
			questions += next(m) == 'q';
		now = at;
		assert_int_equal(ask(m), 0);
	}
	assert_int_equal(questions, 0);
	guts_mdns_free(m);
}

static void
a_flood_is_not_answered(void **state)
{
	struct guts_mdns *m = object(4);
	unsigned answers = 0, refused = 0;
	uint64_t end = now + 10 * SEC;

	(void)state;
	while (now < end) {
		uint64_t at = now + MS / 10;

		while (guts_mdns_deadline(m) <= at)
			answers += next(m) == 'a';
		now = at;
		refused += ask(m) == GUTS_EBUSY;
	}
	assert_in_range(answers, 9, 11);
	assert_in_range(refused, 100000 - 700 - 10, 100000 - 700 + 10); /* 200 at once, then 50 per second */
	guts_mdns_free(m);
}

static void
without_addresses_it_only_asks(void **state)
{
	struct guts_mdns *m = object(5);
	struct guts_buf b = buffer();

	(void)state;
	assert_int_equal(next(m), 'q');
	assert_int_equal(ask(m), 0);
	now = guts_mdns_deadline(m);
	assert_false(guts_mdns_produce(m, now, NULL, 0, &b));
	assert_true(guts_mdns_deadline(m) > now);
	guts_buf_deinit(&b);
	guts_mdns_free(m);
}

static void
services_and_names(void **state)
{
	struct guts_mdns *m = object(6), *other = object(7);
	static const char question[] = QUERY "\11_services\7_dns-sd\4_udp\5local\0" "\0\14\0\1";
	struct guts_buf a = buffer(), b = buffer();

	(void)state;
	assert_int_equal(next(m), 'q');
	assert_int_equal(guts_mdns_receive(m, guts_slice(question, sizeof(question) - 1), now, &got), 0);
	assert_int_equal(next(m), 's');

	/* Two nodes do not have one name. */
	now += 10 * SEC;
	ask(m);
	ask(other);
	now += SEC;
	while (guts_mdns_produce(m, now, &ours, 1, &a) && guts_buf_slice(&a).p[2] == 0)
		;
	while (guts_mdns_produce(other, now, &ours, 1, &b) && guts_buf_slice(&b).p[2] == 0)
		;
	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(guts_buf_slice(&a).p, guts_buf_slice(&b).p, a.len);
	guts_buf_deinit(&a);
	guts_buf_deinit(&b);
	guts_mdns_free(m);
	guts_mdns_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_question),
		cmocka_unit_test(the_answer),
		cmocka_unit_test(more_addresses_than_a_packet_holds),
		cmocka_unit_test(the_question_about_services),
		cmocka_unit_test(what_counts_as_a_question),
		cmocka_unit_test(what_counts_as_an_address),
		cmocka_unit_test(messages_that_are_none_of_ours),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(questions_become_rare),
		cmocka_unit_test(answers_wait_and_gather),
		cmocka_unit_test(a_question_of_others_is_ours),
		cmocka_unit_test(a_flood_is_not_answered),
		cmocka_unit_test(without_addresses_it_only_asks),
		cmocka_unit_test(services_and_names),
	};

	return cmocka_run_group_tests_name("mdns", tests, NULL, NULL);
}
