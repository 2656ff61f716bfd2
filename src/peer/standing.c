/* peer/standing.c - how peers behave: points, bans, rates.
 *
 * Points for misbehaviour fade by one every six seconds; a hundred at once are a ban, ten
 * minutes the first time and twice as long each next.  Standing belongs to the peer
 * id and outlives its link, so that coming back clears nothing.  Bans persist; points do not.
 * The table of accounts is capped: the one that was used longest ago leaves.
 */
#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers_int.h"

#include <stdio.h>
#include <stdlib.h>

#define POINTS_BAN 100
#define POINT_FADE_NS (6 * GUTS_SECOND_NS)
#define BAN_NS (600 * GUTS_SECOND_NS)
#define BAN_DOUBLINGS_MAX 7 /* about a day */
#define BAN_KEY "ban/"

static const struct {
	uint32_t rate, burst;
} rates[GUTS_PEER_CLASS_COUNT] = {
	[GUTS_PEER_NODE_MESSAGES] = { 200, 1000 },
	[GUTS_PEER_SYNC_REQUESTS] = { 100, 500 },
	[GUTS_PEER_GOSSIP] = { 2000, 10000 },
};

/* The account of `id`, moved to the end of the line; made if `make`. */
static struct peer_account *
account(struct guts_peers *p, const struct guts_peerid *id, bool make)
{
	struct peer_account *a = NULL;

	HASH_FIND(hh, p->accounts, id, sizeof(*id), a);
	if (a) {
		HASH_DEL(p->accounts, a);
	} else if (make) {
		if (HASH_COUNT(p->accounts) >= PEERS_ACCOUNTS_MAX) {
			struct peer_account *oldest = p->accounts;

			HASH_DEL(p->accounts, oldest);
			free(oldest);
		}
		a = guts_alloc(sizeof(*a));
		a->id = *id;
		for (int c = 0; c < GUTS_PEER_CLASS_COUNT; c++)
			guts_ratelimit_init(&a->rate[c], rates[c].rate, rates[c].burst);
	}
	if (a)
		HASH_ADD(hh, p->accounts, id, sizeof(a->id), a);
	return a;
}

static void
fade(struct peer_account *a, uint64_t now)
{
	uint64_t n = now > a->at_ns ? (now - a->at_ns) / POINT_FADE_NS : 0;

	a->points = n >= a->points ? 0 : a->points - (uint32_t)n;
	a->at_ns = a->points ? a->at_ns + n * POINT_FADE_NS : now;
}

int
standing_score(struct guts_peers *p, const struct guts_peerid *id)
{
	struct peer_account *a = NULL;

	HASH_FIND(hh, p->accounts, id, sizeof(*id), a);
	if (!a)
		return 0;
	fade(a, guts_env_now(p->env));
	return -(int)a->points;
}

bool
guts_peers_take(struct guts_peers *p, const struct guts_peerid *id, enum guts_peer_class c, uint32_t n)
{
	return guts_ratelimit_take(&account(p, id, true)->rate[c], n, guts_env_now(p->env));
}

void
guts_peers_penalize(struct guts_peers *p, const struct guts_peerid *id, unsigned points, const char *reason)
{
	struct peer_account *a = account(p, id, true);
	uint64_t length = BAN_NS;

	if (points == 0)
		return;
	fade(a, guts_env_now(p->env));
	a->points += points > POINTS_BAN ? POINTS_BAN : points;
	guts_log_limited(GUTS_LOG_INFO, "peer", "misbehaviour points=%u of=%u reason=\"%s\"", points,
	    a->points, reason ? reason : "");
	if (a->points < POINTS_BAN)
		return;
	a->points = 0;
	for (unsigned i = 0; i < a->n_bans && i < BAN_DOUBLINGS_MAX; i++)
		length *= 2;
	a->n_bans++;
	guts_peers_ban(p, id, length, reason);
}

/* --- bans --- */

static void
ban_key(struct guts_buf *key, const struct guts_peerid *id)
{
	guts_buf_init(key, 64);
	guts_buf_add_str(key, BAN_KEY);
	guts_buf_add_slice(key, guts_peerid_slice(id));
}

static void
persist(struct guts_peers *p, const struct guts_peer_ban *ban, bool gone)
{
	struct guts_buf key, value;

	if (!p->cfg.store.save)
		return;
	ban_key(&key, &ban->id);
	guts_buf_init(&value, 256);
	if (!gone) {
		guts_buf_add_be64(&value, ban->since_wall_ns);
		guts_buf_add_be64(&value, ban->until_wall_ns);
		guts_buf_add_str(&value, ban->reason);
	}
	p->cfg.store.save(p->cfg.store.owner, guts_buf_slice(&key), guts_buf_slice(&value));
	guts_buf_deinit(&key);
	guts_buf_deinit(&value);
}

static void
load_one(void *arg, struct guts_slice key, struct guts_slice value)
{
	struct guts_peers *p = arg;
	struct guts_peer_ban ban = { 0 };
	struct guts_cursor c;
	struct guts_slice reason;
	struct peer_ban_row *row;

	if (key.n <= strlen(BAN_KEY) || HASH_COUNT(p->bans) >= PEERS_BANS_MAX)
		return;
	if (guts_peerid_decode(&ban.id, guts_slice(key.p + strlen(BAN_KEY), key.n - strlen(BAN_KEY))) != 0)
		return;
	guts_cursor_init(&c, value);
	ban.since_wall_ns = guts_cursor_be64(&c);
	ban.until_wall_ns = guts_cursor_be64(&c);
	reason = guts_cursor_rest(&c);
	if (!guts_cursor_ok(&c) || reason.n >= sizeof(ban.reason))
		return;
	if (reason.n > 0)
		memcpy(ban.reason, reason.p, reason.n);
	row = guts_alloc(sizeof(*row));
	row->ban = ban;
	HASH_ADD(hh, p->bans, ban.id, sizeof(ban.id), row);
}

void
standing_load(struct guts_peers *p)
{
	if (p->cfg.store.load)
		p->cfg.store.load(p->cfg.store.owner, guts_slice_str(BAN_KEY), load_one, p);
}

static void
drop_ban(struct guts_peers *p, struct peer_ban_row *row)
{
	persist(p, &row->ban, true);
	HASH_DEL(p->bans, row);
	free(row);
}

int
guts_peers_ban(struct guts_peers *p, const struct guts_peerid *id, uint64_t duration_ns, const char *reason)
{
	struct peer_entry *e = peers_find(p, id);
	uint64_t wall = guts_env_wall(p->env);
	struct guts_peerid copy = *id;
	struct peer_ban_row *row = NULL;

	HASH_FIND(hh, p->bans, id, sizeof(*id), row);
	if (!row) {
		if (HASH_COUNT(p->bans) >= PEERS_BANS_MAX)
			standing_prune(p);
		if (HASH_COUNT(p->bans) >= PEERS_BANS_MAX)
			return GUTS_ELIMIT;
		row = guts_alloc(sizeof(*row));
		row->ban.id = copy;
		HASH_ADD(hh, p->bans, ban.id, sizeof(row->ban.id), row);
	}
	row->ban.since_wall_ns = wall;
	row->ban.until_wall_ns = duration_ns && duration_ns < UINT64_MAX - wall ? wall + duration_ns : UINT64_MAX;
	snprintf(row->ban.reason, sizeof(row->ban.reason), "%s", reason ? reason : "");
	if (!guts_text_is_clean(guts_slice_str(row->ban.reason), false))
		row->ban.reason[0] = '\0';
	persist(p, &row->ban, false);
	p->stats.bans++;
	if (e)
		links_close_later(e, p, GUTS_EDENIED, "banned");
	if (p->ev->banned)
		p->ev->banned(p->owner, &copy, row->ban.until_wall_ns, row->ban.reason);
	return 0;
}

int
guts_peers_lift(struct guts_peers *p, const struct guts_peerid *id)
{
	struct guts_peerid copy = *id;
	struct peer_ban_row *row = NULL;

	HASH_FIND(hh, p->bans, id, sizeof(*id), row);
	if (!row)
		return GUTS_ENOTFOUND;
	drop_ban(p, row);
	if (p->ev->lifted)
		p->ev->lifted(p->owner, &copy);
	return 0;
}

bool
guts_peers_is_banned(struct guts_peers *p, const struct guts_peerid *id)
{
	struct peer_ban_row *row = NULL;

	HASH_FIND(hh, p->bans, id, sizeof(*id), row);
	return row && row->ban.until_wall_ns > guts_env_wall(p->env);
}

bool
guts_peers_next_ban(struct guts_peers *p, const void **it, struct guts_peer_ban *out)
{
	const struct peer_ban_row *row = *it ? ((const struct peer_ban_row *)*it)->hh.next : p->bans;
	uint64_t wall = guts_env_wall(p->env);

	while (row && row->ban.until_wall_ns <= wall)
		row = row->hh.next;
	if (!row)
		return false;
	*it = row;
	*out = row->ban;
	return true;
}

void
standing_prune(struct guts_peers *p)
{
	uint64_t wall = guts_env_wall(p->env);
	struct peer_ban_row *row, *tmp;

	HASH_ITER(hh, p->bans, row, tmp) {
		struct guts_peerid id = row->ban.id;

		if (row->ban.until_wall_ns > wall)
			continue;
		drop_ban(p, row);
		if (p->ev->lifted)
			p->ev->lifted(p->owner, &id);
	}
}

void
standing_deinit(struct guts_peers *p)
{
	struct peer_account *a, *atmp;
	struct peer_ban_row *row, *rtmp;

	HASH_ITER(hh, p->accounts, a, atmp) {
		HASH_DEL(p->accounts, a);
		free(a);
	}
	HASH_ITER(hh, p->bans, row, rtmp) {
		HASH_DEL(p->bans, row);
		free(row);
	}
}
