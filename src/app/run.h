/* app/run.h - `guts run`: one node in the foreground. */
#ifndef GUTS_APP_RUN_H
#define GUTS_APP_RUN_H

#include "cli/cli.h"

/* Options of the command, for its help. */
extern const struct guts_opt guts_run_opts[];

/* Start, serve until SIGTERM or SIGINT, stop.  Returns enum guts_exit. */
int guts_run(struct guts_cli *c);

#endif
