/* sync/inventory.c - which repositories a neighbour has, and in which state.
 *
 * Every node can say one digest over the states of all repositories that a neighbour may know of.  Neighbours tell it in Hello,
 * Ping and Pong; only when it differs from ours is the list itself asked for, and only repositories
 * whose states differ are then looked at.  A pair of digests that was gone through once is not gone
 * through again before one of them changes, or five minutes have passed.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

#define AGAIN_NS (300 * GUTS_SECOND_NS)
#define PAUSE_NS (500 * GUTS_MS_NS) /* between two exchanges with one neighbour */

/* Is it part of what `peer` (NULL: anybody) is told that we have? */
static bool
is_told(const struct guts_repo *r, const struct guts_peerid *peer)
{
	return r->is_ready && !r->is_removed && !r->is_importing && !guts_repo_identity(r)->is_retired &&
	    (!guts_repo_identity(r)->is_private || (peer && guts_repo_may_know(r, peer)));
}

/* Digest over the repositories that `peer` may know of; NULL = the public ones. */
static uint64_t
digest_over(struct guts_sync *s, const struct guts_peerid *peer, uint8_t digest[32])
{
	struct guts_sha256_ctx c;
	uint64_t count = 0;

	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice("guts-inventory/1", 17));
	for (size_t i = 0; i < s->sorted.n; i++) {
		const struct guts_repo *r = s->sorted.v[i];

		if (!is_told(r, peer))
			continue;
		guts_sha256_add(&c, guts_slice(r->id, sizeof r->id));
		guts_sha256_add(&c, guts_slice(r->digest, sizeof r->digest));
		count++;
	}
	guts_sha256_end(&c, digest);
	return count;
}

void
guts_inventory_recompute(struct guts_sync *s)
{
	if (!s->inventory_stale)
		return;
	s->inventory_stale = false;
	s->inventory_count = digest_over(s, NULL, s->inventory);
	s->has_private = false;
	for (size_t i = 0; i < s->sorted.n; i++)
		s->has_private |= s->sorted.v[i]->is_ready && guts_repo_identity(s->sorted.v[i])->is_private;
}

void
guts_sync_inventory(struct guts_sync *s, const struct guts_peerid *peer, uint8_t digest[32], uint64_t *count)
{
	guts_inventory_recompute(s);
	memcpy(digest, s->inventory, 32);
	*count = s->inventory_count;
	if (s->has_private)
		*count = digest_over(s, peer, digest);
}

static void exchange(struct guts_sync *s, struct guts_neighbour *nb);

/* One row of the neighbour's list. */
static void
entry(struct guts_sync *s, struct guts_neighbour *nb, const struct guts_msg_inventory_entry *e)
{
	struct guts_repo *r;

	HASH_FIND(hh, s->repos, e->repository.p, GUTS_REPOID_SIZE, r);
	nb->repositories++;
	if (r && r->is_ready && !r->is_removed)
		guts_fetch_want(r, &nb->id, e->digest.p, memcmp(r->digest, e->digest.p, sizeof r->digest) != 0);
	else
		guts_sync_offer(s, e->repository.p, NULL, &nb->id, e->digest.p);
}

static bool
on_answer(void *owner, const struct guts_msg_response *m)
{
	struct guts_neighbour *nb = owner;
	struct guts_sync *s = nb->sync;
	size_t n = m->inventory.entries.n;

	if (!m->has_inventory)
		return true;
	for (size_t i = 0; i < n; i++)
		entry(s, nb, &m->inventory.entries.v[i]);
	nb->more = m->inventory.more && n;
	if (nb->more)
		memcpy(nb->cursor, m->inventory.entries.v[n - 1].repository.p, GUTS_REPOID_SIZE);
	return true;
}

static void
on_end(void *owner, int err, const char *text)
{
	struct guts_neighbour *nb = owner;
	struct guts_sync *s = nb->sync;

	nb->request = NULL;
	if (err) {
		guts_log(GUTS_LOG_INFO, "sync", "inventory of a neighbour: %s", text ? text : guts_err_text(err));
		nb->not_before_ns = guts_env_now(s->s.env) + 10 * GUTS_SECOND_NS;
		memset(nb->compared_theirs, 0, sizeof nb->compared_theirs);
	} else if (nb->more) {
		exchange(s, nb);
		return;
	} else {
		guts_peers_set_repositories(s->s.peers, &nb->id, nb->repositories);
		nb->not_before_ns = guts_env_now(s->s.env) + PAUSE_NS;
	}
	guts_sync_arm(s);
}

static const struct guts_request_events request_events = { .answer = on_answer, .end = on_end };

static void
exchange(struct guts_sync *s, struct guts_neighbour *nb)
{
	struct guts_msg_request m = { .has_get_inventory = true };

	if (nb->more)
		m.get_inventory.cursor = guts_slice(nb->cursor, sizeof nb->cursor);
	else
		nb->repositories = 0;
	nb->more = false;
	if (guts_request_start(s, &nb->id, &m, &request_events, nb, &nb->request)) {
		nb->request = NULL;
		nb->not_before_ns = guts_env_now(s->s.env) + GUTS_SECOND_NS;
		memset(nb->compared_theirs, 0, sizeof nb->compared_theirs);
	}
}

/* It tells the digest that is ours: it has every one of these repositories, each in our state. */
static void
note_agreement(struct guts_sync *s, struct guts_neighbour *nb)
{
	uint64_t count = 0;

	memcpy(nb->agreed, nb->digest, sizeof nb->agreed);
	for (size_t i = 0; i < s->sorted.n; i++) {
		struct guts_repo *r = s->sorted.v[i];

		if (!is_told(r, &nb->id))
			continue;
		guts_fetch_want(r, &nb->id, r->digest, false);
		count++;
	}
	nb->repositories = count;
	guts_peers_set_repositories(s->s.peers, &nb->id, count);
}

/* Its digest is ours, and was not when we looked last. */
static bool
agrees(struct guts_sync *s, const struct guts_neighbour *nb)
{
	uint8_t ours[32];
	uint64_t count;

	if (!nb->has_digest || nb->request || memcmp(nb->agreed, nb->digest, sizeof ours) == 0)
		return false;
	guts_sync_inventory(s, &nb->id, ours, &count);
	return memcmp(nb->digest, ours, sizeof ours) == 0;
}

static bool
differs(struct guts_sync *s, const struct guts_neighbour *nb, uint64_t now)
{
	uint8_t ours[32];
	uint64_t count;

	if (!nb->has_digest || nb->request)
		return false;
	guts_sync_inventory(s, &nb->id, ours, &count);
	if (memcmp(nb->digest, ours, sizeof ours) == 0)
		return false;
	return now >= nb->compared_at_ns + AGAIN_NS || memcmp(nb->digest, nb->compared_theirs, sizeof ours) != 0 ||
	    memcmp(ours, nb->compared_ours, sizeof ours) != 0;
}

void
guts_neighbours_tick(struct guts_sync *s, uint64_t now)
{
	uint64_t count;

	for (struct guts_neighbour *nb = s->neighbours; nb; nb = nb->hh.next) {
		if (agrees(s, nb))
			note_agreement(s, nb);
		if (now < nb->not_before_ns || !differs(s, nb, now))
			continue;
		memcpy(nb->compared_theirs, nb->digest, sizeof nb->digest);
		guts_sync_inventory(s, &nb->id, nb->compared_ours, &count);
		nb->compared_at_ns = now;
		exchange(s, nb);
	}
}

uint64_t
guts_neighbours_deadline(struct guts_sync *s)
{
	uint64_t at = GUTS_NEVER, now = guts_env_now(s->s.env);

	for (struct guts_neighbour *nb = s->neighbours; nb; nb = nb->hh.next) {
		uint64_t then = nb->not_before_ns > now ? nb->not_before_ns : now;

		if (agrees(s, nb))
			return now;
		if (differs(s, nb, now) && then < at)
			at = then;
	}
	return at;
}

void
guts_sync_peer_up(struct guts_sync *s, const struct guts_peerid *peer)
{
	struct guts_neighbour *nb;

	HASH_FIND(hh, s->neighbours, peer, sizeof *peer, nb);
	if (nb)
		return;
	nb = guts_alloc(sizeof *nb);
	nb->sync = s;
	nb->id = *peer;
	HASH_ADD(hh, s->neighbours, id, sizeof nb->id, nb);
	for (size_t i = 0; i < s->sorted.n; i++) {
		struct guts_repo *r = s->sorted.v[i];

		if (r->local.policy == GUTS_POLICY_SEED && !r->is_ready) /* asked for by id: anyone may have it */
			guts_fetch_want(r, peer, NULL, true);
	}
}

void
guts_sync_peer_down(struct guts_sync *s, const struct guts_peerid *peer)
{
	struct guts_neighbour *nb;

	HASH_FIND(hh, s->neighbours, peer, sizeof *peer, nb);
	if (!nb)
		return;
	if (nb->request)
		guts_request_cancel(nb->request);
	guts_fetch_forget_peer(s, peer);
	HASH_DEL(s->neighbours, nb);
	free(nb);
	guts_sync_arm(s);
}

void
guts_sync_peer_inventory(struct guts_sync *s, const struct guts_peerid *peer, const uint8_t digest[32])
{
	struct guts_neighbour *nb;

	HASH_FIND(hh, s->neighbours, peer, sizeof *peer, nb);
	if (!nb)
		return;
	memcpy(nb->digest, digest, sizeof nb->digest);
	nb->has_digest = true;
	guts_sync_arm(s);
}

void
guts_neighbours_free(struct guts_sync *s)
{
	struct guts_neighbour *nb, *tmp;

	HASH_ITER (hh, s->neighbours, nb, tmp) {
		if (nb->request)
			guts_request_cancel(nb->request);
		HASH_DEL(s->neighbours, nb);
		free(nb);
	}
}
