/* client/sse.c - lines to fields to events.
 *
 * A line ends with LF, CR or CR LF, and a CR at the end of one piece may be followed by the LF in
 * the next; so the line is collected byte run by byte run, and an LF after a CR is dropped.
 * An event is given out at the empty line, if it had data; its id counts in any case, from
 * that line on.
 */
#include "client/sse.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MAX_MS 60000u

void
guts_sse_init(struct guts_sse *s)
{
	*s = (struct guts_sse){ 0 };
	guts_buf_init(&s->line, GUTS_SSE_LINE_MAX);
	guts_buf_init(&s->data, GUTS_SSE_EVENT_MAX);
}

void
guts_sse_deinit(struct guts_sse *s)
{
	guts_buf_deinit(&s->line);
	guts_buf_deinit(&s->data);
}

void
guts_sse_reset(struct guts_sse *s)
{
	guts_buf_clear(&s->line);
	guts_buf_clear(&s->data);
	s->after_cr = s->started = s->has_data = false;
	s->type[0] = '\0';
	memcpy(s->next_id, s->last_id, sizeof(s->next_id));
}

/* Copy a short value; one that is too long or holds a NUL leaves `to` as it is. */
static void
keep(char to[GUTS_SSE_NAME_MAX + 1], struct guts_slice v)
{
	if (v.n > GUTS_SSE_NAME_MAX || memchr(v.p, '\0', v.n) != NULL)
		return;
	memcpy(to, v.p, v.n);
	to[v.n] = '\0';
}

static bool
is(struct guts_slice name, const char *what)
{
	return guts_slice_eq(name, guts_slice_str(what));
}

static void
on_field(struct guts_sse *s, struct guts_slice name, struct guts_slice value)
{
	uint64_t ms;

	if (is(name, "data")) {
		if (s->has_data)
			guts_buf_add_u8(&s->data, '\n');
		guts_buf_add_slice(&s->data, value);
		s->has_data = true;
	} else if (is(name, "event")) {
		keep(s->type, value);
	} else if (is(name, "id")) {
		keep(s->next_id, value);
	} else if (is(name, "retry") && !guts_text_u64(value, RETRY_MAX_MS, &ms)) {
		s->retry_ms = (uint32_t)ms;
	}
}

/* The empty line.  Returns false if the reader is to stop. */
static bool
dispatch(struct guts_sse *s, bool (*event)(void *owner, const struct guts_sse_event *e), void *owner)
{
	struct guts_sse_event e;
	bool go_on = true;

	memcpy(s->last_id, s->next_id, sizeof(s->last_id));
	if (s->has_data) {
		e.type = s->type[0] ? s->type : "message";
		e.last_id = s->last_id;
		e.data = guts_slice(guts_buf_cstr(&s->data), s->data.len);
		go_on = event(owner, &e);
	}
	guts_buf_clear(&s->data);
	s->has_data = false;
	s->type[0] = '\0';
	return go_on;
}

static bool
end_line(struct guts_sse *s, bool (*event)(void *owner, const struct guts_sse_event *e), void *owner)
{
	static const uint8_t bom[] = { 0xef, 0xbb, 0xbf };
	struct guts_slice line = guts_buf_slice(&s->line), value;
	const uint8_t *colon;
	bool go_on = true;

	if (!s->started && line.n >= sizeof(bom) && memcmp(line.p, bom, sizeof(bom)) == 0)
		line = guts_slice(line.p + sizeof(bom), line.n - sizeof(bom));
	s->started = true;
	if (line.n == 0) {
		go_on = dispatch(s, event, owner);
	} else if (line.p[0] != ':') {
		colon = memchr(line.p, ':', line.n);
		value = guts_slice("", 0);
		if (colon != NULL) {
			value = guts_slice(colon + 1, (size_t)(line.p + line.n - colon - 1));
			if (value.n > 0 && value.p[0] == ' ')
				value = guts_slice(value.p + 1, value.n - 1);
			line.n = (size_t)(colon - line.p);
		}
		on_field(s, line, value);
	}
	guts_buf_clear(&s->line);
	return go_on;
}

int
guts_sse_read(struct guts_sse *s, struct guts_slice in, bool (*event)(void *owner, const struct guts_sse_event *e),
    void *owner)
{
	size_t i = 0;

	while (i < in.n) {
		size_t from = i;

		if (s->after_cr && in.p[i] == '\n')
			from = ++i;
		s->after_cr = false;
		while (i < in.n && in.p[i] != '\n' && in.p[i] != '\r')
			i++;
		guts_buf_add(&s->line, in.p + from, i - from);
		if (s->line.failed)
			return GUTS_ELIMIT;
		if (i == in.n)
			break;
		s->after_cr = in.p[i] == '\r';
		i++;
		if (!end_line(s, event, owner))
			return GUTS_ECANCELED;
		if (s->data.failed)
			return GUTS_ELIMIT;
	}
	return GUTS_OK;
}
