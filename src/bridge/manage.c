/* bridge/manage.c - hooks made, changed, removed; pings, tests and redeliveries.
 *
 * A change is in memory when the store has it, and in the same batch there is the fact that tells of it.
 */
#include "bridge/internal.h"

#include "base/alloc.h"
#include "base/be.h"

#include <stdio.h>
#include <stdlib.h>

struct change {
	struct guts_bridge *b;
	struct guts_hook hook;
	bool is_removal;
	guts_bridge_done *done;
	void *owner;
	struct guts_delivery delivery;
};

static void
change_end(struct change *c, int err, const char *why, uint64_t id)
{
	struct guts_errinfo ei = { 0 };

	if (err)
		guts_err_set(&ei, err, "%s", why ? why : guts_err_text(err));
	if (c->done)
		c->done(c->owner, err, &ei, id);
	explicit_bzero(&c->hook, sizeof c->hook);
	free(c);
}

static struct change *
change_new(struct guts_bridge *b, guts_bridge_done *done, void *owner)
{
	struct change *c = guts_alloc(sizeof *c);

	c->b = b;
	c->done = done;
	c->owner = owner;
	return c;
}

static void
on_changed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct change *c = owner;
	struct guts_bridge *b = c->b;
	struct guts_lane *l = guts_lane_find(b, c->hook.id);
	uint64_t id = c->hook.id;

	if (!err && c->is_removal && l)
		guts_lane_remove(b, l);
	else if (!err && !c->is_removal && l)
		l->hook = c->hook;
	else if (!err && !c->is_removal)
		guts_lane_add(b, &c->hook);
	guts_bridge_listen(b);
	change_end(c, err, NULL, id);
	if (err)
		return;
	guts_node_announce(b->node, first, last);
	guts_send_run(b);
}

static void
commit(struct change *c, struct guts_batch *batch)
{
	int err = guts_store_commit(c->b->store, batch, on_changed, c);

	if (err)
		change_end(c, err, NULL, 0);
}

/* -- hooks -------------------------------------------------------------------------------------------- */

/* Room for one more of this owner?  NULL, or why not. */
static const char *
no_room(struct guts_bridge *b, const struct guts_hook *h)
{
	size_t same = 0;

	for (struct guts_lane *l = b->lanes; l; l = l->hh.next)
		same += l->hook.has_repo == h->has_repo && memcmp(l->hook.repo, h->repo, sizeof h->repo) == 0;
	if (same >= GUTS_HOOKS_PER_OWNER_MAX)
		return h->has_repo ? "this repository has its 20 webhooks already" : "there are 20 node-wide webhooks already";
	return HASH_COUNT(b->lanes) >= GUTS_HOOKS_MAX ? "this node has its 1,000 webhooks already" : NULL;
}

/* A new hook hears of what comes from now on. */
static void
begin_now(struct guts_bridge *b, struct guts_hook *h)
{
	uint64_t oldest;

	guts_store_fact_range(b->store, &oldest, &h->since_fact);
	h->since_message = guts_bridge_newest_message(b);
	h->id = ++b->marks.hook;
	if (b->lanes)
		return;
	/* the first one: what was before need not be looked at */
	b->marks.fact = h->since_fact;
	b->marks.message = b->message_told = h->since_message;
}

void
guts_bridge_put(struct guts_bridge *b, const struct guts_hook *h, guts_bridge_done *done, void *owner)
{
	struct change *c = change_new(b, done, owner);
	struct guts_lane *l = h->id ? guts_lane_find(b, h->id) : NULL;
	const char *full = h->id ? NULL : no_room(b, h);
	struct guts_batch *batch;
	uint8_t key[GUTS_HOOK_KEY_SIZE];
	struct guts_buf v;

	if ((h->id && !l) || full) {
		change_end(c, full ? GUTS_ELIMIT : GUTS_ENOTFOUND, full ? full : "no such webhook", 0);
		return;
	}
	c->hook = *h;
	c->hook.updated_ms = guts_bridge_wall_ms(b);
	if (l) {
		c->hook.created_ms = l->hook.created_ms;
		c->hook.since_fact = l->hook.since_fact;
		c->hook.since_message = l->hook.since_message;
	} else {
		c->hook.created_ms = c->hook.updated_ms;
		begin_now(b, &c->hook);
	}
	batch = guts_batch_new();
	guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
	guts_hook_encode(&v, &c->hook);
	guts_hook_key(key, &c->hook);
	guts_batch_put(batch, GUTS_TABLE_HOOK, guts_slice(key, sizeof key), guts_buf_slice(&v));
	guts_buf_wipe(&v);
	guts_bridge_mark(b, batch);
	guts_bridge_fact(b, batch, l ? "hook.updated" : "hook.created", &c->hook);
	commit(c, batch);
}

void
guts_bridge_remove(struct guts_bridge *b, uint64_t id, guts_bridge_done *done, void *owner)
{
	struct change *c = change_new(b, done, owner);
	struct guts_lane *l = guts_lane_find(b, id);
	uint8_t key[GUTS_HOOK_KEY_SIZE], number[8];
	struct guts_batch *batch;
	struct guts_waiting *w;

	if (!l) {
		change_end(c, GUTS_ENOTFOUND, "no such webhook", 0);
		return;
	}
	guts_send_stop(b, l);
	c->hook = l->hook;
	c->is_removal = true;
	batch = guts_batch_new();
	guts_hook_key(key, &l->hook);
	guts_batch_del(batch, GUTS_TABLE_HOOK, guts_slice(key, sizeof key));
	guts_delivery_remove_all(batch, id);
	DL_FOREACH (l->queue, w) {
		guts_put_be64(number, w->number);
		guts_batch_del(batch, GUTS_TABLE_OUTBOX, guts_slice(number, sizeof number));
	}
	guts_bridge_fact(b, batch, "hook.removed", &l->hook);
	commit(c, batch);
}

/* -- deliveries by hand ---------------------------------------------------------------------------------- */

void
guts_bridge_ping(struct guts_bridge *b, uint64_t id, guts_bridge_done *done, void *owner)
{
	struct guts_lane *l = guts_lane_find(b, id);
	struct guts_fact f = { .type = "ping", .wall_ns = guts_env_wall(b->env),
		.peer = guts_peerid_slice(&guts_node_key(b->node)->id) };

	if (!l) {
		change_end(change_new(b, done, owner), GUTS_ENOTFOUND, "no such webhook", 0);
		return;
	}
	if (l->hook.has_repo)
		f.repo = guts_slice(l->hook.repo, sizeof l->hook.repo);
	guts_intake_by_hand(b, l, &f, "ping", done, owner);
}

void
guts_bridge_test(struct guts_bridge *b, uint64_t id, guts_bridge_done *done, void *owner)
{
	struct guts_lane *l = guts_lane_find(b, id);
	struct guts_repo *r = l && l->hook.has_repo ? guts_sync_find(guts_node_sync(b->node), l->hook.repo) : NULL;
	struct guts_repo_info *i = r ? guts_repo_info_get(r) : NULL;
	char ref[GUTS_REFNAME_MAX + 1], hex[GUTS_OID_HEX_SIZE];
	const struct guts_refs_row *row;
	struct guts_fact f = { .type = "repo.ref.updated", .wall_ns = guts_env_wall(b->env), .n = 4 };

	snprintf(ref, sizeof ref, "refs/heads/%s", i && i->default_branch ? i->default_branch : "");
	row = i && i->canonical ? guts_refs_view_find(i->canonical, guts_slice_str(ref)) : NULL;
	if (row) {
		guts_oid_hex(hex, &row->oid);
		f.repo = guts_slice(l->hook.repo, sizeof l->hook.repo);
		f.peer = guts_peerid_slice(&row->author);
		f.attr[0] = (struct guts_fact_attr){ .name = "ref", .text = guts_slice_str(ref) };
		f.attr[1] = (struct guts_fact_attr){ .name = "old", .text = guts_slice_str(hex) };
		f.attr[2] = (struct guts_fact_attr){ .name = "new", .text = guts_slice_str(hex) };
		f.attr[3] = (struct guts_fact_attr){ .name = "kind", .text = guts_slice_str("test") };
		guts_intake_by_hand(b, l, &f, "push", done, owner);
	} else {
		change_end(change_new(b, done, owner), GUTS_ENOTFOUND, "there is no commit on the default branch", 0);
	}
	if (i)
		guts_repo_info_unref(i);
}

static void
on_redelivered(void *owner, int err, uint64_t first, uint64_t last)
{
	struct change *c = owner;
	struct guts_bridge *b = c->b;

	struct guts_lane *l = guts_lane_find(b, c->hook.id);

	(void)first;
	(void)last;
	if (!err && l) {
		guts_lane_queue(b, l, c->delivery.number, guts_bridge_wall_ms(b), true);
		guts_bridge_tell(b, &c->delivery);
	}
	change_end(c, err, NULL, c->delivery.number);
	guts_send_run(b);
}

void
guts_bridge_redeliver(struct guts_bridge *b, uint64_t id, uint64_t delivery, guts_bridge_done *done, void *owner)
{
	struct change *c = change_new(b, done, owner);
	struct guts_lane *l = guts_lane_find(b, id);
	struct guts_delivery d;
	struct guts_batch *batch;
	struct guts_buf body;
	uint64_t now = guts_bridge_wall_ms(b);
	int err = l ? guts_delivery_get(b->store, id, delivery, &d) : GUTS_ENOTFOUND;

	guts_buf_init(&body, GUTS_STORE_VALUE_MAX);
	if (!err)
		err = guts_delivery_body(b->store, id, delivery, &body);
	if (!err && l->nqueue >= GUTS_BRIDGE_WAITING_MAX)
		err = GUTS_EBUSY;
	if (err) {
		guts_buf_deinit(&body);
		change_end(c, err, err == GUTS_ENOTFOUND ? "no such delivery" : NULL, 0);
		return;
	}
	d.number = ++b->marks.delivery;
	d.is_redelivery = d.by_hand = true;
	d.state = GUTS_DELIVERY_PENDING;
	d.created_ms = d.next_ms = now;
	d.attempted_ms = d.attempts = d.duration_ms = 0;
	d.status = 0;
	d.error[0] = '\0';
	batch = guts_batch_new();
	guts_bridge_mark(b, batch);
	guts_delivery_put_body(batch, &d, guts_buf_slice(&body));
	guts_delivery_put(batch, &d);
	c->delivery = d;
	c->hook.id = id;
	guts_buf_deinit(&body);
	err = guts_store_commit(b->store, batch, on_redelivered, c);
	if (err)
		change_end(c, err, NULL, 0);
}
