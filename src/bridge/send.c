/* bridge/send.c - one attempt after another for each hook.
 *
 * An attempt reads its delivery from the store, sends it, and writes the result back: done, dead, or when to try again.  What is
 * under way when the node ends was not recorded and is sent again.
 */
#include "bridge/internal.h"
#include "bridge/sign.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define CUT_EVERY 32                  /* ended deliveries between two looks at the log's length */
#define ANSWER_READ_MAX (64u << 10)   /* [bytes] of an answer that are read; a longer one is cut off and counts by its status */
#define NO_CURL_MS 60000              /* [ms] until libcurl is looked for again */

struct guts_flight {
	struct guts_bridge *b;
	struct guts_lane *lane;
	struct guts_delivery d;
	struct guts_sign sign;
	struct guts_transfer *transfer;
	bool was_failing;     /* counted in nfailing */
	uint64_t started_ns;
};

/* -- the result ------------------------------------------------------------------------------------- */

uint64_t
guts_retry_delay_ms(uint64_t first_ms, uint32_t attempts, uint64_t random)
{
	uint64_t ms = first_ms < 1 ? 1 : first_ms;

	for (uint32_t i = 1; i < attempts && ms < GUTS_RETRY_MAX_MS; i++)
		ms *= 2;
	if (ms > GUTS_RETRY_MAX_MS)
		ms = GUTS_RETRY_MAX_MS;
	return ms - ms / 5 + random % (2 * (ms / 5) + 1);
}

struct cut {
	struct guts_batch *batch;
	size_t ended; /* first counted, then to be removed */
	size_t *dead; /* goes down with those removed */
};

static bool
count_ended(void *owner, const struct guts_delivery *d)
{
	struct cut *c = owner;

	c->ended += d->state != GUTS_DELIVERY_PENDING;
	return true;
}

static bool
cut_ended(void *owner, const struct guts_delivery *d)
{
	struct cut *c = owner;

	if (d->state != GUTS_DELIVERY_PENDING && c->ended > 0) {
		guts_delivery_remove(c->batch, d->hook, d->number);
		*c->dead -= d->state == GUTS_DELIVERY_DEAD;
		c->ended--;
	}
	return c->ended > 0;
}

/* Now and then the oldest ended deliveries go. */
static void
cut_log(struct guts_bridge *b, struct guts_batch *batch, struct guts_lane *l)
{
	struct cut c = { .batch = batch, .dead = &l->health.dead };

	if (l->nended < CUT_EVERY)
		return;
	l->nended = 0;
	(void)guts_delivery_each(b->store, l->id, count_ended, &c);
	if (c.ended <= GUTS_BRIDGE_KEPT)
		return;
	c.ended -= GUTS_BRIDGE_KEPT;
	(void)guts_delivery_each(b->store, l->id, cut_ended, &c);
}

void
guts_send_bury(struct guts_bridge *b, struct guts_batch *batch, struct guts_lane *l, struct guts_delivery *d,
    const char *why)
{
	struct guts_fact f = { .type = "hook.dead", .wall_ns = guts_env_wall(b->env), .is_private = true, .n = 4 };

	d->state = GUTS_DELIVERY_DEAD;
	snprintf(d->error, sizeof d->error, "%s", why);
	guts_delivery_put(batch, d);
	l->nended++;
	l->health.dead++;
	cut_log(b, batch, l);
	atomic_fetch_add(&b->n.dead, 1);
	if (d->attempts == 0 && l->is_full)
		return; /* told already: one fact for all that find the queue full */
	l->is_full = d->attempts == 0;
	if (l->hook.has_repo)
		f.repo = guts_slice(l->hook.repo, sizeof l->hook.repo);
	f.attr[0] = (struct guts_fact_attr){ .name = "hook", .is_number = true, .number = l->id };
	f.attr[1] = (struct guts_fact_attr){ .name = "delivery", .is_number = true, .number = d->number };
	f.attr[2] = (struct guts_fact_attr){ .name = "event", .text = guts_slice_str(d->event) };
	f.attr[3] = (struct guts_fact_attr){ .name = "reason", .text = guts_slice_str(why) };
	guts_batch_fact(batch, &f);
}

static void
add_header(struct guts_buf *out, const char *name, size_t n, const char *value)
{
	if (out->len + n + strlen(value) + 16 > out->max)
		return;
	guts_buf_printf(out, "%.*s: %s\n", (int)n, name, guts_sign_is_secret(name, n) ? "[not shown]" : value);
}

static void
add_answer_header(void *owner, const char *name, const char *value)
{
	add_header(owner, name, strlen(name), value);
}

/* What was sent and answered, as far as it may be shown. */
static void
put_exchange(struct guts_batch *batch, struct guts_flight *f)
{
	struct guts_buf request, response;
	struct guts_exchange x = { 0 };

	guts_buf_init(&request, GUTS_DELIVERY_HEADERS_MAX);
	guts_buf_init(&response, GUTS_DELIVERY_HEADERS_MAX);
	add_header(&request, "Content-Type", 12, "application/json");
	for (size_t i = 0; i < f->sign.n; i++) {
		size_t n = strcspn(f->sign.line[i], ":");

		add_header(&request, f->sign.line[i], n, f->sign.line[i] + n + 2);
	}
	if (f->transfer) {
		guts_transfer_each_header(f->transfer, add_answer_header, &response);
		x.answer = guts_transfer_body(f->transfer);
		if (x.answer.n > GUTS_DELIVERY_ANSWER_MAX)
			x.answer.n = GUTS_DELIVERY_ANSWER_MAX;
	}
	x.request_headers = guts_buf_slice(&request);
	x.response_headers = guts_buf_slice(&response);
	guts_delivery_put_exchange(batch, &f->d, &x);
	guts_buf_deinit(&request);
	guts_buf_deinit(&response);
}

struct recording {
	struct guts_bridge *b;
	struct guts_delivery d;
};

static void
on_recorded(void *owner, int err, uint64_t first, uint64_t last)
{
	struct recording *r = owner;
	struct guts_bridge *b = r->b;

	if (err)
		guts_log_limited(GUTS_LOG_ERROR, "bridge", "the result of a delivery cannot be stored, it may be sent again: %s",
		    guts_err_text(err));
	else
		guts_bridge_tell(b, &r->d);
	if (!err && first)
		guts_node_announce(b->node, first, last);
	free(r);
}

/* It did not go well: try again later, or give it up. */
static void
try_again(struct guts_flight *f, struct guts_batch *batch)
{
	struct guts_bridge *b = f->b;
	struct guts_lane *l = f->lane;
	uint64_t now = guts_bridge_wall_ms(b), asked = f->transfer ? 1000 * guts_transfer_retry_after(f->transfer) : 0;
	uint64_t random, delay;
	char why[sizeof f->d.error];

	guts_env_random(b->env, &random, sizeof random);
	delay = guts_retry_delay_ms(b->retry_ms, f->d.attempts, random);
	if (asked > delay)
		delay = asked;
	if (asked && now + asked > l->pause_until_ms)
		l->pause_until_ms = now + asked;
	f->d.next_ms = now + delay;
	memcpy(why, f->d.error, sizeof why);
	if (strcmp(f->d.event, "ping") == 0 || f->d.status == 410 || f->d.next_ms > f->d.created_ms + b->give_up_ms) {
		guts_send_bury(b, batch, l, &f->d, why);
		return;
	}
	guts_delivery_put(batch, &f->d);
	guts_lane_queue(b, l, f->d.number, f->d.next_ms, f->d.by_hand);
}

static void
flight_free(struct guts_flight *f)
{
	f->b->nflights--;
	f->b->nfailing -= f->was_failing;
	f->lane->flight = NULL;
	guts_sign_deinit(&f->sign);
	guts_transfer_free(f->transfer);
	free(f);
}

static void
record(struct guts_flight *f, struct guts_batch *batch)
{
	struct recording *r = guts_alloc(sizeof *r);
	int err;

	r->b = f->b;
	r->d = f->d;
	err = guts_store_commit(f->b->store, batch, on_recorded, r);
	if (err)
		on_recorded(r, err, 0, 0);
}

/* The attempt ended; `why` NULL = well. */
static void
conclude(struct guts_flight *f, const char *why)
{
	struct guts_bridge *b = f->b;
	struct guts_lane *l = f->lane;
	struct guts_batch *batch = guts_batch_new();

	f->d.attempts++;
	f->d.duration_ms = (uint32_t)((guts_env_now(b->env) - f->started_ns) / GUTS_MS_NS);
	f->d.status = f->transfer ? (uint16_t)guts_transfer_status(f->transfer) : 0;
	snprintf(f->d.error, sizeof f->d.error, "%s", why ? why : "");
	guts_lane_note(l, &f->d);
	if (why) {
		guts_log_limited(GUTS_LOG_INFO, "bridge", "hook %llu: attempt %u of delivery %llu: %s", (unsigned long long)l->id,
		    f->d.attempts, (unsigned long long)f->d.number, why);
		atomic_fetch_add(&b->n.failed, 1);
		try_again(f, batch);
	} else {
		atomic_fetch_add(&b->n.delivered, 1);
		f->d.state = GUTS_DELIVERY_DONE;
		guts_delivery_put(batch, &f->d);
		l->nended++;
		l->is_full = false;
		cut_log(b, batch, l);
	}
	put_exchange(batch, f);
	record(f, batch);
	flight_free(f);
}

static void
on_done(void *owner, int err, const struct guts_errinfo *ei)
{
	struct guts_flight *f = owner;
	struct guts_bridge *b = f->b;
	long status = guts_transfer_status(f->transfer);
	char why[96];

	if (err == GUTS_OK || (err == GUTS_ELIMIT && status)) {
		snprintf(why, sizeof why, "answered %ld", status);
		conclude(f, status >= 200 && status < 300 ? NULL : why);
	} else {
		conclude(f, err == GUTS_EDENIED ? "its address is not public and not allowed by bridge.allow" : ei->text);
	}
	guts_send_run(b);
}

/* -- an attempt ----------------------------------------------------------------------------------------- */

static bool
may_connect(void *owner, const struct sockaddr *to)
{
	struct guts_flight *f = owner;

	return guts_allow_has(&f->b->allow, to);
}

static int
launch(struct guts_flight *f, struct guts_slice body, struct guts_errinfo *ei)
{
	struct guts_bridge *b = f->b;
	const struct guts_hook *h = &f->lane->hook;
	struct guts_transfer_spec spec = { .method = "POST", .url = h->url, .headers = (const char *const *)f->sign.line,
		.body = body, .body_max = ANSWER_READ_MAX, .connect_ms = (uint32_t)b->timeout_ms,
		.total_ms = (uint32_t)b->timeout_ms, .any_certificate = h->any_certificate, .may_connect = may_connect,
		.owner = f };
	int err = guts_transfer_new(&f->transfer, &spec, ei);

	if (!err)
		err = guts_multi_start(b->multi, f->transfer, on_done, f);
	return err;
}

/* Begin the attempt for `w`, which leaves the queue. */
static void
begin(struct guts_bridge *b, struct guts_lane *l, struct guts_waiting *w)
{
	struct guts_flight *f = guts_alloc(sizeof *f);
	struct guts_errinfo ei = { 0 };
	uint64_t number = w->number;
	struct guts_buf body;
	int err;

	guts_lane_unqueue(b, l, w);
	guts_buf_init(&body, GUTS_STORE_VALUE_MAX);
	err = guts_delivery_get(b->store, l->id, number, &f->d);
	if (!err)
		err = guts_delivery_body(b->store, l->id, number, &body);
	if (err) {
		guts_log(GUTS_LOG_ERROR, "bridge", "delivery %llu cannot be read: %s", (unsigned long long)number,
		    guts_err_text(err));
		free(f);
		guts_buf_deinit(&body);
		return;
	}
	f->b = b;
	f->lane = l;
	l->flight = f;
	b->nflights++;
	b->nfailing += f->was_failing = l->is_failing;
	f->started_ns = guts_env_now(b->env);
	f->d.attempted_ms = guts_bridge_wall_ms(b);
	guts_sign_make(&f->sign, &l->hook, &f->d, guts_buf_slice(&body), f->d.attempted_ms, b->base);
	if (launch(f, guts_buf_slice(&body), &ei))
		conclude(f, ei.text);
	guts_buf_deinit(&body);
}

void
guts_send_stop(struct guts_bridge *b, struct guts_lane *l)
{
	if (!l->flight)
		return;
	guts_multi_stop(b->multi, l->flight->transfer);
	flight_free(l->flight);
}

/* -- what comes next -------------------------------------------------------------------------------------- */

/* The first delivery of a hook that may be sent, and when; NULL: none. */
static struct guts_waiting *
next_of(const struct guts_lane *l, uint64_t *at_ms)
{
	struct guts_waiting *w;

	DL_FOREACH (l->queue, w) {
		if (!w->by_hand && !l->hook.active)
			continue;
		*at_ms = w->by_hand || w->next_ms > l->pause_until_ms ? w->next_ms : l->pause_until_ms;
		return w;
	}
	return NULL;
}

static bool
has_curl(struct guts_bridge *b)
{
	struct guts_errinfo ei;

	if (b->multi || guts_multi_new(&b->multi, b->loop, &ei) == GUTS_OK)
		return true;
	guts_log(GUTS_LOG_ERROR, "bridge", "webhooks wait: %s", ei.text);
	guts_env_timer_set(b->env, &b->send_timer, guts_env_now(b->env) + NO_CURL_MS * GUTS_MS_NS);
	return false;
}

/* Begin what is due at hook `l`; returns when to look again. */
static uint64_t
run_lane(struct guts_bridge *b, struct guts_lane *l, uint64_t now)
{
	uint64_t at = GUTS_NEVER;
	struct guts_waiting *w;

	if (l->flight || !(w = next_of(l, &at)))
		return GUTS_NEVER; /* its end looks again */
	if (at > now)
		return at;
	if (b->nflights >= GUTS_BRIDGE_FLIGHTS_MAX || (l->is_failing && b->nfailing >= GUTS_BRIDGE_FLIGHTS_MAX / 2))
		return GUTS_NEVER;
	if (!has_curl(b))
		return now + NO_CURL_MS;
	b->last_begun = l->id;
	begin(b, l, w);
	return l->flight ? GUTS_NEVER : now; /* over already: what is behind it */
}

void
guts_send_run(struct guts_bridge *b)
{
	uint64_t now = guts_bridge_wall_ms(b), at = GUTS_NEVER, one;
	struct guts_lane *l, *first = NULL;
	size_t n = HASH_COUNT(b->lanes);

	if (!b->is_running)
		return;
	/* turn by turn: begin behind the one that was served last */
	for (l = b->lanes; l && !first; l = l->hh.next) {
		if (l->id > b->last_begun)
			first = l;
	}
	l = first ? first : b->lanes;
	for (size_t i = 0; i < n; i++) {
		one = run_lane(b, l, now);
		at = one < at ? one : at;
		l = l->hh.next ? l->hh.next : b->lanes;
	}
	if (at == GUTS_NEVER)
		guts_env_timer_clear(b->env, &b->send_timer);
	else /* the wall clock may have been moved: look at least once an hour */
		guts_env_timer_set(b->env, &b->send_timer, guts_env_now(b->env) +
		    (at <= now ? 0 : at - now < GUTS_RETRY_MAX_MS ? at - now : GUTS_RETRY_MAX_MS) * GUTS_MS_NS);
}
