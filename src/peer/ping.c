/* peer/ping.c - /ipfs/ping/1.0.0: 32 bytes come back, as often as they are sent.
 *
 * Round trips of our own are measured by the muxer's ping; this one is served for others, some
 * of whom close a link that does not answer.
 * Source: libp2p specs, ping/ping.md.
 */
#include "peer/peers_int.h"

#define PING_SIZE 32

static size_t
on_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	size_t n = data.n - data.n % PING_SIZE;

	(void)owner;
	if (n > 0 && guts_stream_send(s, guts_slice(data.p, n)) != 0)
		guts_stream_reset(s, 0);
	return n;
}

static void
on_eof(void *owner, struct guts_stream *s)
{
	(void)owner;
	guts_stream_finish(s);
}

static const struct guts_stream_events ping_events = { .data = on_data, .eof = on_eof };

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	(void)owner;
	(void)proto;
	guts_stream_set_events(s, &ping_events, NULL);
	return true;
}

void
ping_init(struct guts_peers *p)
{
	p->own[2] = (struct guts_protocol){
		.id = PEERS_ID_PING,
		.inbound_max = 2,
		.prio = GUTS_PRIO_CONTROL,
		.on_stream = on_stream,
		.owner = p,
	};
	guts_peers_handle(p, &p->own[2]);
}
