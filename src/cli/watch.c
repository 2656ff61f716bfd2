/* cli/watch.c - client/stream with the node's address, JSON and signals around it. */
#include "cli/watch.h"

#include "base/alloc.h"
#include "cli/term.h"
#include "client/stream.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct run {
	const struct guts_watch *w;
	bool lost;
};

static volatile sig_atomic_t signal_came;

static void
on_signal(int number)
{
	(void)number;
	signal_came = 1;
}

static bool
on_alive(void *owner)
{
	(void)owner;
	return !signal_came;
}

static bool
on_event(void *owner, const struct guts_sse_event *e)
{
	struct run *run = owner;
	struct guts_doc *doc = NULL;
	bool go_on = true;

	if (signal_came)
		return false;
	if (strcmp(e->type, "hello") == 0)
		return run->w->begun == NULL || run->w->begun(run->w->owner);
	if (guts_doc_parse(&doc, e->data, NULL) != GUTS_OK)
		return true;
	go_on = run->w->event(run->w->owner, e->type, guts_doc_root(doc), e->data);
	guts_doc_free(doc);
	return go_on;
}

static void
on_link(void *owner, const char *text)
{
	struct run *run = owner;

	if (run->w->quiet)
		return;
	if (text != NULL)
		guts_cli_fail(0, "connection lost (%s); trying again", text);
	else if (run->lost)
		guts_cli_fail(0, "connected again");
	run->lost = text != NULL;
}

int
guts_watch(const struct guts_watch *w, bool *interrupted)
{
	struct sigaction act = { .sa_handler = on_signal }, old_int, old_term;
	struct guts_errinfo ei = { 0 };
	struct run run = { .w = w };
	struct guts_stream_spec spec = { .event = on_event, .alive = on_alive, .link = on_link, .owner = &run,
		.last_id = w->last_id, .give_up_ms = w->give_up_ms };
	long status = 0;
	char *path, *url;
	int err, code = guts_ask_open(w->cli);

	*interrupted = false;
	if (code)
		return code;
	path = guts_asprintf("/api/v1/events%s%s", w->query[0] ? "?" : "", w->query);
	spec.url = url = guts_ask_url(w->cli, path, &spec.socket);
	free(path);
	spec.token = w->cli->secret;
	sigaction(SIGINT, &act, &old_int);
	sigaction(SIGTERM, &act, &old_term);
	err = guts_stream_follow(&spec, &status, &ei);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	free(url);
	*interrupted = signal_came != 0;
	switch (err) {
	case GUTS_OK:
	case GUTS_ECANCELED:
		return GUTS_EXIT_OK;
	case GUTS_EDENIED:
		return guts_cli_fail(GUTS_EXIT_DENIED, "%s: give --token or set GUTS_TOKEN", ei.text);
	case GUTS_ENOTFOUND:
		return guts_cli_fail(GUTS_EXIT_NOTFOUND, "%s", ei.text);
	case GUTS_EPROTO:
	case GUTS_ELIMIT:
		return guts_cli_fail(GUTS_EXIT_FAILED, "%s", ei.text);
	default:
		return guts_cli_fail(GUTS_EXIT_OFFLINE, "%s: %s", w->cli->base, ei.text);
	}
}
