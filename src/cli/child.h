/* cli/child.h - run one program to its end and keep the beginning of what it says. */
#ifndef GUTS_CLI_CHILD_H
#define GUTS_CLI_CHILD_H

#include <stddef.h>

/* Run argv[0] (found in $PATH) in folder `dir`, with no input and an environment of git's own rules only.  The
 * first line of its output (either stream) goes to `text`.  Returns its exit code, -1 if it did not run or was killed. */
int guts_cli_child(const char *const *argv, const char *dir, char *text, size_t size);

#endif
