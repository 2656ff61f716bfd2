/* cli/table.h - the table of commands. */
#ifndef GUTS_CLI_TABLE_H
#define GUTS_CLI_TABLE_H

#include "cli/cli.h"

extern const struct guts_command guts_commands[];
extern const size_t guts_commands_n;

#endif
