/* tests/interop/lines.c - a thread of its own reads, as standard input blocks; see lines.h. */
#include "lines.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static struct guts_uvenv *uv;
static void (*on_line)(void *line);
static pthread_t reader;

static void
on_end(void *arg)
{
	(void)arg;
	guts_uvenv_stop(uv);
}

static void *
read_lines(void *arg)
{
	struct guts_env *env = guts_uvenv_env(uv);
	char *line = NULL;
	size_t size = 0;

	(void)arg;
	while (getline(&line, &size, stdin) > 0)
		guts_env_post(env, on_line, guts_strdup(line));
	free(line);
	guts_env_post(env, on_end, NULL);
	return NULL;
}

void
lines_start(struct guts_uvenv *loop, void (*fn)(void *line))
{
	uv = loop;
	on_line = fn;
	if (pthread_create(&reader, NULL, read_lines, NULL))
		abort();
}

void
lines_end(void)
{
	pthread_join(reader, NULL);
}
