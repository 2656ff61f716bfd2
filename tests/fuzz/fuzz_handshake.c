/* A stranger's bytes to a listening link, before it has proven anything: it is cut by the deadline at the latest. */
#include "base/alloc.h"
#include "../unit/memenv.h"
#include "fuzz.h"
#include "transport/link.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct fuzz {
	struct guts_link_context *ctx;
	int up, down;
	bool closed;
};

static void
on_up(void *owner, struct guts_link *l)
{
	(void)l;
	((struct fuzz *)owner)->up++;
}

static void
on_down(void *owner, struct guts_link *l, int err)
{
	(void)l;
	(void)err;
	((struct fuzz *)owner)->down++;
}

static const struct guts_link_events link_events = { .up = on_up, .down = on_down };

static bool
on_accept(void *owner, struct guts_conn *c, const struct sockaddr *from, const struct guts_conn_events **events,
    void **conn_owner)
{
	struct fuzz *f = owner;

	guts_link_accept_tcp(f->ctx, c, from, &link_events, f, events, conn_owner);
	return true;
}

static const struct guts_listener_events listener_events = { on_accept };

static void
on_open(void *owner, struct guts_conn *c, int err)
{
	(void)owner;
	(void)c;
	if (err)
		abort();
}

static void
on_data(void *owner, struct guts_conn *c, struct guts_slice data)
{
	(void)owner;
	(void)c;
	(void)data;
}

static void
on_writable(void *owner, struct guts_conn *c)
{
	(void)owner;
	(void)c;
}

static void
on_closed(void *owner, struct guts_conn *c, int err)
{
	(void)c;
	(void)err;
	((struct fuzz *)owner)->closed = true;
}

static const struct guts_conn_events conn_events = { on_open, on_data, on_writable, on_closed };

/* The first byte says in what pieces the rest goes. */
static void
throw_bytes(struct memnet *net, struct guts_env *from, struct guts_conn *c, struct fuzz *f, struct guts_slice in)
{
	size_t step = in.p[0] % 64 + 1u;

	in = guts_slice(in.p + 1, in.n - 1);
	while (in.n > 0 && !f->closed) {
		size_t n = in.n < step ? in.n : step;

		if (guts_env_write(from, c, guts_slice(in.p, n)) != 0)
			break;
		in = guts_slice(in.p + n, in.n - n);
		step *= 2;
		memnet_pass(net, 3 * GUTS_MS_NS);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct memnet *net = memnet_new(GUTS_MS_NS);
	struct guts_env *server = memnet_node(net, 1), *stranger = memnet_node(net, 2);
	struct sockaddr_storage bound;
	struct guts_listener *l;
	struct guts_conn *c;
	struct guts_key key;
	struct fuzz f = { 0 };

	if (guts_crypto_init() != 0)
		abort();
	guts_key_from_seed(&key, (uint8_t[32]){ 1 });
	f.ctx = guts_link_context_new(server, &key, 0, 0);
	sa.sin_addr.s_addr = htonl(0x0a000001);
	if (guts_env_listen(server, (struct sockaddr *)&sa, &listener_events, &f, &l, &bound) != 0
	    || guts_env_dial(stranger, (struct sockaddr *)&sa, &conn_events, &f, &c) != 0)
		abort();
	memnet_pass(net, 5 * GUTS_MS_NS);
	if (size > 0)
		throw_bytes(net, stranger, c, &f, guts_slice(data, size));
	memnet_pass(net, 11 * GUTS_SECOND_NS);
	if (f.up || f.down != 1 || !f.closed)
		abort();
	guts_env_unlisten(server, l);
	guts_link_context_free(f.ctx);
	memnet_free(net);
	return 0;
}
