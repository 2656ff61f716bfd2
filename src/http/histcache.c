/* http/histcache.c - small tables under a lock.  Each table of a repository lives in an arena of its own, and the one used longest ago gives way; of answers the oldest. */
#include "http/histcache.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct table {
	uint8_t repo[GUTS_REPOID_SIZE];
	char *dir;               /* NULL = contributors */
	uint64_t used;           /* when, counted in questions; 0 = free */
	struct guts_arena arena;
	struct guts_history_folder folder;
	struct guts_history_people people;
};

struct answer {
	char etag[GUTS_HISTCACHE_TAG_SIZE];
	uint8_t *body;           /* NULL = free */
	size_t n;
	struct guts_histcache_list list;
};

struct guts_histcache {
	pthread_mutex_t lock;
	uint64_t questions;
	struct table v[GUTS_HISTCACHE_N];
	struct answer answers[GUTS_HISTCACHE_ANSWERS];
	size_t next;             /* answer to give way */
};

struct guts_histcache *
guts_histcache_new(void)
{
	struct guts_histcache *c = guts_alloc(sizeof *c);

	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void
drop(struct table *e)
{
	if (e->used)
		guts_arena_deinit(&e->arena);
	free(e->dir);
	memset(e, 0, sizeof *e);
}

void
guts_histcache_free(struct guts_histcache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < GUTS_HISTCACHE_N; i++)
		drop(&c->v[i]);
	for (size_t i = 0; i < GUTS_HISTCACHE_ANSWERS; i++)
		free(c->answers[i].body);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* The table kept for this question, or NULL. */
static struct table *
find(struct guts_histcache *c, const uint8_t *repo, const char *dir)
{
	for (size_t i = 0; i < GUTS_HISTCACHE_N; i++) {
		struct table *e = &c->v[i];

		if (e->used && memcmp(e->repo, repo, GUTS_REPOID_SIZE) == 0 && !e->dir == !dir && (!dir || strcmp(e->dir, dir) == 0)) {
			e->used = ++c->questions;
			return e;
		}
	}
	return NULL;
}

/* A place for a table: that of the last one, else the one used longest ago. */
static struct table *
place(struct guts_histcache *c, const uint8_t *repo, const char *dir)
{
	struct table *e = find(c, repo, dir);

	if (!e) {
		e = &c->v[0];
		for (size_t i = 1; i < GUTS_HISTCACHE_N; i++)
			if (c->v[i].used < e->used)
				e = &c->v[i];
	}
	drop(e);
	memcpy(e->repo, repo, GUTS_REPOID_SIZE);
	e->dir = dir ? guts_strdup(dir) : NULL;
	e->used = ++c->questions;
	guts_arena_init(&e->arena, GUTS_HISTCACHE_TABLE_MAX);
	return e;
}

static const char *
copy_text(struct guts_arena *a, const char *s)
{
	return guts_arena_memdup(a, s, strlen(s));
}

static bool
copy_folder(struct guts_arena *a, struct guts_history_folder *to, const struct guts_history_folder *from)
{
	*to = *from;
	to->v = guts_arena_alloc(a, (from->n + 1) * sizeof *to->v);
	for (size_t i = 0; to->v && i < from->n; i++) {
		to->v[i] = from->v[i];
		if (!(to->v[i].name = copy_text(a, from->v[i].name)))
			return false;
	}
	return to->v != NULL;
}

static bool
copy_people(struct guts_arena *a, struct guts_history_people *to, const struct guts_history_people *from)
{
	*to = *from;
	to->v = guts_arena_alloc(a, (from->n + 1) * sizeof *to->v);
	for (size_t i = 0; to->v && i < from->n; i++) {
		to->v[i] = from->v[i];
		to->v[i].name = copy_text(a, from->v[i].name);
		to->v[i].email = copy_text(a, from->v[i].email);
		if (!to->v[i].name || !to->v[i].email)
			return false;
	}
	return to->v != NULL;
}

bool
guts_histcache_folder(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], const char *dir, struct guts_arena *a,
    struct guts_history_folder *out)
{
	pthread_mutex_lock(&c->lock);
	const struct table *e = find(c, repo, dir);
	bool ok = e && copy_folder(a, out, &e->folder);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

bool
guts_histcache_people(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], struct guts_arena *a,
    struct guts_history_people *out)
{
	pthread_mutex_lock(&c->lock);
	const struct table *e = find(c, repo, NULL);
	bool ok = e && copy_people(a, out, &e->people);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

void
guts_histcache_keep_folder(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], const char *dir,
    const struct guts_history_folder *f)
{
	pthread_mutex_lock(&c->lock);
	struct table *e = place(c, repo, dir);
	if (!copy_folder(&e->arena, &e->folder, f))
		drop(e);
	pthread_mutex_unlock(&c->lock);
}

void
guts_histcache_keep_people(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], const struct guts_history_people *p)
{
	pthread_mutex_lock(&c->lock);
	struct table *e = place(c, repo, NULL);
	if (!copy_people(&e->arena, &e->people, p))
		drop(e);
	pthread_mutex_unlock(&c->lock);
}

bool
guts_histcache_answer(struct guts_histcache *c, const char *etag, struct guts_buf *body, struct guts_histcache_list *list)
{
	bool found = false;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < GUTS_HISTCACHE_ANSWERS && !found; i++) {
		const struct answer *e = &c->answers[i];

		if (!e->body || strcmp(e->etag, etag) != 0)
			continue;
		found = guts_buf_add(body, e->body, e->n) == 0;
		*list = e->list;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

void
guts_histcache_keep_answer(struct guts_histcache *c, const char *etag, struct guts_slice body,
    const struct guts_histcache_list *list)
{
	struct answer fresh = { .n = body.n, .list = *list };

	if (body.n > GUTS_HISTCACHE_ANSWER_MAX || strlen(etag) >= sizeof fresh.etag)
		return;
	memcpy(fresh.etag, etag, strlen(etag));
	fresh.body = guts_memdup(body.p, body.n);
	pthread_mutex_lock(&c->lock);
	struct answer *e = &c->answers[c->next++ % GUTS_HISTCACHE_ANSWERS];
	free(e->body);
	*e = fresh;
	pthread_mutex_unlock(&c->lock);
}
