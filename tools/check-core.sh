#!/bin/bash
# check-core.sh - TAP: does the core reach the machine through its tables only?
#
# The core is every folder of src/LAYERS below `view`.  It reads no clock, rolls no
# dice, sleeps nowhere, starts no thread and asks no environment; the back ends
# behind the tables of doc/architecture.md do, and are named here with what they may.
src=${GUTS_SRCDIR:-.}/src

mapfile -t files < <(sed -n '/^view:/q; s/^\([a-z]*\):.*/\1/p' "$src/LAYERS" |
	while read -r folder; do find "$src/$folder" -name '*.[ch]'; done | LC_ALL=C sort)
[ ${#files[@]} -gt 0 ] || { echo '1..0 # SKIP no sources'; exit 0; }

"${AWK:-awk}" -v src="$src" '
# may(FILES, KINDS): files of the core, by a regular expression, and what they may use.
function may(where, what) { allowed[where] = what }
BEGIN {
	may("^base/log\\.c$", "clock lock")          # when a line was written; many threads write
	may("^loop/", "clock chance thread lock")    # the libuv end of the environment
	may("^store/sqlite", "thread lock")          # the SQLite end of the store, its writer
	may("^git/odb\\.c$", "lock")                # libgit2, set up once
	may("^git/repostore\\.c$", "environment")   # the git end: git found in $PATH
	may("^store/home\\.c$", "environment")       # where the home is; asked before a node starts
	may("^crypto/backend\\.c$", "lock")          # which library, found once
	may("^node/(node|snapshot|import|internal)\\.[ch]$", "lock") # values handed to other threads

	calls["clock"] = "time|gettimeofday|clock_gettime|clock|ftime|times|uv_now|uv_hrtime"
	calls["chance"] = "rand|srand|rand_r|random|srandom|drand48|arc4random[a-z_]*|getrandom|getentropy|randombytes[a-z_]*"
	calls["sleep"] = "sleep|usleep|nanosleep|clock_nanosleep|pause|uv_sleep"
	calls["thread"] = "pthread_create|thrd_create|uv_thread_create|uv_queue_work|fork|vfork"
	calls["lock"] = "pthread_mutex_[a-z]+|pthread_rwlock_[a-z]+|pthread_cond_[a-z]+|pthread_once|uv_mutex_[a-z]+"
	calls["environment"] = "getenv|secure_getenv|setenv|setlocale"
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
	file = substr(FILENAME, length(src) + 2)
	in_comment = 0
	nfiles++
	kinds = ""
	for (where in allowed)
		if (file ~ where)
			kinds = kinds " " allowed[where]
}
{
	code = code_of($0)
	for (kind in calls)
		if (match(code, "(^|[^A-Za-z0-9_.>])(" calls[kind] ")[ \t]*\\(")) {
			seen[kind]++
			if (index(kinds " ", " " kind " ") == 0)
				faults[kind] = faults[kind] "# " file ":" FNR ": " substr(code, RSTART, RLENGTH) "...)\n"
		}
}
END {
	n = split("clock chance sleep thread lock environment", order, " ")
	print "1.." n
	for (i = 1; i <= n; i++) {
		printf "%s", faults[order[i]]
		print (faults[order[i]] != "" ? "not " : "") "ok " i " - " order[i] ": " nfiles " files, " \
			seen[order[i]] + 0 " in the back ends"
	}
}' "${files[@]}"
