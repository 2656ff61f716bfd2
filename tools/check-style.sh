#!/bin/bash
# check-style.sh - TAP: the rules of style a machine can hold us to.
#
#   function   <= 80 lines (its braces' lines included)
#   file       <= 800 lines
#   line       no blanks at its end
#   opening    a .c or .h file of src/ begins with a comment
#   calls      none of those that overflow, guess or start a shell
#   promises   no notes to ourselves: an issue or nothing
cd "${GUTS_SRCDIR:-.}" || exit 99
mapfile -t files < <(find src tests -name node_modules -prune -o -name '*.[ch]' -print | LC_ALL=C sort)
[ ${#files[@]} -gt 0 ] || { echo "1..0 # SKIP no sources"; exit 0; }

"${AWK:-awk}" '
function complain(rule, where, what) { faults[rule] = faults[rule] "# " where ": " what "\n" }
function close_file() {
	if (file != "" && lines > 800)
		complain("file", file, lines " lines")
}
# The line without strings, character constants and comments; keeps in_comment.
function code_of(s,   out, at) {
	out = ""
	while (s != "") {
		if (in_comment) {
			at = index(s, "*/")
			if (!at)
				return out
			s = substr(s, at + 2)
			in_comment = 0
			continue
		}
		if (!match(s, /"([^"\\]|\\.)*"|\047([^\047\\]|\\.)*\047|\/\*|\/\//))
			return out s
		out = out substr(s, 1, RSTART - 1)
		if (substr(s, RSTART, 2) == "//")
			return out
		if (substr(s, RSTART, 2) == "/*")
			in_comment = 1
		else
			out = out "\"\""
		s = substr(s, RSTART + RLENGTH)
	}
	return out
}
FNR == 1 {
	close_file()
	file = FILENAME
	in_comment = 0
	start = 0
	if (file ~ /^src\// && $0 !~ /^\/\*/)
		complain("opening", file, "does not begin with a comment")
}
{
	lines = FNR
	if ($0 ~ /[ \t]$/)
		complain("line", file ":" FNR, "blank at the end of the line")
	if ($0 ~ /(^|[^A-Za-z_])(TODO|FIXME|XXX|HACK)([^A-Za-z_]|$)/)
		complain("promises", file ":" FNR, "a note to ourselves")
	code = code_of($0)
	if (match(code, /(^|[^A-Za-z0-9_.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|system|popen|alloca|atoi|atol|tmpnam|mktemp)[ \t]*\(/))
		complain("calls", file ":" FNR, substr(code, RSTART, RLENGTH) "...)")
	if (code ~ /^\{/)
		start = FNR
	else if (code ~ /^\}/ && start) {
		if (FNR - start + 1 > 80)
			complain("function", file ":" start, FNR - start + 1 " lines")
		start = 0
	}
}
END {
	close_file()
	n = split("function file line opening calls promises", rule, " ")
	print "1.." n
	for (i = 1; i <= n; i++) {
		printf "%s", faults[rule[i]]
		print (faults[rule[i]] != "" ? "not " : "") "ok " i " - " rule[i]
	}
}' "${files[@]}"
