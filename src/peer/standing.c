/* peer/standing.c - how peers behave: points, bans, rates.
 *
 * Offences and their points are those of peer/offence.c.  Points fade with time; enough of them at
 * once are a ban, twice as long each next time.  Standing belongs to the peer id and outlives its
 * link, so that coming back clears nothing.  Bans persist; points do not.  The table of
 * accounts is capped: the one that was used longest ago leaves.
 */
#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers_int.h"

#include <stdio.h>
#include <stdlib.h>

#define POINT_FADE_NS (GUTS_OFFENCE_FADE_S * GUTS_SECOND_NS)
#define BAN_KEY "ban/"

static const struct {
	uint32_t rate, burst;
	enum guts_offence over;
} rates[GUTS_PEER_CLASS_COUNT] = {
	[GUTS_PEER_NODE_MESSAGES] = { 200, 1000, GUTS_OFFENCE_NODE_RATE },
	[GUTS_PEER_SYNC_REQUESTS] = { 100, 500, GUTS_OFFENCE_SYNC_RATE },
	[GUTS_PEER_GOSSIP] = { 2000, 10000, GUTS_OFFENCE_GOSSIP_RATE },
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

void
standing_fill(struct guts_peers *p, struct guts_peer_state *out)
{
	struct peer_account *a = NULL;

	HASH_FIND(hh, p->accounts, &out->id, sizeof(out->id), a);
	if (!a)
		return;
	fade(a, guts_env_now(p->env));
	out->score = -(int)a->points;
	out->bans = a->n_bans;
	out->n_offences = a->n_recent;
	memcpy(out->offences, a->recent, a->n_recent * sizeof(a->recent[0]));
}

/* --- offences --- */

void
standing_count(struct guts_peers *p, enum guts_offence what, unsigned count)
{
	p->offences[what] += count;
	p->offended_wall_ns[what] = guts_env_wall(p->env);
}

/* To the front of the peer's recent ones, together with those of its kind. */
static void
note(struct guts_peers *p, struct peer_account *a, enum guts_offence what, unsigned count, unsigned points)
{
	struct guts_peer_offence o = { .what = what };
	size_t i = 0;

	standing_count(p, what, count);
	while (i < a->n_recent && a->recent[i].what != what)
		i++;
	if (i < a->n_recent)
		o = a->recent[i];
	else if (a->n_recent < GUTS_PEER_OFFENCES_MAX)
		a->n_recent++;
	else
		i--;
	memmove(&a->recent[1], &a->recent[0], i * sizeof(o));
	o.count += count;
	o.points += points;
	o.last_wall_ns = p->offended_wall_ns[what];
	a->recent[0] = o;
}

bool
guts_peers_take(struct guts_peers *p, const struct guts_peerid *id, enum guts_peer_class c, uint32_t n)
{
	struct peer_account *a = account(p, id, true);

	if (guts_ratelimit_take(&a->rate[c], n, guts_env_now(p->env)))
		return true;
	note(p, a, rates[c].over, n, 0);
	return false;
}

static void
ban_for(struct guts_peers *p, struct peer_account *a, const struct guts_offence_rule *rule)
{
	uint64_t length = rule->ban_s * GUTS_SECOND_NS;
	struct guts_peerid id = a->id;

	for (unsigned i = 0; i < a->n_bans && i < GUTS_OFFENCE_DOUBLINGS_MAX; i++)
		length *= 2;
	a->points = 0;
	a->n_bans++;
	guts_peers_ban(p, &id, length, rule->text);
}

void
guts_peers_offend(struct guts_peers *p, const struct guts_peerid *peer, enum guts_offence what, unsigned count)
{
	const struct guts_offence_rule *rule = guts_offence_rule(what);
	struct peer_account *a = account(p, peer, true);
	struct guts_peerid id = a->id;
	unsigned points = rule->points;

	if (points > 0)
		points = count < GUTS_OFFENCE_BAN_AT / points ? points * count : GUTS_OFFENCE_BAN_AT;
	note(p, a, what, count, points);
	fade(a, guts_env_now(p->env));
	a->points += points;
	guts_log_limited(GUTS_LOG_INFO, "peer", "offence=%s count=%u points=%u of=%u", rule->name, count, points, a->points);
	if (points > 0 && p->ev->penalized)
		p->ev->penalized(p->owner, &id, what, points, -(int)a->points);
	if (a->points >= GUTS_OFFENCE_BAN_AT)
		ban_for(p, a, rule);
}

uint64_t
guts_peers_offences(const struct guts_peers *p, enum guts_offence what, uint64_t *last_wall_ns)
{
	*last_wall_ns = p->offended_wall_ns[what];
	return p->offences[what];
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
