/* discover/bootstrap.c - the bootstrap list as kept peers of the peer manager. */
#include "discover/bootstrap.h"

#include "base/alloc.h"

#include <stdlib.h>

struct guts_bootstrap {
	struct guts_peers *peers;
	struct guts_maddr list[GUTS_BOOTSTRAP_MAX];
	struct guts_peerid ids[GUTS_BOOTSTRAP_MAX];
	size_t n;
};

struct guts_bootstrap *
guts_bootstrap_new(struct guts_peers *peers)
{
	struct guts_bootstrap *b = guts_alloc(sizeof(*b));

	b->peers = peers;
	return b;
}

void
guts_bootstrap_free(struct guts_bootstrap *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++)
		guts_peers_keep(b->peers, &b->list[i], false);
	free(b);
}

static int
check(const struct guts_maddr *m, struct guts_peerid *id, struct guts_errinfo *ei)
{
	char text[GUTS_MADDR_TEXT_MAX];
	struct guts_maddr_target t;

	guts_maddr_text(text, m);
	if (guts_maddr_target(m, &t) != 0 || !t.is_tcp)
		return guts_err_set(ei, GUTS_EINVAL, "%.200s: not a TCP address", text);
	if (!t.has_peer || guts_peerid_decode(id, guts_slice(t.peer, t.peer_n)) != 0)
		return guts_err_set(ei, GUTS_EINVAL, "%.200s: lacks the peer id (…/p2p/12D3KooW…)", text);
	return 0;
}

static bool
holds(const struct guts_maddr *list, size_t n, const struct guts_maddr *m)
{
	for (size_t i = 0; i < n; i++)
		if (guts_maddr_eq(&list[i], m))
			return true;
	return false;
}

int
guts_bootstrap_set(struct guts_bootstrap *b, const struct guts_maddr *list, size_t n, struct guts_errinfo *ei)
{
	struct guts_peerid ids[GUTS_BOOTSTRAP_MAX] = { 0 };

	if (n > GUTS_BOOTSTRAP_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d bootstrap nodes", GUTS_BOOTSTRAP_MAX);
	for (size_t i = 0; i < n; i++) {
		int err = check(&list[i], &ids[i], ei);

		if (err)
			return err;
	}
	for (size_t i = 0; i < b->n; i++)
		if (!holds(list, n, &b->list[i]))
			guts_peers_keep(b->peers, &b->list[i], false);
	b->n = 0;
	for (size_t i = 0; i < n; i++) {
		int err = guts_peers_keep(b->peers, &list[i], true);

		if (err == GUTS_ECONFLICT)
			continue; /* ourselves: fine in a list that all nodes share */
		if (err)
			return guts_err_set(ei, err, "bootstrap node %zu: %s", i + 1, guts_err_text(err));
		b->ids[b->n] = ids[i];
		b->list[b->n++] = list[i];
	}
	return 0;
}

size_t
guts_bootstrap_count(const struct guts_bootstrap *b)
{
	return b->n;
}

size_t
guts_bootstrap_connected(const struct guts_bootstrap *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += guts_peers_is_connected(b->peers, &b->ids[i]);
	return n;
}
