/* bridge/fleeting.c - signals for hooks that ask for them: of each subject (type, repository, peer) the last, once a second.
 *
 * They are in no log: what comes while the node ends, or beyond the bounds, is lost.
 */
#include "bridge/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

#define SUBJECTS_MAX 64

struct guts_fleeting {
	struct guts_fact fact; /* its own memory; of no number */
	struct guts_fleeting *prev, *next;
};

static bool
anyone_asks(const struct guts_bridge *b, const char *type)
{
	for (const struct guts_lane *l = b->lanes; l; l = l->hh.next) {
		if (l->hook.active && guts_hook_asks_for(&l->hook, type))
			return true;
	}
	return false;
}

static struct guts_fleeting *
find(struct guts_bridge *b, const struct guts_signal *s)
{
	struct guts_fleeting *w;

	DL_FOREACH (b->fleeting, w) {
		if (strcmp(w->fact.type, s->type) == 0 && guts_slice_eq(w->fact.repo, s->repo) &&
		    guts_slice_eq(w->fact.peer, s->peer))
			break;
	}
	return w;
}

void
guts_fleeting_take(struct guts_bridge *b, const struct guts_signal *s)
{
	struct guts_fact f = { .type = s->type, .wall_ns = guts_env_wall(b->env), .repo = s->repo, .peer = s->peer,
		.is_private = s->is_private, .n = s->n };
	struct guts_fleeting *w;

	if (!guts_hook_event_exists(s->type, false) || !anyone_asks(b, s->type))
		return;
	w = find(b, s);
	if (!w && b->nfleeting == SUBJECTS_MAX)
		return;
	if (w) {
		guts_intake_fact_free(&w->fact);
	} else {
		w = guts_alloc(sizeof *w);
		DL_APPEND(b->fleeting, w);
		b->nfleeting++;
	}
	memcpy(f.attr, s->attr, s->n * sizeof *s->attr);
	guts_intake_fact_copy(&w->fact, &f);
	if (b->fleeting_timer.at_ns == GUTS_NEVER)
		guts_env_timer_set(b->env, &b->fleeting_timer, guts_env_now(b->env) + GUTS_SECOND_NS);
}

void
guts_fleeting_fire(struct guts_timer *t, void *owner)
{
	const struct guts_fact *v[SUBJECTS_MAX];
	struct guts_bridge *b = owner;
	struct guts_fleeting *w;
	size_t n = 0;

	(void)t;
	DL_FOREACH (b->fleeting, w)
		v[n++] = &w->fact;
	guts_intake_signals(b, v, n);
	guts_fleeting_free(b);
}

void
guts_fleeting_free(struct guts_bridge *b)
{
	struct guts_fleeting *w, *next;

	DL_FOREACH_SAFE (b->fleeting, w, next) {
		guts_intake_fact_free(&w->fact);
		free(w);
	}
	b->fleeting = NULL;
	b->nfleeting = 0;
	guts_env_timer_clear(b->env, &b->fleeting_timer);
}
