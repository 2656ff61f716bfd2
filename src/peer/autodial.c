/* peer/autodial.c - links of our own choice: anchors, the book, feelers.
 *
 * Links that we chose ourselves are what an attacker cannot fill, so some slots are kept for
 * them, and they are chosen against him:
 *   - anchors: the peers whose outbound links lasted longest are remembered and dialled first after
 *     a restart, so that a restart is no chance to take all slots at once;
 *   - while outbound links are few, the book is asked every 5 s, `tried` and `new` in turn by
 *     chance, several times, and who is in the netgroup with the fewest outbound links is dialled.  Two
 *     of these slots at most go to one public netgroup;
 *     A link so chosen makes room when a peer that is to be kept (configuration, command) comes back;
 *   - feelers: else, every two minutes, one entry is dialled only to see that it is there.  That
 *     moves what is true in `new` to `tried` and drops what is not.
 */
#include "base/cursor.h"
#include "peer/peers_int.h"

#define AUTO_NS (5 * GUTS_SECOND_NS)
#define AUTO_QUIET_NS (30 * GUTS_SECOND_NS)   /* when the book had nobody */
#define FEELER_NS (120 * GUTS_SECOND_NS)      /* on average */
#define FIRST_WAIT_NS (2 * GUTS_SECOND_NS)    /* after one failure; doubles with each */
#define WAIT_MAX_NS (3600 * GUTS_SECOND_NS)
#define DRAWS 4
#define GROUP_MAX 2
#define ANCHOR_LASTED_NS (60 * GUTS_SECOND_NS)
#define ANCHORS_KEY "anchors"

/* --- whom to dial --- */

struct choice {
	struct guts_peers *p;
	uint64_t wall;
};

/* Could it be dialled now? */
static bool
is_eligible(void *arg, const struct guts_book_entry *e)
{
	const struct choice *c = arg;
	struct guts_peers *p = c->p;
	uint64_t wait = FIRST_WAIT_NS;

	if (guts_peerid_eq(&e->id, guts_peers_self(p)) || peers_find(p, &e->id) || guts_peers_is_banned(p, &e->id)
	    || dial_is_known(p, &e->id))
		return false;
	if (e->failures == 0)
		return true;
	for (uint32_t i = 0; i < e->failures && wait < WAIT_MAX_NS; i++)
		wait *= 2;
	return c->wall > e->tried_wall_ns + wait;
}

/* Outbound links to the netgroup. */
static unsigned
outbound_in(const struct guts_peers *p, const struct guts_netgroup *g)
{
	const struct peer_entry *e;
	unsigned n = 0;

	for (e = p->entries; e; e = e->hh.next) {
		struct guts_netgroup other;

		if (e->active->inbound)
			continue;
		other = guts_netgroup_of(guts_link_remote(e->active->link));
		n += guts_netgroup_eq(&other, g);
	}
	return n;
}

static bool
fits_slot(void *arg, const struct guts_book_entry *e)
{
	const struct choice *c = arg;
	struct guts_netgroup g;

	if (!is_eligible(arg, e))
		return false;
	g = guts_netgroup_of(&e->addrs[0].at);
	return !guts_netgroup_is_public(&g) || outbound_in(c->p, &g) < GROUP_MAX;
}

/* The best of some draws. */
static bool
choose(struct guts_peers *p, struct guts_peerid *out)
{
	struct choice c = { p, guts_env_wall(p->env) };
	unsigned fewest = UINT32_MAX;

	for (int i = 0; i < DRAWS && fewest > 0; i++) {
		bool tried = guts_rng_below(&p->rng, 2);
		const struct guts_book_entry *e;
		struct guts_netgroup g;
		struct guts_peerid id;
		unsigned n;

		if (!guts_book_pick(p->book, &p->rng, tried, fits_slot, &c, &id)
		    && !guts_book_pick(p->book, &p->rng, !tried, fits_slot, &c, &id))
			break;
		e = guts_book_find(p->book, &id);
		g = guts_netgroup_of(&e->addrs[0].at);
		n = outbound_in(p, &g);
		if (n < fewest) {
			fewest = n;
			*out = id;
		}
	}
	return fewest != UINT32_MAX;
}

bool
guts_peers_wants_outbound(const struct guts_peers *p)
{
	return p->n_outbound + p->n_dialing < p->cfg.outbound_reserved;
}

static void
fill_slots(struct guts_peers *p, uint64_t now)
{
	struct guts_peerid id;

	p->auto_at_ns = now + AUTO_QUIET_NS;
	if (p->n_dials >= PEERS_DIALS_MAX || !guts_peers_wants_outbound(p) || !choose(p, &id))
		return;
	dial_own(p, &id, false);
	p->auto_at_ns = now + AUTO_NS;
}

void
autodial_give_up_one(struct guts_peers *p)
{
	struct peer_entry *e, *youngest = NULL;

	for (e = p->entries; e; e = e->hh.next)
		if (!e->active->inbound && !e->close_due && !dial_is_known(p, &e->id)
		    && (!youngest || e->active->up_at_ns >= youngest->active->up_at_ns))
			youngest = e;
	if (youngest)
		links_close_later(youngest, p, GUTS_EBUSY, "makes room for a peer that is to be kept");
}

static void
feel(struct guts_peers *p, uint64_t now)
{
	struct choice c = { p, guts_env_wall(p->env) };
	struct guts_peerid id;

	p->feeler_at_ns = now + FEELER_NS / 2 + guts_rng_below(&p->rng, FEELER_NS);
	if (p->n_dials < PEERS_DIALS_MAX && p->n_dialing == 0 && p->n_outbound >= p->cfg.outbound_reserved
	    && guts_book_pick_feeler(p->book, &p->rng, is_eligible, &c, &id)) {
		p->stats.feelers++;
		dial_own(p, &id, true);
	}
}

/* --- anchors --- */

static bool
add_anchor(struct guts_peerid list[PEERS_ANCHORS_MAX], size_t *n, const struct guts_peerid *id)
{
	for (size_t i = 0; i < *n; i++)
		if (guts_peerid_eq(&list[i], id))
			return false;
	if (*n == PEERS_ANCHORS_MAX)
		return false;
	list[(*n)++] = *id;
	return true;
}

static void
save_anchors(struct guts_peers *p)
{
	struct guts_buf value;

	guts_buf_init(&value, PEERS_ANCHORS_MAX * (GUTS_PEERID_MAX + 1));
	for (size_t i = 0; i < p->n_anchors; i++) {
		guts_buf_add_u8(&value, p->anchors[i].n);
		guts_buf_add_slice(&value, guts_peerid_slice(&p->anchors[i]));
	}
	p->cfg.store.save(p->cfg.store.owner, guts_slice_str(ANCHORS_KEY), guts_buf_slice(&value));
	guts_buf_deinit(&value);
}

static void
load_anchors(void *arg, struct guts_slice key, struct guts_slice value)
{
	struct guts_peers *p = arg;
	struct guts_cursor c;
	struct guts_peerid id;

	(void)key;
	guts_cursor_init(&c, value);
	while (guts_cursor_left(&c) > 0) {
		struct guts_slice s = guts_cursor_bytes(&c, guts_cursor_u8(&c));

		if (!guts_cursor_ok(&c) || guts_peerid_decode(&id, s) != 0)
			return;
		add_anchor(p->anchors, &p->n_anchors, &id);
	}
}

/* Those in good standing whose links last, in order of connecting; then those remembered before.  Kept peers
 * come back anyway. */
void
autodial_note_anchors(struct guts_peers *p)
{
	struct guts_peerid list[PEERS_ANCHORS_MAX];
	uint64_t now = guts_env_now(p->env);
	const struct peer_entry *e;
	size_t n = 0;

	if (!p->cfg.store.save)
		return;
	for (e = p->entries; e; e = e->hh.next)
		if (!e->active->inbound && now - e->active->up_at_ns >= ANCHOR_LASTED_NS && standing_score(p, &e->id) == 0
		    && !dial_is_known(p, &e->id))
			add_anchor(list, &n, &e->id);
	for (size_t i = 0; i < p->n_anchors; i++)
		add_anchor(list, &n, &p->anchors[i]);
	if (n == p->n_anchors && (n == 0 || memcmp(list, p->anchors, n * sizeof(list[0])) == 0))
		return;
	memcpy(p->anchors, list, n * sizeof(list[0]));
	p->n_anchors = n;
	save_anchors(p);
}

bool
guts_peers_is_anchor(const struct guts_peers *p, const struct guts_peerid *id)
{
	for (size_t i = 0; i < p->n_anchors; i++)
		if (guts_peerid_eq(&p->anchors[i], id))
			return true;
	return false;
}

/* --- time --- */

void
autodial_init(struct guts_peers *p)
{
	uint64_t now = guts_env_now(p->env);

	p->auto_at_ns = p->feeler_at_ns = GUTS_NEVER;
	if (p->cfg.store.load)
		p->cfg.store.load(p->cfg.store.owner, guts_slice_str(ANCHORS_KEY), load_anchors, p);
	if (p->cfg.no_auto_dial)
		return;
	for (size_t i = 0; i < p->n_anchors; i++)
		if (guts_book_find(p->book, &p->anchors[i]))
			dial_own(p, &p->anchors[i], false);
	p->auto_at_ns = now + AUTO_NS / 2 + guts_rng_below(&p->rng, AUTO_NS);
	p->feeler_at_ns = now + FEELER_NS / 2 + guts_rng_below(&p->rng, FEELER_NS);
}

void
autodial_link_gone(struct guts_peers *p)
{
	uint64_t at = guts_env_now(p->env) + AUTO_NS;

	if (!p->cfg.no_auto_dial && p->auto_at_ns > at)
		p->auto_at_ns = at;
}

void
autodial_tick(struct guts_peers *p, uint64_t now, uint64_t *next)
{
	if (p->auto_at_ns <= now)
		fill_slots(p, now);
	if (p->feeler_at_ns <= now)
		feel(p, now);
	if (p->auto_at_ns < *next)
		*next = p->auto_at_ns;
	if (p->feeler_at_ns < *next)
		*next = p->feeler_at_ns;
}
