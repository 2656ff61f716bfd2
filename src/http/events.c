/* http/events.c - the ring: facts and signals in, encoded once, readers woken in one go. */
#include "base/alloc.h"
#include "http/events.h"
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define BATCH 256               /* facts read from the store at once */
#define FRAME_MAX (256u << 10)  /* [bytes] of one event */

void
guts_event_unref(struct guts_event *e)
{
	if (e && --e->refcount == 0)
		free(e);
}

bool
guts_filter_takes(const struct guts_filter *f, const char *type, const uint8_t *repo, bool is_private,
    const struct guts_peerid *peer)
{
	bool fits = f->ntypes == 0;

	if (guts_event_needs_admin(type) && !guts_who_can(f->who, GUTS_SCOPE_ADMIN))
		return false;
	if (repo && !guts_who_may_see(f->who, repo, is_private))
		return false;
	if (!repo && is_private && !guts_who_can(f->who, GUTS_SCOPE_ADMIN))
		return false;
	for (size_t i = 0; i < f->ntypes && !fits; i++)
		fits = guts_event_type_fits(f->types[i], type);
	if (!fits || (f->has_repo && (!repo || memcmp(f->repo, repo, GUTS_REPOID_SIZE) != 0)))
		return false;
	return !f->has_peer || (peer && guts_peerid_eq(&f->peer, peer));
}

void
guts_filter_deinit(struct guts_filter *f)
{
	free(f->types);
	f->types = NULL;
}

static bool
filter_takes_event(const struct guts_filter *f, const struct guts_event *e)
{
	return guts_filter_takes(f, e->type, e->has_repo ? e->repo : NULL, e->is_private, e->peer.n ? &e->peer : NULL);
}

/* -- encoding ---------------------------------------------------------------------- */

void
guts_fact_frame(struct guts_buf *out, const struct guts_fact *f, const char *source)
{
	struct guts_json j;

	guts_buf_printf(out, "id: %llu\nevent: %s\ndata: ", (unsigned long long)f->id, f->type);
	guts_json_init(&j, out);
	if (source)
		guts_view_fact_cloud(&j, f, source);
	else
		guts_view_fact(&j, f);
	guts_buf_add_str(out, "\n\n");
}

/* A signal's id need only be unique: the start of this run and its place in the ring. */
void
guts_event_cloud_frame(struct guts_buf *out, const struct guts_ring *ring, uint64_t seq, const char *source)
{
	const struct guts_event *e = ring->v[seq % GUTS_EVENTS_MAX];
	struct guts_view_cloudevent ce = { .source = source, .type = e->type, .wall_ms = e->wall_ms,
		.repo = e->has_repo ? e->repo : NULL, .peer = e->peer.n ? &e->peer : NULL,
		.data = guts_slice(e->frame + e->json_off, e->json_n) };
	struct guts_json j;
	char id[48];

	if (e->fact)
		snprintf(id, sizeof id, "%llu", (unsigned long long)e->fact);
	else
		snprintf(id, sizeof id, "%llx-%llu", (unsigned long long)ring->h->boot, (unsigned long long)seq);
	ce.id = id;
	if (e->fact)
		guts_buf_printf(out, "id: %s\n", id);
	guts_buf_printf(out, "event: %s\ndata: ", e->type);
	guts_json_init(&j, out);
	guts_view_cloudevent(&j, &ce);
	guts_buf_add_str(out, "\n\n");
}

static struct guts_event *
new_event(struct guts_slice frame, const char *type, struct guts_slice repo, struct guts_slice peer, bool is_private,
    uint64_t wall_ms)
{
	struct guts_event *e = guts_alloc(sizeof *e + frame.n);
	const uint8_t *json = memmem(frame.p, frame.n, "\ndata: ", 7);

	e->refcount = 1;
	memcpy(e->type, type, strnlen(type, sizeof e->type - 1));
	e->has_repo = repo.n == GUTS_REPOID_SIZE;
	if (e->has_repo)
		memcpy(e->repo, repo.p, GUTS_REPOID_SIZE);
	if (peer.n && guts_peerid_decode(&e->peer, peer) < 0)
		e->peer.n = 0;
	e->is_private = is_private;
	e->wall_ms = wall_ms;
	e->frame_n = frame.n;
	memcpy(e->frame, frame.p, frame.n);
	e->json_off = (size_t)(json - frame.p) + 7;
	e->json_n = frame.n - e->json_off - 2;
	return e;
}

/* Under the lock. */
static void
append(struct guts_ring *ring, struct guts_event *e)
{
	while (ring->head - ring->tail >= GUTS_EVENTS_MAX ||
	    (ring->head > ring->tail && ring->bytes + e->frame_n > GUTS_EVENTS_BYTES)) {
		struct guts_event *old = ring->v[ring->tail % GUTS_EVENTS_MAX];
		ring->v[ring->tail++ % GUTS_EVENTS_MAX] = NULL;
		ring->bytes -= old->frame_n;
		guts_event_unref(old);
	}
	ring->v[ring->head++ % GUTS_EVENTS_MAX] = e;
	ring->bytes += e->frame_n;
	if (e->fact)
		ring->newest = e->fact;
	ring->fresh = true;
}

/* -- from the node (loop thread) ------------------------------------------------------ */

static void
on_facts(void *owner, uint64_t first, uint64_t last)
{
	struct guts_ring *ring = owner;

	(void)first;
	pthread_mutex_lock(&ring->lock);
	if (last > ring->committed)
		ring->committed = last;
	pthread_mutex_unlock(&ring->lock);
	guts_watch_poke(ring->h);
}

static struct guts_slice
attr_text(const struct guts_signal *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->attr[i].is_number && strcmp(s->attr[i].name, name) == 0)
			return s->attr[i].text;
	}
	return guts_slice(NULL, 0);
}

static void
keep_line(struct guts_ring *ring, const struct guts_signal *s, uint64_t wall_ms)
{
	struct guts_log_line *l = &ring->log[ring->log_next % GUTS_LOG_LINES_MAX];
	struct guts_slice level = attr_text(s, "level"), area = attr_text(s, "area"), text = attr_text(s, "text");

	free(l->level);
	free(l->area);
	free(l->text);
	l->cursor = ring->log_next++;
	l->wall_ms = wall_ms;
	l->level = guts_memdup(level.p ? level.p : (const uint8_t *)"", level.n);
	l->area = guts_memdup(area.p ? area.p : (const uint8_t *)"", area.n);
	l->text = guts_memdup(text.p ? text.p : (const uint8_t *)"", text.n);
}

static void
on_signal(void *owner, const struct guts_signal *s)
{
	struct guts_ring *ring = owner;
	struct guts_buf b;
	struct guts_json j;
	uint64_t wall_ms = guts_http_wall_ms();

	guts_buf_init(&b, FRAME_MAX);
	guts_buf_printf(&b, "event: %s\ndata: ", s->type);
	guts_json_init(&j, &b);
	guts_view_signal(&j, s, wall_ms);
	guts_buf_add_str(&b, "\n\n");
	bool whole = !b.failed;
	struct guts_event *e = whole ? new_event(guts_buf_slice(&b), s->type, s->repo, s->peer, s->is_private, wall_ms) : NULL;
	guts_buf_deinit(&b);
	pthread_mutex_lock(&ring->lock);
	if (strcmp(s->type, "log.line") == 0)
		keep_line(ring, s, wall_ms);
	bool anyone = ring->readers != NULL;
	if (e && anyone)
		append(ring, e);
	else
		guts_event_unref(e);
	pthread_mutex_unlock(&ring->lock);
	if (anyone && ring->h->watch)
		guts_watch_poke(ring->h);
}

/* Under the log's lock, on any thread: nothing here logs, and the cursor stays ours. */
static void
on_log(void *owner, enum guts_log_level level, const char *area, const char *text)
{
	struct guts_ring *ring = owner;
	struct guts_signal s = { .type = "log.line", .n = 4 };

	pthread_mutex_lock(&ring->lock);
	s.attr[3] = (struct guts_fact_attr){ .name = "cursor", .is_number = true, .number = ring->log_next };
	pthread_mutex_unlock(&ring->lock);
	s.attr[0] = (struct guts_fact_attr){ .name = "level", .text = guts_slice_str(guts_log_level_name(level)) };
	s.attr[1] = (struct guts_fact_attr){ .name = "area", .text = guts_slice_str(area) };
	s.attr[2] = (struct guts_fact_attr){ .name = "text", .text = guts_slice_str(text) };
	on_signal(ring, &s);
}

static void
on_snapshot(void *owner)
{
	struct guts_ring *ring = owner;
	struct guts_snapshot *s = guts_node_snapshot(ring->h->node);

	atomic_store(&ring->h->is_ready, s->ready);
	guts_snapshot_unref(s);
}

struct guts_ring *
guts_ring_new(struct guts_http *h)
{
	struct guts_ring *ring = guts_alloc(sizeof *ring);
	uint64_t oldest;

	ring->h = h;
	ring->log_next = 1;
	pthread_mutex_init(&ring->lock, NULL);
	ring->listener.facts = on_facts;
	ring->listener.signal = on_signal;
	ring->listener.snapshot = on_snapshot;
	ring->listener.owner = ring;
	guts_node_listen(h->node, &ring->listener);
	on_snapshot(ring);
	guts_store_fact_range(h->store, &oldest, &ring->newest);
	ring->committed = ring->newest;
	guts_log_set_sink(on_log, ring);
	return ring;
}

void
guts_ring_detach(struct guts_ring *ring)
{
	guts_log_set_sink(NULL, NULL);
	guts_node_unlisten(ring->h->node, &ring->listener);
}

void
guts_ring_free(struct guts_ring *ring)
{
	if (!ring)
		return;
	for (uint64_t i = ring->tail; i < ring->head; i++)
		guts_event_unref(ring->v[i % GUTS_EVENTS_MAX]);
	for (size_t i = 0; i < GUTS_LOG_LINES_MAX; i++) {
		free(ring->log[i].level);
		free(ring->log[i].area);
		free(ring->log[i].text);
	}
	pthread_mutex_destroy(&ring->lock);
	free(ring);
}

/* -- pump (watch thread) ------------------------------------------------------------------ */

struct gather {
	struct guts_event *v[BATCH];
	size_t n;
};

static bool
gather_fact(void *owner, const struct guts_fact *f)
{
	struct gather *g = owner;
	struct guts_buf b;

	guts_buf_init(&b, FRAME_MAX);
	guts_fact_frame(&b, f, NULL);
	if (!b.failed) {
		struct guts_event *e = new_event(guts_buf_slice(&b), f->type, f->repo, f->peer, f->is_private,
		    f->wall_ns / GUTS_MS_NS);
		e->fact = f->id;
		g->v[g->n++] = e;
	}
	guts_buf_deinit(&b);
	return g->n < BATCH;
}

/* Facts up to `committed` from the store to the ring. */
static void
take_facts(struct guts_ring *ring)
{
	uint64_t after, upto;
	struct gather g;

	do {
		pthread_mutex_lock(&ring->lock);
		after = ring->newest;
		upto = ring->committed;
		pthread_mutex_unlock(&ring->lock);
		g.n = 0;
		if (after < upto)
			guts_store_facts(ring->h->store, after, BATCH, gather_fact, &g);
		pthread_mutex_lock(&ring->lock);
		for (size_t i = 0; i < g.n; i++)
			append(ring, g.v[i]);
		pthread_mutex_unlock(&ring->lock);
	} while (g.n == BATCH);
}

/* Does anything from r->seq on concern it?  Moves past what does not. */
static bool
has_news(struct guts_ring *ring, struct guts_reader *r)
{
	if (r->seq < ring->tail)
		return true;
	for (; r->seq < ring->head; r->seq++) {
		const struct guts_event *e = ring->v[r->seq % GUTS_EVENTS_MAX];
		if (filter_takes_event(r->filter, e))
			return true;
		if (e->fact)
			r->last = e->fact;
	}
	return false;
}

static void
wake_readers(struct guts_ring *ring)
{
	struct guts_reader *r;

	pthread_mutex_lock(&ring->h->lock);
	DL_FOREACH(ring->readers, r) {
		if (r->is_waiting && has_news(ring, r)) {
			r->is_waiting = false;
			guts_req_wake_locked(r->req);
		}
	}
	pthread_mutex_unlock(&ring->h->lock);
}

/* How long the next fan-out after this one waits: longer while there is always something to hand out. */
static void
set_pace(struct guts_ring *ring, uint64_t now_ns)
{
	const uint64_t most = GUTS_EVENTS_PACE_MAX_MS * GUTS_MS_NS;

	ring->pace_ns = !ring->is_held ? GUTS_EVENTS_PACE_MIN_MS * GUTS_MS_NS : 2 * ring->pace_ns < most ? 2 * ring->pace_ns : most;
	ring->is_held = false;
	ring->due_ns = now_ns + ring->pace_ns;
}

uint64_t
guts_ring_pump(struct guts_ring *ring, uint64_t now_ns)
{
	pthread_mutex_lock(&ring->lock);
	bool any = ring->fresh || ring->committed > ring->newest;
	pthread_mutex_unlock(&ring->lock);
	if (!any)
		return GUTS_NEVER;
	if (now_ns < ring->due_ns) {
		ring->is_held = true;
		return ring->due_ns;
	}
	set_pace(ring, now_ns);
	take_facts(ring);
	pthread_mutex_lock(&ring->lock);
	ring->fresh = false;
	wake_readers(ring);
	pthread_mutex_unlock(&ring->lock);
	return GUTS_NEVER;
}

static void
heartbeat(struct guts_reader *r)
{
	const struct guts_filter *f = r->filter;

	if (f->ntypes || f->has_repo || f->has_peer)
		guts_buf_printf(&r->pending, "event: cursor\nid: %llu\n\n", (unsigned long long)r->last);
	else
		guts_buf_add_str(&r->pending, ":\n\n");
}

void
guts_ring_sweep(struct guts_ring *ring, uint64_t now_ns)
{
	struct guts_reader *r;

	pthread_mutex_lock(&ring->lock);
	pthread_mutex_lock(&ring->h->lock);
	DL_FOREACH(ring->readers, r) {
		if (!r->is_waiting)
			continue;
		bool due = r->is_stream ? now_ns - r->sent_ns >= GUTS_EVENTS_HEARTBEAT_S * GUTS_SECOND_NS : now_ns >= r->until_ns;
		if (!due)
			continue;
		if (r->is_stream)
			heartbeat(r);
		else
			r->is_over = true;
		r->is_waiting = false;
		guts_req_wake_locked(r->req);
	}
	pthread_mutex_unlock(&ring->h->lock);
	pthread_mutex_unlock(&ring->lock);
}

void
guts_ring_end_readers(struct guts_ring *ring)
{
	struct guts_reader *r;

	pthread_mutex_lock(&ring->h->lock);
	DL_FOREACH(ring->readers, r) {
		r->is_over = true;
		r->is_waiting = false;
		guts_req_wake_locked(r->req);
	}
	pthread_mutex_unlock(&ring->h->lock);
}
