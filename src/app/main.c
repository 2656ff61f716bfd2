/* app/main.c - the guts program: what it is asked to do, by its first word.
 *
 * So far it only knows how to describe itself.
 */
#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts(PACKAGE_STRING);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("usage: guts [--help | --version]");
		return 0;
	}
	fputs("usage: guts [--help | --version]\n", stderr);
	return 2;
}
