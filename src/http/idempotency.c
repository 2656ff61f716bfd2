/* http/idempotency.c - keys in the order of their coming, found by a hash over asker and key. */
#include "http/idempotency.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <strings.h>
#include <uthash.h>
#include <utlist.h>

struct kept {
	struct kept *prev, *next;    /* in order of coming */
	UT_hash_handle hh;
	uint8_t key[32];             /* of asker and key */
	uint8_t print[32];           /* of what was asked */
	uint64_t since_ns;
	int status;                  /* 0: under way */
	char *location;              /* may be NULL */
	struct guts_buf body;
};

struct guts_idempotency {
	pthread_mutex_t lock;
	struct kept *all, *by_key;
	size_t bytes;
};

struct guts_idempotency *
guts_idempotency_new(void)
{
	struct guts_idempotency *t = guts_alloc(sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

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

/* Make room: what is too old or too much goes, oldest first; what is under way stays. */
static void
trim(struct guts_idempotency *t, uint64_t now)
{
	struct kept *k, *next;

	DL_FOREACH_SAFE(t->all, k, next) {
		bool late = now - k->since_ns > GUTS_IDEMPOTENCY_S * GUTS_SECOND_NS;
		if (!late && HASH_COUNT(t->by_key) < GUTS_IDEMPOTENCY_MAX && t->bytes <= GUTS_IDEMPOTENCY_BYTES)
			break;
		if (k->status)
			drop(t, k);
	}
}

static void
hash_of(uint8_t out[32], struct guts_slice a, struct guts_slice b, struct guts_slice c)
{
	const struct guts_slice parts[] = { a, b, c };
	struct guts_sha256_ctx ctx;

	guts_sha256_begin(&ctx);
	for (size_t i = 0; i < 3; i++) {
		uint64_t n = parts[i].n;
		guts_sha256_add(&ctx, guts_slice(&n, sizeof n));
		guts_sha256_add(&ctx, parts[i]);
	}
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
	} else if (!k->status) {
		guts_reply_problem(r, 409, "the request with this Idempotency-Key is still under way");
	} else if (k->body.len == 0) {
		guts_reply(r, k->status, guts_reply_nothing(), extra);
	} else {
		guts_buf_init(&body, GUTS_HTTP_ANSWER_MAX);
		guts_buf_add_slice(&body, guts_buf_slice(&k->body));
		guts_reply_json(r, k->status, &body, extra);
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

bool
guts_idempotency_begin(struct guts_req *r)
{
	struct guts_idempotency *t = r->h->idempotency;
	struct guts_slice key = r->head.v[GUTS_HEAD_IDEMPOTENCY_KEY];
	const struct guts_route *route = r->match.route;
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
	pthread_mutex_lock(&t->lock);
	trim(t, r->start_ns);
	HASH_FIND(hh, t->by_key, r->idempotency, sizeof r->idempotency, k);
	if (k) {
		reply_again(r, k, memcmp(k->print, print, sizeof print) == 0);
	} else {
		r->has_key = true;
		k = guts_alloc(sizeof *k);
		memcpy(k->key, r->idempotency, sizeof k->key);
		memcpy(k->print, print, sizeof print);
		k->since_ns = r->start_ns;
		guts_buf_init(&k->body, GUTS_HTTP_JSON_MAX);
		HASH_ADD(hh, t->by_key, key, sizeof k->key, k);
		DL_APPEND(t->all, k);
		k = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	return !k;
}

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
		k->status = status;
		t->bytes += k->body.len;
		for (; extra && *extra; extra += 2) {
			if (strcasecmp(*extra, "Location") == 0)
				k->location = guts_strdup(extra[1]);
		}
	}
	pthread_mutex_unlock(&t->lock);
}

void
guts_idempotency_end(struct guts_req *r)
{
	struct guts_idempotency *t = r->h->idempotency;
	struct kept *k;

	if (!r->has_key)
		return;
	pthread_mutex_lock(&t->lock);
	HASH_FIND(hh, t->by_key, r->idempotency, sizeof r->idempotency, k);
	if (k && !k->status)
		drop(t, k);
	pthread_mutex_unlock(&t->lock);
}
