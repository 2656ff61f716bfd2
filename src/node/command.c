/* node/command.c - commands about peers and owners' aliases.
 *
 * "Connect" answers when the link is up or the dial failed, so that a person learns the reason.
 */
#include "node/internal.h"

#include "base/alloc.h"
#include "base/text.h"
#include "proto/identity.h"

#include <stdio.h>
#include <stdlib.h>

static void
connect_end(struct guts_node *n, struct guts_connect *c, int err, const char *text, const struct guts_peerid *peer)
{
	struct guts_errinfo ei = { 0 };

	DL_DELETE(n->connects, c);
	n->nconnects--;
	if (err)
		guts_err_set(&ei, err, "%s", text);
	c->done(c->owner, err, &ei, peer);
	free(c);
}

void
guts_node_peer_connect(struct guts_node *n, const struct guts_maddr *addr,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei, const struct guts_peerid *peer), void *owner)
{
	struct guts_errinfo ei = { 0 };
	struct guts_maddr_target t;
	struct guts_connect *c;
	struct guts_peerid peer = { 0 };
	int err = guts_maddr_target(addr, &t);

	if (err)
		guts_err_set(&ei, err, "not an address this node can dial: it needs /ip4|ip6|dns…/tcp/PORT");
	else if (t.has_peer && guts_peerid_decode(&peer, guts_slice(t.peer, t.peer_n)))
		err = guts_err_set(&ei, GUTS_EINVAL, "the peer id in the address is none");
	if (!err && t.has_peer && guts_peers_is_connected(n->peers, &peer)) {
		done(owner, GUTS_OK, &ei, &peer);
		return;
	}
	if (!err && n->nconnects >= GUTS_CONNECTS_MAX)
		err = guts_err_set(&ei, GUTS_EBUSY, "too many connects wait");
	if (!err) {
		err = guts_peers_connect(n->peers, addr);
		if (err == GUTS_EEXIST)
			err = GUTS_OK; /* being dialled: wait for that */
		if (err)
			guts_err_set(&ei, err, "%s", err == GUTS_ECONFLICT ? "that is this node itself" :
			    err == GUTS_EDENIED ? "the peer is banned" : guts_err_text(err));
	}
	if (err) {
		done(owner, err, &ei, NULL);
		return;
	}
	if (t.has_peer)
		(void)guts_peers_keep(n->peers, addr, true);
	c = guts_alloc(sizeof *c);
	*c = (struct guts_connect){ .addr = *addr, .peer = peer, .done = done, .owner = owner };
	guts_maddr_strip_peer(&c->addr);
	c->until_ns = guts_env_now(n->env) + (uint64_t)n->s.connection_timeout_ms * GUTS_MS_NS + 2 * GUTS_SECOND_NS;
	DL_APPEND(n->connects, c);
	n->nconnects++;
	guts_node_rearm(n);
}

void
guts_command_connected(struct guts_node *n, const struct guts_peerid *peer)
{
	struct guts_connect *c, *tmp;
	struct guts_peer_state st;

	if (!n->connects || guts_peers_state(n->peers, peer, &st))
		return;
	DL_FOREACH_SAFE (n->connects, c, tmp) {
		if (c->peer.n ? guts_peerid_eq(&c->peer, peer) : guts_maddr_eq(&c->addr, &st.remote))
			connect_end(n, c, GUTS_OK, NULL, peer);
	}
}

static void
note_dial(struct guts_node *n, const struct guts_maddr *addr, const char *reason)
{
	struct guts_dial_note *d = NULL;

	for (size_t i = 0; i < n->ndials && !d; i++) {
		if (guts_maddr_eq(&n->dials[i].addr, addr))
			d = &n->dials[i];
	}
	if (!d && n->ndials == GUTS_DIALS_MAX) {
		memmove(n->dials, n->dials + 1, (GUTS_DIALS_MAX - 1) * sizeof n->dials[0]);
		n->ndials--;
	}
	if (!d) {
		d = &n->dials[n->ndials++];
		*d = (struct guts_dial_note){ .addr = *addr };
	}
	snprintf(d->error, sizeof d->error, "%s", reason ? reason : "");
	d->last_wall_ns = guts_env_wall(n->env);
	d->tries++;
}

void
guts_command_dial_failed(struct guts_node *n, const struct guts_maddr *addr, int err, const char *reason)
{
	struct guts_connect *c, *tmp;
	struct guts_maddr bare = *addr;

	note_dial(n, addr, reason);
	guts_maddr_strip_peer(&bare);
	DL_FOREACH_SAFE (n->connects, c, tmp) {
		if (guts_maddr_eq(&c->addr, &bare))
			connect_end(n, c, err, reason ? reason : guts_err_text(err), NULL);
	}
}

uint64_t
guts_command_tick(struct guts_node *n, uint64_t now)
{
	struct guts_connect *c, *tmp;
	uint64_t at = GUTS_NEVER;

	DL_FOREACH_SAFE (n->connects, c, tmp) {
		if (c->until_ns <= now)
			connect_end(n, c, GUTS_ETIMEOUT, "no link in time", NULL);
		else if (c->until_ns < at)
			at = c->until_ns;
	}
	return at;
}

void
guts_command_free(struct guts_node *n)
{
	while (n->connects)
		connect_end(n, n->connects, GUTS_ECANCELED, "the node is stopping", NULL);
}

int
guts_node_peer_disconnect(struct guts_node *n, const struct guts_peerid *peer)
{
	struct guts_peer_state st;
	int err = guts_peers_state(n->peers, peer, &st);

	if (err)
		return err;
	for (size_t i = 0; i <= st.n_addrs; i++) { /* as dialled, or as it says */
		struct guts_maddr a = i < st.n_addrs ? st.addrs[i] : st.remote;

		if (guts_maddr_add_peer(&a, guts_peerid_slice(peer)) == GUTS_OK)
			(void)guts_peers_keep(n->peers, &a, false);
	}
	err = guts_peers_disconnect(n->peers, peer, "asked for by the user");
	guts_swarm_forget(n, peer);
	return err;
}

void
guts_node_peer_ban(struct guts_node *n, const struct guts_peerid *peer, const char *reason, uint64_t seconds,
    guts_done_fn *done, void *owner)
{
	struct guts_errinfo ei = { 0 };
	int err = GUTS_OK;

	if (guts_peerid_eq(peer, &n->s.key.id))
		err = guts_err_set(&ei, GUTS_EINVAL, "a node cannot ban itself");
	else if (seconds > UINT64_MAX / GUTS_SECOND_NS / 2)
		err = guts_err_set(&ei, GUTS_EINVAL, "that many seconds cannot be counted; 0 bans for good");
	else if ((err = guts_peers_ban(n->peers, peer, seconds * GUTS_SECOND_NS, reason && reason[0] ? reason :
	    "by the user")) != 0)
		guts_err_set(&ei, err, "the list of bans is full");
	guts_snapshot_dirty(n);
	done(owner, err, &ei);
}

void
guts_node_peer_lift(struct guts_node *n, const struct guts_peerid *peer, guts_done_fn *done, void *owner)
{
	struct guts_errinfo ei = { 0 };
	int err = guts_peers_lift(n->peers, peer);

	if (err)
		guts_err_set(&ei, err, "the peer is not banned");
	guts_snapshot_dirty(n);
	done(owner, err, &ei);
}

void
guts_node_alias(struct guts_node *n, const char *alias, const struct guts_peerid *peer, guts_done_fn *done,
    void *owner)
{
	struct guts_errinfo ei = { 0 };
	struct guts_slice name = guts_slice_str(alias);

	if (!guts_reponame_is_valid(name) || guts_routeword_is_reserved(name)) {
		guts_err_set(&ei, GUTS_EINVAL, "\"%.100s\" is no alias: the rules of repository names hold", alias);
		done(owner, GUTS_EINVAL, &ei);
		return;
	}
	guts_persist_put(n, GUTS_TABLE_ALIAS, name, peer ? guts_peerid_slice(peer) : guts_slice(NULL, 0), done, owner);
}
