#!/bin/bash
# check-layers.sh - TAP: does every #include under src/ obey src/LAYERS?
#
# A line of LAYERS is "folder: may include | system headers it owns | text".
# A folder may name only folders defined above it, so a cycle cannot be written;
# an owned system header may be included by its owner only.
src=${GUTS_SRCDIR:-.}/src

find "$src" -name '*.[ch]' | LC_ALL=C sort | xargs "${AWK:-awk}" -v src="$src" '
function complain(where, what) { faults[++nfaults] = where ": " what }

function read_layers(   line, part, i, n, word) {
	while ((getline line < (src "/LAYERS")) > 0) {
		if (line ~ /^#/ || line !~ /:/)
			continue
		split(line, part, /[:|]/)
		known[part[1]] = ++nfolders
		allowed[part[1], part[1]] = 1
		n = split(part[2], word, " ")
		for (i = 1; i <= n; i++) {
			if (!(word[i] in known))
				complain("LAYERS", part[1] " names " word[i] ", which is not below it")
			allowed[part[1], word[i]] = 1
		}
		n = split(part[3], word, " ")
		for (i = 1; i <= n; i++)
			owner[word[i]] = part[1]
	}
}

BEGIN { read_layers() }

FNR == 1 {
	file = substr(FILENAME, length(src) + 2)
	folder = file
	sub(/\/.*/, "", folder)
	nfiles++
	if (!(folder in known))
		complain(file, "folder is not in LAYERS")
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ && folder in known {
	split($0, quoted, /["<>]/)
	split(quoted[2], path, "/")
	includes++
	if ($0 ~ /"/) {
		if (quoted[2] !~ /\//)
			complain(file ":" FNR, "write \"" folder "/" quoted[2] "\": includes name their folder")
		else if (!((folder, path[1]) in allowed))
			complain(file ":" FNR, folder " may not include " quoted[2])
	} else if (quoted[2] in owner && owner[quoted[2]] != folder)
		complain(file ":" FNR, "<" quoted[2] "> belongs to " owner[quoted[2]])
}

END {
	print "1..1"
	for (i = 1; i <= nfaults; i++)
		print "# " faults[i]
	bad = nfaults > 0 || nfolders == 0 || includes == 0
	print (bad ? "not " : "") "ok 1 - " includes + 0 " includes of " nfiles + 0 " files obey " nfolders + 0 " layers"
}'
