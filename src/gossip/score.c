/* gossip/score.c - what a peer's behaviour is worth to us.
 *
 * The score is the specification's, in integers, so that every machine computes the same:
 *
 *	min(P1 + Σ P2, 10) - Σ (P3² + P3b + 10 P4²) + P5 - 5 P6² - max(0, P7 - 2)²
 *
 *	P1  minutes in any of our meshes, ≤ 5     P5  the caller's opinion
 *	P2  first deliveries, fading, ≤ 10        P6  peers of one address group over 10
 *	P3  deliveries missing in the mesh        P7  broken promises, grafts inside the
 *	P3b what P3 was when it left the mesh         back-off and the like, fading
 *	P4  messages that broke a rule, fading
 *
 * P2 to P4 are counted per peer and topic; all topics weigh the same.  Where it departs from the
 * specification, and why:
 *   - only what is good is capped, so that no merit hides an offence;
 *   - P1 is the peer's, not a sum over topics, or sharing a thousand quiet repositories would buy
 *     off anything;
 *   - P3 and P3b hold where somebody said what to expect (guts_gossip_expect).  By default nothing
 *     is: a repository may be silent for weeks, and at the edge of a small network an honest peer never
 *     has a message before we do, which P3 cannot tell from one that relays nothing;
 *   - what a peer did wrong in a topic that it left stays on its account, as one more topic.
 *
 * A quiet topic costs nothing here: only links with a counter, or with something to expect, are on
 * the list that a heartbeat walks.
 *
 * Source: gossipsub-v1.1.md "Peer Scoring".
 */
#include "gossip/gossip_int.h"

#define COUNTER_MAX    (100 * POINT)
#define MESH_TIME_STEP 17 /* thousandths per heartbeat: one point a minute */
#define MESH_TIME_MAX  (5 * POINT)
#define FIRST_MAX      (10 * POINT)
#define GAIN_MAX       (10 * POINT) /* P1 + P2 */
#define BEHAVIOUR_FREE (2 * POINT)
#define GROUP_FREE     10u
#define EXPECT_AFTER   30u /* heartbeats in the mesh before P3 holds */
/* What is left after a heartbeat, in thousandths. */
#define FIRST_KEEP     980
#define DELIVERED_KEEP 980
#define FAILURE_KEEP   970
#define INVALID_KEEP   970
#define BEHAVIOUR_KEEP 960
#define TO_ZERO        100 /* counters below are 0 */

static int64_t
square(int64_t v)
{
	return v * v / POINT;
}

static int64_t
fade(int64_t v, int64_t keep)
{
	v = v * keep / 1000;
	return v < TO_ZERO ? 0 : v;
}

static int64_t
count(int64_t v, int64_t add, int64_t max)
{
	return v + add < max ? v + add : max;
}

/* --- one peer in one topic ----------------------------------------------- */

/* P3: deliveries that are missing. */
static int64_t
deficit(const struct guts_gossip *g, const struct glink *l)
{
	int64_t expected = (int64_t)l->key.topic->expected * POINT;

	if (!l->mesh || l->score.delivered >= expected ||
	    g->now < l->mesh_since + EXPECT_AFTER * g->cfg.heartbeat_ns)
		return 0;
	return expected - l->score.delivered;
}

/* The link's counters changed: bring the peer's sums up to date. */
static void
account(struct glink *l, const struct gtopic_score *before)
{
	const struct gtopic_score *s = &l->score;
	struct gpeer *p = l->key.peer;

	p->p2 += s->first - before->first;
	p->p3 += square(s->deficit) - square(before->deficit);
	p->p3b += s->failure - before->failure;
	p->p4 += 10 * (square(s->invalid) - square(before->invalid));
}

static bool
is_blank(const struct gtopic_score *s)
{
	return s->first == 0 && s->delivered == 0 && s->deficit == 0 && s->failure == 0 &&
	       s->invalid == 0;
}

static void
watch(struct guts_gossip *g, struct glink *l)
{
	if (l->scored)
		return;
	l->scored = true;
	DL_APPEND2(g->scored, l, scprev, scnext);
}

static void
unwatch(struct guts_gossip *g, struct glink *l)
{
	if (!l->scored)
		return;
	l->scored = false;
	DL_DELETE2(g->scored, l, scprev, scnext);
}

static void
fade_link(struct guts_gossip *g, struct glink *l)
{
	struct gtopic_score before = l->score, *s = &l->score;

	s->first = fade(s->first, FIRST_KEEP);
	s->delivered = fade(s->delivered, DELIVERED_KEEP);
	s->failure = fade(s->failure, FAILURE_KEEP);
	s->invalid = fade(s->invalid, INVALID_KEEP);
	s->deficit = deficit(g, l);
	account(l, &before);
	if (is_blank(s) && !(l->mesh && l->key.topic->expected > 0))
		unwatch(g, l);
}

void
gossip_score_joined(struct guts_gossip *g, struct glink *l)
{
	if (l->key.topic->expected == 0)
		return;
	l->score.delivered = 0;
	watch(g, l);
}

void
gossip_score_left(struct guts_gossip *g, struct glink *l)
{
	struct gtopic_score before = l->score;

	if (before.deficit == 0)
		return;
	l->score.failure = count(before.failure, square(before.deficit), COUNTER_MAX);
	l->score.deficit = 0;
	account(l, &before);
	gossip_score_update(g, l->key.peer);
}

void
gossip_score_drop(struct guts_gossip *g, struct glink *l)
{
	struct gtopic_score before = l->score;
	struct gpeer *p = l->key.peer;

	p->left_failure = count(p->left_failure, before.failure, COUNTER_MAX);
	p->left_invalid = count(p->left_invalid, before.invalid, COUNTER_MAX);
	l->score = (struct gtopic_score){0};
	account(l, &before);
	unwatch(g, l);
}

void
gossip_score_expect(struct guts_gossip *g, struct gtopic *t)
{
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext)
		if (l->mesh)
			gossip_score_joined(g, l);
}

/* --- the peer ------------------------------------------------------------ */

struct guts_gossip_components
gossip_score_components(const struct gpeer *p)
{
	int64_t gain = p->mesh_time + p->p2, group = 0, p7 = p->behaviour - BEHAVIOUR_FREE;

	if (p->group_peers > GROUP_FREE)
		group = (int64_t)(p->group_peers - GROUP_FREE) * POINT;
	return (struct guts_gossip_components){
		.p1 = p->mesh_time,
		.p2 = (gain < GAIN_MAX ? gain : GAIN_MAX) - p->mesh_time,
		.p3 = -p->p3,
		.p3b = -p->p3b - p->left_failure,
		.p4 = -p->p4 - 10 * square(p->left_invalid),
		.p5 = p->app,
		.p6 = -5 * square(group),
		.p7 = p7 > 0 ? -square(p7) : 0,
	};
}

static void
add_up(struct gpeer *p)
{
	struct guts_gossip_components c = gossip_score_components(p);

	p->score = c.p1 + c.p2 + c.p3 + c.p3b + c.p4 + c.p5 + c.p6 + c.p7;
}

void
gossip_score_update(struct guts_gossip *g, struct gpeer *p)
{
	if (p->connected && !p->removed)
		p->app = g->ev->score ? (int64_t)g->ev->score(g->owner, &p->id) * POINT : 0;
	add_up(p);
}

static void
fade_peer(struct gpeer *p)
{
	p->left_failure = fade(p->left_failure, FAILURE_KEEP);
	p->left_invalid = fade(p->left_invalid, INVALID_KEEP);
	p->behaviour = fade(p->behaviour, BEHAVIOUR_KEEP);
}

/* A peer in bad standing leaves our meshes at this heartbeat. */
static void
look_at_meshes(struct guts_gossip *g, const struct gpeer *p)
{
	struct glink *l;

	DL_FOREACH2 (p->links, l, pnext)
		if (l->mesh)
			gossip_topic_activate(g, l->key.topic);
}

void
gossip_score_tick(struct guts_gossip *g)
{
	struct glink *l, *tmp;
	struct gpeer *p;

	DL_FOREACH_SAFE2 (g->scored, l, tmp, scnext)
		fade_link(g, l);
	DL_FOREACH (g->connected, p) {
		fade_peer(p);
		p->mesh_time =
			p->n_mesh > 0 ? count(p->mesh_time, MESH_TIME_STEP, MESH_TIME_MAX) : 0;
		gossip_score_update(g, p);
		if (p->score < 0 && p->n_mesh > 0)
			look_at_meshes(g, p);
	}
}

bool
gossip_score_fade(struct guts_gossip *g, struct gpeer *p)
{
	fade_peer(p);
	gossip_score_update(g, p);
	return gossip_score_is_clean(p);
}

bool
gossip_score_is_clean(const struct gpeer *p)
{
	return p->p3 == 0 && p->p3b == 0 && p->p4 == 0 && p->left_failure == 0 &&
	       p->left_invalid == 0 && p->behaviour == 0;
}

/* --- what happened ------------------------------------------------------- */

void
gossip_score_first(struct guts_gossip *g, struct gpeer *p, struct gtopic *t)
{
	struct glink *l = gossip_link_find(g, p, t);
	struct gtopic_score before;

	if (!l || !l->subscribed)
		return;
	before = l->score;
	l->score.first = count(before.first, POINT, FIRST_MAX);
	account(l, &before);
	add_up(p);
	watch(g, l);
}

void
gossip_score_delivered(struct guts_gossip *g, struct gpeer *p, struct gtopic *t)
{
	struct glink *l = t->expected > 0 ? gossip_link_find(g, p, t) : NULL;

	if (!l || !l->mesh)
		return;
	l->score.delivered =
		count(l->score.delivered, POINT, (int64_t)t->expected * POINT + COUNTER_MAX);
	watch(g, l);
}

void
gossip_score_invalid(struct guts_gossip *g, struct gpeer *p, struct gtopic *t)
{
	struct glink *l = gossip_link_find(g, p, t);
	struct gtopic_score before;

	if (!l) {
		p->left_invalid = count(p->left_invalid, POINT, COUNTER_MAX);
	} else {
		before = l->score;
		l->score.invalid = count(before.invalid, POINT, COUNTER_MAX);
		account(l, &before);
		watch(g, l);
	}
	gossip_score_update(g, p);
}

void
gossip_score_behaviour(struct guts_gossip *g, struct gpeer *p, unsigned n)
{
	p->behaviour = count(p->behaviour, (int64_t)(n < 100 ? n : 100) * POINT, COUNTER_MAX);
	gossip_score_update(g, p);
}

/* --- looking ------------------------------------------------------------- */

struct guts_gossip_components
gossip_score_topic(const struct guts_gossip *g, const struct glink *l)
{
	int64_t minutes = 0;

	if (l->mesh)
		minutes =
			(int64_t)((g->now - l->mesh_since) / g->cfg.heartbeat_ns) * MESH_TIME_STEP;
	return (struct guts_gossip_components){
		.p1 = minutes < MESH_TIME_MAX ? minutes : MESH_TIME_MAX,
		.p2 = l->score.first,
		.p3 = -square(l->score.deficit),
		.p3b = -l->score.failure,
		.p4 = -10 * square(l->score.invalid),
	};
}
