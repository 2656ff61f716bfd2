/* cli/completion.c - a bash completion made from the table of commands.
 *
 * Words of commands and options only: asking the node for names at each key press would be
 * slow when it is far and noisy when it is gone.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

static void
print_opts(const struct guts_opt *opts)
{
	for (; opts != NULL && opts->name != NULL; opts++)
		printf(" --%s", opts->name);
}

/* First words, or the second words after `group`; each once. */
static void
print_words(const char *group)
{
	const struct guts_command *cmd;
	char last[32] = "";
	size_t n = group != NULL ? strlen(group) : 0;

	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++) {
		size_t first = strcspn(cmd->name, " ");

		if (group == NULL && (strncmp(last, cmd->name, first) != 0 || last[first] != '\0'))
			printf(" %.*s", (int)first, cmd->name);
		else if (group != NULL && first == n && strncmp(cmd->name, group, n) == 0 && cmd->name[n] == ' ')
			printf(" %s", cmd->name + n + 1);
		snprintf(last, sizeof(last), "%.*s", (int)first, cmd->name);
	}
}

static void
print_groups(void)
{
	const struct guts_command *cmd;
	char last[32] = "";

	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++) {
		size_t first = strcspn(cmd->name, " ");

		if (cmd->name[first] == '\0' || (strncmp(last, cmd->name, first) == 0 && last[first] == '\0'))
			continue;
		snprintf(last, sizeof(last), "%.*s", (int)first, cmd->name);
		printf("\t%s) words=\"", last);
		print_words(last);
		puts("\" ;;");
	}
}

int
guts_cmd_completion(struct guts_cli *c)
{
	const struct guts_command *cmd;

	if (strcmp(c->args.pos[0], "bash") != 0)
		return guts_cli_usage(c, "only bash is known");
	puts("# bash completion for guts; eval \"$(guts completion bash)\"\n"
	    "_guts()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=\n"
	    "\tlocal one=${COMP_WORDS[1]} two=${COMP_WORDS[2]}\n"
	    "\tcase $prev in --home | --config) COMPREPLY=($(compgen -f -- \"$cur\")); return ;; esac\n"
	    "\tif [[ $cur == -* ]]; then\n\t\tcase \"$one $two\" in");
	for (size_t i = 0; (cmd = guts_cli_command(i)) != NULL; i++) {
		printf("\t\t\"%s%s*) words=\"", cmd->name, strchr(cmd->name, ' ') != NULL ? "\"" : " \"");
		print_opts(cmd->opts);
		print_opts(guts_cli_common_opts);
		if (!cmd->local)
			print_opts(guts_cli_node_opts);
		puts("\" ;;");
	}
	fputs("\t\tesac\n\telif [ \"$COMP_CWORD\" = 1 ]; then\n\t\twords=\"", stdout);
	print_words(NULL);
	puts(" --help --version\"\n\telif [ \"$COMP_CWORD\" = 2 ]; then\n\tcase $one in");
	print_groups();
	fputs("\thelp) words=\"", stdout);
	print_words(NULL);
	puts("\" ;;\n\tcredential) words=\"get store erase\" ;;\n\tcompletion) words=bash ;;\n\tesac\n\tfi\n"
	    "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	    "\t[ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default\n}\ncomplete -F _guts guts");
	return GUTS_EXIT_OK;
}
