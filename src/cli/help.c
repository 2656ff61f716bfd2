/* cli/help.c - the table of commands as text, and as sections of the manual page.
 *
 * `guts help --roff` prints what stands in doc/guts.1 between its marks; a test holds them equal.
 */
#include "cli/commands.h"

#include "base/alloc.h"
#include "cli/term.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_opts(const struct guts_opt *opts)
{
	char left[64], letter[8];

	for (; opts != NULL && opts->name != NULL; opts++) {
		snprintf(letter, sizeof(letter), opts->letter ? "-%c, " : "    ", opts->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, opts->name, opts->arg ? " " : "",
		    opts->arg ? opts->arg : "");
		printf("  %-26s %s\n", left, opts->help);
	}
}

void
guts_help_command(const struct guts_command *cmd)
{
	const char *options = cmd->opts != NULL ? " [OPTION]…" : "";
	bool is_last = strncmp(cmd->operands, "[--]", 4) != 0; /* else what follows is a command with options of its own */

	printf("usage: guts %s%s%s%s%s\n\n%s.\n", cmd->name, is_last ? "" : options, cmd->operands[0] ? " " : "", cmd->operands,
	    is_last ? options : "", cmd->summary);
	if (cmd->text != NULL)
		printf("%s\n", cmd->text);
	if (cmd->opts != NULL) {
		puts("\noptions:");
		print_opts(cmd->opts);
	}
	puts("\ncommon options:");
	print_opts(guts_cli_common_opts);
	if (!cmd->local)
		print_opts(guts_cli_node_opts);
	if (strstr(cmd->operands, "REPO") != NULL)
		puts("\nREPO is OWNER/NAME, an id, guts://ID, or a NAME or end of an id that fits one repository.");
	if (strstr(cmd->operands, "PEER") != NULL)
		puts("\nPEER is a peer id, or the end of one that fits one known peer.");
}

static void
print_command(const struct guts_command *cmd)
{
	char left[80];

	snprintf(left, sizeof(left), "%s %s", cmd->name, cmd->operands);
	printf("  %-30s %s\n", left, cmd->summary);
}

void
guts_help_all(void)
{
	const struct guts_command *cmd;
	char last[32] = "";
	bool was_grouped = false;

	puts("usage: guts COMMAND [OPTION]… [ARGUMENT]…\n\n"
	    "A node of a decentralized code network, and the means to speak to it.\n");
	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++) {
		size_t n = strcspn(cmd->name, " ");
		bool grouped = cmd->name[n] == ' ', same = strncmp(last, cmd->name, n) == 0 && last[n] == '\0';

		if (i > 0 && !same && (grouped || was_grouped))
			putchar('\n');
		was_grouped = grouped;
		snprintf(last, sizeof(last), "%.*s", (int)n, cmd->name);
		print_command(cmd);
	}
	puts("\n`guts help COMMAND` or `guts COMMAND --help` says more.");
}

bool
guts_help_group(const char *group)
{
	const struct guts_command *cmd;
	size_t n = strlen(group);
	bool found = false;

	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++) {
		if (strncmp(cmd->name, group, n) != 0 || cmd->name[n] != ' ')
			continue;
		if (!found)
			printf("usage: guts %s COMMAND [OPTION]… [ARGUMENT]…\n\n", group);
		found = true;
		print_command(cmd);
	}
	return found;
}

/* -- the manual page ---------------------------------------------------------------------------- */

/* Text of a roff line: backslashes, and the dash and quote characters that roff would change. */
static void
roff(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else if (*s == '\'')
			fputs("\\(aq", stdout);
		else if (*s == '`')
			fputs("\\(ga", stdout);
		else if (*s == '~')
			fputs("\\(ti", stdout);
		else if (*s == '\n')
			fputs("\n.br\n", stdout);
		else
			putchar(*s);
	}
}

static void
roff_opts(const struct guts_opt *opts)
{
	for (; opts != NULL && opts->name != NULL; opts++) {
		fputs(".TP\n", stdout);
		if (opts->letter)
			printf("\\fB\\-%c\\fR, ", opts->letter);
		fputs("\\fB\\-\\-", stdout);
		roff(opts->name);
		fputs("\\fR", stdout);
		if (opts->arg != NULL)
			printf(" \\fI%s\\fR", opts->arg);
		putchar('\n');
		roff(opts->help);
		fputs(".\n", stdout);
	}
}

static void
roff_commands(void)
{
	const struct guts_command *cmd;

	puts(".SH COMMANDS");
	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++) {
		fputs(".SS guts ", stdout);
		roff(cmd->name);
		if (cmd->operands[0])
			putchar(' ');
		roff(cmd->operands);
		putchar('\n');
		/* A sentence begins with a capital. */
		putchar(cmd->summary[0] >= 'a' && cmd->summary[0] <= 'z' ? cmd->summary[0] - 'a' + 'A' : cmd->summary[0]);
		roff(cmd->summary + 1);
		fputs(".\n", stdout);
		if (cmd->text != NULL) {
			fputs(".br\n", stdout);
			roff(cmd->text);
			putchar('\n');
		}
		roff_opts(cmd->opts);
	}
	puts(".SH COMMON OPTIONS");
	roff_opts(guts_cli_common_opts);
	puts(".PP\nCommands that speak to a node also take");
	roff_opts(guts_cli_node_opts);
}

static void
roff_conf(void)
{
	static const char *const types[] = { "text", "multiaddress", "[https://]ADDRESS:PORT or unix:PATH", "true or false", "number",
		"bytes (K, M, G may follow)", "duration (ms, s, m, h)", "one of" };
	char section[32] = "";

	puts(".SH CONFIGURATION OPTIONS");
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		const struct guts_conf_option *o = guts_conf_option((enum guts_conf_id)i);
		size_t n = strcspn(o->name, ".");

		if (strncmp(section, o->name, n) != 0 || section[n] != '\0') {
			snprintf(section, sizeof(section), "%.*s", (int)n, o->name);
			printf(".SS [%s]\n", section);
		}
		printf(".TP\n\\fB%s\\fR = ", o->name + n + 1);
		roff(types[o->type]);
		if (o->choices != NULL)
			printf(" %s", o->choices);
		fputs(o->list ? "; several\n" : "\n", stdout);
		roff(o->help);
		fputs("\nDefault: ", stdout);
		if (o->fallback != NULL)
			printf("\\fB");
		roff(o->fallback != NULL ? o->fallback : "none");
		printf(o->fallback != NULL ? "\\fR.%s\n" : ".%s\n", o->reloadable ? "  Changed at once." : "");
	}
}

int
guts_cmd_help(struct guts_cli *c)
{
	const struct guts_command *cmd;
	char *name;

	if (guts_args_get(&c->args, "roff") != NULL) {
		roff_commands();
		roff_conf();
		return GUTS_EXIT_OK;
	}
	if (c->args.npos == 0) {
		guts_help_all();
		return GUTS_EXIT_OK;
	}
	name = guts_asprintf("%s%s%s", c->args.pos[0], c->args.npos > 1 ? " " : "", c->args.npos > 1 ? c->args.pos[1] : "");
	cmd = guts_cli_find(name);
	if (cmd != NULL)
		guts_help_command(cmd);
	else if (c->args.npos > 1 || !guts_help_group(name))
		guts_cli_fail(0, "there is no command \"%s\": `guts help` lists them", name);
	else
		cmd = c->command;
	free(name);
	return cmd != NULL ? GUTS_EXIT_OK : GUTS_EXIT_USAGE;
}
