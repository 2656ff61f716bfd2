/* cli/dispatch.c - from argv to the function: options, home, help on the way. */
#include "cli/commands.h"

#include "cli/table.h"
#include "cli/term.h"

#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct guts_opt guts_cli_common_opts[] = {
	{ "home", 0, "DIR", "folder of the node (default $GUTS_HOME, else ~/.guts)" },
	{ "json", 0, NULL, "print JSON, for scripts" },
	{ "help", 'h', NULL, "print this help" },
	{ NULL, 0, NULL, NULL },
};

const struct guts_opt guts_cli_node_opts[] = {
	{ "url", 0, "URL", "address of the node (default $GUTS_URL, else that of the node running on the home)" },
	{ "token", 0, "TOKEN", "token to use (default $GUTS_TOKEN, else the home's admin token)" },
	{ NULL, 0, NULL, NULL },
};

static const struct guts_opt no_opts[] = { { NULL, 0, NULL, NULL } };

static const struct guts_command *more_commands;

int
guts_cli_fail(int code, const char *fmt, ...)
{
	bool color = guts_term_colors(stderr);
	char text[1024], *clean;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clean = guts_term_clean(text, false);
	fflush(stdout);
	fprintf(stderr, "%sguts:%s %s\n", guts_term_style(color, GUTS_STYLE_RED), guts_term_style(color, GUTS_STYLE_PLAIN),
	    clean);
	free(clean);
	return code;
}

int
guts_cli_usage(const struct guts_cli *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	guts_cli_fail(0, "%s", text);
	if (c->command != NULL)
		fprintf(stderr, "usage: guts %s%s%s   (`guts help %s` says more)\n", c->command->name,
		    c->command->operands[0] ? " " : "", c->command->operands, c->command->name);
	return GUTS_EXIT_USAGE;
}

int
guts_cli_home_exit(int err)
{
	return err == GUTS_OK ? GUTS_EXIT_OK : err == GUTS_EINVAL ? GUTS_EXIT_USAGE : GUTS_EXIT_HOME;
}

const struct guts_command *
guts_cli_command(size_t i)
{
	const struct guts_command *m = more_commands;

	for (; m != NULL && m->name != NULL; m++, i--)
		if (i == 0)
			return m;
	return i < guts_commands_n ? &guts_commands[i] : NULL;
}

const struct guts_command *
guts_cli_find(const char *name)
{
	const struct guts_command *cmd;

	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++)
		if (strcmp(cmd->name, name) == 0)
			return cmd;
	return NULL;
}

/* Command of argv[1..]: two words, then one; *used = how many.  A group without a verb is its list. */
static const struct guts_command *
command_of(int argc, char **argv, int *used)
{
	const struct guts_command *cmd = NULL;
	char name[64];

	*used = 2;
	if (argc > 2 && argv[2][0] != '-') {
		snprintf(name, sizeof(name), "%s %s", argv[1], argv[2]);
		cmd = guts_cli_find(name);
	}
	if (cmd == NULL) {
		*used = 1;
		cmd = guts_cli_find(argv[1]);
	}
	if (cmd == NULL && (argc == 2 || argv[2][0] == '-')) {
		snprintf(name, sizeof(name), "%s list", argv[1]);
		cmd = guts_cli_find(name);
	}
	return cmd;
}

static int
unknown_command(int argc, char **argv)
{
	const struct guts_command *cmd, *near = NULL;
	unsigned best = 3, d;

	if (argc > 2 && guts_help_group(argv[1]))
		return guts_cli_fail(GUTS_EXIT_USAGE, "there is no command \"%s %s\"", argv[1], argv[2]);
	if (guts_help_group(argv[1]))
		return GUTS_EXIT_USAGE;
	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++) {
		d = guts_args_distance(argv[1], cmd->name);
		if (d < best) {
			best = d;
			near = cmd;
		}
	}
	return guts_cli_fail(GUTS_EXIT_USAGE, near != NULL ? "there is no command \"%s\"; did you mean \"%s\"?" :
	    "there is no command \"%s\": `guts help` lists them", argv[1], near != NULL ? near->name : "");
}

static int
run_command(struct guts_cli *c, int argc, char **argv)
{
	const struct guts_command *cmd = c->command;
	const struct guts_opt *tables[] = { cmd->opts != NULL ? cmd->opts : no_opts, guts_cli_common_opts,
		cmd->local ? NULL : guts_cli_node_opts, NULL };
	struct guts_errinfo ei = { 0 };
	int code;

	if (guts_args_parse(&c->args, argc, argv, tables, &ei))
		return guts_cli_usage(c, "%s", ei.text);
	if (guts_args_get(&c->args, "help") != NULL) {
		guts_help_command(cmd);
		return GUTS_EXIT_OK;
	}
	if (c->args.npos < cmd->min)
		return guts_cli_usage(c, "something is missing");
	if (c->args.npos > cmd->max)
		return guts_cli_usage(c, "\"%s\" is too much", c->args.pos[cmd->max]);
	c->json = guts_args_get(&c->args, "json") != NULL;
	c->url = guts_args_get(&c->args, "url");
	c->token = guts_args_get(&c->args, "token");
	if (guts_home_resolve(&c->home, guts_args_get(&c->args, "home"), &ei))
		return guts_cli_fail(GUTS_EXIT_HOME, "%s", ei.text);
	code = cmd->run(c);
	guts_home_deinit(&c->home);
	free(c->base);
	if (c->secret != NULL)
		explicit_bzero(c->secret, strlen(c->secret));
	free(c->secret);
	if (fflush(stdout) != 0 || ferror(stdout))
		return code ? code : guts_cli_fail(GUTS_EXIT_FAILED, "cannot write to standard output");
	return code;
}

int
guts_cli_main(int argc, char **argv, const struct guts_command *more)
{
	static struct guts_cli c; /* large */
	int used;

	more_commands = more;
	c = (struct guts_cli){ .home.lock_fd = -1 };
	if (argc < 2) {
		guts_help_all();
		return GUTS_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		puts(PACKAGE_STRING);
		return GUTS_EXIT_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		guts_help_all();
		return GUTS_EXIT_OK;
	}
	if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0) && guts_cli_find(argv[1]) == NULL &&
	    guts_help_group(argv[1]))
		return GUTS_EXIT_OK;
	c.command = command_of(argc, argv, &used);
	/* For the widths of characters; a node has no tables and no need of the memory. */
	if (c.command != NULL && !c.command->is_node && setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		setlocale(LC_CTYPE, "");
	if (c.command == NULL)
		return unknown_command(argc, argv);
	return run_command(&c, argc - 1 - used, argv + 1 + used);
}
