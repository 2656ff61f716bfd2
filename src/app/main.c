/* app/main.c - the guts program: the commands of cli/, and `run`, which needs the layers below. */
#include "app/run.h"

static const struct guts_command commands[] = {
	{ "run", "", "run the node, in the foreground",
	    "Options here go before those of the configuration file.  What is missing in the home is made on the first "
	    "start:\nthe folder, the node key, a configuration file to start from, an admin token.\n"
	    "SIGTERM and SIGINT stop it in good order within 10 seconds; a second one at once.  SIGHUP reads\nthe configuration file and the certificate of https:// addresses again, as `guts config set` does; what is\nnot valid is logged and changes nothing.",
	    guts_run_opts, true, true, 0, 0, guts_run },
	{ .name = NULL },
};

int
main(int argc, char **argv)
{
	return guts_cli_main(argc, argv, commands);
}
