/* cli/names.c - what people write for peers and repositories, made whole.
 *
 * Tables show the end of an id, since all of them begin alike; so the end, with or without
 * the "…" in front, is also taken wherever an id is asked for, if it fits exactly one.
 */
#include "cli/ask.h"

#include "base/alloc.h"
#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX_MIN 4 /* [bytes] shorter ends are no names */

struct match {
	const char *text;  /* what was written, without "…" */
	const char *member, *other; /* members to compare: the end of an id, a whole name (may be NULL) */
	char *found;
	size_t n;
};

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return k >= SUFFIX_MIN && n >= k && memcmp(s + n - k, end, k) == 0;
}

static void
on_row(void *owner, struct guts_jv v)
{
	struct match *m = owner;
	const char *id = guts_jv_str_of(v, m->member);

	if (!ends_with(id, m->text) && (m->other == NULL || strcmp(guts_jv_str_of(v, m->other), m->text) != 0))
		return;
	if (m->found != NULL && strcmp(m->found, id) == 0)
		return;
	free(m->found);
	m->found = guts_strdup(id);
	m->n++;
}

/* guts_ask_list prints with --json; here it must not. */
static int
search(struct guts_cli *c, const char *path, struct match *m)
{
	bool json = c->json;
	int code;

	c->json = false;
	code = guts_ask_list(c, path, on_row, m);
	c->json = json;
	return code;
}

static const char *
without_ellipsis(const char *text)
{
	if (strncmp(text, "…", strlen("…")) == 0)
		return text + strlen("…");
	return strncmp(text, "...", 3) == 0 ? text + 3 : text;
}

int
guts_ask_peer(struct guts_cli *c, const char *text, char **id)
{
	struct guts_peerid peer;
	struct match m = { .text = without_ellipsis(text), .member = "id" };
	int code;

	*id = NULL;
	if (guts_peerid_parse(&peer, guts_slice_str(text)) == GUTS_OK) {
		*id = guts_strdup(text);
		return GUTS_EXIT_OK;
	}
	code = search(c, "/api/v1/peers", &m);
	m.member = "peer";
	if (!code)
		code = search(c, "/api/v1/bans", &m);
	if (!code && m.n == 1) {
		*id = m.found;
		return GUTS_EXIT_OK;
	}
	free(m.found);
	if (code)
		return code;
	if (m.n > 1)
		return guts_cli_fail(GUTS_EXIT_NOTFOUND, "\"%s\" fits %zu peers: write more of the id", text, m.n);
	return guts_cli_fail(GUTS_EXIT_NOTFOUND, "\"%s\" is no peer id, nor the end of a known peer's", text);
}

static bool
is_repo_id(const char *s)
{
	return strncmp(s, "bafkrei", 7) == 0 && strlen(s) == 59 && strspn(s, "abcdefghijklmnopqrstuvwxyz234567") == 59;
}

int
guts_ask_repo(struct guts_cli *c, const char *text, char **path)
{
	struct match m = { .member = "id", .other = "name" };
	const char *slash = strchr(text, '/');
	char *owner;
	int code;

	*path = NULL;
	if (strncmp(text, "guts://", 7) == 0)
		return guts_ask_repo(c, text + 7, path);
	if (is_repo_id(text)) {
		*path = guts_ask_path("/api/v1/repos/{}", text);
		return GUTS_EXIT_OK;
	}
	if (slash != NULL) {
		if (slash == text || slash[1] == '\0' || strchr(slash + 1, '/') != NULL)
			return guts_cli_usage(c, "\"%s\" is no OWNER/NAME", text);
		owner = guts_alloc((size_t)(slash - text) + 1);
		memcpy(owner, text, (size_t)(slash - text));
		*path = guts_ask_path("/api/v1/repos/{}/{}", owner, slash + 1);
		free(owner);
		return GUTS_EXIT_OK;
	}
	m.text = without_ellipsis(text);
	code = search(c, "/api/v1/repos", &m);
	if (!code && m.n == 1)
		*path = guts_ask_path("/api/v1/repos/{}", m.found);
	free(m.found);
	if (code || m.n == 1)
		return code;
	if (m.n > 1)
		return guts_cli_fail(GUTS_EXIT_NOTFOUND, "\"%s\" fits %zu repositories: write OWNER/NAME or the id", text, m.n);
	return guts_cli_fail(GUTS_EXIT_NOTFOUND, "this node has no repository \"%s\": `guts repo list` shows what it has",
	    text);
}
