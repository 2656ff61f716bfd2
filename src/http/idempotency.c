/* http/idempotency.c - keys in the order of their coming, found by a hash over asker and key; the store holds them too.
 *
 *	begin → row "under way" is stored → handler … answer is ready → row with the answer is stored → it is sent
 *
 * So a node that was killed knows after its start every key whose request may have had an effect: those whose answer was sent give it again,
 * one that was under way is refused in words, and nothing is done twice.
 */
#include "http/idempotency.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "http/api.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <strings.h>
#include <uthash.h>
#include <utlist.h>

#define PREFIX "idempotency "         /* of keys in GUTS_TABLE_META; then 32 bytes */
#define PREFIX_BYTES (sizeof PREFIX - 1)
#define ROW_VERSION 1
#define UNDER_WAY 0                   /* states beside a status of 2xx */
#define LOST 1                        /* the node ended meanwhile */
#define SECRET 2                      /* done, and the answer is not stored, being secret or large */

struct kept {
	struct kept *prev, *next;    /* in order of coming */
	UT_hash_handle hh;
	uint8_t key[32];             /* of asker and key */
	uint8_t print[32];           /* of what was asked */
	uint64_t since_ms;           /* wall time */
	unsigned status;             /* or a state */
	unsigned ready;              /* status of an answer that is not stored yet; 0 = none */
	bool is_storing;
	char *location;              /* may be NULL */
	struct guts_buf body;
};

struct guts_idempotency {
	pthread_mutex_t lock;
	struct guts_store *store;
	struct kept *all, *by_key;
	size_t bytes;
};

/* Under the lock, like all below that take a table. */
static void
drop(struct guts_idempotency *t, struct kept *k)
{
	HASH_DEL(t->by_key, k);
	DL_DELETE(t->all, k);
	t->bytes -= k->body.len;
	guts_buf_wipe(&k->body); /* it may hold a token */
	free(k->location);
	free(k);
}

void
guts_idempotency_free(struct guts_idempotency *t)
{
	if (!t)
		return;
	while (t->all)
		drop(t, t->all);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void
add(struct guts_idempotency *t, struct kept *k)
{
	HASH_ADD(hh, t->by_key, key, sizeof k->key, k);
	DL_APPEND(t->all, k);
	t->bytes += k->body.len;
}

/* -- rows ------------------------------------------------------------------------------ */

static struct guts_slice
row_key(uint8_t out[PREFIX_BYTES + 32], const struct kept *k)
{
	memcpy(out, PREFIX, PREFIX_BYTES);
	memcpy(out + PREFIX_BYTES, k->key, 32);
	return guts_slice(out, PREFIX_BYTES + 32);
}

/* A row of `k` with this status or state; only an answer has more than that. */
static void
put_row(struct guts_batch *batch, const struct kept *k, unsigned status)
{
	uint8_t key[PREFIX_BYTES + 32];
	struct guts_buf b;

	guts_buf_init(&b, GUTS_STORE_VALUE_MAX);
	guts_buf_add_u8(&b, ROW_VERSION);
	guts_buf_add_be16(&b, (uint16_t)status);
	guts_buf_add_be64(&b, k->since_ms);
	guts_buf_add(&b, k->print, sizeof k->print);
	if (status >= 200) {
		size_t n = k->location ? strlen(k->location) : 0;

		guts_buf_add_be16(&b, (uint16_t)n);
		guts_buf_add(&b, k->location, n);
		guts_buf_add_slice(&b, guts_buf_slice(&k->body));
	}
	guts_batch_put(batch, GUTS_TABLE_META, row_key(key, k), guts_buf_slice(&b));
	guts_buf_wipe(&b);
}

static void
del_row(struct guts_batch *batch, const struct kept *k)
{
	uint8_t key[PREFIX_BYTES + 32];

	guts_batch_del(batch, GUTS_TABLE_META, row_key(key, k));
}

static bool
load_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_idempotency *t = owner;
	struct kept *k = guts_alloc(sizeof *k);
	struct guts_cursor c;
	struct guts_slice s;

	guts_cursor_init(&c, value);
	guts_buf_init(&k->body, GUTS_HTTP_JSON_MAX);
	bool ok = key.n == PREFIX_BYTES + 32 && guts_cursor_u8(&c) == ROW_VERSION;
	k->status = guts_cursor_be16(&c);
	k->since_ms = guts_cursor_be64(&c);
	s = guts_cursor_bytes(&c, sizeof k->print);
	if (!ok || !guts_cursor_ok(&c)) {
		free(k);
		return true;
	}
	memcpy(k->print, s.p, sizeof k->print);
	memcpy(k->key, key.p + PREFIX_BYTES, sizeof k->key);
	if (k->status >= 200 && (s = guts_cursor_bytes(&c, guts_cursor_be16(&c))).n)
		k->location = guts_memdup(s.p, s.n);
	if (k->status >= 200)
		guts_buf_add_slice(&k->body, guts_cursor_rest(&c));
	if (k->status == UNDER_WAY)
		k->status = LOST;
	add(t, k);
	return true;
}

static int
by_age(const struct kept *a, const struct kept *b)
{
	return a->since_ms < b->since_ms ? -1 : a->since_ms > b->since_ms;
}

struct guts_idempotency *
guts_idempotency_new(struct guts_store *store)
{
	struct guts_idempotency *t = guts_alloc(sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	t->store = store;
	(void)guts_store_scan(store, GUTS_TABLE_META, guts_slice_str(PREFIX), guts_slice(NULL, 0), load_row, t);
	DL_SORT(t->all, by_age);
	return t;
}

/* Make room: what is too old or too much goes, oldest first; what is under way stays. */
static void
trim(struct guts_idempotency *t, uint64_t now_ms, struct guts_batch *batch)
{
	struct kept *k, *next;

	DL_FOREACH_SAFE(t->all, k, next) {
		bool late = now_ms > k->since_ms + GUTS_IDEMPOTENCY_S * UINT64_C(1000);
		if (!late && HASH_COUNT(t->by_key) < GUTS_IDEMPOTENCY_MAX && t->bytes <= GUTS_IDEMPOTENCY_BYTES)
			break;
		if (k->status != UNDER_WAY) {
			del_row(batch, k);
			drop(t, k);
		}
	}
}

/* -- storing --------------------------------------------------------------------------- */

/* A batch on its way, for a request that waits or for nobody (`is_alone`). */
struct storing {
	struct guts_call c;
	struct guts_batch *batch;
	uint8_t key[32];
	bool is_alone, is_end;           /* is_end: it holds the answer */
	unsigned status;
	struct MHD_Response *resp;       /* it, as it will be sent */
};

static void
storing_destroy(struct guts_call *c)
{
	struct storing *s = (struct storing *)c;

	if (s->batch)
		guts_batch_free(s->batch);
	if (s->resp)
		MHD_destroy_response(s->resp);
}

static void
stored(void *owner, int err, uint64_t first, uint64_t last)
{
	struct storing *s = owner;
	struct guts_idempotency *t = s->c.h->idempotency;
	struct kept *k;

	(void)first;
	(void)last;
	if (err && s->is_end)
		guts_log_limited(GUTS_LOG_ERROR, "http", "the answer to a request with Idempotency-Key was not stored: %s", guts_err_text(err));
	pthread_mutex_lock(&t->lock);
	HASH_FIND(hh, t->by_key, s->key, sizeof s->key, k);
	if (k && s->is_end)
		k->status = k->ready;
	pthread_mutex_unlock(&t->lock);
	if (!s->is_alone) {
		guts_call_done(&s->c, err, NULL);
		return;
	}
	storing_destroy(&s->c);
	free(s);
}

static void
storing_run(struct guts_call *c)
{
	struct storing *s = (struct storing *)c;
	struct guts_batch *batch = s->batch;

	s->batch = NULL;
	int err = guts_store_commit(c->h->store, batch, stored, s);
	if (err)
		stored(s, err, 0, 0);
}

static void
storing_posted(void *arg)
{
	storing_run(arg);
}

static struct storing *
storing_new(struct guts_req *r, struct guts_batch *batch, void (*answer)(struct guts_req *r, struct guts_call *c))
{
	struct storing *s = guts_call_new(sizeof *s, storing_run, answer, storing_destroy);

	s->c.h = r->h;
	s->c.is_read = true;
	s->c.takes_err = true;
	s->batch = batch;
	memcpy(s->key, r->idempotency, sizeof s->key);
	return s;
}

/* Nobody waits for it. */
static void
store_alone(struct storing *s)
{
	s->is_alone = true;
	guts_env_post(s->c.h->env, storing_posted, s);
}

/* -- a request begins ---------------------------------------------------------------------- */

static void
hash_of(uint8_t out[32], struct guts_slice a, struct guts_slice b, struct guts_slice c)
{
	struct guts_sha256_ctx ctx;

	guts_sha256_begin(&ctx);
	guts_sha256_add_sized(&ctx, a);
	guts_sha256_add_sized(&ctx, b);
	guts_sha256_add_sized(&ctx, c);
	guts_sha256_end(&ctx, out);
}

/* The key is taken: the same again, still under way, or something else. */
static void
reply_again(struct guts_req *r, const struct kept *k, bool same)
{
	const char *extra[] = { "Idempotency-Replayed", "true", k->location ? "Location" : NULL, k->location, NULL };
	struct guts_buf body;

	if (!same) {
		guts_reply_problem(r, 422, "this Idempotency-Key was used for another request");
	} else if (k->status == UNDER_WAY) {
		guts_reply_problem(r, 409, "the request with this Idempotency-Key is still under way");
	} else if (k->status == LOST) {
		guts_reply_problem(r, 409, "the node was restarted while the request with this Idempotency-Key was under way; see whether it was done, "
		    "and use another key for the next try");
	} else if (k->status == SECRET) {
		guts_reply_problem(r, 409, "the request with this Idempotency-Key was done before the node was restarted; its answer was not kept, being secret or large");
	} else if (k->body.len == 0) {
		guts_reply(r, (int)k->status, guts_reply_nothing(), extra);
	} else {
		guts_buf_init(&body, GUTS_HTTP_ANSWER_MAX);
		guts_buf_add_slice(&body, guts_buf_slice(&k->body));
		guts_reply_json(r, (int)k->status, &body, extra);
	}
}

static bool
is_key(struct guts_slice key)
{
	for (size_t i = 0; i < key.n; i++) {
		if (key.p[i] < 0x20 || key.p[i] > 0x7e)
			return false;
	}
	return key.n >= 1 && key.n <= GUTS_IDEMPOTENCY_KEY_MAX;
}

/* The row is there: now it may have an effect. */
static void
begun(struct guts_req *r, struct guts_call *c)
{
	if (r->is_over)
		return;
	if (c->err)
		guts_reply_err(r, c->err, &c->ei);
	else
		r->match.route->handle(r);
}

/* Take the key for this request. */
static void
take_key(struct guts_req *r, const uint8_t print[32], struct guts_batch *batch)
{
	struct kept *k = guts_alloc(sizeof *k);

	r->has_key = true;
	memcpy(k->key, r->idempotency, sizeof k->key);
	memcpy(k->print, print, sizeof k->print);
	k->since_ms = guts_http_wall_ms();
	guts_buf_init(&k->body, GUTS_HTTP_JSON_MAX);
	add(r->h->idempotency, k);
	put_row(batch, k, UNDER_WAY);
}

bool
guts_idempotency_begin(struct guts_req *r)
{
	struct guts_idempotency *t = r->h->idempotency;
	struct guts_slice key = r->head.v[GUTS_HEAD_IDEMPOTENCY_KEY];
	const struct guts_route *route = r->match.route;
	struct guts_batch *batch;
	struct guts_buf path;
	struct kept *k;
	uint8_t print[32];

	if (!key.p || route->method != GUTS_POST || route->kind != GUTS_ROUTE_REST || route->scope <= GUTS_SCOPE_READ)
		return true;
	if (!is_key(key)) {
		guts_reply_problem(r, 400, "Idempotency-Key: 1 to %d printable characters", GUTS_IDEMPOTENCY_KEY_MAX);
		return false;
	}
	guts_buf_init(&path, 4 * GUTS_TARGET_MAX);
	guts_req_path(r, &path);
	hash_of(print, guts_buf_slice(&path), guts_buf_slice(&r->body), guts_slice("", 0));
	guts_buf_deinit(&path);
	hash_of(r->idempotency, guts_who_name(&r->who), key, guts_slice("", 0));
	batch = guts_batch_new();
	pthread_mutex_lock(&t->lock);
	trim(t, guts_http_wall_ms(), batch);
	HASH_FIND(hh, t->by_key, r->idempotency, sizeof r->idempotency, k);
	if (k)
		reply_again(r, k, memcmp(k->print, print, sizeof print) == 0);
	else
		take_key(r, print, batch);
	pthread_mutex_unlock(&t->lock);
	if (r->has_key)
		guts_call_loop(r, &storing_new(r, batch, begun)->c);
	else if (guts_batch_count(batch) > 0)
		store_alone(storing_new(r, batch, NULL)); /* what was trimmed */
	else
		guts_batch_free(batch);
	return false;
}

/* -- and ends ---------------------------------------------------------------------------- */

void
guts_idempotency_keep(struct guts_req *r, int status, struct guts_slice body, const char *const *extra)
{
	struct guts_idempotency *t = r->h->idempotency;
	struct kept *k;

	if (!r->has_key || status < 200 || status > 299)
		return;
	pthread_mutex_lock(&t->lock);
	HASH_FIND(hh, t->by_key, r->idempotency, sizeof r->idempotency, k);
	if (k && guts_buf_add_slice(&k->body, body) == 0) {
		k->ready = (unsigned)status;
		t->bytes += k->body.len;
		for (; extra && *extra; extra += 2) {
			if (strcasecmp(*extra, "Location") == 0)
				k->location = guts_strdup(extra[1]);
		}
	}
	pthread_mutex_unlock(&t->lock);
}

static void
release(struct guts_req *r, struct guts_call *c)
{
	struct storing *s = (struct storing *)c;
	struct MHD_Response *resp = s->resp;

	s->resp = NULL;
	guts_reply_queue(r, (int)s->status, resp);
}

bool
guts_idempotency_hold(struct guts_req *r, int status, struct MHD_Response *resp)
{
	struct guts_idempotency *t = r->h->idempotency;
	bool is_secret = r->has_key && r->match.route->handle == guts_rest_token_create;
	struct storing *s = NULL;
	struct kept *k;

	if (!r->has_key)
		return false;
	pthread_mutex_lock(&t->lock);
	HASH_FIND(hh, t->by_key, r->idempotency, sizeof r->idempotency, k);
	if (k && k->ready && !k->is_storing) {
		k->is_storing = true;
		s = storing_new(r, guts_batch_new(), release);
		put_row(s->batch, k, is_secret || k->body.len > GUTS_STORE_VALUE_MAX / 2 ? SECRET : k->ready);
		s->is_end = true;
	}
	pthread_mutex_unlock(&t->lock);
	if (!s)
		return false;
	if (r->is_over || r->h->stopping) {
		store_alone(s);
		return false;
	}
	s->status = (unsigned)status;
	s->resp = resp;
	guts_call_loop(r, &s->c);
	return true;
}

void
guts_idempotency_end(struct guts_req *r)
{
	struct guts_idempotency *t = r->h->idempotency;
	struct guts_batch *batch = NULL;
	struct kept *k;

	if (!r->has_key)
		return;
	pthread_mutex_lock(&t->lock);
	HASH_FIND(hh, t->by_key, r->idempotency, sizeof r->idempotency, k);
	if (k && k->status == UNDER_WAY && !k->is_storing) {
		batch = guts_batch_new();
		del_row(batch, k);
		drop(t, k);
	}
	pthread_mutex_unlock(&t->lock);
	if (batch)
		store_alone(storing_new(r, batch, NULL));
}
