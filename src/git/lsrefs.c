/* git/lsrefs.c - packed-refs already says all that ls-refs wants to know, peeled tags included: one pass over its rows. */
#include "git/lsrefs.h"

#include "base/alloc.h"
#include "git/pktline.h"
#include "git/refsfile.h"
#include "git/repostore_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HIDDEN "refs/namespaces/"

static bool
begins(struct guts_slice s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

static bool
is(struct guts_slice s, const char *text)
{
	return guts_slice_eq(s, guts_slice_str(text));
}

/* -- the request ----------------------------------------------------------------------- */

bool
guts_lsrefs_begins(struct guts_slice head)
{
	static const char *const first[] = { "0014command=ls-refs\n", "0013command=ls-refs" };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(first[i]);

		if (head.n == 0 || memcmp(head.p, first[i], head.n < n ? head.n : n) == 0)
			return true;
	}
	return false;
}

static bool
take_capability(struct guts_slice s, enum guts_object_format *format)
{
	if (begins(s, "agent="))
		return true;
	*format = is(s, "object-format=sha256") ? GUTS_SHA256 : GUTS_SHA1;
	return *format == GUTS_SHA256 || is(s, "object-format=sha1");
}

static bool
take_argument(struct guts_lsrefs *q, struct guts_slice s)
{
	if (is(s, "peel"))
		q->peel = true;
	else if (is(s, "symrefs"))
		q->symrefs = true;
	else if (is(s, "unborn"))
		q->unborn = true;
	else if (begins(s, "ref-prefix ") && q->n < GUTS_LSREFS_PREFIXES_MAX)
		q->prefixes[q->n++] = guts_slice(s.p + 11, s.n - 11);
	else
		return false;
	return true;
}

int
guts_lsrefs_parse(struct guts_lsrefs *q, struct guts_slice request, enum guts_object_format format)
{
	enum guts_object_format theirs = GUTS_SHA1;
	enum guts_pkt_kind kind;
	struct guts_slice s;
	bool in_arguments = false, known = true;
	size_t used;

	memset(q, 0, sizeof(*q));
	for (unsigned i = 0; known && guts_pkt_read(request, &kind, &s, &used) == GUTS_OK; i++) {
		request = guts_slice(request.p + used, request.n - used);
		s = guts_pkt_chomp(s);
		if (kind == GUTS_PKT_FLUSH && i > 0)
			return request.n == 0 && theirs == format ? GUTS_OK : GUTS_EUNSUPPORTED;
		if (kind == GUTS_PKT_DELIM && i > 0 && !in_arguments)
			in_arguments = true;
		else if (kind != GUTS_PKT_DATA)
			known = false;
		else if (i == 0)
			known = is(s, "command=ls-refs");
		else
			known = in_arguments ? take_argument(q, s) : take_capability(s, &theirs);
	}
	return GUTS_EUNSUPPORTED;
}

/* -- the answer ------------------------------------------------------------------------ */

static bool
is_wanted(const struct guts_lsrefs *q, struct guts_slice name)
{
	for (size_t i = 0; i < q->n; i++) {
		if (name.n >= q->prefixes[i].n && memcmp(name.p, q->prefixes[i].p, q->prefixes[i].n) == 0)
			return true;
	}
	return q->n == 0;
}

static void
put(struct guts_buf *out, struct guts_slice name, const struct guts_refsfile_row *row, const char *target, bool peel)
{
	char hex[GUTS_OID_HEX_SIZE] = "unborn", peeled[sizeof(" peeled:") + GUTS_OID_HEX_SIZE] = "";

	if (row)
		guts_oid_hex(hex, &row->oid);
	if (row && peel && !guts_oid_is_none(&row->peeled)) {
		memcpy(peeled, " peeled:", 8);
		guts_oid_hex(peeled + 8, &row->peeled);
	}
	guts_pkt_printf(out, "%s %.*s%s%s%s\n", hex, (int)name.n, (const char *)name.p, target ? " symref-target:" : "", target ? target : "", peeled);
}

/* `top`: of the repository, or of a namespace, whose HEAD has its prefix `space` in its target too. */
static void
put_head(const struct guts_lsrefs *q, const char *top, const char *space, const struct guts_refsfile *refs, struct guts_buf *out)
{
	const struct guts_slice name = guts_slice_str("HEAD");
	const struct guts_refsfile_row *row;
	char target[GUTS_HEAD_FILE_MAX];

	guts_repo_read_head(top, target);
	row = guts_refsfile_find(refs, guts_slice_str(target));
	if (target[0] && begins(guts_slice_str(target), space) && is_wanted(q, name) && (row || (q->unborn && q->symrefs)))
		put(out, name, row, q->symrefs ? target + strlen(space) : NULL, q->peel);
}

/* Only behind refs/tags/ does the file say what a tag object names. */
static bool
may_hide_tag(struct guts_slice name)
{
	return !begins(name, "refs/heads/") && !begins(name, "refs/tags/");
}

static int
put_rows(const struct guts_lsrefs *q, const struct guts_refsfile *refs, const char *space, struct guts_buf *out)
{
	size_t cut = strlen(space);

	for (size_t i = 0; i < refs->n; i++) {
		struct guts_slice name = refs->v[i].name;

		if (!begins(name, space))
			continue;
		name = guts_slice(name.p + cut, name.n - cut);
		if (begins(name, HIDDEN) || !is_wanted(q, name))
			continue;
		if (name.n > GUTS_REFNAME_MAX || (q->peel && may_hide_tag(name)))
			return GUTS_EUNSUPPORTED;
		put(out, name, &refs->v[i], NULL, q->peel);
	}
	return GUTS_OK;
}

int
guts_lsrefs_answer(const struct guts_lsrefs *q, const char *path, const char *author, struct guts_buf *out)
{
	char *packed = guts_asprintf("%s/packed-refs", path);
	char *space = author ? guts_asprintf(HIDDEN "%s/", author) : guts_strdup("");
	char *top = guts_asprintf("%s/%s", path, space);
	struct guts_refsfile refs = { 0 };
	unsigned bad = 0;
	struct stat st;
	int err = GUTS_EUNSUPPORTED;

	if (stat(packed, &st) == 0 && st.st_size <= GUTS_LSREFS_FILE_MAX && !guts_listrefs_has_loose(top) &&
	    guts_refsfile_read(&refs, packed, &bad) == GUTS_OK && bad == 0) {
		put_head(q, top, space, &refs, out);
		err = put_rows(q, &refs, space, out);
		guts_pkt_add_flush(out);
	}
	guts_refsfile_deinit(&refs);
	free(packed);
	free(space);
	free(top);
	return !err && out->failed ? GUTS_EUNSUPPORTED : err;
}
