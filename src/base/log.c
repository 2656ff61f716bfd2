/* base/log.c - lines to standard error and to one sink, under one lock.
 *
 * A line is made in a buffer on the stack and written by one call, so lines of several
 * threads never mix.  Control characters in the text (a peer may have written some of
 * it) are shown as '?'.  The limiter keeps a bucket per area; areas are few and literal.
 */
#include "base/log.h"

#include "base/err.h"
#include "base/ratelimit.h"
#include "base/text.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define AREAS_MAX 32u
#define LIMITED_PER_S 10u
#define NS_PER_S UINT64_C(1000000000)

static const char *const names[] = { "error", "warn", "notice", "info", "debug" };

static atomic_int current_level = GUTS_LOG_NOTICE;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*the_sink)(void *, enum guts_log_level, const char *, const char *);
static void *sink_owner;

static struct limited {
	char area[24];
	struct guts_ratelimit rate;
	uint64_t dropped;
} limited[AREAS_MAX];
static size_t limited_n;

void
guts_log_set_level(enum guts_log_level level)
{
	atomic_store(&current_level, (int)level);
}

enum guts_log_level
guts_log_level(void)
{
	return (enum guts_log_level)atomic_load(&current_level);
}

int
guts_log_level_parse(const char *name, enum guts_log_level *out)
{
	for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*out = (enum guts_log_level)i;
			return GUTS_OK;
		}
	}
	return GUTS_EINVAL;
}

const char *
guts_log_level_name(enum guts_log_level level)
{
	return names[level];
}

void
guts_log_set_sink(void (*sink)(void *owner, enum guts_log_level level, const char *area, const char *text),
    void *owner)
{
	pthread_mutex_lock(&lock);
	the_sink = sink;
	sink_owner = owner;
	pthread_mutex_unlock(&lock);
}

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Write one line; the lock is held. */
static void
emit(enum guts_log_level level, const char *area, char *text)
{
	char line[LINE_MAX_BYTES + 64], when[25];
	ssize_t written;
	int n;

	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	guts_text_time(when, clock_ns(CLOCK_REALTIME));
	n = snprintf(line, sizeof(line), "%s %s %s: %s\n", when, names[level], area, text);
	if (n >= (int)sizeof(line)) {
		n = (int)sizeof(line);
		line[n - 1] = '\n';
	}
	written = write(STDERR_FILENO, line, (size_t)n);
	(void)written; /* nobody to tell */
	if (the_sink != NULL)
		the_sink(sink_owner, level, area, text);
}

void
guts_log(enum guts_log_level level, const char *area, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	if (level > guts_log_level())
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&lock);
	emit(level, area, text);
	pthread_mutex_unlock(&lock);
}

/* The limiter of `area`; the last one is shared when there are too many. */
static struct limited *
limiter(const char *area)
{
	struct limited *l;

	for (size_t i = 0; i < limited_n; i++)
		if (strncmp(limited[i].area, area, sizeof(limited[i].area) - 1) == 0)
			return &limited[i];
	if (limited_n == AREAS_MAX)
		return &limited[AREAS_MAX - 1];
	l = &limited[limited_n++];
	snprintf(l->area, sizeof(l->area), "%s", area);
	guts_ratelimit_init(&l->rate, LIMITED_PER_S, LIMITED_PER_S);
	return l;
}

void
guts_log_limited(enum guts_log_level level, const char *area, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], note[64];
	struct limited *l;
	va_list ap;

	if (level > guts_log_level())
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&lock);
	l = limiter(area);
	if (!guts_ratelimit_take(&l->rate, 1, clock_ns(CLOCK_MONOTONIC))) {
		l->dropped++;
	} else {
		if (l->dropped) {
			snprintf(note, sizeof(note), "%llu lines dropped", (unsigned long long)l->dropped);
			l->dropped = 0;
			emit(level, area, note);
		}
		emit(level, area, text);
	}
	pthread_mutex_unlock(&lock);
}
