/* client/stream.c - one connection after another, each with the id where the last one ended.
 *
 * A refusal (4xx), or 204, which means "do not come back", ends it; everything else is a lost
 * connection: wait as long as the server said (else a doubling pause) and connect again.
 */
#include "client/stream.h"

#include "base/alloc.h"
#include "client/transfer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct follow {
	const struct guts_stream_spec *spec;
	struct guts_sse sse;
	bool linked, too_large, ended;
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool
on_alive(void *owner)
{
	struct follow *f = owner;

	if (f->spec->alive != NULL && !f->spec->alive(f->spec->owner))
		f->ended = true;
	return !f->ended;
}

static bool
on_data(void *owner, struct guts_slice bytes)
{
	struct follow *f = owner;
	int err;

	if (!f->linked && f->spec->link != NULL)
		f->spec->link(f->spec->owner, NULL);
	f->linked = true;
	err = guts_sse_read(&f->sse, bytes, f->spec->event, f->spec->owner);
	f->too_large = err == GUTS_ELIMIT;
	f->ended = f->ended || err == GUTS_ECANCELED;
	return err == GUTS_OK;
}

/* One connection.  Returns GUTS_EAGAIN if another try makes sense. */
static int
connect_once(struct follow *f, long *status, struct guts_errinfo *ei)
{
	char *id = guts_asprintf("Last-Event-ID: %s", f->sse.last_id);
	const char *headers[] = { "Accept: text/event-stream", "Cache-Control: no-store", f->sse.last_id[0] ? id : NULL,
		NULL };
	struct guts_transfer_spec ts = { .method = "GET", .url = f->spec->url, .socket = f->spec->socket, .headers = headers,
		.token = f->spec->token, .body_max = 64 << 10, .total_ms = UINT32_MAX, .idle_ms = GUTS_STREAM_SILENCE_MS,
		.data = on_data, .alive = on_alive, .owner = f };
	struct guts_transfer *t = NULL;
	const char *type;
	int err = guts_transfer_new(&t, &ts, ei);

	free(id);
	if (err)
		return err;
	guts_sse_reset(&f->sse);
	f->linked = f->too_large = false;
	err = guts_transfer_run(t, ei);
	*status = guts_transfer_status(t);
	type = guts_transfer_header(t, "Content-Type");
	if (f->ended)
		err = guts_err_set(ei, GUTS_ECANCELED, "stopped");
	else if (f->too_large)
		err = guts_err_set(ei, GUTS_ELIMIT, "an event is too large");
	else if (*status == 401 || *status == 403)
		err = guts_err_set(ei, GUTS_EDENIED, "the node refuses the stream (%ld)", *status);
	else if (*status == 404)
		err = guts_err_set(ei, GUTS_ENOTFOUND, "the node knows no such stream");
	else if (*status == 204 || (*status >= 400 && *status < 500 && *status != 429))
		err = guts_err_set(ei, GUTS_EPROTO, "the node answers %ld", *status);
	else if (*status == 200 && (type == NULL || strncmp(type, "text/event-stream", 17) != 0))
		err = guts_err_set(ei, GUTS_EPROTO, "what answers there sends no events");
	else if (!err)
		err = guts_err_set(ei, GUTS_EAGAIN, *status == 200 ? "the node ended the stream" : "the node is busy (%ld)",
		    *status);
	else if (err == GUTS_ECLOSED || err == GUTS_ETIMEOUT || err == GUTS_EIO)
		err = GUTS_EAGAIN;
	guts_transfer_free(t);
	return err;
}

/* Wait, asking `alive` meanwhile. */
static bool
pause_ms(struct follow *f, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	for (uint64_t now = now_ms(); now < end && on_alive(f); now = now_ms())
		poll(NULL, 0, (int)(end - now < 200 ? end - now : 200));
	return !f->ended;
}

int
guts_stream_follow(const struct guts_stream_spec *spec, long *status, struct guts_errinfo *ei)
{
	struct follow f = { .spec = spec };
	uint64_t lost_at = 0, backoff = GUTS_STREAM_BACKOFF_MS, wait;
	int err;

	guts_sse_init(&f.sse);
	if (spec->last_id != NULL && strlen(spec->last_id) <= GUTS_SSE_NAME_MAX)
		snprintf(f.sse.last_id, sizeof(f.sse.last_id), "%s", spec->last_id);
	*status = 0;
	for (;;) {
		err = connect_once(&f, status, ei);
		if (err != GUTS_EAGAIN)
			break;
		if (f.linked) {
			lost_at = 0;
			backoff = GUTS_STREAM_BACKOFF_MS;
		}
		if (f.linked && spec->link != NULL)
			spec->link(spec->owner, ei != NULL ? ei->text : "lost");
		if (lost_at == 0)
			lost_at = now_ms();
		wait = f.linked && f.sse.retry_ms ? f.sse.retry_ms : backoff;
		if (spec->give_up_ms == 0 || (spec->give_up_ms != UINT32_MAX && now_ms() - lost_at > spec->give_up_ms)) {
			err = GUTS_ECLOSED;
			break;
		}
		if (!pause_ms(&f, wait)) {
			err = GUTS_ECANCELED;
			break;
		}
		backoff = backoff * 2 < GUTS_STREAM_BACKOFF_MAX_MS ? backoff * 2 : GUTS_STREAM_BACKOFF_MAX_MS;
	}
	guts_sse_deinit(&f.sse);
	return err;
}
