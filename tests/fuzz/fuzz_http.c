/* Request targets, headers and hosts: first byte picks, the rest is the text.  No part of a decoded path is
 * empty, "." or "..", or holds a control byte. */
#include "fuzz.h"
#include "http/guard.h"
#include "http/remote.h"
#include "http/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void
try_target(struct guts_slice in)
{
	static const char *const keys[] = { "page", "a", "ref", "" };
	struct guts_target t;
	char *text = malloc(in.n + 1);

	if (!text)
		abort();
	memcpy(text, in.p, in.n);
	if (guts_target_parse(&t, text, in.n) == 0) {
		for (size_t i = 0; i < t.nseg; i++) {
			struct guts_slice s = guts_target_segment(&t, i);
			bool dots = (s.n == 1 && s.p[0] == '.') || (s.n == 2 && s.p[0] == '.' && s.p[1] == '.');
			if (s.n == 0 || dots)
				abort();
			for (size_t k = 0; k < s.n; k++) {
				if (s.p[k] < 0x20 || s.p[k] == 0x7f || s.p[k] == '\\')
					abort();
			}
		}
		for (size_t i = 0; i < 4; i++)
			guts_target_query(&t, keys[i]);
	}
	free(text);
}

/* A stranger's address is his own, whatever he writes; a proxy's word leads to an address that is no proxy's, or to its own. */
static void
try_remote(const struct guts_guard *g)
{
	const struct guts_proxies p = { .n = 1, .net[0] = { .b = { [10] = 0xff, [11] = 0xff, [12] = 10 }, .bits = 104 } };
	struct sockaddr_in stranger = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
	struct sockaddr_in proxy = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001) };
	struct guts_remote r;
	uint8_t ip[GUTS_IP_SIZE];

	guts_remote_find(&r, &p, (struct sockaddr *)&stranger, false, g);
	if (!guts_ip_of(ip, (struct sockaddr *)&stranger) || memcmp(ip, r.ip, sizeof ip) != 0 || r.is_local || r.is_https)
		abort();
	guts_remote_find(&r, &p, (struct sockaddr *)&proxy, false, g);
	if (r.is_local && !guts_ip_is_loopback(r.ip))
		abort();
}

static void
try_headers(struct guts_slice in)
{
	struct guts_guard g;
	size_t at = 0;

	guts_guard_begin(&g, guts_slice_str("POST"), guts_slice_str("HTTP/1.1"));
	while (at < in.n) {
		const uint8_t *lf = memchr(in.p + at, '\n', in.n - at);
		size_t end = lf ? (size_t)(lf - in.p) : in.n;
		const uint8_t *colon = memchr(in.p + at, ':', end - at);
		size_t mid = colon ? (size_t)(colon - in.p) : end;
		size_t val = mid < end ? mid + 1 : end;
		guts_guard_add(&g, guts_slice(in.p + at, mid - at), guts_slice(in.p + val, end - val));
		at = end + 1;
	}
	int status = guts_guard_end(&g);
	if (status == 0 && g.is_chunked && g.has_length)
		abort();
	try_remote(&g);
	guts_guard_host(g.v[GUTS_HEAD_HOST], true, NULL, 0);
	guts_guard_accepts(g.v[GUTS_HEAD_ACCEPT], "text/html");
	guts_guard_type_is(g.v[GUTS_HEAD_CONTENT_TYPE], "application/json");
	guts_guard_cookie(g.v[GUTS_HEAD_COOKIE], "guts-abc");
	guts_guard_matches(g.v[GUTS_HEAD_IF_NONE_MATCH], "\"x\"");
	for (uint64_t size = 0; size < 20; size += 9) {
		struct guts_range part;
		if (guts_guard_range(g.v[GUTS_HEAD_RANGE], size, &part) == GUTS_RANGE_PART &&
		    (part.n == 0 || part.from >= size || part.n > size - part.from))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	if (data[0] & 1)
		try_target(guts_slice(data + 1, n - 1));
	else
		try_headers(guts_slice(data + 1, n - 1));
	return 0;
}
