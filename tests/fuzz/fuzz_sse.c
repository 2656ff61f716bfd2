/* An event stream gives the same events in whatever pieces it is read. */
#include "client/sse.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

struct sum {
	uint64_t value, events;
};

static void
add(struct sum *s, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->value = s->value * 1099511628211u + ((const uint8_t *)p)[i] + 1;
}

static bool
on_event(void *owner, const struct guts_sse_event *e)
{
	struct sum *s = owner;

	if (e->data.p[e->data.n] != 0)
		abort();
	add(s, e->type, strlen(e->type) + 1);
	add(s, e->last_id, strlen(e->last_id) + 1);
	add(s, e->data.p, e->data.n);
	s->events++;
	return true;
}

static struct sum
read_in(const uint8_t *data, size_t n, size_t size)
{
	struct sum sum = { 0 };
	struct guts_sse s;
	int err = 0;

	guts_sse_init(&s);
	for (size_t i = 0; i < n && !err; i += size)
		err = guts_sse_read(&s, guts_slice(data + i, n - i < size ? n - i : size), on_event, &sum);
	add(&sum, s.last_id, strlen(s.last_id));
	guts_sse_deinit(&s);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sum whole = read_in(data, n, n + 1), bytes = read_in(data, n, 1), pieces = read_in(data, n, 7);

	if (whole.value != bytes.value || whole.value != pieces.value || whole.events != bytes.events)
		abort();
	return 0;
}
