/* gossip/score.c - what a peer's behaviour is worth to us.
 *
 * The score is the specification's, with three changes that keep it cheap and calm on the many
 * quiet topics of repositories: the topic part (P1, P2, P4) is counted per peer instead of per
 * peer and topic, as all our topics weigh the same; P3 (too few messages in the mesh) has
 * weight 0, as silence is normal here; and all is integer arithmetic in thousandths, so that
 * every machine computes the same.
 *
 *	min(P1 + P2, 10) - 10 P4² + P5 - 5 P6² - max(0, P7 - 2)²
 *
 *	P1 minutes in any of our meshes, ≤ 5     P5 the caller's opinion
 *	P2 first deliveries, fading, ≤ 10        P6 peers of one address group over 10
 *	P4 rejected messages, fading             P7 broken promises, grafts inside the back-off,
 *fading
 *
 * Source: gossipsub-v1.1.md "Peer Scoring".
 */
#include "gossip/gossip_int.h"

#define COUNTER_MAX    (100 * POINT)
#define MESH_TIME_STEP 17 /* thousandths per heartbeat: one point a minute */
#define MESH_TIME_MAX  (5 * POINT)
#define FIRST_MAX      (10 * POINT)
#define TOPICS_MAX     (10 * POINT) /* P1 + P2 */
#define BEHAVIOUR_FREE (2 * POINT)
#define GROUP_FREE     10u
/* What is left after a heartbeat, in thousandths. */
#define FIRST_KEEP     980
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

void
gossip_score_update(struct guts_gossip *g, struct gpeer *p)
{
	int64_t topics = p->mesh_time + p->first, p7 = p->behaviour - BEHAVIOUR_FREE;

	if (p->connected && !p->removed)
		p->app = g->ev->score ? (int64_t)g->ev->score(g->owner, &p->id) * POINT : 0;
	p->score = topics < TOPICS_MAX ? topics : TOPICS_MAX;
	p->score -= 10 * square(p->invalid);
	p->score += p->app;
	if (p->group_peers > GROUP_FREE)
		p->score -= 5 * square((int64_t)(p->group_peers - GROUP_FREE) * POINT);
	if (p7 > 0)
		p->score -= square(p7);
}

static void
fade_all(struct gpeer *p)
{
	p->first = fade(p->first, FIRST_KEEP);
	p->invalid = fade(p->invalid, INVALID_KEEP);
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
	struct gpeer *p;

	DL_FOREACH (g->connected, p) {
		fade_all(p);
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
	fade_all(p);
	gossip_score_update(g, p);
	return p->invalid == 0 && p->behaviour == 0;
}

void
gossip_score_first(struct guts_gossip *g, struct gpeer *p)
{
	(void)g;
	p->first = count(p->first, POINT, FIRST_MAX);
}

void
gossip_score_invalid(struct guts_gossip *g, struct gpeer *p)
{
	p->invalid = count(p->invalid, POINT, COUNTER_MAX);
	gossip_score_update(g, p);
}

void
gossip_score_behaviour(struct guts_gossip *g, struct gpeer *p, unsigned n)
{
	p->behaviour = count(p->behaviour, (int64_t)(n < 100 ? n : 100) * POINT, COUNTER_MAX);
	gossip_score_update(g, p);
}
