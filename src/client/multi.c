/* client/multi.c - curl's sockets and its one timer on the loop.
 *
 * curl says which descriptors it wants watched and when it wants to be woken; both come back as
 * curl_multi_socket_action, after which finished transfers are picked up.  `done` is called
 * outside curl, so it may start and stop transfers.
 */
#include "client/multi.h"

#include "base/alloc.h"
#include "client/libcurl.h"
#include "loop/uvpoll.h"

#include <stdlib.h>
#include <utlist.h>

#define CONNECTIONS_KEPT 16L /* idle ones, for transfers that may use them again */

struct flight {
	struct guts_transfer *t;
	void (*done)(void *owner, int err, const struct guts_errinfo *ei);
	void *owner;
	struct flight *prev, *next;
};

struct guts_multi {
	const struct guts_libcurl *lib;
	struct guts_uvenv *loop;
	CURLM *curl;
	struct guts_timer timer;
	struct flight *flights;
};

static void
pick_up(struct guts_multi *m)
{
	CURLMsg *msg;
	int left;

	while ((msg = m->lib->multi_info_read(m->curl, &left)) != NULL) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;
		struct guts_errinfo ei = { 0 };
		struct flight *f, *found = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		m->lib->multi_remove_handle(m->curl, easy);
		DL_FOREACH (m->flights, f) {
			if (guts_transfer_handle(f->t) == easy)
				found = f;
		}
		DL_DELETE(m->flights, found);
		found->done(found->owner, guts_transfer_finish(found->t, (int)code, &ei), &ei);
		free(found);
	}
}

static void
act(struct guts_multi *m, curl_socket_t fd, int what)
{
	int running;

	m->lib->multi_socket_action(m->curl, fd, what, &running);
	pick_up(m);
}

static void
on_ready(void *owner, int fd, unsigned what)
{
	act(owner, fd, (what & GUTS_POLL_READ ? CURL_CSELECT_IN : 0) | (what & GUTS_POLL_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	act(owner, CURL_SOCKET_TIMEOUT, 0);
}

/* curl wants `fd` watched for `what`; `of_socket` is what was assigned to it. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *of_socket)
{
	struct guts_multi *m = owner;
	struct guts_uvpoll *p = of_socket;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		guts_uvpoll_free(p);
		m->lib->multi_assign(m->curl, fd, NULL);
		return 0;
	}
	if (p == NULL) {
		p = guts_uvpoll_new(m->loop, fd, on_ready, m);
		if (p == NULL)
			return -1;
		m->lib->multi_assign(m->curl, fd, p);
	}
	guts_uvpoll_set(p, (what & CURL_POLL_IN ? GUTS_POLL_READ : 0) | (what & CURL_POLL_OUT ? GUTS_POLL_WRITE : 0));
	return 0;
}

static int
on_deadline(CURLM *curl, long ms, void *owner)
{
	struct guts_multi *m = owner;
	struct guts_env *env = guts_uvenv_env(m->loop);

	(void)curl;
	if (ms < 0)
		guts_env_timer_clear(env, &m->timer);
	else
		guts_env_timer_set(env, &m->timer, guts_env_now(env) + (uint64_t)ms * GUTS_MS_NS);
	return 0;
}

int
guts_multi_new(struct guts_multi **out, struct guts_uvenv *loop, struct guts_errinfo *ei)
{
	const struct guts_libcurl *lib;
	struct guts_multi *m;
	int err = guts_libcurl(&lib, ei);

	if (err)
		return err;
	m = guts_alloc(sizeof(*m));
	m->lib = lib;
	m->loop = loop;
	m->timer = (struct guts_timer){ .fire = on_timer, .owner = m, .at_ns = GUTS_NEVER };
	m->curl = lib->multi_init();
	if (m->curl == NULL) {
		free(m);
		return guts_err_set(ei, GUTS_EINTERNAL, "libcurl does not start");
	}
	lib->multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
	lib->multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	lib->multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_deadline);
	lib->multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	lib->multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	*out = m;
	return GUTS_OK;
}

int
guts_multi_start(struct guts_multi *m, struct guts_transfer *t,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei), void *owner)
{
	struct flight *f = guts_alloc(sizeof(*f));

	*f = (struct flight){ .t = t, .done = done, .owner = owner };
	DL_APPEND(m->flights, f);
	if (m->lib->multi_add_handle(m->curl, guts_transfer_handle(t)) == CURLM_OK)
		return GUTS_OK;
	DL_DELETE(m->flights, f);
	free(f);
	return GUTS_EINTERNAL;
}

void
guts_multi_stop(struct guts_multi *m, struct guts_transfer *t)
{
	struct flight *f, *found = NULL;

	DL_FOREACH (m->flights, f) {
		if (f->t == t)
			found = f;
	}
	m->lib->multi_remove_handle(m->curl, guts_transfer_handle(t));
	DL_DELETE(m->flights, found);
	free(found);
}

void
guts_multi_free(struct guts_multi *m)
{
	if (m == NULL)
		return;
	m->lib->multi_cleanup(m->curl);
	guts_env_timer_clear(guts_uvenv_env(m->loop), &m->timer);
	free(m);
}
