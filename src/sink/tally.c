/* sink/tally.c - one lock, one condition. */
#include "sink/tally.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum guts_tally_answer { NONE, TAKEN, REFUSED };

void
guts_tally_init(struct guts_tally *t)
{
	pthread_condattr_t attr;

	memset(t, 0, sizeof *t);
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void
guts_tally_deinit(struct guts_tally *t)
{
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}

void
guts_tally_reset(struct guts_tally *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_up = t->is_broken = false;
	t->n = t->nanswered = 0;
	t->error[0] = '\0';
	pthread_mutex_unlock(&t->lock);
}

void
guts_tally_up(struct guts_tally *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_up = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void
guts_tally_break(struct guts_tally *t, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&t->lock);
	if (!t->is_broken) {
		va_start(ap, fmt);
		vsnprintf(t->error, sizeof t->error, fmt, ap);
		va_end(ap);
		t->is_broken = true;
		pthread_cond_broadcast(&t->changed);
	}
	pthread_mutex_unlock(&t->lock);
}

void
guts_tally_begin(struct guts_tally *t, size_t n)
{
	pthread_mutex_lock(&t->lock);
	t->n = n;
	t->nanswered = 0;
	memset(t->answer, NONE, sizeof t->answer);
	pthread_mutex_unlock(&t->lock);
}

void
guts_tally_answer(struct guts_tally *t, size_t i, const char *error)
{
	pthread_mutex_lock(&t->lock);
	if (i < t->n && t->answer[i] == NONE) {
		t->answer[i] = error ? REFUSED : TAKEN;
		if (error && t->error[0] == '\0')
			snprintf(t->error, sizeof t->error, "%s", error);
		if (++t->nanswered == t->n)
			pthread_cond_broadcast(&t->changed);
	}
	pthread_mutex_unlock(&t->lock);
}

void
guts_tally_stop(struct guts_tally *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_stopping = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* Under the lock: until `is_done`, an end or the deadline. */
static int
await(struct guts_tally *t, unsigned seconds, bool (*is_done)(const struct guts_tally *t), struct guts_errinfo *ei)
{
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	while (!is_done(t) && !t->is_broken && !t->is_stopping && !late)
		late = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	if (t->is_broken)
		return guts_err_set(ei, GUTS_ECLOSED, "%s", t->error);
	if (is_done(t))
		return GUTS_OK;
	if (t->is_stopping)
		return guts_err_set(ei, GUTS_ECANCELED, "the node stops");
	return guts_err_set(ei, GUTS_ETIMEOUT, "no answer within %u s", seconds);
}

static bool
is_up(const struct guts_tally *t)
{
	return t->is_up;
}

static bool
all_answered(const struct guts_tally *t)
{
	return t->nanswered == t->n;
}

int
guts_tally_wait_up(struct guts_tally *t, unsigned seconds, struct guts_errinfo *ei)
{
	int err;

	pthread_mutex_lock(&t->lock);
	err = await(t, seconds, is_up, ei);
	pthread_mutex_unlock(&t->lock);
	return err;
}

int
guts_tally_wait(struct guts_tally *t, unsigned seconds, size_t *taken, struct guts_errinfo *ei)
{
	int err;

	pthread_mutex_lock(&t->lock);
	err = await(t, seconds, all_answered, ei);
	for (*taken = 0; *taken < t->n && t->answer[*taken] == TAKEN; ++*taken)
		;
	if (!err && *taken < t->n)
		err = guts_err_set(ei, GUTS_EDENIED, "%s", t->error);
	pthread_mutex_unlock(&t->lock);
	return err;
}
