/* transport/link.c - the part of a link that is the same for every transport.
 *
 * The rule that keeps callbacks safe: every entry from outside (bytes, a timer, a call of the
 * owner) is bracketed by link_enter and link_leave.  Inside, links and streams only die by a
 * mark; what is marked is freed when the outermost bracket closes.  So any callback may close
 * any link and reset any stream.
 */
#include "transport/link_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <utlist.h>

#define HANDSHAKE_NS (GUTS_HANDSHAKE_DEADLINE_S * GUTS_SECOND_NS)
#define KEEPALIVE_NS (30 * GUTS_SECOND_NS)
#define SEALED_MAX (512u << 10) /* [bytes] one write */

struct guts_link_context *
guts_link_context_new(struct guts_env *env, const struct guts_key *key, uint64_t handshake_timeout_ns,
    uint64_t keepalive_ns)
{
	struct guts_link_context *ctx = guts_alloc(sizeof(*ctx));
	uint8_t seed[32];

	ctx->env = env;
	ctx->key = key;
	ctx->handshake_timeout_ns = handshake_timeout_ns ? handshake_timeout_ns : HANDSHAKE_NS;
	ctx->keepalive_ns = keepalive_ns ? keepalive_ns : KEEPALIVE_NS;
	ctx->budget.max = GUTS_NODE_RECV_MAX;
	guts_buf_init(&ctx->sealed, SEALED_MAX);
	guts_env_random(env, seed, sizeof(seed));
	guts_noise_identity_init(&ctx->noise, key, seed);
	explicit_bzero(seed, sizeof(seed));
	return ctx;
}

void
guts_link_context_free(struct guts_link_context *ctx)
{
	if (!ctx)
		return;
	while (ctx->dying) {
		struct guts_link *l = ctx->dying;

		link_enter(l);
		link_leave(l);
	}
	guts_noise_identity_wipe(&ctx->noise);
	explicit_bzero(ctx->plain, sizeof(ctx->plain));
	guts_buf_wipe(&ctx->sealed);
	free(ctx);
}

void
link_enter(struct guts_link *l)
{
	l->depth++;
}

bool
link_leave(struct guts_link *l)
{
	struct guts_stream *s, *tmp;

	if (l->depth > 1) {
		l->depth--;
		return false;
	}
	if (l->dead) {
		/* Still inside: the streams' last events may call anything. */
		const struct guts_link_events *ev;

		l->ops->destroy(l);
		ev = l->ev;
		if (ev && ev->down)
			ev->down(l->owner, l, l->down_err);
	}
	DL_FOREACH_SAFE(l->graveyard, s, tmp) {
		DL_DELETE(l->graveyard, s);
		stream_free(s);
	}
	l->depth--;
	if (!l->dead)
		return false;
	if (l->is_dying)
		DL_DELETE(l->ctx->dying, l);
	free(l);
	return true;
}

void
link_fail(struct guts_link *l, int err)
{
	if (l->dead)
		return;
	l->dead = true;
	l->down_err = err;
	l->close_code = err == GUTS_EPROTO || err == GUTS_ELIMIT ? GUTS_GOAWAY_PROTOCOL : GUTS_GOAWAY_NORMAL;
}

void
link_up(struct guts_link *l)
{
	l->up = true;
	if (l->ev && l->ev->up)
		l->ev->up(l->owner, l);
}

void
guts_link_close(struct guts_link *l, enum guts_goaway code)
{
	l->ev = NULL;
	if (!l->dead) {
		l->dead = true;
		l->close_code = code;
	}
	if (l->depth > 0)
		return;
	if (l->ctx->pulling) {
		/* Inside another link's pull, whose buffers the farewell would need. */
		if (!l->is_dying)
			DL_APPEND(l->ctx->dying, l);
		l->is_dying = true;
		l->ops->later(l);
		return;
	}
	link_enter(l);
	link_leave(l);
}

bool
guts_link_is_up(const struct guts_link *l)
{
	return l->up && !l->dead;
}

bool
guts_link_is_inbound(const struct guts_link *l)
{
	return l->inbound;
}

const struct guts_peerid *
guts_link_peer(const struct guts_link *l)
{
	return &l->peer;
}

const struct guts_maddr *
guts_link_remote(const struct guts_link *l)
{
	return &l->remote;
}

void
guts_link_local(struct guts_link *l, struct guts_maddr *out)
{
	l->ops->local(l, out);
}

void *
guts_link_owner(const struct guts_link *l)
{
	return l->owner;
}

uint64_t
guts_link_bytes_in(const struct guts_link *l)
{
	return l->bytes_in;
}

uint64_t
guts_link_bytes_out(const struct guts_link *l)
{
	return l->bytes_out;
}

uint64_t
guts_link_rtt_ns(const struct guts_link *l)
{
	return l->ops->rtt(l);
}

uint64_t
guts_link_last_seen_ns(const struct guts_link *l)
{
	return l->last_seen_ns;
}

size_t
guts_link_streams(const struct guts_link *l)
{
	return l->n_streams;
}

size_t
guts_link_unread_bytes(const struct guts_link *l)
{
	return l->ops->unread(l);
}
