/* A yamux session: the input is a script of frames from a hostile peer and of what our side does meanwhile.
 *
 * Each step is one byte (what, and how much) and its bytes.  Whatever comes: memory stays
 * within the budget, every stream ends exactly once, and all charges are given back.
 */
#include "base/alloc.h"
#include "fuzz.h"
#include "mux/yamux.h"

#include <stdlib.h>

#define STREAMS_MAX 64
#define RECV_MAX (300u << 10)
#define BUDGET_MAX (200u << 10)

struct fuzz {
	struct guts_yamux *y;
	struct guts_ystream *s[STREAMS_MAX];
	size_t n, take;
	long open;
};

static size_t
on_data(void *owner, struct guts_ystream *s, struct guts_slice data)
{
	struct fuzz *f = owner;

	(void)s;
	return data.n < f->take ? data.n : f->take;
}

static size_t
on_pull(void *owner, struct guts_ystream *s, uint8_t *out, size_t max)
{
	size_t n = max < 100 ? max : 100;

	(void)owner;
	memset(out, 'x', n);
	if (guts_ystream_id(s) % 5 == 0)
		guts_ystream_finish(s);
	return n;
}

static void
forget(struct fuzz *f, struct guts_ystream *s)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (f->s[i] == s)
			f->s[i] = NULL;
	if (--f->open < 0)
		abort();
}

static void
on_closed(void *owner, struct guts_ystream *s, int err)
{
	(void)err;
	forget(owner, s);
}

static const struct guts_ystream_events stream_events = { on_data, NULL, on_pull, on_closed };

static void
keep(struct fuzz *f, struct guts_ystream *s)
{
	f->open++;
	if (!f->s[f->n % STREAMS_MAX])
		f->s[f->n++ % STREAMS_MAX] = s;
}

static bool
on_incoming(void *owner, struct guts_ystream *s)
{
	struct fuzz *f = owner;

	if (guts_ystream_id(s) % 16 == 15)
		return false;
	guts_ystream_set_events(s, &stream_events, f);
	keep(f, s);
	return true;
}

static const struct guts_yamux_events events = { on_incoming, NULL, NULL };

static struct guts_ystream *
pick(struct fuzz *f, uint8_t which)
{
	return f->s[which % STREAMS_MAX];
}

/* What our own side does. */
static void
act(struct fuzz *f, uint8_t what, uint8_t which, uint64_t now)
{
	static uint8_t out[4096];
	struct guts_ystream *s = pick(f, which);

	switch (what % 12) {
	case 0:
		if (guts_ystream_open(f->y, &stream_events, f, &s) == 0)
			keep(f, s);
		break;
	case 1: guts_yamux_pull(f->y, out, 64 + which, now); break;
	case 2: guts_yamux_pull(f->y, out, sizeof(out), now); break;
	case 3: f->take = which & 1 ? SIZE_MAX : which; break;
	case 4: guts_yamux_poll(f->y, now); break;
	case 5: guts_yamux_tick(f->y, now); break;
	case 6:
		if (s)
			guts_ystream_send(s, guts_slice(out, which));
		break;
	case 7:
		if (s)
			guts_ystream_finish(s);
		break;
	case 8:
		if (s)
			guts_ystream_pause(s, which & 64);
		break;
	case 9:
		if (s)
			guts_ystream_want_write(s);
		break;
	case 10:
		if (s)
			guts_ystream_need(s, (size_t)which << 12);
		break;
	case 11:
		if (s) {
			guts_ystream_reset(s, which);
			forget(f, s);
		}
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_recv_budget budget = { .max = BUDGET_MAX };
	struct guts_yamux_config cfg = { .recv_max = RECV_MAX, .budget = &budget };
	struct fuzz f = { .take = SIZE_MAX };
	uint64_t now = UINT64_C(1000000000);
	size_t at = 0;

	f.y = guts_yamux_new(&cfg, &events, &f, now);
	while (at + 2 <= size) {
		uint8_t what = data[at], n = data[at + 1];

		at += 2;
		now += (uint64_t)what << 20;
		if (what & 0x80) {
			size_t len = n < size - at ? n : size - at;

			if (guts_yamux_recv(f.y, guts_slice(data + at, len), now) != 0)
				break;
			at += len;
		} else {
			act(&f, what, n, now);
		}
		if (budget.used != guts_yamux_unread_bytes(f.y) || budget.used > BUDGET_MAX)
			abort();
	}
	guts_yamux_free(f.y);
	if (f.open != 0 || budget.used != 0 || budget.grown != 0 || budget.members)
		abort();
	return 0;
}
