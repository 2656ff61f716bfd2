#!/bin/sh
# embed.sh NAME FILE - prints C that holds the bytes of FILE as NAME[] and NAME_n.
set -e
printf '/* Made by tools/embed.sh. */\n#include <stddef.h>\nextern const unsigned char %s[];\nextern const size_t %s_n;\n' "$1" "$1"
printf 'const unsigned char %s[] = {\n' "$1"
od -An -v -tu1 "$2" | sed 's/  *\([0-9][0-9]*\)/\1,/g'
printf '};\nconst size_t %s_n = sizeof %s;\n' "$1" "$1"
