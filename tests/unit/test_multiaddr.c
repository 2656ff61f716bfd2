/* test_multiaddr.c - addresses in both forms, with the vectors made by js-libp2p. */
#include "vectors.h"
#include "unit.h"

#include "base/err.h"
#include "wire/multiaddr.h"

#include <arpa/inet.h>
#include <string.h>

#define PEER "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"

static struct guts_maddr
parsed(const char *text)
{
	struct guts_maddr m;

	if (guts_maddr_parse(&m, S(text)))
		fail_msg("%s", text);
	return m;
}

static void
assert_text(const struct guts_maddr *m, const char *want)
{
	char text[GUTS_MADDR_TEXT_MAX];

	guts_maddr_text(text, m);
	assert_string_equal(text, want);
}

static void
agrees_with_js_libp2p(void **state)
{
	struct json_object *all = vectors_load("libp2p.json"), *list = vectors_get(all, "multiaddr");
	struct guts_maddr m, decoded;

	(void)state;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct guts_slice bytes = vectors_hex(o, "bytes");

		m = parsed(vectors_str(o, "text"));
		assert_slice_equal(guts_maddr_slice(&m), bytes);
		assert_int_equal(guts_maddr_decode(&decoded, bytes), GUTS_OK);
		assert_true(guts_maddr_eq(&m, &decoded));
		assert_text(&decoded, vectors_str(o, "textOut"));
	}
	list = vectors_get(all, "multiaddrInvalidText");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		assert_int_equal(
		    guts_maddr_parse(&m, S(json_object_get_string(json_object_array_get_idx(list, i)))), GUTS_EINVAL);
	json_object_put(all);
}

static void
refuses_other_texts(void **state)
{
	static const char *const bad[] = { "", "/", "//", "/ip4/127.0.0.1/", "/ip4//tcp/1", "/tcp/", "/tcp/01", "/tcp/1 ",
		"/tcp/+1", "/ip4/1.2.3", "/ip4/1.2.3.4.5", "/ip4/01.2.3.4", "/ip6/::g", "/ip6/1.2.3.4", "/dns/", "/dns/a b",
		"/dns4/a\nb", "/p2p/", "/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5", "/quic-v1/x", "/IP4/1.2.3.4",
		"/certhash/x", "/certhash/u", "/certhash/uEi=", "/ip4/127.0.0.1\n/tcp/1" };
	char longer[GUTS_MADDR_TEXT_MAX + 100];
	struct guts_maddr m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (guts_maddr_parse(&m, S(bad[i])) != GUTS_EINVAL)
			fail_msg("%s", bad[i]);
	assert_int_equal(guts_maddr_parse(&m, guts_slice("/dns/a\0b", 8)), GUTS_EINVAL);
	assert_int_equal(guts_maddr_parse(&m, guts_slice("/ip4/1.2.3.4\0", 13)), GUTS_EINVAL);
	for (size_t i = 0; i + 3 < sizeof(longer); i += 3)
		memcpy(longer + i, "/ws", 4);
	assert_int_equal(guts_maddr_parse(&m, guts_slice(longer, 639)), GUTS_EINVAL); /* 213 components, 426 bytes */
	assert_int_equal(guts_maddr_parse(&m, guts_slice(longer, 480)), GUTS_OK);
	assert_int_equal(m.n, 320);
	assert_int_equal(guts_maddr_parse(&m, guts_slice(longer, 483)), GUTS_EINVAL);
}

static void
refuses_other_bytes(void **state)
{
	static const char *const bad[] = { "", "04", "047f0000", "047f0000010623", "ff", "8004", "06", "0623", "e703",
		"047f00000106232800", "3500", "3503612f62", "3502616206", "a50300", "a5030112", "9f8001", "d20300",
		"d203031202ab", "35ffffffffffffffff7f" };
	uint8_t many[GUTS_MADDR_MAX + 1];
	struct guts_maddr m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (guts_maddr_decode(&m, vectors_unhex(bad[i])) != GUTS_EPROTO)
			fail_msg("%s", bad[i]);
	/* "/p2p-circuit" is six times as long as its two bytes. */
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = i % 2 ? 0x02 : 0xa2;
	assert_int_equal(guts_maddr_decode(&m, guts_slice(many, 2 * 53)), GUTS_OK);
	assert_int_equal(guts_maddr_decode(&m, guts_slice(many, 2 * 54)), GUTS_ELIMIT);
	assert_int_equal(guts_maddr_decode(&m, guts_slice(many, sizeof(many))), GUTS_ELIMIT);
}

static void
reads_aliases_and_rare_protocols(void **state)
{
	static const char certhash[] =
	    "/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/uEiD67lsgiigRR3uDmqGNPyr2sJJAl8b3DNU5CQqHDqDmuA";
	struct guts_maddr m = parsed("/ipfs/" PEER), decoded;

	(void)state;
	assert_text(&m, "/p2p/" PEER);
	m = parsed("/p2p/bafzaajaiaejcbcui4poxicprsx6vfwznhs5f24wkm4e36hmucin7g5eiag2a6324");
	assert_text(&m, "/p2p/" PEER);
	m = parsed(certhash);
	assert_text(&m, certhash);
	assert_int_equal(guts_maddr_decode(&decoded, guts_maddr_slice(&m)), GUTS_OK);
	assert_text(&decoded, certhash);
	m = parsed("/dns4/a.example/tcp/443/tls/sni/a.example/ws");
	assert_text(&m, "/dns4/a.example/tcp/443/tls/sni/a.example/ws");
	m = parsed("/ip6/0:0:0:0:0:0:0:1/tcp/0");
	assert_text(&m, "/ip6/::1/tcp/0");
}

static void
walks_components(void **state)
{
	struct guts_maddr m = parsed("/ip4/1.2.3.4/udp/258/quic-v1");
	struct guts_slice v;
	uint32_t code;
	size_t pos = 0;

	(void)state;
	assert_true(guts_maddr_next(&m, &pos, &code, &v));
	assert_int_equal(code, GUTS_MADDR_IP4);
	assert_slice_equal(v, vectors_unhex("01020304"));
	assert_true(guts_maddr_next(&m, &pos, &code, &v));
	assert_int_equal(code, GUTS_MADDR_UDP);
	assert_slice_equal(v, vectors_unhex("0102"));
	assert_true(guts_maddr_next(&m, &pos, &code, &v));
	assert_int_equal(code, GUTS_MADDR_QUIC_V1);
	assert_int_equal(v.n, 0);
	assert_false(guts_maddr_next(&m, &pos, &code, &v));
}

static void
tells_a_dialer_where_to_go(void **state)
{
	struct guts_maddr m = parsed("/ip4/127.0.0.1/tcp/9000/p2p/" PEER);
	struct guts_maddr_target t;
	char ip[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(guts_maddr_target(&m, &t), GUTS_OK);
	assert_true(t.is_tcp && !t.is_quic && !t.is_dns && t.has_peer);
	assert_int_equal(t.port, 9000);
	assert_int_equal(t.addr.ss_family, AF_INET);
	assert_int_equal(ntohs(((struct sockaddr_in *)&t.addr)->sin_port), 9000);
	assert_int_equal(ntohl(((struct sockaddr_in *)&t.addr)->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(t.peer_n, GUTS_PEERID_SIZE);
	m = parsed("/ip6/fe80::1/udp/1/quic-v1");
	assert_int_equal(guts_maddr_target(&m, &t), GUTS_OK);
	assert_true(t.is_quic && !t.is_tcp && !t.has_peer);
	assert_string_equal(inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&t.addr)->sin6_addr, ip, sizeof(ip)), "fe80::1");
	assert_int_equal(ntohs(((struct sockaddr_in6 *)&t.addr)->sin6_port), 1);
	m = parsed("/dns6/a.example/tcp/65535");
	assert_int_equal(guts_maddr_target(&m, &t), GUTS_OK);
	assert_true(t.is_dns && t.dns_family == 6 && t.port == 65535);
	assert_string_equal(t.host, "a.example");
}

static void
has_no_way_to_other_shapes(void **state)
{
	static const char *const others[] = { "/p2p/" PEER, "/ip4/1.2.3.4", "/tcp/1", "/ip4/1.2.3.4/udp/1",
		"/ip4/1.2.3.4/udp/1/quic", "/ip4/1.2.3.4/tcp/1/ws", "/ip4/1.2.3.4/tcp/1/quic-v1", "/dnsaddr/a.example",
		"/dnsaddr/a.example/tcp/1", "/ip4/1.2.3.4/tcp/1/p2p/" PEER "/p2p-circuit", "/ip6zone/eth0/ip6/fe80::1/tcp/1",
		"/ip4/1.2.3.4/ip4/1.2.3.4/tcp/1" };
	struct guts_maddr_target t;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct guts_maddr m = parsed(others[i]);

		assert_int_equal(guts_maddr_target(&m, &t), GUTS_EUNSUPPORTED);
	}
}

static void
comes_from_socket_addresses(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(81) };
	struct guts_maddr m;

	(void)state;
	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	guts_maddr_from_tcp(&m, (struct sockaddr *)&in);
	assert_text(&m, "/ip4/192.0.2.1/tcp/80");
	inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
	guts_maddr_from_tcp(&m, (struct sockaddr *)&in6);
	assert_text(&m, "/ip6/2001:db8::1/tcp/81");
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
	guts_maddr_from_tcp(&m, (struct sockaddr *)&in6);
	assert_text(&m, "/ip4/192.0.2.1/tcp/81");
}

static void
gains_and_loses_a_peer(void **state)
{
	struct guts_maddr m = parsed("/ip4/1.2.3.4/tcp/1"), plain = m, full;
	struct guts_slice id = vectors_unhex("0024080112208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");

	(void)state;
	guts_maddr_strip_peer(&m);
	assert_true(guts_maddr_eq(&m, &plain));
	assert_int_equal(guts_maddr_add_peer(&m, id), GUTS_OK);
	assert_text(&m, "/ip4/1.2.3.4/tcp/1/p2p/" PEER);
	guts_maddr_strip_peer(&m);
	assert_memory_equal(&m, &plain, sizeof(m));
	m = parsed("/p2p/" PEER "/p2p-circuit");
	full = m;
	guts_maddr_strip_peer(&m);
	assert_true(guts_maddr_eq(&m, &full));
	m = parsed("/p2p/" PEER);
	guts_maddr_strip_peer(&m);
	assert_int_equal(m.n, 0);
	guts_maddr_strip_peer(&m);
	while (guts_maddr_add_peer(&m, id) == GUTS_OK)
		full = m;
	assert_true(guts_maddr_eq(&m, &full));
	assert_int_equal(m.n, 7 * 41);
}

static void
knows_private_hosts(void **state)
{
	static const struct {
		const char *text;
		bool is_loopback, is_private;
	} rows[] = {
		{ "/ip4/127.0.0.1/tcp/1", true, true }, { "/ip4/127.255.0.1/tcp/1", true, true },
		{ "/ip6/::1/tcp/1", true, true }, { "/ip4/10.0.0.1/tcp/1", false, true },
		{ "/ip4/172.16.0.1/tcp/1", false, true }, { "/ip4/172.31.255.1/tcp/1", false, true },
		{ "/ip4/172.32.0.1/tcp/1", false, false }, { "/ip4/192.168.1.1/tcp/1", false, true },
		{ "/ip4/169.254.1.1/tcp/1", false, true }, { "/ip4/100.64.0.1/tcp/1", false, true },
		{ "/ip4/100.128.0.1/tcp/1", false, false }, { "/ip4/8.8.8.8/tcp/1", false, false },
		{ "/ip6/fe80::1/tcp/1", false, true }, { "/ip6zone/eth0/ip6/fe80::1/tcp/1", false, true },
		{ "/ip6/fd00::1/tcp/1", false, true }, { "/ip6/2001:db8::1/tcp/1", false, false },
		{ "/dns4/localhost/tcp/1", false, false }, { "/p2p/" PEER, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guts_maddr m = parsed(rows[i].text);

		assert_int_equal(guts_maddr_is_loopback(&m), rows[i].is_loopback);
		assert_int_equal(guts_maddr_is_private(&m), rows[i].is_private);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_js_libp2p),
		cmocka_unit_test(refuses_other_texts),
		cmocka_unit_test(refuses_other_bytes),
		cmocka_unit_test(reads_aliases_and_rare_protocols),
		cmocka_unit_test(walks_components),
		cmocka_unit_test(tells_a_dialer_where_to_go),
		cmocka_unit_test(has_no_way_to_other_shapes),
		cmocka_unit_test(comes_from_socket_addresses),
		cmocka_unit_test(gains_and_loses_a_peer),
		cmocka_unit_test(knows_private_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
