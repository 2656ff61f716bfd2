/* discover/kadpublish.c - what this node publishes: provider records and values, told again before
 * they expire.
 *
 * Keys are published one after another with a pause, so that a thousand of them cost little at any
 * moment. And since records live in the memory of others, a server that comes (or comes back) is
 * given at once those keys for which it is among the k closest we know: a network whose nodes come
 * and go keeps its records without waiting for the next round.
 */
#include "discover/kad_int.h"

#define PUBLISHING_MAX 4 /* lookups at once */
#define RETRY_NS       (60 * KAD_SECOND)
#define GIFT_STEP_NS   (KAD_SECOND / 10)
#define GIFT_STEP_KEYS 32 /* looked at per step; below what a server takes from one peer */
#define GIFT_AGAIN_NS  (10 * KAD_SECOND)

struct kad_published *
kad_publish_find(const struct guts_kad *k, struct guts_slice key)
{
	struct kad_published *p;

	HASH_FIND(hh, k->published, key.p, key.n, p);
	return p;
}

int
kad_publish_value(struct guts_kad *k, struct guts_slice key, struct guts_buf *out)
{
	if (!kad_publish_find(k, key) || !k->ev->value)
		return GUTS_ENOTFOUND;
	return k->ev->value(k->owner, key, out);
}

static void
entry_free(struct guts_kad *k, struct kad_published *p)
{
	if (p->lookup)
		k->n_publishing--;
	HASH_DEL(k->published, p);
	free(p);
}

void
kad_publish_soon(struct guts_kad *k, uint64_t at_ns)
{
	if (k->published && k->n_live && at_ns < k->publish_ns)
		k->publish_ns = at_ns;
}

int
guts_kad_publish(struct guts_kad *k, struct guts_slice key, bool on, uint64_t now)
{
	struct kad_published *p = kad_publish_find(k, key);

	if (!on && !p)
		return GUTS_ENOTFOUND;
	if (!kad_key_is_provider(key) && !kad_key_is_value(key))
		return GUTS_EINVAL;
	if (!p && HASH_COUNT(k->published) >= KAD_PUBLISHED_MAX)
		return GUTS_ELIMIT;
	if (on == (p != NULL))
		return GUTS_OK;
	kad_enter(k, now);
	if (p) {
		if (p->lookup)
			(void)guts_kad_cancel(k, p->lookup);
		entry_free(k, p);
	} else {
		p = guts_alloc(sizeof *p);
		p->k = k;
		memcpy(p->key, key.p, key.n);
		p->key_n = (uint8_t)key.n;
		p->serial = ++k->last_serial;
		p->due_ns = k->now;
		HASH_ADD_KEYPTR(hh, k->published, p->key, p->key_n, p);
		kad_publish_soon(k, k->now + k->cfg.publish_gap_ns);
	}
	kad_leave(k);
	return GUTS_OK;
}

int
guts_kad_publish_again(struct guts_kad *k, struct guts_slice key, uint64_t now)
{
	struct kad_published *p = kad_publish_find(k, key);

	if (!p)
		return GUTS_ENOTFOUND;
	p->due_ns = now;
	kad_publish_soon(k, now + k->cfg.publish_gap_ns);
	return GUTS_OK;
}

/* --- rounds ---------------------------------------------------------------- */

static void
set_due(struct kad_published *p, bool is_given)
{
	struct guts_kad *k = p->k;
	unsigned wait = p->failures < 5 ? p->failures : 5;

	if (is_given) {
		p->failures = 0;
		p->is_given = true;
		p->due_ns = k->now + k->cfg.republish_ns -
			    guts_rng_below(&k->rng, k->cfg.republish_ns / 10 + 1);
	} else {
		p->failures++;
		p->due_ns = k->now + (RETRY_NS << wait);
	}
}

static void
on_done(void *owner, const struct guts_kad_result *r)
{
	struct kad_published *p = owner;

	p->lookup = 0;
	p->k->n_publishing--;
	set_due(p, r->err == GUTS_OK);
	kad_publish_soon(p->k, p->k->now + p->k->cfg.publish_gap_ns);
}

static void
publish(struct guts_kad *k, struct kad_published *p)
{
	struct guts_kad_goal goal = {.kind = GUTS_KAD_PROVIDE, .key = guts_slice(p->key, p->key_n)};
	struct guts_buf value;
	int err = GUTS_OK;

	guts_buf_init(&value, GUTS_KAD_VALUE_MAX);
	if (kad_key_is_value(goal.key)) {
		goal.kind = GUTS_KAD_STORE;
		err = kad_publish_value(k, goal.key, &value);
		goal.value = guts_buf_slice(&value);
	}
	if (!err)
		err = kad_lookup_start(k, &goal, on_done, p, &p->lookup);
	if (err)
		set_due(p, false);
	else
		k->n_publishing++;
	guts_buf_deinit(&value);
}

/* Begin with the key that has waited longest; when is the next one due? */
static void
publish_tick(struct guts_kad *k)
{
	struct kad_published *p, *first = NULL;
	uint64_t next = KAD_NEVER;

	for (p = k->published; p; p = p->hh.next)
		if (!p->lookup && (!first || p->due_ns < first->due_ns))
			first = p;
	if (first && first->due_ns <= k->now && k->n_publishing < PUBLISHING_MAX && k->n_live)
		publish(k, first);
	for (p = k->published; p; p = p->hh.next)
		if (!p->lookup && p->due_ns < next)
			next = p->due_ns;
	if (next < k->now + k->cfg.publish_gap_ns)
		next = k->now + k->cfg.publish_gap_ns;
	/* Without a server, or with enough under way, something else wakes us. */
	k->publish_ns = k->n_live && k->n_publishing < PUBLISHING_MAX ? next : KAD_NEVER;
}

/* --- newcomers ------------------------------------------------------------- */

static void
gift_free(struct guts_kad *k, struct kad_gift *g)
{
	DL_DELETE(k->gifts, g);
	free(g);
}

void
kad_publish_newcomer(struct guts_kad *k, struct kad_contact *c)
{
	struct kad_gift *g;

	if (c->is_spare || !k->published)
		return;
	DL_FOREACH (k->gifts, g)
		if (guts_peerid_eq(&g->to, &c->id))
			break;
	if (!g) {
		g = guts_alloc(sizeof *g);
		g->to = c->id;
		DL_APPEND(k->gifts, g);
	}
	g->after = 0;
	g->at_ns = c->given_ns && k->now < c->given_ns + GIFT_AGAIN_NS ? c->given_ns + GIFT_AGAIN_NS
								       : k->now;
	c->given_ns = g->at_ns;
	if (g->at_ns < k->gifts_ns)
		k->gifts_ns = g->at_ns;
}

static bool
is_close(const struct guts_kad *k, const struct kad_published *p, const struct kad_contact *c)
{
	struct kad_contact *near[GUTS_KAD_K];
	struct kad_place place;
	size_t n;

	if (k->n_live <= GUTS_KAD_K)
		return true;
	kad_place_of(&place, guts_slice(p->key, p->key_n));
	n = kad_table_closest(k, &place, true, NULL, near, GUTS_KAD_K);
	for (size_t i = 0; i < n; i++)
		if (near[i] == c)
			return true;
	return false;
}

static void
give(struct guts_kad *k, const struct kad_contact *c, struct kad_published *p)
{
	struct guts_slice key = guts_slice(p->key, p->key_n);
	struct kad_request *r;
	struct guts_buf value;

	guts_buf_init(&value, GUTS_KAD_VALUE_MAX);
	if (!kad_key_is_value(key) || kad_publish_value(k, key, &value) == 0) {
		r = kad_request_new(k, &c->id, &c->addrs, kad_key_is_value(key));
		if (kad_frame_record(k, &r->frame, key, guts_buf_slice(&value)))
			kad_request_free(k, r);
	}
	guts_buf_deinit(&value);
}

/* Some more keys; false = the gift is complete, or the peer is gone. */
static bool
gift_step(struct guts_kad *k, struct kad_gift *g)
{
	const struct kad_contact *c = kad_table_find(k, &g->to);
	struct kad_published *p;
	unsigned n = 0;

	if (!c || c->is_spare || !c->is_connected)
		return false;
	for (p = k->published; p && n < GIFT_STEP_KEYS; p = p->hh.next) {
		if (p->serial <= g->after)
			continue;
		g->after = p->serial;
		n++;
		if (p->is_given && is_close(k, p, c))
			give(k, c, p);
	}
	return n == GIFT_STEP_KEYS;
}

void
kad_publish_tick(struct guts_kad *k)
{
	struct kad_gift *g, *tmp;

	if (k->publish_ns <= k->now)
		publish_tick(k);
	if (k->gifts_ns > k->now)
		return;
	k->gifts_ns = KAD_NEVER;
	DL_FOREACH_SAFE (k->gifts, g, tmp) {
		if (g->at_ns <= k->now) {
			g->at_ns = k->now + GIFT_STEP_NS;
			if (!gift_step(k, g)) {
				gift_free(k, g);
				continue;
			}
		}
		if (g->at_ns < k->gifts_ns)
			k->gifts_ns = g->at_ns;
	}
}

uint64_t
kad_publish_deadline(const struct guts_kad *k)
{
	return k->publish_ns < k->gifts_ns ? k->publish_ns : k->gifts_ns;
}

void
kad_publish_free(struct guts_kad *k)
{
	while (k->published)
		entry_free(k, k->published);
	while (k->gifts)
		gift_free(k, k->gifts);
}
