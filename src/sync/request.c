/* sync/request.c - the asking side of one /guts/sync stream: a request frame out, answer frames in.
 *
 * A request ends when the peer ends the stream, answers with an error, or sends nothing for a while.  Time
 * while the asker itself holds the answer back (pause) does not count.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "wire/varint.h"

#include <stdlib.h>

#define IDLE_NS (15 * GUTS_SECOND_NS)      /* what is told from memory comes soon */
#define IDLE_PACK_NS (40 * GUTS_SECOND_NS) /* above the 30 s a git child may be silent */

struct guts_request {
	struct guts_sync *sync;
	struct guts_peerid peer;
	struct guts_stream *stream;
	const struct guts_request_events *ev;
	void *owner;
	struct guts_timer timer;
	uint64_t id, idle_ns;
	bool paused, in_answer, canceled;
};

static void
request_free(struct guts_request *q)
{
	guts_env_timer_clear(q->sync->s.env, &q->timer);
	free(q);
}

static void
touch(struct guts_request *q)
{
	struct guts_env *env = q->sync->s.env;

	guts_env_timer_set(env, &q->timer, q->paused ? GUTS_NEVER : guts_env_now(env) + q->idle_ns);
}

/* Tell the end once; the stream is reset if it is still there. */
static void
end(struct guts_request *q, int err, const char *text)
{
	if (q->stream)
		guts_stream_reset(q->stream, 0);
	q->stream = NULL;
	q->ev->end(q->owner, err, text);
	request_free(q);
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	end(owner, GUTS_ETIMEOUT, "the peer stopped answering");
}

/* One frame; false = the request is over and freed. */
static bool
on_frame(struct guts_request *q, struct guts_slice frame)
{
	struct guts_msg_response m;
	struct guts_arena arena;
	int err;
	bool more = true;

	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	err = guts_msg_response_decode(&m, frame, &arena);
	if (!err && m.request_id != q->id)
		err = GUTS_EPROTO;
	if (err) {
		q->sync->s.events->offence(q->sync->s.owner, &q->peer, err, "answer on /guts/sync");
		guts_arena_deinit(&arena);
		end(q, err, "an answer that is not well formed");
		return false;
	}
	if (m.has_error) {
		char text[GUTS_MSG_TEXT_MAX + 1];

		memcpy(text, m.error.text.p, m.error.text.n);
		text[m.error.text.n] = '\0';
		err = guts_msg_code_to_err(m.error.code);
		guts_arena_deinit(&arena);
		end(q, err ? err : GUTS_EPROTO, text);
		return false;
	}
	q->in_answer = true;
	if (guts_msg_response_kind(&m) != GUTS_RESPONSE_NONE)
		more = q->ev->answer(q->owner, &m);
	q->in_answer = false;
	guts_arena_deinit(&arena);
	if (!more || q->canceled) {
		if (q->stream)
			guts_stream_reset(q->stream, 0);
		request_free(q);
		return false;
	}
	return true;
}

static size_t
on_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct guts_request *q = owner;
	size_t used = 0, n;
	struct guts_slice frame;
	int err = GUTS_OK;

	touch(q);
	while (!q->paused) {
		err = guts_frame_read(guts_slice(data.p + used, data.n - used), GUTS_MESSAGE_MAX, &frame, &n);
		if (err)
			break;
		if (!on_frame(q, frame))
			return data.n;
		used += n;
	}
	if (err == GUTS_EAGAIN && data.n - used >= 64) {
		uint64_t len;

		if (guts_uvarint_read(guts_slice(data.p + used, data.n - used), &len, &n) == GUTS_OK &&
		    guts_stream_need(s, (size_t)len + n))
			err = GUTS_ELIMIT;
	}
	if (err && err != GUTS_EAGAIN) {
		q->sync->s.events->offence(q->sync->s.owner, &q->peer, err, "frame on /guts/sync");
		end(q, err, "a frame over the limit");
		return data.n;
	}
	return used;
}

static void
on_eof(void *owner, struct guts_stream *s)
{
	(void)s;
	end(owner, GUTS_OK, NULL);
}

static void
on_closed(void *owner, struct guts_stream *s, int err)
{
	struct guts_request *q = owner;

	(void)s;
	q->stream = NULL;
	end(q, err ? err : GUTS_ECLOSED, err == GUTS_EUNSUPPORTED ? "the peer does not speak /guts/sync" : "the link was lost");
}

static const struct guts_stream_events stream_events = { .data = on_data, .eof = on_eof, .closed = on_closed };

int
guts_request_start(struct guts_sync *s, const struct guts_peerid *peer, struct guts_msg_request *m,
    const struct guts_request_events *ev, void *owner, struct guts_request **out)
{
	static const char *const protocols[] = { GUTS_SYNC_PROTOCOL };
	struct guts_request *q = guts_alloc(sizeof *q);
	struct guts_buf frame;
	int err;

	*q = (struct guts_request){ .sync = s, .peer = *peer, .ev = ev, .owner = owner,
		.idle_ns = m->has_get_objects ? IDLE_PACK_NS : IDLE_NS, .timer = { .fire = on_timer, .owner = q } };
	q->id = m->request_id = ++s->request_id;
	guts_buf_init(&frame, GUTS_MESSAGE_MAX + 16);
	err = guts_msg_request_frame(m, &frame);
	if (!err)
		err = guts_peers_open_stream(s->s.peers, peer, protocols, 1, &stream_events, q, &q->stream);
	if (!err)
		err = guts_stream_send(q->stream, guts_buf_slice(&frame));
	guts_buf_deinit(&frame);
	if (err) {
		if (q->stream)
			guts_stream_reset(q->stream, 0);
		request_free(q);
		return err;
	}
	guts_stream_finish(q->stream);
	touch(q);
	*out = q;
	return GUTS_OK;
}

void
guts_request_pause(struct guts_request *q, bool pause)
{
	if (q->paused == pause)
		return;
	q->paused = pause;
	touch(q);
	guts_stream_pause(q->stream, pause);
}

void
guts_request_cancel(struct guts_request *q)
{
	if (q->in_answer) {
		q->canceled = true;
		return;
	}
	if (q->stream)
		guts_stream_reset(q->stream, 0);
	request_free(q);
}
