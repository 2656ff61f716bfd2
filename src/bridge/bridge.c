/* bridge/bridge.c - the bridge as a whole: start, stop, hooks and queues in memory. */
#include "bridge/internal.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"
#include "bridge/ciint.h"

#include <stdlib.h>

static const char marks_key[] = "bridge";

uint64_t
guts_bridge_wall_ms(struct guts_bridge *b)
{
	return guts_env_wall(b->env) / GUTS_MS_NS;
}

/* -- queues ------------------------------------------------------------------------------------- */

struct guts_lane *
guts_lane_find(struct guts_bridge *b, uint64_t id)
{
	struct guts_lane *l;

	HASH_FIND(hh, b->lanes, &id, sizeof id, l);
	return l;
}

struct guts_lane *
guts_lane_add(struct guts_bridge *b, const struct guts_hook *h)
{
	struct guts_lane *l = guts_alloc(sizeof *l);

	l->id = h->id;
	l->hook = *h;
	HASH_ADD(hh, b->lanes, id, sizeof l->id, l);
	atomic_store(&b->n.hooks, HASH_COUNT(b->lanes));
	return l;
}

void
guts_lane_remove(struct guts_bridge *b, struct guts_lane *l)
{
	guts_send_stop(b, l);
	while (l->queue)
		guts_lane_unqueue(b, l, l->queue);
	HASH_DEL(b->lanes, l);
	atomic_store(&b->n.hooks, HASH_COUNT(b->lanes));
	explicit_bzero(&l->hook, sizeof l->hook);
	free(l);
}

void
guts_lane_queue(struct guts_bridge *b, struct guts_lane *l, uint64_t number, uint64_t next_ms, bool by_hand)
{
	struct guts_waiting *w = guts_alloc(sizeof *w), *after = l->queue ? l->queue->prev : NULL;

	w->number = number;
	w->next_ms = next_ms;
	w->by_hand = by_hand;
	/* mostly it belongs at the end */
	while (after && (after->next_ms > next_ms || (after->next_ms == next_ms && after->number > number)))
		after = after == l->queue ? NULL : after->prev;
	if (after)
		DL_APPEND_ELEM(l->queue, after, w);
	else
		DL_PREPEND(l->queue, w);
	l->nqueue++;
	atomic_fetch_add(&b->n.waiting, 1);
}

void
guts_lane_unqueue(struct guts_bridge *b, struct guts_lane *l, struct guts_waiting *w)
{
	DL_DELETE(l->queue, w);
	free(w);
	l->nqueue--;
	atomic_fetch_sub(&b->n.waiting, 1);
}

void
guts_lane_note(struct guts_lane *l, const struct guts_delivery *d)
{
	struct guts_hook_health *h = &l->health;

	l->is_failing = d->error[0] != '\0';
	h->was_tried = true;
	h->status = d->status;
	memcpy(h->error, d->error, sizeof h->error);
	if (!l->is_failing)
		h->failing_ms = 0;
	else if (!h->failing_ms)
		h->failing_ms = d->attempted_ms;
}

/* -- what survives -------------------------------------------------------------------------------- */

void
guts_bridge_mark(struct guts_bridge *b, struct guts_batch *batch)
{
	struct guts_buf v;

	guts_buf_init(&v, 64);
	guts_buf_add_be64(&v, b->marks.fact);
	guts_buf_add_be64(&v, b->marks.message);
	guts_buf_add_be64(&v, b->marks.hook);
	guts_buf_add_be64(&v, b->marks.delivery);
	guts_batch_put(batch, GUTS_TABLE_META, guts_slice_str(marks_key), guts_buf_slice(&v));
	guts_buf_deinit(&v);
	b->marked_fact = b->marks.fact;
}

static void
load_marks(struct guts_bridge *b)
{
	struct guts_cursor c;
	struct guts_buf v;

	guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
	if (guts_store_get(b->store, GUTS_TABLE_META, guts_slice_str(marks_key), &v) == GUTS_OK) {
		guts_cursor_init(&c, guts_buf_slice(&v));
		b->marks.fact = guts_cursor_be64(&c);
		b->marks.message = guts_cursor_be64(&c);
		b->marks.hook = guts_cursor_be64(&c);
		b->marks.delivery = guts_cursor_be64(&c);
		b->marked_fact = b->marks.fact;
	}
	guts_buf_deinit(&v);
}

static bool
load_hook(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_bridge *b = owner;
	struct guts_hook h;
	int err = guts_hook_decode(&h, key, value);

	if (err)
		guts_log(GUTS_LOG_ERROR, "bridge", "a webhook cannot be read and is left alone: %s", guts_err_text(err));
	else
		guts_lane_add(b, &h);
	explicit_bzero(&h, sizeof h);
	return true;
}

static void
load_waiting(void *owner, uint64_t number, uint64_t hook, uint64_t next_ms, bool by_hand)
{
	struct guts_bridge *b = owner;
	struct guts_lane *l = guts_lane_find(b, hook);

	if (l)
		guts_lane_queue(b, l, number, next_ms, by_hand);
}

/* What the log says of a hook's health; the order of numbers is nearly that of attempts. */
static bool
load_health(void *owner, const struct guts_delivery *d)
{
	struct guts_lane *l = owner;

	if (d->attempts)
		guts_lane_note(l, d);
	l->health.dead += d->state == GUTS_DELIVERY_DEAD;
	l->nended += d->state != GUTS_DELIVERY_PENDING;
	return true;
}

static int
by_id(struct guts_lane *x, struct guts_lane *y)
{
	return x->id < y->id ? -1 : x->id > y->id;
}

/* -- hearing of things ------------------------------------------------------------------------------ */

static bool
note_cursor(void *owner, const struct guts_user_message *m)
{
	*(uint64_t *)owner = m->cursor;
	return true;
}

uint64_t
guts_bridge_newest_message(struct guts_bridge *b)
{
	uint64_t newest = b->message_told;

	(void)guts_node_messages(b->node, NULL, newest, SIZE_MAX, note_cursor, &newest);
	return newest;
}

/* In a later turn: who told is still at work on what it told of. */
static void
look_soon(struct guts_bridge *b)
{
	guts_env_timer_set(b->env, &b->intake_timer, guts_env_now(b->env));
}

static void
on_facts(void *owner, uint64_t first, uint64_t last)
{
	(void)first;
	(void)last;
	look_soon(owner);
}

static void
on_signal(void *owner, const struct guts_signal *s)
{
	struct guts_bridge *b = owner;

	if (strcmp(s->type, "gossip.message") != 0) {
		guts_fleeting_take(b, s);
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->attr[i].name, "cursor") == 0 && s->attr[i].number > b->message_told) {
			b->message_told = s->attr[i].number;
			look_soon(b);
		}
	}
}

void
guts_bridge_listen(struct guts_bridge *b)
{
	bool want = b->is_running && b->lanes != NULL;

	if (want == b->is_listening)
		return;
	b->is_listening = want;
	if (want)
		guts_node_listen(b->node, &b->listener);
	else
		guts_node_unlisten(b->node, &b->listener);
}

/* -- facts and signals of our own -------------------------------------------------------------------- */

void
guts_bridge_fact(struct guts_bridge *b, struct guts_batch *batch, const char *type, const struct guts_hook *h)
{
	struct guts_fact f = { .type = type, .wall_ns = guts_env_wall(b->env), .is_private = true, .n = 2 };

	if (h->has_repo)
		f.repo = guts_slice(h->repo, sizeof h->repo);
	f.attr[0] = (struct guts_fact_attr){ .name = "hook", .is_number = true, .number = h->id };
	f.attr[1] = (struct guts_fact_attr){ .name = "active", .is_number = true, .number = h->active };
	guts_batch_fact(batch, &f);
}

void
guts_bridge_tell(struct guts_bridge *b, const struct guts_delivery *d)
{
	struct guts_signal s = { .type = "hook.delivery", .is_private = true, .n = 6 };

	if (d->has_repo)
		s.repo = guts_slice(d->repo, sizeof d->repo);
	s.attr[0] = (struct guts_fact_attr){ .name = "hook", .is_number = true, .number = d->hook };
	s.attr[1] = (struct guts_fact_attr){ .name = "delivery", .is_number = true, .number = d->number };
	s.attr[2] = (struct guts_fact_attr){ .name = "event", .text = guts_slice_str(d->event) };
	s.attr[3] = (struct guts_fact_attr){ .name = "state", .text = guts_slice_str(guts_delivery_state_name(d->state)) };
	s.attr[4] = (struct guts_fact_attr){ .name = "attempt", .is_number = true, .number = d->attempts };
	s.attr[5] = (struct guts_fact_attr){ .name = "reason", .text = guts_slice_str(d->error) };
	guts_node_signal(b->node, &s);
}

/* -- life -------------------------------------------------------------------------------------------- */

static void
on_intake_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	guts_intake_run(owner);
}

static void
on_send_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	guts_send_run(owner);
}

static int
read_allow(struct guts_allow *allow, const struct guts_bridge_setup *s, struct guts_errinfo *ei)
{
	int err = GUTS_OK;

	*allow = (struct guts_allow){ 0 };
	for (size_t i = 0; i < s->nallow && !err; i++)
		err = guts_allow_add(allow, s->allow[i], ei);
	return err;
}

static void
take_times(struct guts_bridge *b, const struct guts_bridge_setup *s)
{
	b->timeout_ms = s->timeout_ms;
	b->retry_ms = s->retry_ms;
	b->give_up_ms = s->give_up_ms;
}

int
guts_bridge_tune(struct guts_bridge *b, const struct guts_bridge_setup *s, const char *base, struct guts_errinfo *ei)
{
	struct guts_allow allow;
	int err = read_allow(&allow, s, ei);

	if (err)
		return err;
	b->allow = allow;
	take_times(b, s);
	guts_ci_tune(b->ci, s);
	if (b->base) { /* it was started */
		free(b->base);
		b->base = guts_strdup(base);
	}
	return GUTS_OK;
}

int
guts_bridge_new(struct guts_bridge **out, const struct guts_bridge_setup *s, struct guts_errinfo *ei)
{
	struct guts_bridge *b = guts_alloc(sizeof *b);
	int err = read_allow(&b->allow, s, ei);

	if (err) {
		free(b);
		return err;
	}
	b->loop = s->loop;
	b->env = guts_uvenv_env(s->loop);
	b->node = s->node;
	b->store = guts_node_store(s->node);
	b->repos = s->repos;
	take_times(b, s);
	b->listener = (struct guts_node_listener){ .facts = on_facts, .signal = on_signal, .owner = b };
	b->intake_timer = (struct guts_timer){ .fire = on_intake_timer, .owner = b, .at_ns = GUTS_NEVER };
	b->fleeting_timer = (struct guts_timer){ .fire = guts_fleeting_fire, .owner = b, .at_ns = GUTS_NEVER };
	b->send_timer = (struct guts_timer){ .fire = on_send_timer, .owner = b, .at_ns = GUTS_NEVER };
	b->ci = guts_ci_new(s->node, s);
	*out = b;
	return GUTS_OK;
}

void
guts_bridge_start(struct guts_bridge *b, const char *base)
{
	b->base = guts_strdup(base);
	load_marks(b);
	(void)guts_store_scan(b->store, GUTS_TABLE_HOOK, guts_slice(NULL, 0), guts_slice(NULL, 0), load_hook, b);
	HASH_SORT(b->lanes, by_id);
	for (struct guts_lane *l = b->lanes; l; l = l->hh.next)
		(void)guts_delivery_each(b->store, l->id, load_health, l);
	b->is_running = true;
	if (b->lanes)
		(void)guts_outbox_each(b->store, load_waiting, b);
	guts_bridge_listen(b);
	guts_intake_run(b);
	guts_send_run(b);
	guts_ci_start(b->ci);
}

void
guts_bridge_stop(struct guts_bridge *b)
{
	b->is_running = false;
	guts_ci_stop(b->ci);
	guts_bridge_listen(b);
	for (struct guts_lane *l = b->lanes; l; l = l->hh.next)
		guts_send_stop(b, l);
	guts_env_timer_clear(b->env, &b->intake_timer);
	guts_env_timer_clear(b->env, &b->send_timer);
	guts_multi_free(b->multi);
	b->multi = NULL;
}

void
guts_bridge_free(struct guts_bridge *b)
{
	struct guts_lane *l, *next;

	if (!b)
		return;
	HASH_ITER (hh, b->lanes, l, next)
		guts_lane_remove(b, l);
	while (b->intakes)
		guts_intake_free(b->intakes);
	guts_ci_free(b->ci);
	free(b->base);
	free(b);
}

struct guts_ci *
guts_bridge_ci(struct guts_bridge *b)
{
	return b->ci;
}

const struct guts_bridge_counters *
guts_bridge_counters(const struct guts_bridge *b)
{
	return &b->n;
}

const struct guts_hook *
guts_bridge_hook(struct guts_bridge *b, uint64_t id)
{
	struct guts_lane *l = guts_lane_find(b, id);

	return l ? &l->hook : NULL;
}

const struct guts_hook *
guts_bridge_next(struct guts_bridge *b, uint64_t after)
{
	struct guts_lane *l = after ? guts_lane_find(b, after) : b->lanes;

	if (after && l)
		l = l->hh.next;
	return l ? &l->hook : NULL;
}

void
guts_bridge_health(struct guts_bridge *b, uint64_t id, struct guts_hook_health *out)
{
	struct guts_lane *l = guts_lane_find(b, id);

	memset(out, 0, sizeof *out);
	if (l) {
		*out = l->health;
		out->waiting = l->nqueue;
	}
}
