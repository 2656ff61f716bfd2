/* app/main.c - the guts program: the commands of cli/. */
#include "cli/cli.h"

int
main(int argc, char **argv)
{
	return guts_cli_main(argc, argv, NULL);
}
