/* fuzz_mdns.c - mDNS packets from strangers, one after the other, to one node.
 *
 * Input: pieces of a big-endian 16-bit length and so many bytes, each a packet that comes 100 ms after the one before.
 * What was read is written and read again; the node answers at most once per second and never falls silent.
 */
#include "base/cursor.h"
#include "discover/mdns.h"
#include "fuzz.h"

#include <stdlib.h>

#define MS UINT64_C(1000000)

static void
read_again(const struct guts_mdns_packet *p)
{
	struct guts_mdns_packet again;
	struct guts_buf b;

	guts_buf_init(&b, GUTS_MDNS_SEND_MAX);
	guts_mdns_encode_answer(&b, "abcdefghijklmnopqrstuvwxyz234567", p->addrs, p->n);
	if (b.failed || guts_mdns_decode(&again, guts_buf_slice(&b)) != 0 || again.n > p->n)
		abort();
	for (size_t i = 0, k = 0; i < again.n; i++, k++) { /* some may not have fitted */
		while (k < p->n && !guts_maddr_eq(&again.addrs[i], &p->addrs[k]))
			k++;
		if (k == p->n)
			abort();
	}
	guts_buf_deinit(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t now = 1000 * MS, last_answer = 0;
	struct guts_mdns *m = guts_mdns_new(1, now);
	struct guts_mdns_packet p;
	struct guts_cursor c;
	struct guts_maddr ours;
	struct guts_buf b;

	if (guts_maddr_parse(&ours, guts_slice_str("/ip4/10.0.0.1/tcp/1")) != 0)
		abort();
	guts_buf_init(&b, GUTS_MDNS_SEND_MAX);
	guts_cursor_init(&c, guts_slice(data, n));
	while (guts_cursor_left(&c) > 0) {
		struct guts_slice packet = guts_cursor_bytes(&c, guts_cursor_be16(&c));

		if (guts_mdns_decode(&p, packet) == 0)
			read_again(&p);
		guts_mdns_receive(m, packet, now, &p);
		now += 100 * MS;
		while (guts_mdns_produce(m, now, &ours, 1, &b)) {
			if (guts_mdns_decode(&p, guts_buf_slice(&b)) != 0)
				abort();
			if (p.n > 0 && last_answer > 0 && now - last_answer < 1000 * MS)
				abort();
			if (p.n > 0)
				last_answer = now;
		}
		if (guts_mdns_deadline(m) <= now || guts_mdns_deadline(m) > now + 400 * 1000 * MS)
			abort();
	}
	guts_buf_deinit(&b);
	guts_mdns_free(m);
	return 0;
}
