/* cli/args.h - options and operands of one command, checked against the command's table. */
#ifndef GUTS_CLI_ARGS_H
#define GUTS_CLI_ARGS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define GUTS_ARGS_MAX 256 /* options and operands of one command line */

/* A row of an option table, which ends with name NULL. */
struct guts_opt {
	const char *name;   /* without dashes: "home" */
	char letter;        /* 0 = none */
	const char *arg;    /* what follows it, "DIR"; NULL = nothing */
	const char *help;   /* one sentence fragment */
};

/* Values are the command line's own strings. */
struct guts_args {
	size_t nset, npos;
	struct {
		const struct guts_opt *opt;
		const char *value; /* "" for options without */
	} set[GUTS_ARGS_MAX];
	const char *pos[GUTS_ARGS_MAX];
};

/* Read argv[0..argc): --name value, --name=value, -l value, -lvalue; "--" ends the options.  tables: option tables, NULL at
 * the end.  Errors, with text: GUTS_EINVAL, GUTS_ELIMIT. */
int guts_args_parse(struct guts_args *a, int argc, char **argv, const struct guts_opt *const *tables,
    struct guts_errinfo *ei);

/* The last value of an option, NULL if it was not given. */
const char *guts_args_get(const struct guts_args *a, const char *name);

/* The i-th value of an option that may come several times, NULL after the last. */
const char *guts_args_nth(const struct guts_args *a, const char *name, size_t i);

/* Number in min..max into *out, which is left alone if the option was not given.  Errors, with text: GUTS_EINVAL. */
int guts_args_number(const struct guts_args *a, const char *name, uint64_t min, uint64_t max, uint64_t *out,
    struct guts_errinfo *ei);

/* How far apart two words are (Levenshtein, at most 99), to guess what was meant. */
unsigned guts_args_distance(const char *a, const char *b);

#endif
