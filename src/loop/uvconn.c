/* loop/uvconn.c - sockets of the libuv end.
 *
 *	DIALING → OPEN → CLOSING → DEAD → freed
 *
 * Writing: uv_try_write first; what the kernel does not take is copied into 16 KiB chunks
 * from a free list, and up to four of them go out in one uv_write (libuv allocates for more
 * buffers than four), one uv_write at a time.
 *
 * Closing: the owner is let go at once.  The queue gets a second to leave, then the sending
 * side is shut, and what still arrives is read and dropped until the other side finished too:
 * closing with unread bytes makes the kernel send a reset, which destroys our last words.
 *
 * What fails inside a call of the owner is put on a list and told in the next turn.
 */
#include "loop/uvenv_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define CHUNK_BYTES    ((16u << 10) - 32)
#define CHUNKS_KEPT    64 /* free chunks: 1 MiB */
#define BUFS_PER_WRITE 4
#define DISCARD_MAX    (1u << 20) /* [bytes] read and dropped after a close */
#define BACKLOG        511

struct guts_uvchunk {
	struct guts_uvchunk *next;
	size_t off, end;
	uint8_t data[CHUNK_BYTES];
};

enum state { DIALING, OPEN, CLOSING, DEAD };

struct guts_conn {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct guts_uvenv *u;
	const struct guts_conn_events *ev;
	void *owner;
	enum state state;
	bool paused, reading, writing, shut, ended; /* ended: the other side finished */
	int failed;                                 /* < 0: to be told in the next turn */
	struct guts_uvchunk *head, *tail;
	size_t queued, under_way, discarded; /* [bytes]; under_way: in the uv_write */
	struct guts_timer linger;
	struct guts_conn *prev, *next, *deferred_next;
};

struct guts_listener {
	uv_tcp_t tcp;
	struct guts_uvenv *u;
	const struct guts_listener_events *ev;
	void *owner;
	struct guts_listener *prev, *next;
};

int
guts_uvconn_err(int status)
{
	switch (status) {
	case UV_ECONNREFUSED:
	case UV_ECONNRESET:
	case UV_ECONNABORTED:
	case UV_EPIPE: return GUTS_ECLOSED;
	case UV_ETIMEDOUT: return GUTS_ETIMEOUT;
	case UV_EADDRINUSE: return GUTS_EEXIST;
	case UV_EACCES:
	case UV_EPERM: return GUTS_EDENIED;
	case UV_EINVAL:
	case UV_EAFNOSUPPORT:
	case UV_EADDRNOTAVAIL: return GUTS_EINVAL;
	default: return GUTS_EIO;
	}
}

/* --- chunks --------------------------------------------------------------- */

static struct guts_uvchunk *
chunk_new(struct guts_uvenv *u)
{
	struct guts_uvchunk *k = u->chunks;

	if (k) {
		LL_DELETE(u->chunks, k);
		u->chunks_n--;
	} else {
		k = guts_alloc(sizeof *k);
	}
	k->next = NULL;
	k->off = k->end = 0;
	return k;
}

static void
chunk_free(struct guts_uvenv *u, struct guts_uvchunk *k)
{
	if (u->chunks_n >= CHUNKS_KEPT) {
		free(k);
		return;
	}
	LL_PREPEND(u->chunks, k);
	u->chunks_n++;
}

void
guts_uvconn_free_chunks(struct guts_uvenv *u)
{
	struct guts_uvchunk *k, *after;

	LL_FOREACH_SAFE (u->chunks, k, after)
		free(k);
	u->chunks = NULL;
}

/* The last chunk may be part of a uv_write under way: that one knows only what it was given. */
static void
queue_add(struct guts_conn *c, struct guts_slice data)
{
	c->queued += data.n;
	while (data.n) {
		if (!c->head || c->tail->end == CHUNK_BYTES) {
			struct guts_uvchunk *k = chunk_new(c->u);

			if (c->head)
				c->tail->next = k;
			else
				c->head = k;
			c->tail = k;
		}

		size_t room = CHUNK_BYTES - c->tail->end, n = data.n < room ? data.n : room;
		memcpy(c->tail->data + c->tail->end, data.p, n);
		c->tail->end += n;
		data = guts_slice(data.p + n, data.n - n);
	}
}

static void
queue_consume(struct guts_conn *c, size_t n)
{
	assert(n <= c->queued);
	c->queued -= n;
	while (n || (c->head && c->head->off == c->head->end)) {
		struct guts_uvchunk *k = c->head;
		size_t part = k->end - k->off;

		if (n < part) {
			k->off += n;
			return;
		}
		n -= part;
		c->head = k->next;
		chunk_free(c->u, k);
	}
}

/* --- life ----------------------------------------------------------------- */

static void on_written(uv_write_t *req, int status);
static void on_linger_over(struct guts_timer *t, void *owner);

static struct guts_conn *
conn_new(struct guts_uvenv *u, enum state state)
{
	struct guts_conn *c = guts_alloc(sizeof *c);

	c->u = u;
	c->state = state;
	c->linger.fire = on_linger_over;
	c->linger.owner = c;
	c->tcp.data = c->connect.data = c->write.data = c->shutdown.data = c;
	uv_tcp_init(&u->loop, &c->tcp);
	DL_APPEND(u->conns, c);
	return c;
}

static void
on_closed(uv_handle_t *h)
{
	struct guts_conn *c = h->data;

	while (c->head) {
		struct guts_uvchunk *k = c->head;

		c->head = k->next;
		chunk_free(c->u, k);
	}
	DL_DELETE(c->u->conns, c);
	free(c);
}

/* End at once, without event; the memory lives until libuv let go of it. */
static void
conn_drop(struct guts_conn *c)
{
	if (c->state == DEAD)
		return;
	if (c->failed)
		LL_DELETE2(c->u->deferred, c, deferred_next);
	guts_uvenv_timer_clear(&c->u->env, &c->linger);
	c->state = DEAD;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* To be told in the next turn. */
static void
conn_defer(struct guts_conn *c, int err)
{
	if (c->failed)
		return;
	c->failed = err;
	LL_APPEND2(c->u->deferred, c, deferred_next);
	guts_uvenv_again(c->u);
}

/* The connection broke: tell the owner, if there is one. */
static void
conn_fail(struct guts_conn *c, int err)
{
	enum state was = c->state;

	conn_drop(c);
	if (was == DIALING)
		c->ev->open(c->owner, c, err);
	else if (was == OPEN)
		c->ev->closed(c->owner, c, err);
}

void
guts_uvconn_run_deferred(struct guts_uvenv *u)
{
	struct guts_conn *last = u->deferred;

	/* those that are added meanwhile stand behind `last` and wait */
	while (last && last->deferred_next)
		last = last->deferred_next;
	for (bool more = last != NULL; more;) {
		struct guts_conn *c = u->deferred;

		if (!c)
			break;
		more = c != last;
		conn_fail(c, c->failed);
	}
}

/* --- closing -------------------------------------------------------------- */

static void reading(struct guts_conn *c, bool on);

static void
on_linger_over(struct guts_timer *t, void *owner)
{
	(void)t;
	conn_drop(owner);
}

static void
on_shut(uv_shutdown_t *req, int status)
{
	struct guts_conn *c = req->data;

	if (c->state == CLOSING && (status < 0 || c->ended))
		conn_drop(c);
}

static void
closing_step(struct guts_conn *c)
{
	if (c->queued || c->shut)
		return;
	c->shut = true;
	if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut) != 0)
		conn_drop(c);
}

static void
conn_let_go(struct guts_conn *c)
{
	c->state = CLOSING;
	c->ev = NULL;
	c->owner = NULL;
	guts_uvenv_timer_set(&c->u->env, &c->linger,
			     guts_env_now(&c->u->env) + GUTS_UVENV_CLOSE_NS);
	if (!c->ended)
		reading(c, true);
	closing_step(c);
}

void
guts_uvconn_close(struct guts_env *e, struct guts_conn *c)
{
	(void)e;
	if (c->state == OPEN && !c->failed)
		conn_let_go(c);
	else if (c->state != CLOSING)
		conn_drop(c);
}

void
guts_uvconn_close_all(struct guts_uvenv *u)
{
	struct guts_conn *c;
	struct guts_listener *l, *after;

	DL_FOREACH (u->conns, c)
		conn_drop(c);
	DL_FOREACH_SAFE (u->listeners, l, after)
		guts_uvconn_unlisten(&u->env, l);
}

/* --- reading -------------------------------------------------------------- */

static void
on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *buf)
{
	struct guts_conn *c = h->data;

	(void)wanted;
	*buf = uv_buf_init((char *)c->u->read_mem, GUTS_UVENV_READ_BYTES);
}

static void
on_end(struct guts_conn *c)
{
	c->ended = true;
	reading(c, false);
	if (c->state == CLOSING) {
		if (c->shut)
			conn_drop(c); /* a shutdown under way has nothing left to send */
		return;
	}

	const struct guts_conn_events *ev = c->ev;
	void *owner = c->owner;
	conn_let_go(c);
	ev->closed(owner, c, 0);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct guts_conn *c = s->data;

	guts_uvenv_turn(c->u);
	if (c->state == DEAD || n == 0)
		return;
	if (n == UV_EOF) {
		on_end(c);
	} else if (n < 0) {
		conn_fail(c, guts_uvconn_err((int)n));
	} else if (c->state == CLOSING) {
		c->discarded += (size_t)n;
		if (c->discarded > DISCARD_MAX)
			conn_drop(c);
	} else if (!c->failed) {
		c->ev->data(c->owner, c, guts_slice(buf->base, (size_t)n));
	}
}

static void
reading(struct guts_conn *c, bool on)
{
	if (on == c->reading)
		return;
	c->reading = on;
	if (on)
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	else
		uv_read_stop((uv_stream_t *)&c->tcp);
}

void
guts_uvconn_read_pause(struct guts_env *e, struct guts_conn *c, bool pause)
{
	(void)e;
	c->paused = pause;
	if (c->state == OPEN && c->ev)
		reading(c, !pause);
}

/* --- writing -------------------------------------------------------------- */

static void
write_start(struct guts_conn *c)
{
	uv_buf_t bufs[BUFS_PER_WRITE];
	unsigned n = 0;

	if (c->writing || !c->queued)
		return;
	c->under_way = 0;
	for (struct guts_uvchunk *k = c->head; k && n < BUFS_PER_WRITE; k = k->next) {
		bufs[n++] = uv_buf_init((char *)k->data + k->off, (unsigned)(k->end - k->off));
		c->under_way += k->end - k->off;
	}
	c->writing = true;

	int rc = uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs, n, on_written);
	if (rc != 0) {
		c->writing = false;
		conn_defer(c, guts_uvconn_err(rc));
	}
}

static void
on_written(uv_write_t *req, int status)
{
	struct guts_conn *c = req->data;

	guts_uvenv_turn(c->u);
	c->writing = false;
	if (c->state == DEAD)
		return;
	if (status < 0) {
		conn_fail(c, guts_uvconn_err(status));
		return;
	}

	queue_consume(c, c->under_way);
	write_start(c);
	if (c->state == CLOSING)
		closing_step(c);
	else if (c->queued <= GUTS_UVENV_LOW_BYTES && !c->failed)
		c->ev->writable(c->owner, c);
}

int
guts_uvconn_write(struct guts_env *e, struct guts_conn *c, struct guts_slice data)
{
	(void)e;
	if ((c->state != OPEN && c->state != DIALING) || c->failed)
		return GUTS_ECLOSED;
	if (data.n == 0)
		return 0;

	if (c->state == OPEN && !c->queued) {
		uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data.p, (unsigned)data.n);
		int n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);

		if (n < 0 && n != UV_EAGAIN) {
			conn_defer(c, guts_uvconn_err(n));
			return GUTS_ECLOSED;
		}
		if (n > 0)
			data = guts_slice(data.p + n, data.n - (size_t)n);
	}
	queue_add(c, data);
	if (c->state == OPEN)
		write_start(c);
	return 0;
}

size_t
guts_uvconn_queued(struct guts_env *e, const struct guts_conn *c)
{
	(void)e;
	return c->queued;
}

/* --- dialling and accepting ----------------------------------------------- */

static void
on_connect(uv_connect_t *req, int status)
{
	struct guts_conn *c = req->data;

	guts_uvenv_turn(c->u);
	if (c->state == DEAD)
		return;
	if (status < 0) {
		conn_fail(c, guts_uvconn_err(status));
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	c->state = OPEN;
	reading(c, !c->paused);
	write_start(c);
	c->ev->open(c->owner, c, 0);
}

int
guts_uvconn_dial(struct guts_env *e, const struct sockaddr *to, const struct guts_conn_events *ev,
		 void *owner, struct guts_conn **out)
{
	struct guts_uvenv *u = (struct guts_uvenv *)(void *)e;

	if (to->sa_family != AF_INET && to->sa_family != AF_INET6)
		return GUTS_EINVAL;

	struct guts_conn *c = conn_new(u, DIALING);
	c->ev = ev;
	c->owner = owner;
	int rc = uv_tcp_connect(&c->connect, &c->tcp, to, on_connect);
	if (rc != 0)
		conn_defer(c, guts_uvconn_err(rc));
	*out = c;
	return 0;
}

static void
on_connection(uv_stream_t *s, int status)
{
	struct guts_listener *l = s->data;
	struct guts_conn *c;
	struct sockaddr_storage from;

	guts_uvenv_turn(l->u);
	if (status < 0)
		return;
	c = conn_new(l->u, OPEN);
	if (uv_accept(s, (uv_stream_t *)&c->tcp) != 0) {
		conn_drop(c);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	guts_uvconn_remote(&l->u->env, c, &from);

	const struct guts_conn_events *ev = NULL;
	void *owner = NULL;
	if (!l->ev->accept(l->owner, c, (struct sockaddr *)&from, &ev, &owner)) {
		conn_drop(c);
	} else if (c->state == OPEN) {
		c->ev = ev;
		c->owner = owner;
		reading(c, !c->paused);
	}
}

int
guts_uvconn_listen(struct guts_env *e, const struct sockaddr *at,
		   const struct guts_listener_events *ev, void *owner, struct guts_listener **out,
		   struct sockaddr_storage *bound)
{
	struct guts_uvenv *u = (struct guts_uvenv *)(void *)e;

	if (at->sa_family != AF_INET && at->sa_family != AF_INET6)
		return GUTS_EINVAL;

	struct guts_listener *l = guts_alloc(sizeof *l);
	l->u = u;
	l->ev = ev;
	l->owner = owner;
	l->tcp.data = l;
	uv_tcp_init(&u->loop, &l->tcp);
	DL_APPEND(u->listeners, l);

	int rc = uv_tcp_bind(&l->tcp, at, at->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
	if (rc != 0) {
		guts_uvconn_unlisten(e, l);
		return guts_uvconn_err(rc);
	}
	if (bound) {
		int len = sizeof *bound;

		memset(bound, 0, sizeof *bound);
		uv_tcp_getsockname(&l->tcp, (struct sockaddr *)bound, &len);
	}
	*out = l;
	return 0;
}

static void
on_unlistened(uv_handle_t *h)
{
	free(h->data);
}

void
guts_uvconn_unlisten(struct guts_env *e, struct guts_listener *l)
{
	(void)e;
	DL_DELETE(l->u->listeners, l);
	uv_close((uv_handle_t *)&l->tcp, on_unlistened);
}

void
guts_uvconn_local(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	int len = sizeof *out;

	(void)e;
	memset(out, 0, sizeof *out);
	uv_tcp_getsockname(&c->tcp, (struct sockaddr *)out, &len);
}

void
guts_uvconn_remote(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	int len = sizeof *out;

	(void)e;
	memset(out, 0, sizeof *out);
	uv_tcp_getpeername(&c->tcp, (struct sockaddr *)out, &len);
}
