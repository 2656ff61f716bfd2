/* bridge/intake.c - from the logs of facts and messages to deliveries.
 *
 * One page after another: facts behind the cursor are held against the hooks, a job on a worker makes the payloads that
 * are wanted, and one batch stores the deliveries with the cursor behind them.  So nothing is missed and nothing is
 * made twice, whenever the node ends.  A page is split into several batches when it is large, between facts.  The next
 * batch waits for the one before it: a disk that is slower than the events come holds up the reading, not the memory.
 *
 * A ref's first move with the repository's first copy (attribute `first`) fires nothing but the repository's own event:
 * else a new seeder would shower its receivers with history.
 */
#include "bridge/internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_FACTS 256             /* read at once */
#define PAGE_ITEMS 16              /* events of one page that are wanted */
#define BATCH_BYTES (4u << 20)     /* [bytes] after which a batch is closed */
#define UNMARKED_FACTS 1000        /* passed facts that nobody wanted, before that is stored */
#define AGAIN_NS (50 * GUTS_MS_NS) /* for a message that is not stored yet */

/* One event that some hook wants. */
struct item {
	struct guts_fact fact;             /* its own memory */
	uint64_t message;                  /* cursor, of a gossip message */
	char event[32], action[24];
	bool is_other, is_signal;
	struct guts_repo_info *repo;       /* a reference, or NULL */
	char *git_path;
	bool wanted[2];                    /* GitHub's form, Gitea's */
	struct guts_buf body[2];
	int err[2];
	uint64_t only;                     /* hook of a delivery by hand; 0 = all that want it */
	struct guts_hook *hook;            /* of a ping */
	struct item *next;
};

/* A page under way. */
struct guts_intake {
	struct guts_bridge *b;
	struct guts_job job;
	struct item *items;                /* not stored yet */
	size_t nitems, nread;              /* of the whole page */
	uint64_t fact, message;            /* the cursors when it is done */
	char *base;                        /* a copy: the bridge may get another one meanwhile */
	guts_bridge_done *done;            /* of a delivery by hand */
	void *owner;
	uint64_t number;
	struct guts_intake *prev, *next;   /* in b->intakes */
};

/* -- memory ---------------------------------------------------------------------------------------- */

static struct guts_slice
dup_slice(struct guts_slice s)
{
	return guts_slice(guts_memdup(s.p, s.n), s.n);
}

void
guts_intake_fact_copy(struct guts_fact *to, const struct guts_fact *from)
{
	*to = *from;
	to->type = guts_strdup(from->type);
	to->repo = dup_slice(from->repo);
	to->peer = dup_slice(from->peer);
	for (size_t i = 0; i < from->n; i++) {
		to->attr[i].name = guts_strdup(from->attr[i].name);
		if (!from->attr[i].is_number)
			to->attr[i].text = dup_slice(from->attr[i].text);
	}
}

void
guts_intake_fact_free(struct guts_fact *f)
{
	free((void *)(uintptr_t)f->type);
	free((void *)(uintptr_t)f->repo.p);
	free((void *)(uintptr_t)f->peer.p);
	for (size_t i = 0; i < f->n; i++) {
		free((void *)(uintptr_t)f->attr[i].name);
		if (!f->attr[i].is_number)
			free((void *)(uintptr_t)f->attr[i].text.p);
	}
}

static void
item_free(struct item *it)
{
	guts_intake_fact_free(&it->fact);
	if (it->repo)
		guts_repo_info_unref(it->repo);
	free(it->git_path);
	for (int i = 0; i < 2; i++)
		guts_buf_deinit(&it->body[i]);
	if (it->hook)
		explicit_bzero(it->hook, sizeof *it->hook);
	free(it->hook);
	free(it);
}

void
guts_intake_free(struct guts_intake *in)
{
	struct item *it, *next;

	LL_FOREACH_SAFE (in->items, it, next)
		item_free(it);
	DL_DELETE(in->b->intakes, in);
	free(in->base);
	free(in);
}

/* -- which events a fact is ---------------------------------------------------------------------------- */

struct names {
	const char *event[2];
	const char *action;
	size_t n;
};

static void
name(struct names *w, const char *event, const char *action)
{
	w->event[w->n++] = event;
	w->action = action;
}

static struct names
names_of(const struct guts_fact *f)
{
	struct guts_slice ref = guts_fact_text(f, "ref"), kind = guts_fact_text(f, "kind");
	struct names w = { .action = "" };

	if (strcmp(f->type, "repo.ref.updated") == 0 || strcmp(f->type, "repo.author.ref") == 0) {
		if (guts_fact_number(f, "first") || (guts_ref_branch(ref).n == 0 && guts_ref_tag(ref).n == 0))
			return w;
		if (guts_slice_eq(kind, guts_slice_str("create")))
			name(&w, "create", "");
		name(&w, "push", "");
		if (guts_slice_eq(kind, guts_slice_str("delete")))
			name(&w, "delete", "");
	} else if (strcmp(f->type, "status.created") == 0) {
		name(&w, "status", "");
	} else if (strcmp(f->type, "repo.created") == 0 || strcmp(f->type, "repo.added") == 0) {
		name(&w, "repository", "created");
	} else if (strcmp(f->type, "repo.updated") == 0) {
		name(&w, "repository", "edited");
	} else if (strcmp(f->type, "repo.removed") == 0) {
		name(&w, "repository", "deleted");
	} else if (guts_hook_event_exists(f->type, false)) {
		name(&w, f->type, "");
	}
	return w;
}

/* The branch of an event, into `mem`; NULL if it is of none. */
static const char *
branch_of(const struct guts_fact *f, char mem[GUTS_REFNAME_MAX + 1])
{
	struct guts_slice branch = guts_ref_branch(guts_fact_text(f, "ref"));

	if (branch.n == 0 || branch.n > GUTS_REFNAME_MAX)
		return NULL;
	memcpy(mem, branch.p, branch.n);
	mem[branch.n] = '\0';
	return mem;
}

static bool
wants(const struct guts_lane *l, const struct item *it)
{
	char branch[GUTS_REFNAME_MAX + 1];
	struct guts_hook_event e = { .name = it->event, .is_other = it->is_other, .is_signal = it->is_signal, .fact = it->fact.id,
		.message = it->message, .repo = it->fact.repo.n == GUTS_REPOID_SIZE ? it->fact.repo.p : NULL };

	if (it->only)
		return it->only == l->id;
	e.branch = branch_of(&it->fact, branch);
	return l->hook.active && guts_hook_wants(&l->hook, &e);
}

static int
form_of(const struct guts_lane *l)
{
	return l->hook.format == GUTS_HOOK_GITEA;
}

/* Needs this event the repository itself?  Then without it, it is of no use. */
static bool
needs_repo(const char *event)
{
	return strcmp(event, "push") == 0 || strcmp(event, "create") == 0 || strcmp(event, "delete") == 0 ||
	    strcmp(event, "status") == 0;
}

/* Keep the event if a hook wants it. */
static void
take_event(struct guts_intake *in, const struct guts_fact *f, const char *event, const char *action, uint64_t message,
    uint64_t only)
{
	struct guts_bridge *b = in->b;
	struct guts_slice ref = guts_fact_text(f, "ref");
	struct item *it = guts_alloc(sizeof *it);
	struct guts_repo *r = f->repo.n == GUTS_REPOID_SIZE ? guts_sync_find(guts_node_sync(b->node), f->repo.p) : NULL;

	it->fact = (struct guts_fact){ .id = f->id };
	it->message = message;
	it->only = only;
	it->is_signal = !f->id && !message && !only;
	snprintf(it->event, sizeof it->event, "%s", event);
	snprintf(it->action, sizeof it->action, "%s", action);
	it->is_other = (ref.n > 16 && memcmp(ref.p, "refs/namespaces/", 16) == 0) ||
	    (strcmp(event, "status") == 0 && !guts_fact_number(f, "counts"));
	guts_intake_fact_copy(&it->fact, f);
	for (struct guts_lane *l = b->lanes; l; l = l->hh.next) {
		if (wants(l, it))
			it->wanted[form_of(l)] = true;
	}
	if ((!it->wanted[0] && !it->wanted[1]) || (!r && needs_repo(event))) {
		item_free(it);
		return;
	}
	if (r) {
		it->repo = guts_repo_info_get(r);
		it->git_path = guts_repostore_path(b->repos, f->repo.p);
	}
	LL_APPEND(in->items, it);
	in->nitems++;
}

/* -- a page ---------------------------------------------------------------------------------------------- */

/* Hooks of a repository end with it. */
static void
drop_hooks_of(struct guts_bridge *b, const struct guts_fact *f)
{
	struct guts_lane *l, *next;

	if (strcmp(f->type, "repo.removed") != 0 || guts_sync_find(guts_node_sync(b->node), f->repo.p))
		return;
	HASH_ITER (hh, b->lanes, l, next) {
		if (l->hook.has_repo && memcmp(l->hook.repo, f->repo.p, GUTS_REPOID_SIZE) == 0)
			guts_bridge_remove(b, l->id, NULL, NULL);
	}
}

static bool
on_fact(void *owner, const struct guts_fact *f)
{
	struct guts_intake *in = owner;
	struct names w = names_of(f);

	for (size_t i = 0; i < w.n; i++)
		take_event(in, f, w.event[i], w.action, 0, 0);
	drop_hooks_of(in->b, f);
	in->fact = f->id;
	in->nread++;
	return in->nitems < PAGE_ITEMS;
}

static bool
on_message(void *owner, const struct guts_user_message *m)
{
	struct guts_intake *in = owner;
	bool is_text = guts_text_is_utf8(m->data);
	char *base64 = is_text ? NULL : guts_alloc(4 * ((m->data.n + 2) / 3) + 1);
	struct guts_fact f = { .type = "gossip.message", .wall_ns = m->wall_ms * GUTS_MS_NS,
		.peer = guts_peerid_slice(&m->author), .n = 5 };

	if (base64)
		guts_base64_encode(base64, m->data.p, m->data.n);
	f.attr[0] = (struct guts_fact_attr){ .name = "topic", .text = guts_slice_str(m->topic) };
	f.attr[1] = (struct guts_fact_attr){ .name = "id", .text = guts_slice_str(m->id) };
	f.attr[2] = (struct guts_fact_attr){ .name = "cursor", .is_number = true, .number = m->cursor };
	f.attr[3] = (struct guts_fact_attr){ .name = "encoding", .text = guts_slice_str(is_text ? "utf8" : "base64") };
	f.attr[4] = (struct guts_fact_attr){ .name = "data", .text = is_text ? m->data : guts_slice_str(base64) };
	take_event(in, &f, f.type, "", m->cursor, 0);
	free(base64);
	in->message = m->cursor;
	in->nread++;
	return in->nitems < PAGE_ITEMS;
}

static bool
anyone_hears_gossip(const struct guts_bridge *b)
{
	for (const struct guts_lane *l = b->lanes; l; l = l->hh.next) {
		if (guts_hook_names(&l->hook, "gossip.message"))
			return true;
	}
	return false;
}

/* -- deliveries of a page -------------------------------------------------------------------------------- */

/* One id for one event and hook, however often it is made. */
static void
make_guid(struct guts_bridge *b, uint8_t guid[16], const struct item *it, uint64_t hook)
{
	struct guts_sha256_ctx c;
	struct guts_buf v;
	uint8_t hash[32];

	guts_buf_init(&v, 256);
	guts_buf_add(&v, guts_node_key(b->node)->pub, GUTS_PUBKEY_SIZE);
	guts_buf_add_be64(&v, it->fact.id);
	guts_buf_add_be64(&v, it->message);
	guts_buf_add_be64(&v, hook);
	guts_buf_add_be64(&v, it->only || it->is_signal ? b->marks.delivery : 0);
	guts_buf_add_str(&v, it->event);
	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_buf_slice(&v));
	guts_sha256_end(&c, hash);
	guts_buf_deinit(&v);
	memcpy(guid, hash, 16);
	guid[6] = (uint8_t)((guid[6] & 0x0f) | 0x80); /* version 8: of our own making, RFC 9562 */
	guid[8] = (uint8_t)((guid[8] & 0x3f) | 0x80);
}

/* All up to these have become deliveries; 0 = as before. */
static void
pass_to(struct guts_bridge *b, uint64_t fact, uint64_t message)
{
	if (fact)
		b->marks.fact = fact;
	if (message)
		b->marks.message = message;
}

/* A batch under way, and the deliveries that wait for it. */
struct commit {
	struct guts_bridge *b;
	struct guts_intake *in;     /* whose items it stores; NULL = only the marks */
	struct guts_batch *batch;
	size_t bytes, n;
	struct guts_delivery *made; /* to be queued */
	struct guts_bridge_marks before;
};

static struct commit *
commit_new(struct guts_bridge *b, struct guts_intake *in)
{
	struct commit *c = guts_alloc(sizeof *c);

	c->b = b;
	c->in = in;
	c->batch = guts_batch_new();
	c->before = b->marks;
	return c;
}

static void
commit_free(struct commit *c)
{
	free(c->made);
	free(c);
}

/* Nothing of it was stored: read it again, soon. */
static void
step_back(struct commit *c)
{
	struct guts_bridge *b = c->b;

	b->marks.fact = c->before.fact < b->marks.fact ? c->before.fact : b->marks.fact;
	b->marks.message = c->before.message < b->marks.message ? c->before.message : b->marks.message;
	if (b->is_running)
		guts_env_timer_set(b->env, &b->intake_timer, guts_env_now(b->env) + GUTS_SECOND_NS);
}

static void store_page(struct guts_intake *in);

/* The last of it is stored, or nothing more is to be. */
static void
end_page(struct guts_intake *in, int err)
{
	struct guts_bridge *b = in->b;
	bool was_page = b->intake == in;

	if (in->done)
		in->done(in->owner, err, NULL, in->number);
	guts_intake_free(in);
	if (!was_page)
		return;
	b->intake = NULL;
	if (b->wants_intake && !err)
		guts_intake_run(b);
}

static void
on_committed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct commit *c = owner;
	struct guts_bridge *b = c->b;

	for (size_t i = 0; i < c->n; i++) {
		struct guts_lane *l = guts_lane_find(b, c->made[i].hook);

		if (l)
			l->nmaking--;
		if (l && !err)
			guts_lane_queue(b, l, c->made[i].number, c->made[i].next_ms, c->made[i].by_hand);
		if (l && !err)
			guts_bridge_tell(b, &c->made[i]);
	}
	if (err) {
		guts_log_limited(GUTS_LOG_ERROR, "bridge", "deliveries cannot be stored: %s", guts_err_text(err));
		step_back(c);
	} else if (first) {
		guts_node_announce(b->node, first, last);
	}
	if (c->in && c->in->items && !err && b->is_running)
		store_page(c->in);
	else if (c->in)
		end_page(c->in, err);
	guts_send_run(b);
	commit_free(c);
}

/* Store it with the marks as they are now. */
static void
commit(struct commit *c)
{
	int err;

	guts_bridge_mark(c->b, c->batch);
	err = guts_store_commit(c->b->store, c->batch, on_committed, c);
	if (err)
		on_committed(c, err, 0, 0);
}

/* A delivery of `it` for a hook, into the batch; it is queued when that is stored. */
static void
deliver(struct commit *c, struct guts_lane *l, const struct item *it)
{
	struct guts_bridge *b = c->b;
	uint64_t now = guts_bridge_wall_ms(b);
	struct guts_delivery d = { .number = ++b->marks.delivery, .hook = l->id, .has_repo = it->fact.repo.n > 0,
		.by_hand = it->only != 0, .created_ms = now, .next_ms = now };
	int form = it->wanted[form_of(l)] ? form_of(l) : !form_of(l); /* the hook may have changed since */

	memcpy(d.event, it->event, sizeof d.event);
	memcpy(d.action, it->action, sizeof d.action);
	if (d.has_repo)
		memcpy(d.repo, it->fact.repo.p, sizeof d.repo);
	make_guid(b, d.guid, it, l->id);
	c->in->number = d.number;
	c->bytes += it->body[form].len;
	guts_delivery_put_body(c->batch, &d, guts_buf_slice(&it->body[form]));
	if (it->err[form]) {
		guts_send_bury(b, c->batch, l, &d, "its payload could not be made");
	} else if (l->nqueue + l->nmaking >= GUTS_BRIDGE_WAITING_MAX) {
		guts_send_bury(b, c->batch, l, &d, "too many deliveries wait for this hook");
	} else {
		guts_delivery_put(c->batch, &d);
		c->made = guts_realloc(c->made, (c->n + 1) * sizeof *c->made);
		c->made[c->n++] = d;
		l->nmaking++;
	}
}

/* The payloads are there: store the deliveries of as many items as a batch takes, those of one fact together. */
static void
store_page(struct guts_intake *in)
{
	struct guts_bridge *b = in->b;
	struct commit *c = commit_new(b, in);
	uint64_t fact = 0, message = 0;
	struct item *it;

	while ((it = in->items) != NULL && (c->bytes < BATCH_BYTES || (fact && it->fact.id == fact))) {
		for (struct guts_lane *l = b->lanes; l; l = l->hh.next) {
			/* fleeting ones leave half of a queue to the others */
			if (wants(l, it) && !(it->is_signal && l->nqueue + l->nmaking >= GUTS_BRIDGE_WAITING_MAX / 2))
				deliver(c, l, it);
		}
		fact = it->fact.id;
		message = it->message;
		LL_DELETE(in->items, it);
		item_free(it);
	}
	if (!in->items) {
		fact = in->fact;
		message = in->message;
	}
	pass_to(b, fact, message);
	commit(c);
}

static void
run_job(struct guts_job *j)
{
	struct guts_intake *in = j->owner;
	struct item *it;

	LL_FOREACH (in->items, it) {
		for (int form = 0; form < 2; form++) {
			struct guts_payload p = { .event = it->event, .action = it->action, .fact = &it->fact, .hook = it->hook,
				.repo = it->repo, .git_path = it->git_path, .base = in->base, .gitea = form == 1 };

			guts_buf_init(&it->body[form], GUTS_DELIVERY_BODY_MAX);
			if (it->wanted[form])
				it->err[form] = guts_payload_make(&it->body[form], &p);
			if (it->err[form]) {
				guts_buf_clear(&it->body[form]);
				guts_buf_add_str(&it->body[form], "{}");
			}
		}
	}
}

static void
on_job(struct guts_job *j, void *owner)
{
	(void)j;
	store_page(owner);
}

static struct guts_intake *
new_intake(struct guts_bridge *b)
{
	struct guts_intake *in = guts_alloc(sizeof *in);

	in->b = b;
	in->base = guts_strdup(b->base);
	in->job = (struct guts_job){ .run = run_job, .done = on_job, .owner = in, .name = "webhook payload" };
	DL_APPEND(b->intakes, in);
	return in;
}

/* Nobody wanted anything of the page: the cursor moves, and is stored now and then. */
static void
pass(struct guts_bridge *b, struct guts_intake *in)
{
	pass_to(b, in->fact, in->message);
	if (b->marks.fact - b->marked_fact >= UNMARKED_FACTS)
		commit(commit_new(b, NULL));
	guts_intake_free(in);
}

/* Where the log no longer reaches back to, nothing can be told. */
static void
check_gap(struct guts_bridge *b)
{
	uint64_t oldest, newest;

	guts_store_fact_range(b->store, &oldest, &newest);
	if (oldest > b->marks.fact + 1) {
		guts_log(GUTS_LOG_WARN, "bridge", "facts %llu to %llu are no longer kept: no webhook fires for them",
		    (unsigned long long)b->marks.fact + 1, (unsigned long long)oldest - 1);
		b->marks.fact = oldest - 1;
	}
}

void
guts_intake_run(struct guts_bridge *b)
{
	bool more = true;

	if (!b->is_running || !b->lanes)
		return;
	b->wants_intake = true;
	while (more && !b->intake) {
		struct guts_intake *in = new_intake(b);

		b->wants_intake = false;
		check_gap(b);
		(void)guts_store_facts(b->store, b->marks.fact, PAGE_FACTS, on_fact, in);
		if (!in->nitems && anyone_hears_gossip(b))
			(void)guts_node_messages(b->node, NULL, b->marks.message, PAGE_FACTS, on_message, in);
		more = in->nread > 0;
		if (in->nitems) {
			b->wants_intake = true;
			b->intake = in;
			guts_env_submit(b->env, &in->job);
		} else {
			pass(b, in);
		}
	}
	/* a message is told of before it is stored */
	if (!b->intake && anyone_hears_gossip(b) && b->marks.message < b->message_told)
		guts_env_timer_set(b->env, &b->intake_timer, guts_env_now(b->env) + AGAIN_NS);
}

void
guts_intake_by_hand(struct guts_bridge *b, struct guts_lane *l, const struct guts_fact *f, const char *event,
    guts_bridge_done *done, void *owner)
{
	struct guts_intake *in = new_intake(b);

	in->done = done;
	in->owner = owner;
	take_event(in, f, event, "", 0, l->id);
	if (!in->items) {
		guts_intake_free(in);
		done(owner, GUTS_ENOTFOUND, NULL, 0);
		return;
	}
	in->items->hook = guts_memdup(&l->hook, sizeof l->hook);
	guts_env_submit(b->env, &in->job);
}

void
guts_intake_signals(struct guts_bridge *b, const struct guts_fact *const *v, size_t n)
{
	struct guts_intake *in = new_intake(b);

	for (size_t i = 0; i < n; i++)
		take_event(in, v[i], v[i]->type, "", 0, 0);
	if (in->items)
		guts_env_submit(b->env, &in->job);
	else
		guts_intake_free(in);
}
