/* bridge/ci.c - queues, and from the log of facts to jobs.
 *
 * As in intake.c the log itself is the source: a page of facts behind the cursor is held against the queues, and one batch
 * stores the jobs with the cursor, so that nothing is missed and nothing is made twice, whenever the node ends.
 */
#include "bridge/cifetch.h"
#include "bridge/cirelay.h"
#include "bridge/ciint.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/payload.h"
#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_FACTS 256     /* read at once */
#define UNMARKED_FACTS 1000 /* passed facts that no queue wanted, before that is stored */

static const char marks_key[] = "ci";

uint64_t
guts_ci_wall_ms(struct guts_ci *ci)
{
	return guts_env_wall(ci->env) / GUTS_MS_NS;
}

void
guts_ci_tell(guts_bridge_done *done, void *owner, int err, const char *why)
{
	struct guts_errinfo ei = { 0 };

	if (!done)
		return;
	if (err)
		guts_err_set(&ei, err, "%s", why ? why : guts_err_text(err));
	done(owner, err, &ei, 0);
}

/* -- what survives --------------------------------------------------------------------------------- */

void
guts_ci_mark(struct guts_ci *ci, struct guts_batch *b)
{
	struct guts_buf v;

	guts_buf_init(&v, 64);
	guts_buf_add_be64(&v, ci->marks.fact);
	guts_buf_add_be64(&v, ci->marks.queue);
	guts_buf_add_be64(&v, ci->marks.job);
	guts_batch_put(b, GUTS_TABLE_META, guts_slice_str(marks_key), guts_buf_slice(&v));
	guts_buf_deinit(&v);
	ci->marked_fact = ci->marks.fact;
}

static void
load_marks(struct guts_ci *ci)
{
	struct guts_cursor c;
	struct guts_buf v;

	guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
	if (guts_store_get(ci->store, GUTS_TABLE_META, guts_slice_str(marks_key), &v) == GUTS_OK) {
		guts_cursor_init(&c, guts_buf_slice(&v));
		ci->marks.fact = ci->marked_fact = guts_cursor_be64(&c);
		ci->marks.queue = guts_cursor_be64(&c);
		ci->marks.job = guts_cursor_be64(&c);
	}
	guts_buf_deinit(&v);
}

static void
add_queue(void *owner, const struct guts_ciqueue *q)
{
	struct guts_ci *ci = owner;
	struct guts_ciqueue_row *row = guts_alloc(sizeof *row);

	row->q = *q;
	DL_APPEND(ci->queues, row);
}

static bool
load_job(void *owner, const struct guts_cijob *j)
{
	struct guts_ci *ci = owner;

	if (guts_cijob_is_open(j))
		guts_ci_open(ci, j)->deadline_ns = guts_env_now(ci->env) + ci->lease_ms * GUTS_MS_NS;
	else
		guts_ci_keep(ci, j);
	return true;
}

/* -- jobs in memory ----------------------------------------------------------------------------------- */

const struct guts_ci_counters *
guts_ci_counters(const struct guts_ci *ci)
{
	return &ci->n;
}

struct guts_ciopen *
guts_ci_open(struct guts_ci *ci, const struct guts_cijob *j)
{
	struct guts_ciopen *o = guts_alloc(sizeof *o);

	o->job = *j;
	for (size_t i = 0; i < j->nfiles; i++)
		ci->bytes += j->files[i].bytes;
	DL_APPEND(ci->open, o);
	ci->nopen++;
	return o;
}

void
guts_ci_close(struct guts_ci *ci, struct guts_ciopen *o)
{
	for (size_t i = 0; i < o->job.nfiles; i++)
		ci->bytes -= o->job.files[i].bytes;
	DL_DELETE(ci->open, o);
	ci->nopen--;
	explicit_bzero(o->job.lease, sizeof o->job.lease);
	free(o);
}

struct guts_ciopen *
guts_ci_by_number(struct guts_ci *ci, uint64_t number)
{
	struct guts_ciopen *o;

	DL_FOREACH (ci->open, o) {
		if (o->job.number == number)
			return o;
	}
	return NULL;
}

void
guts_ci_number(struct guts_ci *ci, struct guts_cijob *j)
{
	struct guts_sha256_ctx c;
	struct guts_buf v;
	uint8_t hash[32];

	j->number = ++ci->marks.job;
	j->created_ms = guts_ci_wall_ms(ci);
	guts_buf_init(&v, 64);
	guts_buf_add(&v, guts_node_key(ci->node)->pub, GUTS_PUBKEY_SIZE);
	guts_buf_add_be64(&v, j->number);
	guts_buf_add_be64(&v, j->created_ms);
	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_buf_slice(&v));
	guts_sha256_end(&c, hash);
	guts_hex_encode(j->id, hash, 16);
	guts_buf_deinit(&v);
}

void
guts_ci_fact(struct guts_ci *ci, struct guts_batch *b, const char *type, const struct guts_cijob *j)
{
	struct guts_repo *r = guts_sync_find(guts_node_sync(ci->node), j->repo);
	struct guts_fact f = { .type = type, .wall_ns = guts_env_wall(ci->env), .n = 8,
		.repo = guts_slice(j->repo, sizeof j->repo), .is_private = !r || guts_repo_is_private(r) };
	char commit[GUTS_OID_HEX_SIZE];

	guts_oid_hex(commit, &j->commit);
	f.attr[0] = (struct guts_fact_attr){ .name = "job", .text = guts_slice_str(j->id) };
	f.attr[1] = (struct guts_fact_attr){ .name = "queue", .is_number = true, .number = j->queue };
	f.attr[2] = (struct guts_fact_attr){ .name = "ref", .text = guts_slice_str(j->ref) };
	f.attr[3] = (struct guts_fact_attr){ .name = "commit", .text = guts_slice_str(commit) };
	f.attr[4] = (struct guts_fact_attr){ .name = "context", .text = guts_slice_str(j->context) };
	f.attr[5] = (struct guts_fact_attr){ .name = "state", .text = guts_slice_str(guts_cistate_name(j->state)) };
	f.attr[6] = (struct guts_fact_attr){ .name = "attempt", .is_number = true, .number = j->attempts };
	f.attr[7] = (struct guts_fact_attr){ .name = "description", .text = guts_slice_str(j->description) };
	guts_batch_fact(b, &f);
}

void
guts_ci_signal(struct guts_ci *ci, const char *type, const struct guts_cijob *j, struct guts_fact_attr x,
    struct guts_fact_attr y)
{
	struct guts_repo *r = guts_sync_find(guts_node_sync(ci->node), j->repo);
	struct guts_signal s = { .type = type, .repo = guts_slice(j->repo, sizeof j->repo), .n = 3,
		.is_private = !r || guts_repo_is_private(r) };

	s.attr[0] = (struct guts_fact_attr){ .name = "job", .text = guts_slice_str(j->id) };
	s.attr[1] = x;
	s.attr[2] = y;
	guts_node_signal(ci->node, &s);
}

/* -- one change at a time --------------------------------------------------------------------------------- */

struct change {
	struct guts_ci *ci;
	struct guts_cijob next;
	void (*then)(void *owner, int err, struct guts_ciopen *o);
	void *owner;
};

static void
on_changed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct change *c = owner;
	struct guts_ci *ci = c->ci;
	struct guts_ciopen *o = guts_ci_by_number(ci, c->next.number);

	if (!err) {
		for (size_t i = 0; i < o->job.nfiles; i++)
			ci->bytes -= o->job.files[i].bytes;
		for (size_t i = 0; i < c->next.nfiles; i++)
			ci->bytes += c->next.files[i].bytes;
		o->job = c->next;
	} else {
		guts_log_limited(GUTS_LOG_ERROR, "ci", "a job cannot be stored: %s", guts_err_text(err));
	}
	o->busy = false;
	if (first)
		guts_node_announce(ci->node, first, last);
	if (c->then)
		c->then(c->owner, err, o);
	explicit_bzero(c->next.lease, sizeof c->next.lease);
	free(c);
	if (!err)
		guts_ci_run(ci);
	else if (ci->is_running)
		guts_env_timer_set(ci->env, &ci->timer, guts_env_now(ci->env) + GUTS_SECOND_NS);
}

void
guts_ci_change(struct guts_ci *ci, struct guts_ciopen *o, const struct guts_cijob *next, struct guts_batch *b,
    const char *type, void (*then)(void *owner, int err, struct guts_ciopen *o), void *owner)
{
	struct change *c = guts_alloc(sizeof *c);
	int err;

	*c = (struct change){ .ci = ci, .next = *next, .then = then, .owner = owner };
	o->busy = true;
	guts_cijob_put(b, next);
	if (type)
		guts_ci_fact(ci, b, type, next);
	err = guts_store_commit(ci->store, b, on_changed, c);
	if (err)
		on_changed(c, err, 0, 0);
}

/* -- facts become jobs ------------------------------------------------------------------------------------ */

struct page {
	struct guts_ci *ci;
	struct guts_batch *batch;
	struct guts_cijob *made;
	size_t nmade, nread;
	struct guts_cimarks before;
};

static void
make_job(struct page *p, const struct guts_ciqueue *q, const struct guts_fact *f)
{
	struct guts_slice ref = guts_fact_text(f, "ref");
	struct guts_cijob *j;

	p->made = guts_realloc(p->made, (p->nmade + 1) * sizeof *p->made);
	j = &p->made[p->nmade++];
	*j = (struct guts_cijob){ .queue = q->id,
		.event = guts_ref_tag(ref).n ? GUTS_CIEVENT_TAG : GUTS_CIEVENT_PUSH };
	memcpy(j->repo, q->repo, sizeof j->repo);
	memcpy(j->context, q->context, sizeof j->context);
	snprintf(j->ref, sizeof j->ref, "%.*s", (int)ref.n, (const char *)ref.p);
	(void)guts_oid_from_hex(&j->commit, guts_fact_text(f, "new"));
	(void)guts_oid_from_hex(&j->before, guts_fact_text(f, "old"));
	guts_ci_number(p->ci, j);
	guts_cijob_put(p->batch, j);
	guts_ci_fact(p->ci, p->batch, "ci.job.queued", j);
}

static bool
on_fact(void *owner, const struct guts_fact *f)
{
	struct page *p = owner;
	struct guts_ciqueue_row *row, *next;
	bool is_removal = strcmp(f->type, "repo.removed") == 0 && f->repo.n == GUTS_REPOID_SIZE &&
	    !guts_sync_find(guts_node_sync(p->ci->node), f->repo.p);

	DL_FOREACH_SAFE(p->ci->queues, row, next) {
		if (guts_ciqueue_wants(&row->q, f))
			make_job(p, &row->q, f);
		else if (is_removal && memcmp(row->q.repo, f->repo.p, GUTS_REPOID_SIZE) == 0)
			guts_ci_queue_remove(p->ci, row->q.id, NULL, NULL);
	}
	p->ci->marks.fact = f->id;
	p->nread++;
	return p->nmade < PAGE_FACTS;
}

/* The page is stored, or (err) is to be read again. */
static void
on_page(void *owner, int err, uint64_t first, uint64_t last)
{
	struct page *p = owner;
	struct guts_ci *ci = p->ci;

	ci->is_reading = false;
	if (err) {
		guts_log_limited(GUTS_LOG_ERROR, "ci", "jobs cannot be stored: %s", guts_err_text(err));
		ci->marks.fact = p->before.fact;
		if (ci->is_running)
			guts_env_timer_set(ci->env, &ci->intake_timer, guts_env_now(ci->env) + GUTS_SECOND_NS);
	} else {
		for (size_t i = 0; i < p->nmade; i++)
			guts_ci_open(ci, &p->made[i]);
		if (first)
			guts_node_announce(ci->node, first, last);
		if (ci->is_running) {
			guts_env_timer_set(ci->env, &ci->intake_timer, guts_env_now(ci->env));
			guts_ci_run(ci);
		}
	}
	free(p->made);
	free(p);
}

static void
read_facts(struct guts_timer *t, void *owner)
{
	struct guts_ci *ci = owner;
	bool more = true;

	(void)t;
	while (more && ci->is_running && ci->queues && !ci->is_reading) {
		struct page *p = guts_alloc(sizeof *p);
		int err = 0;

		*p = (struct page){ .ci = ci, .batch = guts_batch_new(), .before = ci->marks };
		(void)guts_store_facts(ci->store, ci->marks.fact, PAGE_FACTS, on_fact, p);
		more = p->nread > 0;
		if (p->nmade || ci->marks.fact - ci->marked_fact >= UNMARKED_FACTS) {
			guts_ci_mark(ci, p->batch);
			ci->is_reading = true;
			if ((err = guts_store_commit(ci->store, p->batch, on_page, p)) != 0)
				on_page(p, err, 0, 0);
		} else {
			guts_batch_free(p->batch);
			free(p);
		}
	}
}

static void
on_facts(void *owner, uint64_t first, uint64_t last)
{
	struct guts_ci *ci = owner;

	(void)first;
	(void)last;
	guts_env_timer_set(ci->env, &ci->intake_timer, guts_env_now(ci->env));
}

/* Listen to the node while there are queues, and only then. */
static void
listen_to_node(struct guts_ci *ci)
{
	bool want = ci->is_running && ci->queues != NULL;

	if (want == ci->is_listening)
		return;
	ci->is_listening = want;
	if (want)
		guts_node_listen(ci->node, &ci->listener);
	else
		guts_node_unlisten(ci->node, &ci->listener);
}

/* -- queues ------------------------------------------------------------------------------------------- */

const struct guts_ciqueue *
guts_ci_queue_next(struct guts_ci *ci, uint64_t after)
{
	struct guts_ciqueue_row *row;

	DL_FOREACH (ci->queues, row) {
		if (row->q.id > after)
			return &row->q;
	}
	return NULL;
}

size_t
guts_ci_queue_waiting(struct guts_ci *ci, uint64_t id)
{
	struct guts_ciopen *o;
	size_t n = 0;

	DL_FOREACH (ci->open, o)
		n += o->job.queue == id && o->job.state == GUTS_CIJOB_QUEUED;
	return n;
}

struct queue_change {
	struct guts_ci *ci;
	struct guts_ciqueue q;
	bool is_removal;
	guts_bridge_done *done;
	void *owner;
};

/* Jobs of a queue that is no longer there have nobody to run them for. */
static void
end_waiting(struct guts_ci *ci, uint64_t queue)
{
	struct guts_ciresult r = { .state = GUTS_CIJOB_ERROR, .description = "its queue was removed" };
	struct guts_ciopen *o, *next;

	DL_FOREACH_SAFE (ci->open, o, next) {
		if (o->job.queue == queue && o->job.state == GUTS_CIJOB_QUEUED && !o->busy)
			guts_ci_end(ci, o, &r, NULL, NULL);
	}
}

static void
on_queue_changed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct queue_change *c = owner;
	struct guts_ci *ci = c->ci;
	struct guts_ciqueue_row *row;
	struct guts_errinfo ei = { 0 };

	(void)first;
	(void)last;
	DL_SEARCH_SCALAR(ci->queues, row, q.id, c->q.id);
	if (err) {
		guts_err_set(&ei, err, "the queue could not be stored: %s", guts_err_text(err));
	} else if (c->is_removal && row) {
		DL_DELETE(ci->queues, row);
		free(row);
	} else if (row) {
		row->q = c->q;
	} else if (!c->is_removal) {
		add_queue(ci, &c->q);
	}
	listen_to_node(ci);
	if (!err && c->is_removal)
		end_waiting(ci, c->q.id);
	if (c->done)
		c->done(c->owner, err, &ei, c->q.id);
	free(c);
}

static void
commit_queue(struct queue_change *c, struct guts_batch *b)
{
	int err = guts_store_commit(c->ci->store, b, on_queue_changed, c);

	if (err)
		on_queue_changed(c, err, 0, 0);
}

/* A queue that makes the same jobs; NULL: none. */
static const struct guts_ciqueue_row *
find_same(const struct guts_ci *ci, const struct guts_ciqueue *q)
{
	const struct guts_ciqueue_row *row;

	DL_FOREACH (ci->queues, row) {
		if (memcmp(row->q.repo, q->repo, sizeof q->repo) == 0 && strcmp(row->q.branches, q->branches) == 0 &&
		    strcmp(row->q.context, q->context) == 0 && row->q.events == q->events)
			break;
	}
	return row;
}

void
guts_ci_queue_put(struct guts_ci *ci, const struct guts_ciqueue *q, guts_bridge_done *done, void *owner)
{
	const struct guts_ciqueue_row *same;
	char text[80];
	struct queue_change *c;
	struct guts_ciqueue_row *row, *old;
	struct guts_batch *b;
	uint64_t oldest;
	size_t n;

	DL_COUNT(ci->queues, row, n);
	DL_SEARCH_SCALAR(ci->queues, old, q.id, q->id);
	if (q->id && !old) {
		guts_ci_tell(done, owner, GUTS_ENOTFOUND, "no such queue");
		return;
	}
	if (!old && (same = find_same(ci, q)) != NULL) {
		snprintf(text, sizeof text, "queue %llu is the same; each push would make two jobs", (unsigned long long)same->q.id);
		guts_ci_tell(done, owner, GUTS_EEXIST, text);
		return;
	}
	if (!old && n >= GUTS_CIQUEUES_MAX) {
		guts_ci_tell(done, owner, GUTS_ELIMIT, "this node has its 100 queues already");
		return;
	}
	c = guts_alloc(sizeof *c);
	*c = (struct queue_change){ .ci = ci, .q = *q, .done = done, .owner = owner };
	if (old) {
		c->q.created_ms = old->q.created_ms;
		c->q.since_fact = old->q.since_fact;
	} else {
		guts_store_fact_range(ci->store, &oldest, &c->q.since_fact);
		c->q.id = ++ci->marks.queue;
		c->q.created_ms = guts_ci_wall_ms(ci);
	}
	if (!ci->queues) /* the first one: what was before need not be looked at */
		ci->marks.fact = c->q.since_fact;
	b = guts_batch_new();
	guts_ciqueue_put(b, &c->q);
	guts_ci_mark(ci, b);
	commit_queue(c, b);
}

void
guts_ci_queue_remove(struct guts_ci *ci, uint64_t id, guts_bridge_done *done, void *owner)
{
	struct queue_change *c;
	struct guts_ciqueue_row *row;
	struct guts_batch *b;

	DL_SEARCH_SCALAR(ci->queues, row, q.id, id);
	if (!row) {
		guts_ci_tell(done, owner, GUTS_ENOTFOUND, "no such queue");
		return;
	}
	c = guts_alloc(sizeof *c);
	*c = (struct queue_change){ .ci = ci, .q = row->q, .is_removal = true, .done = done, .owner = owner };
	b = guts_batch_new();
	guts_ciqueue_remove(b, id);
	commit_queue(c, b);
}

/* -- life ---------------------------------------------------------------------------------------------- */

static void
on_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	guts_ci_run(owner);
}

struct guts_ci *
guts_ci_new(struct guts_node *node, const struct guts_bridge_setup *s)
{
	struct guts_ci *ci = guts_alloc(sizeof *ci);

	ci->node = node;
	ci->env = guts_node_env(node);
	ci->store = guts_node_store(node);
	ci->copies = (struct guts_cicopies){ .ci = ci, .store = ci->store };
	ci->listener = (struct guts_node_listener){ .facts = on_facts, .owner = ci };
	ci->intake_timer = (struct guts_timer){ .fire = read_facts, .owner = ci, .at_ns = GUTS_NEVER };
	ci->timer = (struct guts_timer){ .fire = on_timer, .owner = ci, .at_ns = GUTS_NEVER };
	guts_ci_tune(ci, s);
	return ci;
}

void
guts_ci_tune(struct guts_ci *ci, const struct guts_bridge_setup *s)
{
	ci->lease_ms = s->lease_ms;
	ci->age_ms = s->age_ms;
	ci->copies.max = s->copies_max;
	if (ci->is_running) {
		guts_cicopies_prune(&ci->copies);
		guts_ci_run(ci);
	}
}

static void
on_removed(void *owner, const uint8_t repo[GUTS_REPOID_SIZE])
{
	struct guts_ci *ci = owner;

	guts_cicopies_drop(&ci->copies, repo);
}

void
guts_ci_start(struct guts_ci *ci)
{
	load_marks(ci);
	(void)guts_ciqueue_each(ci->store, add_queue, ci);
	(void)guts_cijob_each(ci->store, load_job, ci);
	guts_cicopies_load(&ci->copies);
	ci->is_running = true;
	guts_node_serve_jobs(ci->node, guts_ci_answer, on_removed, ci);
	listen_to_node(ci);
	read_facts(&ci->intake_timer, ci);
	guts_ci_run(ci);
}

void
guts_ci_stop(struct guts_ci *ci)
{
	ci->is_running = false;
	guts_node_serve_jobs(ci->node, NULL, NULL, NULL);
	listen_to_node(ci);
	guts_env_timer_clear(ci->env, &ci->intake_timer);
	guts_env_timer_clear(ci->env, &ci->timer);
	guts_ci_run(ci);
	guts_cifetch_wake(ci, NULL);
}

void
guts_ci_free(struct guts_ci *ci)
{
	struct guts_ciqueue_row *row, *next;
	struct guts_ciended *e, *after;

	if (!ci)
		return;
	DL_FOREACH_SAFE (ci->queues, row, next)
		free(row);
	DL_FOREACH_SAFE (ci->ended, e, after)
		free(e);
	while (ci->open)
		guts_ci_close(ci, ci->open);
	guts_ci_endings_free(ci);
	guts_cirelays_free(ci);
	guts_cicopies_free(&ci->copies);
	free(ci);
}
