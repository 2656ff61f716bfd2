/* http/router.c - templates are matched segment by segment; the table is short and its first rows are the busy ones. */
#include "http/router.h"

#include "wire/multibase.h"

#include <stdio.h>

static bool
is_repo_id(struct guts_slice s)
{
	uint8_t id[GUTS_REPOID_SIZE];

	return s.n == GUTS_REPOID_TEXT_SIZE - 1 && guts_repoid_parse(id, s) == 0;
}

static bool
ends_git(struct guts_slice s)
{
	return s.n > 4 && memcmp(s.p + s.n - 4, ".git", 4) == 0;
}

static void
set_param(struct guts_match *m, size_t *np, size_t first, size_t n)
{
	if (*np < GUTS_PARAMS_MAX) {
		m->param[*np].first = (uint16_t)first;
		m->param[*np].n = (uint16_t)n;
		(*np)++;
	}
}

/* Segments that `{repo}` takes at `at`: one for an id, two for owner and name; 0 = does not fit. */
static size_t
take_repo(const struct guts_target *t, size_t at, struct guts_match *m, size_t *np)
{
	if (at >= t->nseg)
		return 0;
	bool id = is_repo_id(guts_target_segment(t, at));
	if (!id && at + 1 >= t->nseg)
		return 0;
	set_param(m, np, at, 1);
	set_param(m, np, at + 1, id ? 0 : 1);
	return id ? 1 : 2;
}

/* The same for `{git}`: <id>.git, <owner>/<name>.git, <id>/<peer>.git. */
static size_t
take_git(const struct guts_target *t, size_t at, struct guts_match *m, size_t *np)
{
	if (at >= t->nseg)
		return 0;
	struct guts_slice s = guts_target_segment(t, at);
	bool alone = ends_git(s) && is_repo_id(guts_slice(s.p, s.n - 4));
	if (!alone && !ends_git(guts_target_segment(t, at + 1)))
		return 0;
	set_param(m, np, at, 1);
	set_param(m, np, at + 1, alone ? 0 : 1);
	return alone ? 1 : 2;
}

bool
guts_router_fits(const char *path, const struct guts_target *t, struct guts_match *m)
{
	size_t at = 0, np = 0, used, odd = t->odd;

	memset(m->param, 0, sizeof m->param);
	while (*path == '/' && path[1]) {
		const char *word = path + 1;
		size_t n = strcspn(word, "/");
		path = word + n;
		if (word[0] != '{') {
			if (!guts_slice_eq(guts_target_segment(t, at), guts_slice(word, n)))
				return false;
			at++;
		} else if (n == 6 && memcmp(word, "{repo}", 6) == 0) {
			if (!(used = take_repo(t, at, m, &np)))
				return false;
			at += used;
		} else if (n == 5 && memcmp(word, "{git}", 5) == 0) {
			if (!(used = take_git(t, at, m, &np)))
				return false;
			at += used;
		} else if (word[n - 2] == '*') {
			if (at >= t->nseg)
				return false;
			if (n == 7 && memcmp(word, "{path*}", 7) == 0 && t->odd >= at)
				odd = t->nseg;
			set_param(m, &np, at, t->nseg - at);
			at = t->nseg;
		} else {
			if (at >= t->nseg)
				return false;
			set_param(m, &np, at++, 1);
		}
	}
	return at == t->nseg && odd == t->nseg;
}

void
guts_router_find(struct guts_match *m, enum guts_method method, const struct guts_target *t)
{
	struct guts_match best = { 0 };

	if (method == GUTS_HEAD)
		method = GUTS_GET;
	for (size_t i = 0; i < guts_routes_n; i++) {
		const struct guts_route *r = &guts_routes[i];
		if (!guts_router_fits(r->path, t, m))
			continue;
		if (r->kind != GUTS_ROUTE_PAGE || r->method == method)
			best.allowed |= r->method | (r->method == GUTS_GET ? (unsigned)GUTS_HEAD : 0);
		if (r->method == method) {
			best.route = r;
			memcpy(best.param, m->param, sizeof best.param);
			break;
		}
	}
	*m = best;
}

void
guts_router_allow(char out[GUTS_ALLOW_SIZE], unsigned allowed)
{
	size_t at = (size_t)snprintf(out, GUTS_ALLOW_SIZE, "OPTIONS");

	for (unsigned m = 1; m < GUTS_OPTIONS; m <<= 1) {
		if (allowed & m)
			at += (size_t)snprintf(out + at, GUTS_ALLOW_SIZE - at, ", %s", guts_method_name((enum guts_method)m));
	}
}

const char *
guts_method_name(enum guts_method m)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (m & 1u << i)
			return names[i];
	}
	return "";
}

const char *
guts_scope_name(enum guts_scope s)
{
	static const char *const names[] = { "none", "public", "read", "write", "ci", "admin" };

	return names[s];
}
