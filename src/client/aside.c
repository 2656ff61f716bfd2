/* client/aside.c - curl's multi interface with one handle, whose poll waits for a descriptor of the caller's too. */
#include "client/aside.h"

#include "base/alloc.h"
#include "client/libcurl.h"

#include <stdlib.h>

struct guts_aside {
	const struct guts_libcurl *lib;
	struct guts_transfer *t;
	CURLM *curl;
	bool has_ended;
	long status;
};

int
guts_aside_new(struct guts_aside **out, const struct guts_transfer_spec *spec, struct guts_errinfo *ei)
{
	struct guts_aside *a = guts_alloc(sizeof(*a));
	int err = guts_transfer_new(&a->t, spec, ei);

	if (!err)
		err = guts_libcurl(&a->lib, ei);
	if (!err && (a->curl = a->lib->multi_init()) == NULL)
		err = guts_err_set(ei, GUTS_EINTERNAL, "libcurl does not start");
	if (!err && a->lib->multi_add_handle(a->curl, guts_transfer_handle(a->t)) != CURLM_OK)
		err = guts_err_set(ei, GUTS_EINTERNAL, "libcurl does not take a transfer");
	if (err) {
		guts_aside_free(a);
		return err;
	}
	*out = a;
	return GUTS_OK;
}

static void
go_on(struct guts_aside *a)
{
	int running, left;
	CURLMsg *msg;

	a->lib->multi_perform(a->curl, &running);
	while ((msg = a->lib->multi_info_read(a->curl, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		a->has_ended = true;
		if (guts_transfer_finish(a->t, (int)msg->data.result, NULL) == GUTS_OK)
			a->status = guts_transfer_status(a->t);
	}
}

bool
guts_aside_wait(struct guts_aside *a, int fd, int ms)
{
	struct curl_waitfd extra = { .fd = fd, .events = CURL_WAIT_POLLIN };

	go_on(a);
	if (!a->has_ended) {
		a->lib->multi_poll(a->curl, &extra, fd >= 0 ? 1 : 0, ms, NULL);
		go_on(a);
	}
	return extra.revents != 0;
}

bool
guts_aside_ended(const struct guts_aside *a, long *status)
{
	*status = a->status;
	return a->has_ended;
}

void
guts_aside_free(struct guts_aside *a)
{
	if (a == NULL)
		return;
	if (a->curl != NULL) {
		a->lib->multi_remove_handle(a->curl, guts_transfer_handle(a->t));
		a->lib->multi_cleanup(a->curl);
	}
	guts_transfer_free(a->t);
	free(a);
}
