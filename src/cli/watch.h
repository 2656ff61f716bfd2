/* cli/watch.h - events of the node while a command waits, ended cleanly by Ctrl-C. */
#ifndef GUTS_CLI_WATCH_H
#define GUTS_CLI_WATCH_H

#include "cli/ask.h"

#define GUTS_WATCH_FOREVER UINT32_MAX

struct guts_watch {
	struct guts_cli *cli;
	const char *query;   /* of /api/v1/events, without '?'; may be "" */
	const char *last_id; /* go on after this fact; NULL = new ones only */
	uint32_t give_up_ms; /* [ms] without a node until it fails; GUTS_WATCH_FOREVER = never */
	bool quiet;          /* do not tell of lost connections */
	/* The stream is there (after `hello`).  May be NULL. */
	bool (*begun)(void *owner);
	/* An event; `text` is its JSON.  false ends. */
	bool (*event)(void *owner, const char *type, struct guts_jv v, struct guts_slice text);
	void *owner;
};

/* Follow until `event` or `begun` says false (0), Ctrl-C or SIGTERM (0, *interrupted), or it fails (exit code, told). */
int guts_watch(const struct guts_watch *w, bool *interrupted);

#endif
