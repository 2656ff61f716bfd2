/* cli/cli.h - the `guts` command: one table of commands, found by their first one or two words.
 *
 * All but a few speak only HTTP to a node.  Which one: --url, $GUTS_URL, or the address that the
 * node on this home left in its run file.  With which right: --token, $GUTS_TOKEN, or the
 * home's admin token, which is only ever given to the node that holds the home's lock.
 */
#ifndef GUTS_CLI_CLI_H
#define GUTS_CLI_CLI_H

#include "cli/args.h"
#include "store/home.h"

#include <stdbool.h>

/* How the program ends; the manual page tells the same. */
enum guts_exit {
	GUTS_EXIT_OK = 0,
	GUTS_EXIT_FAILED = 1,   /* it did not work: the message says why */
	GUTS_EXIT_USAGE = 2,    /* wrong options, or a configuration that is not valid */
	GUTS_EXIT_HOME = 3,     /* the home cannot be used: key, database, rights, or another node runs on it */
	GUTS_EXIT_OFFLINE = 4,  /* no node answers */
	GUTS_EXIT_NOTFOUND = 5, /* the node has no such thing, or the token may not know of it */
	GUTS_EXIT_DENIED = 6,   /* no token, or not the right of this one */
};

struct guts_cli {
	const struct guts_command *command;
	struct guts_args args;
	bool json;                /* --json */
	const char *url, *token;  /* as given: option or environment, NULL = from the home */
	struct guts_home home;    /* resolved */
	char *base;               /* URL of the node without a slash at the end, once it is known */
	char *secret;             /* token, once it is known; may stay NULL */
};

struct guts_command {
	const char *name;              /* "status", "repo create" */
	const char *operands;          /* "OWNER/NAME [FILE]" */
	const char *summary;           /* one line, lower case, no full stop */
	const char *text;              /* further paragraphs of its help, or NULL */
	const struct guts_opt *opts;   /* its own options, or NULL */
	bool local;                    /* works on the home: no --url, no --token */
	bool is_node;                  /* is the node itself */
	size_t min, max;               /* operands */
	int (*run)(struct guts_cli *c); /* returns enum guts_exit */
};

/* Run argv.  `more`: commands of the layers above (run), ended by name NULL, shown first. */
int guts_cli_main(int argc, char **argv, const struct guts_command *more);

/* The commands, `more` first; NULL after the last. */
const struct guts_command *guts_cli_command(size_t i);
const struct guts_command *guts_cli_find(const char *name);

/* Options that commands share: all; those that speak to a node. */
extern const struct guts_opt guts_cli_common_opts[], guts_cli_node_opts[];

/* Say on standard error what went wrong ("guts: …"), return `code`. */
int guts_cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for a usage error, with a hint at the command's help. */
int guts_cli_usage(const struct guts_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Exit code that fits an error of working on the home. */
int guts_cli_home_exit(int err);

#endif
