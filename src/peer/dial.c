/* peer/dial.c - who is dialled, when, and at which of its addresses.
 *
 * A dial is a wish: once (a person's, or our own from the book) or for as long as it is kept
 * (bootstrap, wanted peers).  A round tries the peer's addresses one after the other; a failed
 * round waits base · 2^failures, ± half by chance, so that many nodes that lost one peer do not
 * come back in step.  A link that lasted clears the count.
 */
#include "base/alloc.h"
#include "peer/peers_int.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_CHANCES 3 /* failures before a kept peer has to wait for a free slot like everybody */
#define BACKOFF_BASE_NS (GUTS_SECOND_NS / 2)
#define BACKOFF_MAX_NS (60 * GUTS_SECOND_NS)
#define SHOWN_NS (60 * GUTS_SECOND_NS)    /* a failed dial stays listed */
#define NO_SLOT_NS GUTS_SECOND_NS         /* until a dial without a slot looks again */

static struct peer_dial *
dial_new(struct guts_peers *p, const struct guts_maddr *addr, const struct guts_peerid *peer)
{
	struct peer_dial *d = guts_alloc(sizeof(*d));

	d->id = ++p->next_dial_id;
	if (addr)
		d->addr = *addr;
	if (peer)
		d->peer = *peer;
	d->state = DIAL_WAITS;
	d->next_at_ns = guts_env_now(p->env);
	DL_APPEND(p->dials, d);
	p->n_dials++;
	peers_wake(p);
	return d;
}

static void
dial_free(struct guts_peers *p, struct peer_dial *d)
{
	if (d->state == DIAL_RESOLVES || d->state == DIAL_RUNS)
		p->n_dialing--;
	if (d->plink)
		d->plink->dial = NULL;
	DL_DELETE(p->dials, d);
	p->n_dials--;
	free(d);
}

static struct peer_dial *
find_by_id(const struct guts_peers *p, uint64_t id)
{
	struct peer_dial *d;

	DL_FOREACH(p->dials, d)
		if (d->id == id)
			return d;
	return NULL;
}

static struct peer_dial *
find_same(const struct guts_peers *p, const struct guts_maddr *addr, const struct guts_peerid *peer)
{
	struct peer_dial *d;

	DL_FOREACH(p->dials, d) {
		if (peer && guts_peerid_eq(&d->peer, peer))
			return d;
		if (addr && addr->n > 0 && guts_maddr_eq(&d->addr, addr))
			return d;
	}
	return NULL;
}

static uint64_t
backoff(struct guts_peers *p, unsigned failures)
{
	uint64_t d = BACKOFF_BASE_NS;

	for (unsigned i = 0; i < failures && d < BACKOFF_MAX_NS; i++)
		d *= 2;
	if (d > BACKOFF_MAX_NS)
		d = BACKOFF_MAX_NS;
	return d / 2 + guts_rng_below(&p->rng, d);
}

/* A whole round came to nothing. */
static void
round_failed(struct guts_peers *p, struct peer_dial *d, int err)
{
	uint64_t now = guts_env_now(p->env);
	struct guts_maddr addr = d->addr;
	struct guts_peerid peer = d->peer;
	char reason[GUTS_PEER_REASON_MAX];
	bool tell = !d->is_auto;

	if (d->reason[0] == '\0')
		snprintf(d->reason, sizeof(d->reason), "%s", guts_err_text(err));
	memcpy(reason, d->reason, sizeof(reason));
	if (addr.n == 0 && d->n_tries > 0)
		addr = d->tries[0];
	p->stats.dial_failed++;
	d->failures++;
	d->last_wall_ns = guts_env_wall(p->env);
	d->mid_round = false;
	if (d->keep && err != GUTS_ECONFLICT) {
		d->state = DIAL_WAITS;
		d->next_at_ns = now + backoff(p, d->failures);
	} else if (d->is_auto) {
		dial_free(p, d);
	} else {
		d->keep = false;
		d->state = DIAL_IDLE;
		d->next_at_ns = now + SHOWN_NS;
	}
	peers_wake(p);
	if (tell && p->ev->dial_failed)
		p->ev->dial_failed(p->owner, &addr, err, reason);
	if (peer.n && p->ev->unreached)
		p->ev->unreached(p->owner, &peer, err);
}

static void
give_up_slot(struct guts_peers *p, struct peer_dial *d)
{
	if (d->state == DIAL_RESOLVES || d->state == DIAL_RUNS)
		p->n_dialing--;
	d->state = DIAL_WAITS;
}

/* Dial one socket address; false if it failed at once. */
static bool
dial_sockaddr(struct guts_peers *p, struct peer_dial *d, const struct sockaddr_storage *sa)
{
	struct plink *pl = guts_alloc(sizeof(*pl));
	int err;

	pl->p = p;
	pl->dial = d;
	pl->is_feeler = d->is_feeler;
	err = guts_link_dial_tcp(p->ctx, (const struct sockaddr *)sa, d->peer.n ? &d->peer : NULL,
	    &peers_link_events, pl, &pl->link);
	if (err) {
		snprintf(d->reason, sizeof(d->reason), "%s", guts_err_text(err));
		d->last_err = err;
		free(pl);
		return false;
	}
	DL_APPEND(p->plinks, pl);
	d->plink = pl;
	if (d->state != DIAL_RESOLVES)
		p->n_dialing++;
	d->state = DIAL_RUNS;
	d->last_wall_ns = guts_env_wall(p->env);
	return true;
}

static void
resolved(void *owner, const struct guts_addrs *a)
{
	struct peer_resolve *r = owner;
	struct guts_peers *p = r->p;
	struct peer_dial *d;

	if (p) {
		DL_DELETE(p->resolves, r);
		d = find_by_id(p, r->dial_id);
		if (d && d->state == DIAL_RESOLVES) {
			give_up_slot(p, d);
			d->resolved = *a;
			d->resolved_at = 0;
			if (a->err || a->n == 0) {
				d->resolved.err = d->last_err = GUTS_ENOTFOUND;
				d->resolved.n = 0;
				snprintf(d->reason, sizeof(d->reason), "the name was not found");
			}
			d->mid_round = true;
			d->next_at_ns = guts_env_now(p->env);
			peers_wake(p);
		}
	}
	free(r);
}

static void
start_resolve(struct guts_peers *p, struct peer_dial *d, const struct guts_maddr_target *t)
{
	struct peer_resolve *r = guts_alloc(sizeof(*r));

	r->p = p;
	r->dial_id = d->id;
	DL_APPEND(p->resolves, r);
	d->state = DIAL_RESOLVES;
	p->n_dialing++;
	guts_env_resolve(p->env, t->host, t->port, t->dns_family, resolved, r);
}

static bool
is_self(const struct guts_peers *p, const struct guts_maddr *addr)
{
	struct guts_maddr bare = *addr;

	guts_maddr_strip_peer(&bare);
	for (size_t i = 0; i < p->n_self; i++)
		if (guts_maddr_eq(&p->self[i], &bare))
			return true;
	return false;
}

/* Go on with the round: the next address that can be tried at all. */
static void
try_next(struct guts_peers *p, struct peer_dial *d)
{
	struct guts_maddr_target t;

	d->mid_round = false;
	while (d->try < d->n_tries) {
		if (d->resolved_at < d->resolved.n) {
			if (dial_sockaddr(p, d, &d->resolved.v[d->resolved_at++]))
				return;
			continue;
		}
		if (d->resolved.n > 0 || d->resolved.err) {
			memset(&d->resolved, 0, sizeof(d->resolved));
			d->resolved_at = 0;
			d->try++;
			continue;
		}
		if (guts_maddr_target(&d->tries[d->try], &t) != 0 || !t.is_tcp || is_self(p, &d->tries[d->try])) {
			d->try++;
			continue;
		}
		if (t.is_dns) {
			start_resolve(p, d, &t);
			return;
		}
		d->try++;
		if (dial_sockaddr(p, d, &t.addr))
			return;
	}
	round_failed(p, d, d->last_err ? d->last_err : GUTS_ENOTFOUND);
}

static void
start_round(struct guts_peers *p, struct peer_dial *d)
{
	const struct guts_book_entry *e = d->peer.n ? guts_book_find(p->book, &d->peer) : NULL;

	d->n_tries = 0;
	d->try = 0;
	d->last_err = 0;
	d->reason[0] = '\0';
	memset(&d->resolved, 0, sizeof(d->resolved));
	d->resolved_at = 0;
	if (d->addr.n > 0) {
		d->tries[d->n_tries] = d->addr;
		guts_maddr_strip_peer(&d->tries[d->n_tries++]);
	}
	for (size_t i = 0; e && i < e->n_addrs && d->n_tries < GUTS_BOOK_ADDRS_MAX; i++)
		if (d->n_tries == 0 || !guts_maddr_eq(&d->tries[0], &e->addrs[i].at))
			d->tries[d->n_tries++] = e->addrs[i].at;
	try_next(p, d);
}

void
dial_succeeded(struct plink *pl)
{
	struct guts_peers *p = pl->p;
	struct peer_dial *d = pl->dial;

	if (!d)
		return;
	pl->dial = NULL;
	d->plink = NULL;
	give_up_slot(p, d);
	d->reason[0] = '\0';
	d->state = DIAL_IDLE;
	d->next_at_ns = GUTS_NEVER;
	if (!d->keep)
		dial_free(p, d);
}

void
dial_failed(struct plink *pl, int err, const char *reason)
{
	struct guts_peers *p = pl->p;
	struct peer_dial *d = pl->dial;

	if (!d)
		return;
	pl->dial = NULL;
	d->plink = NULL;
	give_up_slot(p, d);
	if (!reason)
		reason = err == GUTS_EDENIED ? "another peer answers there" : guts_err_text(err);
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
	if (d->peer.n)
		guts_book_failed(p->book, &d->peer, guts_link_remote(pl->link), p->n_inbound + p->n_outbound > 0,
		    guts_env_wall(p->env));
	d->last_err = err;
	if (err == GUTS_ECONFLICT || err == GUTS_EBUSY) {
		round_failed(p, d, err);
		return;
	}
	d->mid_round = true;
	d->next_at_ns = guts_env_now(p->env);
	peers_wake(p);
}

void
dial_peer_gone(struct guts_peers *p, const struct guts_peerid *id, bool lasted)
{
	struct peer_dial *d;
	uint64_t now = guts_env_now(p->env);

	DL_FOREACH(p->dials, d) {
		if (!d->keep || d->state != DIAL_IDLE || !guts_peerid_eq(&d->peer, id))
			continue;
		d->failures = lasted ? 0 : d->failures + 1;
		d->state = DIAL_WAITS;
		d->next_at_ns = now + backoff(p, d->failures);
		peers_wake(p);
	}
	autodial_link_gone(p);
}

/* --- our own idea of whom to dial --- */

void
dial_own(struct guts_peers *p, const struct guts_peerid *id, bool is_feeler)
{
	struct peer_dial *d = dial_new(p, NULL, id);

	d->is_auto = true;
	d->is_feeler = is_feeler;
}

bool
dial_is_known(const struct guts_peers *p, const struct guts_peerid *id)
{
	return find_same(p, NULL, id) != NULL;
}

/* --- time --- */

/* A dial is due. */
static void
dial_due(struct guts_peers *p, struct peer_dial *d, uint64_t now)
{
	if (d->state == DIAL_IDLE) {
		dial_free(p, d);
		return;
	}
	if (d->peer.n && peers_find(p, &d->peer)) {
		d->state = DIAL_IDLE;
		d->next_at_ns = GUTS_NEVER;
		d->mid_round = false;
		if (!d->keep)
			dial_free(p, d);
		return;
	}
	if (d->mid_round) {
		try_next(p, d);
		return;
	}
	if (d->peer.n && guts_peers_is_banned(p, &d->peer)) {
		snprintf(d->reason, sizeof(d->reason), "banned");
		round_failed(p, d, GUTS_EDENIED);
		return;
	}
	if (p->n_dialing >= PEERS_DIALING_MAX /* a feeler's link is closed at once */
	    || (!d->is_feeler && p->n_inbound + p->n_outbound + p->n_dialing >= p->cfg.max_connections)) {
		if (d->keep && d->failures < KEPT_CHANCES)
			autodial_give_up_one(p);
		d->next_at_ns = now + NO_SLOT_NS;
		return;
	}
	start_round(p, d);
}

void
dial_tick(struct guts_peers *p, uint64_t now, uint64_t *next)
{
	struct peer_dial *d, *tmp;

	DL_FOREACH_SAFE(p->dials, d, tmp)
		if ((d->state == DIAL_WAITS || d->state == DIAL_IDLE) && d->next_at_ns <= now)
			dial_due(p, d, now);
	DL_FOREACH(p->dials, d)
		if ((d->state == DIAL_WAITS || d->state == DIAL_IDLE) && d->next_at_ns < *next)
			*next = d->next_at_ns;
}

/* --- wishes --- */

/* What can be said before dialling. */
static int
check_address(struct guts_peers *p, const struct guts_maddr *addr, struct guts_peerid *peer)
{
	struct guts_maddr_target t;
	int err = guts_maddr_target(addr, &t);

	memset(peer, 0, sizeof(*peer));
	if (err || !t.is_tcp)
		return GUTS_EUNSUPPORTED;
	if (t.has_peer && guts_peerid_decode(peer, guts_slice(t.peer, t.peer_n)) != 0)
		return GUTS_EUNSUPPORTED;
	if (is_self(p, addr) || (peer->n && guts_peerid_eq(peer, guts_peers_self(p))))
		return GUTS_ECONFLICT;
	return 0;
}

static int
connect_checked(struct guts_peers *p, const struct guts_maddr *addr, const struct guts_peerid *peer, bool is_auto)
{
	struct peer_dial *same = find_same(p, addr, peer);

	if (peer && guts_peers_is_banned(p, peer))
		return GUTS_EDENIED;
	if (peer && peers_find(p, peer))
		return GUTS_EEXIST;
	if (same && same->state == DIAL_IDLE) {
		/* Failed lately, or kept and gone just now: try again now. */
		same->state = DIAL_WAITS;
		same->next_at_ns = guts_env_now(p->env);
		peers_wake(p);
		return 0;
	}
	if (same && same->state == DIAL_WAITS && same->next_at_ns > guts_env_now(p->env)) {
		same->next_at_ns = guts_env_now(p->env);
		peers_wake(p);
		return 0;
	}
	if (same)
		return GUTS_EEXIST;
	if (p->n_dials >= PEERS_DIALS_MAX || p->n_inbound + p->n_outbound >= p->cfg.max_connections)
		return GUTS_EBUSY;
	dial_new(p, addr, peer)->is_auto = is_auto;
	return 0;
}

int
guts_peers_connect(struct guts_peers *p, const struct guts_maddr *addr)
{
	struct guts_peerid peer;
	int err = check_address(p, addr, &peer);

	return err ? err : connect_checked(p, addr, peer.n ? &peer : NULL, false);
}

int
guts_peers_reach(struct guts_peers *p, const struct guts_maddr *addr)
{
	struct guts_peerid peer;
	int err = check_address(p, addr, &peer);

	if (!err && peer.n == 0)
		err = GUTS_EINVAL;
	return err ? err : connect_checked(p, addr, &peer, true);
}

int
guts_peers_connect_id(struct guts_peers *p, const struct guts_peerid *id)
{
	if (guts_peerid_eq(id, guts_peers_self(p)))
		return GUTS_ECONFLICT;
	if (!guts_book_find(p->book, id))
		return GUTS_ENOTFOUND;
	return connect_checked(p, NULL, id, false);
}

static struct peer_dial *
find_kept(const struct guts_peers *p, const struct guts_maddr *addr)
{
	struct peer_dial *d;

	DL_FOREACH(p->dials, d)
		if (d->keep && guts_maddr_eq(&d->addr, addr))
			return d;
	return NULL;
}

int
guts_peers_keep(struct guts_peers *p, const struct guts_maddr *addr, bool keep)
{
	struct peer_dial *d = find_kept(p, addr), *k;
	struct guts_peerid peer;
	size_t n = 0;
	int err;

	if (!keep) {
		if (d && (d->state == DIAL_WAITS || d->state == DIAL_IDLE))
			dial_free(p, d);
		else if (d)
			d->keep = false;
		return 0;
	}
	if (d)
		return 0;
	err = check_address(p, addr, &peer);
	if (err)
		return err;
	if (peer.n == 0)
		return GUTS_EINVAL;
	DL_FOREACH(p->dials, k)
		n += k->keep;
	if (n >= PEERS_KEEP_MAX)
		return GUTS_ELIMIT;
	guts_peers_learn(p, &peer, addr, GUTS_BOOK_CONFIGURED, NULL);
	dial_new(p, addr, &peer)->keep = true;
	return 0;
}

bool
guts_peers_next_dial(const struct guts_peers *p, const void **it, struct guts_peer_dial *out)
{
	const struct peer_dial *d = *it ? ((const struct peer_dial *)*it)->next : p->dials;
	uint64_t now = guts_env_now(p->env);

	/* A kept peer that is connected is no dial. */
	while (d && d->state == DIAL_IDLE && d->next_at_ns == GUTS_NEVER)
		d = d->next;
	if (!d)
		return false;
	*it = d;
	*out = (struct guts_peer_dial){
		.addr = d->addr.n ? d->addr : d->tries[0],
		.trying = d->state == DIAL_RUNS || d->state == DIAL_RESOLVES,
		.failures = d->failures,
		.last_wall_ns = d->last_wall_ns,
	};
	if (d->state == DIAL_WAITS)
		out->next_wall_ns = guts_env_wall(p->env) + (d->next_at_ns > now ? d->next_at_ns - now : 0);
	memcpy(out->reason, d->reason, sizeof(out->reason));
	return true;
}

void
dial_deinit(struct guts_peers *p)
{
	struct peer_resolve *r, *tmp;

	while (p->dials)
		dial_free(p, p->dials);
	DL_FOREACH_SAFE(p->resolves, r, tmp) {
		DL_DELETE(p->resolves, r);
		r->p = NULL;
	}
}
