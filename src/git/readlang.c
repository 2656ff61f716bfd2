/* git/readlang.c - which languages a tree is written in, by the names of its files alone.
 *
 * Data (JSON, YAML), prose (Markdown) and what nobody knows are left out, as GitHub does.  Names are
 * those of GitHub's Linguist, which clients have colours for.
 */
#include "git/read_priv.h"

#include <stdlib.h>
#include <strings.h>

static const struct {
	const char *ending; /* behind the last dot, or a whole name without one */
	const char *name;
} known[] = {
	{ "ada", "Ada" }, { "adb", "Ada" }, { "asm", "Assembly" }, { "s", "Assembly" }, { "awk", "Awk" },
	{ "bat", "Batchfile" }, { "c", "C" }, { "h", "C" }, { "cs", "C#" }, { "cc", "C++" }, { "cpp", "C++" },
	{ "cxx", "C++" }, { "hh", "C++" }, { "hpp", "C++" }, { "hxx", "C++" }, { "clj", "Clojure" },
	{ "cmake", "CMake" }, { "coffee", "CoffeeScript" }, { "lisp", "Common Lisp" }, { "css", "CSS" },
	{ "cu", "Cuda" }, { "d", "D" }, { "dart", "Dart" }, { "Dockerfile", "Dockerfile" }, { "el", "Emacs Lisp" },
	{ "ex", "Elixir" }, { "exs", "Elixir" }, { "elm", "Elm" }, { "erl", "Erlang" }, { "fs", "F#" },
	{ "f", "Fortran" }, { "f90", "Fortran" }, { "go", "Go" }, { "groovy", "Groovy" }, { "hs", "Haskell" },
	{ "html", "HTML" }, { "htm", "HTML" }, { "java", "Java" }, { "js", "JavaScript" }, { "cjs", "JavaScript" },
	{ "mjs", "JavaScript" }, { "jsx", "JavaScript" }, { "jl", "Julia" }, { "kt", "Kotlin" }, { "kts", "Kotlin" },
	{ "less", "Less" }, { "lua", "Lua" }, { "m4", "M4" }, { "Makefile", "Makefile" }, { "mk", "Makefile" },
	{ "am", "Makefile" }, { "nim", "Nim" }, { "nix", "Nix" }, { "m", "Objective-C" }, { "ml", "OCaml" },
	{ "mli", "OCaml" }, { "pas", "Pascal" }, { "pl", "Perl" }, { "pm", "Perl" }, { "php", "PHP" },
	{ "ps1", "PowerShell" }, { "pro", "Prolog" }, { "py", "Python" }, { "r", "R" }, { "rkt", "Racket" },
	{ "rb", "Ruby" }, { "rs", "Rust" }, { "scala", "Scala" }, { "scm", "Scheme" }, { "scss", "SCSS" },
	{ "sh", "Shell" }, { "bash", "Shell" }, { "zsh", "Shell" }, { "sol", "Solidity" }, { "svelte", "Svelte" },
	{ "swift", "Swift" }, { "tcl", "Tcl" }, { "tex", "TeX" }, { "ts", "TypeScript" }, { "mts", "TypeScript" },
	{ "tsx", "TypeScript" }, { "v", "Verilog" }, { "vhd", "VHDL" }, { "vim", "Vim Script" }, { "vue", "Vue" },
	{ "wat", "WebAssembly" }, { "y", "Yacc" }, { "zig", "Zig" },
};

static const char *
language_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	const char *ending = dot && dot > name ? dot + 1 : name;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		/* a whole name is one that begins with a capital */
		bool whole = known[i].ending[0] >= 'A' && known[i].ending[0] <= 'Z';

		if (whole ? strcmp(known[i].ending, name) == 0 : ending != name && strcasecmp(known[i].ending, ending) == 0)
			return known[i].name;
	}
	return NULL;
}

static void
count(struct guts_read_languages *out, const char *name, uint64_t bytes)
{
	size_t i = 0;

	while (i < out->n && out->v[i].name != name && strcmp(out->v[i].name, name) != 0)
		i++;
	if (i == GUTS_READ_LANGUAGES_MAX)
		return;
	if (i == out->n)
		out->v[out->n++] = (struct guts_read_language){ name, 0 };
	out->v[i].bytes += bytes;
}

static int
most_first(const void *x, const void *y)
{
	const struct guts_read_language *a = x, *b = y;

	return a->bytes != b->bytes ? (a->bytes < b->bytes ? 1 : -1) : strcmp(a->name, b->name);
}

int
guts_read_languages(struct guts_read *r, const struct guts_oid *tree, struct guts_arena *a,
    struct guts_read_languages *out)
{
	struct guts_read_tree all;
	int err = guts_read_list(r, tree, true, a, &all);

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; !err && i < all.n; i++) {
		bool is_file = all.v[i].kind == GUTS_ENTRY_FILE || all.v[i].kind == GUTS_ENTRY_EXEC;
		const char *name = is_file && all.v[i].size > 0 ? language_of(all.v[i].name) : NULL;

		if (name)
			count(out, name, all.v[i].size);
	}
	qsort(out->v, out->n, sizeof(out->v[0]), most_first);
	return err;
}
