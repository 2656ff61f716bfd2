/* http/stream.c - GET /api/v1/events: as a stream of server-sent events, or one page by long poll.
 *
 * Both are readers of the ring.  A stream's bytes are made in libmicrohttpd's reader callback:
 * first what is pending (hello, replayed facts, heartbeat), then events of the ring by its
 * own cursor; with nothing to send the connection sleeps.  Memory per stream is the connection's
 * pool and this struct.
 *
 * Source: WHATWG HTML, 9.2 Server-sent events.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "http/api.h"
#include "http/events.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define BLOCK 256                /* [bytes] that libmicrohttpd holds for each stream; it fills them only under HTTP/1.0 */
#define REPLAY_BATCH 64          /* facts read for one stream at once */
#define PENDING_MAX (512u << 10) /* [bytes] of them, encoded */

struct stream {
	struct guts_reader r;
	struct guts_filter f;
	uint64_t since;          /* a poll's */
	uint64_t limit;
};

static void
leave(struct stream *s)
{
	struct guts_http *h = s->r.req->h;
	struct guts_ring *ring = h->ring;

	pthread_mutex_lock(&ring->lock);
	DL_DELETE(ring->readers, &s->r);
	guts_event_unref(s->r.current);
	pthread_mutex_unlock(&ring->lock);
	if (s->r.is_stream)
		atomic_fetch_sub(&h->n.streams, 1);
	guts_buf_deinit(&s->r.pending);
	guts_filter_deinit(&s->f);
	free(s);
}

static void
free_stream(struct guts_req *r)
{
	leave(r->state);
}

/* -- filters ------------------------------------------------------------------------ */

static bool
parse_types(struct guts_filter *f, struct guts_slice list)
{
	f->types = guts_calloc(GUTS_EVENTS_TYPES_MAX, sizeof *f->types);
	while (list.n) {
		const uint8_t *comma = memchr(list.p, ',', list.n);
		size_t n = comma ? (size_t)(comma - list.p) : list.n;
		if (n >= GUTS_FACT_TYPE_MAX || f->ntypes == GUTS_EVENTS_TYPES_MAX)
			return false;
		if (n)
			memcpy(f->types[f->ntypes++], list.p, n);
		list = guts_slice(list.p + n, list.n - n);
		if (list.n)
			list = guts_slice(list.p + 1, list.n - 1);
	}
	return true;
}

static bool
parse_repo(struct guts_req *r, struct guts_filter *f, struct guts_slice text)
{
	const uint8_t *slash = memchr(text.p, '/', text.n);
	bool moved;

	f->has_repo = true;
	if (!slash)
		return guts_repoid_parse(f->repo, text) == 0;
	size_t n = (size_t)(slash - text.p);
	struct guts_repo_info *i = guts_find_repo(r, guts_slice(text.p, n), guts_slice(slash + 1, text.n - n - 1), &moved);
	if (!i)
		return false;
	memcpy(f->repo, i->id, GUTS_REPOID_SIZE);
	guts_repo_info_unref(i);
	return true;
}

/* False: an answer was queued. */
static bool
parse_filter(struct guts_req *r, struct guts_filter *f)
{
	struct guts_slice type = guts_target_query(&r->target, "type"), repo = guts_target_query(&r->target, "repo");
	struct guts_slice peer = guts_target_query(&r->target, "peer");

	f->who = &r->who;
	f->has_peer = peer.n > 0;
	if (type.n && !parse_types(f, type))
		guts_reply_problem(r, 400, "type: a list of at most %d event types", GUTS_EVENTS_TYPES_MAX);
	else if (repo.n && !parse_repo(r, f, repo))
		guts_reply_problem(r, 404, "repo: no such repository");
	else if (peer.n && guts_peerid_parse(&f->peer, peer) < 0)
		guts_reply_problem(r, 400, "peer: no peer id");
	else
		return true;
	return false;
}

/* -- frames ---------------------------------------------------------------------------- */

static void
add_hello(struct stream *s, const char *event)
{
	struct guts_http *h = s->r.req->h;
	struct guts_json j;
	uint64_t oldest, newest;

	guts_store_fact_range(h->store, &oldest, &newest);
	guts_buf_printf(&s->r.pending, "event: %s\ndata: ", event);
	guts_json_init(&j, &s->r.pending);
	guts_json_object(&j);
	guts_json_put_str(&j, "id", h->id_text);
	guts_json_put_str(&j, "version", h->version);
	guts_json_put_u64(&j, "oldest", oldest);
	guts_json_put_u64(&j, "newest", newest);
	guts_json_object_end(&j);
	guts_buf_add_str(&s->r.pending, "\n\n");
}

struct replay {
	struct stream *s;
	struct guts_snapshot *snapshot;
	uint64_t upto;
	size_t n;
};

static const uint8_t *
repo_of(const struct guts_fact *f)
{
	return f->repo.n == GUTS_REPOID_SIZE ? f->repo.p : NULL;
}

/* A repository that became private takes its past with it. */
static bool
takes_fact(const struct guts_filter *filter, const struct guts_snapshot *s, const struct guts_fact *f)
{
	struct guts_peerid peer;
	bool has_peer = f->peer.n && guts_peerid_decode(&peer, f->peer) == 0;
	const struct guts_repo_info *now = repo_of(f) ? guts_snapshot_repo(s, repo_of(f)) : NULL;

	return guts_filter_takes(filter, f->type, repo_of(f), f->is_private || (now && now->is_private),
	    has_peer ? &peer : NULL);
}

static bool
replay_fact(void *owner, const struct guts_fact *f)
{
	struct replay *p = owner;
	struct guts_reader *r = &p->s->r;
	size_t before = r->pending.len;

	if (f->id > p->upto)
		return false;
	if (takes_fact(&p->s->f, p->snapshot, f)) {
		guts_fact_frame(&r->pending, f, r->source);
		if (r->pending.failed) { /* no room: next time, unless it alone is too large */
			r->pending.failed = false;
			guts_buf_truncate(&r->pending, before);
			if (before)
				return false;
		}
	}
	r->last = f->id;
	return ++p->n < REPLAY_BATCH;
}

/* Read facts after r->last from the store into pending, or go live if the ring continues there.  Under no lock. */
static void
catch_up(struct stream *s)
{
	struct guts_ring *ring = s->r.req->h->ring;
	struct replay p = { .s = s };

	pthread_mutex_lock(&ring->lock);
	p.upto = ring->newest;
	if (s->r.last >= p.upto) {
		s->r.is_live = true;
		s->r.seq = ring->head;
	}
	pthread_mutex_unlock(&ring->lock);
	if (s->r.is_live)
		return;
	uint64_t before = s->r.last;
	p.snapshot = guts_node_snapshot(s->r.req->h->node);
	int err = guts_store_facts(s->r.req->h->store, before, REPLAY_BATCH, replay_fact, &p);
	guts_snapshot_unref(p.snapshot);
	if (err < 0 || s->r.last == before)
		s->r.is_over = s->r.pending.len == 0; /* cannot be read now: the client comes again */
}

/* -- the stream --------------------------------------------------------------------------- */

static size_t
copy_pending(struct guts_reader *r, char *to, size_t max)
{
	size_t n = r->pending.len < max ? r->pending.len : max;

	memcpy(to, guts_buf_slice(&r->pending).p, n);
	guts_buf_consume(&r->pending, n);
	if (r->pending.len == 0)
		guts_buf_deinit(&r->pending);
	return n;
}

/* The next event of the ring that is for this reader, or NULL; r->seq goes behind it.  Under the ring's lock. */
static struct guts_event *
next_event(struct guts_ring *ring, struct guts_reader *r)
{
	while (r->seq < ring->head) {
		struct guts_event *e = ring->v[r->seq++ % GUTS_EVENTS_MAX];
		bool seen = e->fact && e->fact <= r->last;

		if (e->fact)
			r->last = e->fact > r->last ? e->fact : r->last;
		if (!seen && guts_filter_takes(r->filter, e->type, e->has_repo ? e->repo : NULL, e->is_private,
				 e->peer.n ? &e->peer : NULL))
			return e;
	}
	return NULL;
}

/* A CloudEvent is made for each of its readers, of whom there are few. */
static size_t
copy_cloud(struct guts_ring *ring, struct guts_reader *r, char *to, size_t max)
{
	if (!next_event(ring, r))
		return 0;
	guts_buf_init(&r->pending, PENDING_MAX);
	guts_event_cloud_frame(&r->pending, ring, r->seq - 1, r->source);
	atomic_fetch_add_explicit(&ring->h->n.events_sent, 1, memory_order_relaxed);
	return copy_pending(r, to, max);
}

/* Copy events of the ring; under its lock.  0 = nothing there. */
static size_t
copy_events(struct guts_ring *ring, struct guts_reader *r, char *to, size_t max)
{
	size_t n = 0;

	if (r->source)
		return copy_cloud(ring, r, to, max);
	while (n < max) {
		if (!r->current) {
			if (!(r->current = next_event(ring, r)))
				break;
			r->current->refcount++;
			r->at = 0;
		}
		size_t left = r->current->frame_n - r->at, k = left < max - n ? left : max - n;
		memcpy(to + n, r->current->frame + r->at, k);
		n += k;
		r->at += k;
		if (r->at == r->current->frame_n) {
			guts_event_unref(r->current);
			r->current = NULL;
			atomic_fetch_add_explicit(&ring->h->n.events_sent, 1, memory_order_relaxed);
		}
	}
	return n;
}

static ssize_t
read_stream(void *cls, uint64_t pos, char *to, size_t max)
{
	struct stream *s = cls;
	struct guts_reader *r = &s->r;
	struct guts_ring *ring = r->req->h->ring;
	ssize_t n = 0;

	(void)pos;
	while (!r->is_live && r->pending.len == 0 && !r->is_over)
		catch_up(s);
	pthread_mutex_lock(&ring->lock);
	if (r->is_over || atomic_load(&r->req->is_gone)) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (r->current) {
		n = (ssize_t)copy_events(ring, r, to, max);
	} else if (r->pending.len) {
		n = (ssize_t)copy_pending(r, to, max);
	} else if (r->seq < ring->tail) {
		atomic_fetch_add(&ring->h->n.streams_dropped, 1);
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		n = (ssize_t)copy_events(ring, r, to, max);
	}
	r->sent_ns = guts_http_now();
	if (n == 0) {
		r->is_waiting = true;
		if (!guts_req_sleep(r->req))
			n = MHD_CONTENT_READER_END_OF_STREAM;
	}
	pthread_mutex_unlock(&ring->lock);
	return n;
}

static void
join(struct stream *s)
{
	struct guts_ring *ring = s->r.req->h->ring;

	pthread_mutex_lock(&ring->lock);
	DL_APPEND(ring->readers, &s->r);
	pthread_mutex_unlock(&ring->lock);
	s->r.req->state = s;
	s->r.req->state_free = free_stream;
}

static void
start_stream(struct guts_req *r, struct stream *s, bool has_since)
{
	/* A connection that is to be used again is read on for seconds by a browser that gave its stream up. */
	static const char *const extra[] = { "Content-Type", "text/event-stream", "X-Accel-Buffering", "no",
		"Cache-Control", "no-store", "X-Content-Type-Options", "nosniff", "Connection", "close", NULL };
	struct guts_http *h = r->h;
	uint64_t oldest, newest;

	s->r.is_stream = true;
	guts_buf_init(&s->r.pending, PENDING_MAX);
	guts_store_fact_range(h->store, &oldest, &newest);
	guts_buf_add_str(&s->r.pending, "retry: 3000\n\n");
	add_hello(s, "hello");
	if (has_since && (s->since > newest || (s->since + 1 < oldest && newest))) {
		add_hello(s, "reset");
		has_since = false;
	}
	atomic_fetch_add(&h->n.streams, 1);
	s->r.last = has_since ? s->since : newest;
	s->r.sent_ns = guts_http_now();
	join(s);
	if (r->head.method == GUTS_HEAD) {
		guts_reply_lean(r, 200, guts_reply_nothing(), extra);
		return;
	}
	guts_reply_lean(r, 200, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, s, NULL), extra);
}

/* -- the long poll -------------------------------------------------------------------------- */

struct page {
	struct stream *s;
	struct guts_snapshot *snapshot;
	struct guts_json j;
	struct guts_buf body;
	uint64_t n, looked;
};

static bool
add_fact(void *owner, const struct guts_fact *f)
{
	struct page *p = owner;

	p->s->r.last = f->id;
	if (takes_fact(&p->s->f, p->snapshot, f)) {
		if (p->s->r.source)
			guts_view_fact_cloud(&p->j, f, p->s->r.source);
		else
			guts_view_fact(&p->j, f);
		p->n++;
	}
	return p->n < p->s->limit && ++p->looked < 20000;
}

static void
finish_poll(struct page *p, struct guts_req *r, uint64_t oldest, uint64_t newest, bool reset)
{
	guts_json_array_end(&p->j);
	guts_json_put_u64(&p->j, "next", p->s->r.last);
	guts_json_put_u64(&p->j, "oldest", oldest);
	guts_json_put_u64(&p->j, "newest", newest);
	guts_json_put_bool(&p->j, "reset", reset);
	guts_json_object_end(&p->j);
	guts_reply_json(r, 200, &p->body, NULL);
}

static void
poll_again(struct guts_req *r)
{
	struct stream *s = r->state;
	struct guts_ring *ring = r->h->ring;
	struct page p = { .s = s };
	uint64_t oldest, newest;

	guts_store_fact_range(r->h->store, &oldest, &newest);
	bool reset = s->since > newest || (s->since && s->since + 1 < oldest);
	s->r.last = reset ? newest : s->since;
	guts_reply_begin(&p.body, &p.j);
	guts_json_object(&p.j);
	guts_json_key(&p.j, "events");
	guts_json_array(&p.j);
	p.snapshot = guts_node_snapshot(r->h->node);
	int err = reset ? 0 : guts_store_facts(r->h->store, s->since, 20000, add_fact, &p);
	guts_snapshot_unref(p.snapshot);
	if (err < 0) {
		guts_buf_deinit(&p.body);
		guts_reply_err(r, GUTS_EIO, NULL);
		return;
	}
	pthread_mutex_lock(&ring->lock);
	bool wait = p.n == 0 && !reset && !s->r.is_over && guts_http_now() < s->r.until_ns;
	if (wait) {
		/* what was looked at need not be read again; newer facts may have come meanwhile */
		s->since = s->r.last;
		s->r.seq = ring->tail;
		while (s->r.seq < ring->head && ring->v[s->r.seq % GUTS_EVENTS_MAX]->fact <= s->r.last)
			s->r.seq++;
		wait = s->r.seq == ring->head;
		s->r.is_waiting = wait && guts_req_sleep(r);
		wait = s->r.is_waiting;
	}
	pthread_mutex_unlock(&ring->lock);
	if (wait)
		guts_buf_deinit(&p.body);
	else
		finish_poll(&p, r, oldest, newest, reset);
}

static bool
parse_since(struct guts_req *r, uint64_t *since, bool *has)
{
	struct guts_slice v = r->head.v[GUTS_HEAD_LAST_EVENT_ID];

	if (v.n == 0)
		v = guts_target_query(&r->target, "lastEventId");
	if (v.n == 0)
		v = guts_target_query(&r->target, "since");
	*has = v.n > 0;
	return !*has || guts_text_u64(v, INT64_MAX, since) == 0;
}

/* `format`: our own, or CloudEvents.  False: an answer was queued. */
static bool
parse_format(struct guts_req *r, struct stream *s)
{
	struct guts_slice v = guts_target_query(&r->target, "format");

	if (guts_slice_eq(v, guts_slice_str("cloudevents")))
		s->r.source = guts_req_base(r);
	else if (v.n && !guts_slice_eq(v, guts_slice_str("guts")))
		guts_reply_problem(r, 400, "format: guts or cloudevents");
	else
		return true;
	return s->r.source != NULL;
}

/* Has the asker as many streams as he may?  Then an answer was queued. */
static bool
has_too_many(struct guts_req *r, struct stream *s)
{
	struct guts_http *h = r->h;
	struct guts_slice who = guts_who_name(&r->who);
	uint64_t all = (uint64_t)atomic_load(&h->n.streams), mine = 0;
	const struct guts_reader *other;
	uint8_t hash[32];

	if (all >= r->access->max_streams) {
		guts_reply_problem(r, 503, "too many event streams (http.max_streams)");
		return true;
	}
	if (r->from.is_local && !r->access->limit_loopback)
		return false;
	guts_sha256(hash, who.n ? who : guts_remote_network(&r->from));
	memcpy(&s->r.client, hash, sizeof s->r.client);
	pthread_mutex_lock(&h->ring->lock);
	DL_FOREACH(h->ring->readers, other)
		mine += other->is_stream && other->client == s->r.client;
	pthread_mutex_unlock(&h->ring->lock);
	if (mine >= r->access->client_streams) {
		guts_reply_problem(r, 429, "too many event streams of one %s (http.client_streams)", who.n ? "token" : "address");
		return true;
	}
	return false;
}

void
guts_rest_events(struct guts_req *r)
{
	struct stream *s = guts_alloc(sizeof *s);
	uint64_t wait = 0;
	bool has_since, stream = guts_guard_accepts(r->head.v[GUTS_HEAD_ACCEPT], "text/event-stream");

	s->r.req = r;
	s->r.filter = &s->f;
	s->limit = 100;
	if (!parse_filter(r, &s->f) || !parse_format(r, s))
		goto refused;
	if (!parse_since(r, &s->since, &has_since)) {
		guts_reply_problem(r, 400, "since and Last-Event-ID are numbers of events");
		goto refused;
	}
	if (stream && has_too_many(r, s))
		goto refused;
	if (stream) {
		start_stream(r, s, has_since);
		return;
	}
	if (!guts_req_number(r, "limit", 1, 1000, 100, &s->limit) || !guts_req_number(r, "wait", 0, 60, 0, &wait))
		goto refused;
	guts_buf_init(&s->r.pending, 16);
	s->r.until_ns = guts_http_now() + wait * GUTS_SECOND_NS;
	join(s);
	r->resume = poll_again;
	poll_again(r);
	return;
refused:
	guts_filter_deinit(&s->f);
	free(s);
}

static bool
is_logged(const struct guts_log_line *l, enum guts_log_level most)
{
	enum guts_log_level have;

	return guts_log_level_parse(l->level, &have) != 0 || have <= most;
}

void
guts_rest_log(struct guts_req *r)
{
	struct guts_ring *ring = r->h->ring;
	struct guts_slice level = guts_target_query(&r->target, "level");
	enum guts_log_level most = GUTS_LOG_DEBUG;
	uint64_t after, limit;
	struct guts_buf b;
	struct guts_json j;
	char name[16] = "debug";

	if (!guts_req_number(r, "after", 0, INT64_MAX, 0, &after) || !guts_req_number(r, "limit", 1, 1000, 200, &limit))
		return;
	if (level.n)
		snprintf(name, sizeof name, "%.*s", (int)(level.n < 15 ? level.n : 15), (const char *)level.p);
	if (guts_log_level_parse(name, &most) < 0) {
		guts_reply_problem(r, 400, "level: error, warn, notice, info or debug");
		return;
	}
	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	pthread_mutex_lock(&ring->lock);
	uint64_t from = ring->log_next > GUTS_LOG_LINES_MAX ? ring->log_next - GUTS_LOG_LINES_MAX : 1;
	uint64_t left = limit, first = ring->log_next;
	from = from > after ? from : after + 1;
	for (uint64_t n = 0; after == 0 && first > from && n < limit; first--) /* back to the first of the newest */
		n += is_logged(&ring->log[(first - 1) % GUTS_LOG_LINES_MAX], most);
	for (uint64_t c = after ? from : first; c < ring->log_next && left; c++) {
		const struct guts_log_line *l = &ring->log[c % GUTS_LOG_LINES_MAX];
		if (!is_logged(l, most))
			continue;
		guts_json_object(&j);
		guts_json_put_u64(&j, "cursor", l->cursor);
		guts_json_put_time(&j, "time", l->wall_ms);
		guts_json_put_str(&j, "level", l->level);
		guts_json_put_str(&j, "area", l->area);
		guts_json_put_str(&j, "text", l->text);
		guts_json_object_end(&j);
		left--;
	}
	pthread_mutex_unlock(&ring->lock);
	guts_json_array_end(&j);
	guts_reply_json(r, 200, &b, NULL);
}
