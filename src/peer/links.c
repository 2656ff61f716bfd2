/* peer/links.c - links that come up, come twice, and go down.
 *
 * A peer has one link.  When a second one comes up there are two cases.  Both sides dialled
 * each other at once: the links have opposite directions and the first is young; then both
 * sides keep the one dialled by the smaller peer id, which they find without a word.
 * Otherwise somebody forgot the first: a peer that restarted does not know it, a peer that
 * dialled an address without knowing who answers does.  The dialer of the second one knows
 * and closes its own; the other side waits a moment for that.  If nothing comes, or as soon as
 * the peer uses the second link, it takes the place of the first.
 */
#include "peer/peers_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define YOUNG_NS (10 * GUTS_SECOND_NS)
#define SPARE_NS (3 * GUTS_SECOND_NS)
#define LASTED_NS (10 * GUTS_SECOND_NS) /* a link this old was a good one: back-off starts anew */

void
links_count_bytes(struct plink *pl)
{
	uint64_t in = guts_link_bytes_in(pl->link), out = guts_link_bytes_out(pl->link);

	pl->p->stats.bytes_in += in - pl->counted_in;
	pl->p->stats.bytes_out += out - pl->counted_out;
	pl->counted_in = in;
	pl->counted_out = out;
}

void
entry_free(struct guts_peers *p, struct peer_entry *e)
{
	HASH_DEL(p->entries, e);
	for (size_t i = 0; i < e->n_protocols; i++)
		free(e->protocols[i]);
	free(e->record);
	free(e);
}

static void
forget_entry(struct guts_peers *p, struct peer_entry *e, bool inbound, bool lasted, int err, const char *reason)
{
	struct guts_peerid id = e->id;

	if (inbound)
		p->n_inbound--;
	else
		p->n_outbound--;
	entry_free(p, e);
	dial_peer_gone(p, &id, lasted);
	if (p->ev->disconnected)
		p->ev->disconnected(p->owner, &id, err, reason);
}

/* Make `pl` the link of its peer and tell. */
static void
activate(struct guts_peers *p, struct peer_entry *e, struct plink *pl)
{
	struct guts_peerid id = e->id;

	e->active = pl;
	e->spare = NULL;
	if (pl->inbound)
		p->n_inbound++;
	else
		p->n_outbound++;
	e->since_wall_ns = guts_env_wall(p->env);
	if (p->ev->connected)
		p->ev->connected(p->owner, &id, pl->inbound);
	/* The owner may not drop it from inside; it is still ours. */
	identify_ask(p, e);
}

/* The link of `pl` is gone: what that means for its peer. */
static void
detach(struct plink *pl, int err, const char *reason)
{
	struct guts_peers *p = pl->p;
	struct peer_entry *e = pl->entry;
	struct plink *next;
	bool lasted = guts_env_now(p->env) - pl->up_at_ns >= LASTED_NS;

	pl->entry = NULL;
	if (!e)
		return;
	if (e->spare == pl) {
		e->spare = NULL;
		return;
	}
	next = e->spare;
	if (!next) {
		forget_entry(p, e, pl->inbound, lasted, err, reason);
		return;
	}
	if (pl->inbound)
		p->n_inbound--;
	else
		p->n_outbound--;
	e->active = next;
	e->spare = NULL;
	if (p->ev->disconnected) {
		struct guts_peerid id = e->id;

		p->ev->disconnected(p->owner, &id, GUTS_ECONFLICT, "another link takes over");
	}
	activate(p, e, next);
}

static void
plink_free(struct plink *pl)
{
	struct guts_peers *p = pl->p;

	if (pl->inbound && !pl->up)
		p->n_pending_in--;
	listen_release_ip(pl);
	DL_DELETE(p->plinks, pl);
	free(pl);
}

/* Close a link of ours without a further event of it; the peer's disconnect is told if this was its link. */
static void
close_with(struct plink *pl, enum guts_goaway code, int err, const char *reason)
{
	struct guts_link *l = pl->link;

	links_count_bytes(pl);
	/* While the link still knows its address. */
	dial_failed(pl, err, reason);
	guts_link_close(l, code);
	detach(pl, err, reason);
	plink_free(pl);
}

void
links_close(struct plink *pl, enum guts_goaway code)
{
	close_with(pl, code, GUTS_ECLOSED, "closed");
}

void
links_close_later(struct peer_entry *e, struct guts_peers *p, int err, const char *reason)
{
	if (e->close_due)
		return;
	e->close_due = true;
	e->close_err = err;
	snprintf(e->close_reason, sizeof(e->close_reason), "%s", reason ? reason : "closed");
	peers_wake(p);
}

/* --- a link is up --- */

/* Which of two links that were dialled at once stays: both sides answer alike. */
static bool
second_wins(const struct guts_peers *p, const struct peer_entry *e, const struct plink *second)
{
	bool we_are_smaller = guts_peerid_cmp(guts_peers_self(p), &e->id) < 0;

	return second->inbound ? !we_are_smaller : we_are_smaller;
}

static void
second_link(struct guts_peers *p, struct peer_entry *e, struct plink *pl)
{
	struct plink *old = e->active;
	bool at_once = old->inbound != pl->inbound && pl->up_at_ns - old->up_at_ns < YOUNG_NS;

	if (e->spare) {
		/* Three are too many: the newest news counts. */
		struct plink *third = e->spare;

		e->spare = NULL;
		third->entry = NULL;
		close_with(third, GUTS_GOAWAY_NORMAL, GUTS_ECONFLICT, "replaced");
	}
	if (at_once ? !second_wins(p, e, pl) : !pl->inbound) {
		close_with(pl, GUTS_GOAWAY_NORMAL, GUTS_EEXIST, "connected already");
		return;
	}
	pl->entry = e;
	e->spare = pl;
	if (at_once) {
		close_with(old, GUTS_GOAWAY_NORMAL, GUTS_ECONFLICT, "the other link stays");
		return;
	}
	e->spare_until_ns = pl->up_at_ns + SPARE_NS;
	peers_wake_at(p, e->spare_until_ns);
}

/* Is there room for one more?  NULL = yes. */
static const char *
no_room(const struct guts_peers *p, const struct plink *pl)
{
	size_t all = p->n_inbound + p->n_outbound;

	if (all >= p->cfg.max_connections)
		return "all slots are taken";
	if (pl->inbound && p->n_inbound >= p->cfg.max_connections - p->cfg.outbound_reserved)
		return "all inbound slots are taken";
	return NULL;
}

/* Somebody leaves for an inbound link, if that makes the slots worth more. */
static bool
make_room(struct guts_peers *p, const struct plink *pl)
{
	struct guts_netgroup g = guts_netgroup_of(guts_link_remote(pl->link));
	struct peer_entry *e = evict_choose(p, &g);

	if (!e)
		return false;
	p->stats.evicted++;
	links_close_later(e, p, GUTS_EBUSY, "makes room for another peer");
	return true;
}

static void
remember_self(struct guts_peers *p, struct plink *pl)
{
	if (pl->inbound || p->n_self == PEERS_SELF_MAX)
		return;
	p->self[p->n_self++] = *guts_link_remote(pl->link);
}

/* Refuse a link that is secured, before anybody hears of it. */
static bool
refused(struct guts_peers *p, struct plink *pl, const struct guts_peerid *id)
{
	const char *why = NULL;
	int err = GUTS_EBUSY;

	if (guts_peerid_eq(id, guts_peers_self(p))) {
		remember_self(p, pl);
		err = GUTS_ECONFLICT;
		why = "this is us";
	} else if (guts_peers_is_banned(p, id)) {
		err = GUTS_EDENIED;
		why = "banned";
	} else if (!peers_find(p, id) && !pl->is_feeler) {
		why = no_room(p, pl);
		if (why && pl->inbound && make_room(p, pl))
			why = NULL;
	}
	if (!why)
		return false;
	if (pl->inbound)
		p->stats.accepted_refused++;
	close_with(pl, GUTS_GOAWAY_NORMAL, err, why);
	return true;
}

static void
on_up(void *owner, struct guts_link *l)
{
	struct plink *pl = owner;
	struct guts_peers *p = pl->p;
	struct guts_peerid id = *guts_link_peer(l);
	struct peer_entry *e;

	if (refused(p, pl, &id))
		return;
	pl->up = true;
	pl->up_at_ns = guts_env_now(p->env);
	if (pl->inbound) {
		p->n_pending_in--;
		p->stats.accepted++;
	} else {
		p->stats.dialled++;
		guts_book_worked(p->book, &id, guts_link_remote(l), guts_env_wall(p->env));
		dial_succeeded(pl);
	}
	if (pl->is_feeler) {
		close_with(pl, GUTS_GOAWAY_NORMAL, GUTS_ECLOSED, "was only looked for");
		return;
	}
	listen_note_local(p, l);
	e = peers_find(p, &id);
	if (e) {
		second_link(p, e, pl);
		return;
	}
	e = guts_alloc(sizeof(*e));
	e->id = id;
	pl->entry = e;
	HASH_ADD(hh, p->entries, id, sizeof(e->id), e);
	activate(p, e, pl);
}

/* --- events of links --- */

static const struct guts_protocol *
on_lookup(void *owner, struct guts_link *l, struct guts_slice name)
{
	struct plink *pl = owner;

	(void)l;
	for (size_t i = 0; i < GUTS_PEERS_PROTOCOLS_MAX; i++) {
		const struct guts_protocol *proto = pl->p->protocols[i];

		if (proto && guts_slice_eq(name, guts_slice_str(proto->id)))
			return proto;
	}
	return NULL;
}

static bool
on_admit(void *owner, struct guts_link *l, const struct guts_protocol *proto)
{
	struct plink *pl = owner;
	int i = peers_protocol_index(pl->p, proto->id);

	(void)l;
	if (i < 0 || !pl->entry || pl->in_streams[i] >= (proto->inbound_max ? proto->inbound_max : 8))
		return false;
	/* The peer uses the second link, so it has forgotten the first: tell before its stream is seen. */
	if (pl->entry->spare == pl)
		close_with(pl->entry->active, GUTS_GOAWAY_NORMAL, GUTS_ECONFLICT, "replaced");
	pl->in_streams[i]++;
	return true;
}

static void
on_released(void *owner, struct guts_link *l, const struct guts_protocol *proto)
{
	struct plink *pl = owner;
	int i = peers_protocol_index(pl->p, proto->id);

	(void)l;
	if (i >= 0 && pl->in_streams[i] > 0)
		pl->in_streams[i]--;
}

static void
on_down(void *owner, struct guts_link *l, int err)
{
	struct plink *pl = owner;
	struct guts_peers *p = pl->p;

	links_count_bytes(pl);
	if (pl->up && (err == GUTS_EPROTO || err == GUTS_ELIMIT || err == GUTS_ESIG)) {
		struct guts_peerid id = *guts_link_peer(l);

		guts_peers_offend(p, &id, err == GUTS_EPROTO ? GUTS_OFFENCE_LINK_PROTOCOL :
		    err == GUTS_ELIMIT ? GUTS_OFFENCE_LINK_LIMIT : GUTS_OFFENCE_LINK_SIGNATURE, 1);
	}
	if (!pl->up) {
		if (pl->inbound) {
			standing_count(p, GUTS_OFFENCE_HANDSHAKE, 1);
			guts_log_limited(GUTS_LOG_DEBUG, "peer", "handshake=failed err=%s", guts_err_name(err));
		}
	}
	dial_failed(pl, err, NULL);
	detach(pl, err, guts_err_text(err));
	plink_free(pl);
}

const struct guts_link_events peers_link_events = { on_up, on_lookup, on_admit, on_released, on_down };

/* A peer that does not speak our protocol takes one of few places. */
static bool
too_many_plain(const struct guts_peers *p, const struct peer_entry *e)
{
	const struct peer_entry *o;
	size_t plain = 0;

	if (!e->identified || e->speaks_guts)
		return false;
	for (o = p->entries; o; o = o->hh.next)
		plain += o->identified && !o->speaks_guts;
	return plain > p->cfg.plain_max;
}

void
links_tick(struct guts_peers *p, uint64_t now, uint64_t *next)
{
	struct peer_entry *e, *tmp;

	HASH_ITER(hh, p->entries, e, tmp) {
		if (!e->close_due && e->active->inbound && too_many_plain(p, e))
			links_close_later(e, p, GUTS_EBUSY, "the slots of plain libp2p peers are taken");
		if (e->close_due) {
			char reason[GUTS_PEER_REASON_MAX];
			struct plink *spare = e->spare;

			e->spare = NULL;
			if (spare) {
				spare->entry = NULL;
				close_with(spare, GUTS_GOAWAY_NORMAL, e->close_err, "closed");
			}
			memcpy(reason, e->close_reason, sizeof(reason));
			close_with(e->active, GUTS_GOAWAY_NORMAL, e->close_err, reason);
		} else if (e->spare && e->spare_until_ns <= now) {
			close_with(e->active, GUTS_GOAWAY_NORMAL, GUTS_ECONFLICT, "replaced");
		} else if (e->spare && e->spare_until_ns < *next) {
			*next = e->spare_until_ns;
		}
	}
}
