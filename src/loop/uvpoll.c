/* loop/uvpoll.c - a uv_poll_t with an owner. */
#include "loop/uvpoll.h"

#include "base/alloc.h"
#include "loop/uvenv_int.h"

#include <stdlib.h>

struct guts_uvpoll {
	uv_poll_t poll;
	struct guts_uvenv *u;
	int fd;
	void (*ready)(void *owner, int fd, unsigned what);
	void *owner;
};

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct guts_uvpoll *p = h->data;
	unsigned what = 0;

	guts_uvenv_turn(p->u);
	if (status < 0 || (events & UV_READABLE))
		what |= GUTS_POLL_READ;
	if (status < 0 || (events & UV_WRITABLE))
		what |= GUTS_POLL_WRITE;
	p->ready(p->owner, p->fd, what);
}

struct guts_uvpoll *
guts_uvpoll_new(struct guts_uvenv *u, int fd, void (*ready)(void *owner, int fd, unsigned what), void *owner)
{
	struct guts_uvpoll *p = guts_alloc(sizeof *p);

	if (uv_poll_init(guts_uvenv_loop(u), &p->poll, fd)) {
		free(p);
		return NULL;
	}
	p->poll.data = p;
	p->u = u;
	p->fd = fd;
	p->ready = ready;
	p->owner = owner;
	return p;
}

void
guts_uvpoll_set(struct guts_uvpoll *p, unsigned what)
{
	int events = (what & GUTS_POLL_READ ? UV_READABLE : 0) | (what & GUTS_POLL_WRITE ? UV_WRITABLE : 0);

	if (events)
		uv_poll_start(&p->poll, events, on_poll);
	else
		uv_poll_stop(&p->poll);
}

static void
on_closed(uv_handle_t *h)
{
	free(h->data);
}

void
guts_uvpoll_free(struct guts_uvpoll *p)
{
	if (p)
		uv_close((uv_handle_t *)&p->poll, on_closed);
}
