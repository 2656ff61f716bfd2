/* git/lastfile.c - the file of last commits: read, written. */
#include "git/lastfile.h"

#include "git/graph.h"
#include "git/infofile.h"

#define NAME "guts-last"
#define ENTRY_MIN (1 + 1 + 2 * GUTS_GRAPH_OID_BYTES + 1 + 2 * GUTS_GRAPH_OID_BYTES + 1) /* [bytes] of one before its name */

static bool
take_entry(struct guts_slice *s, struct guts_history_entry *e)
{
	memset(e, 0, sizeof(*e));
	for (unsigned i = 0; i < 6 && s->n > 0 && s->p[0] >= '0' && s->p[0] <= '7'; i++) {
		e->mode = e->mode << 3 | (uint32_t)(s->p[0] - '0');
		*s = guts_slice(s->p + 1, s->n - 1);
	}
	return e->mode != 0 && guts_infofile_take(s, " ") && guts_infofile_take_oid(s, &e->oid) && guts_infofile_take(s, " ") &&
	    guts_infofile_take_oid(s, &e->commit) && guts_infofile_take(s, " ") && guts_infofile_take_string(s, &e->name);
}

int
guts_lastfile_parse(struct guts_slice bytes, struct guts_arena *a, struct guts_history_folder *out)
{
	struct guts_slice left;

	memset(out, 0, sizeof(*out));
	if (!guts_infofile_open(bytes, NAME, &out->tip, &left))
		return GUTS_EPROTO;
	out->v = guts_arena_alloc(a, (left.n / ENTRY_MIN + 1) * sizeof(*out->v));
	if (out->v == NULL)
		return GUTS_ELIMIT;
	while (left.n > 0) {
		struct guts_history_entry *e = &out->v[out->n];

		if (out->n == GUTS_READ_ENTRIES_MAX || !take_entry(&left, e))
			return GUTS_EPROTO;
		e->name = guts_arena_memdup(a, e->name, strlen(e->name));
		if (e->name == NULL)
			return GUTS_ELIMIT;
		out->n++;
	}
	return GUTS_OK;
}

bool
guts_lastfile_read(const char *repo_path, struct guts_arena *a, struct guts_history_folder *out)
{
	struct guts_buf b;
	bool ok;

	guts_buf_init(&b, GUTS_INFOFILE_MAX);
	ok = guts_infofile_read(repo_path, NAME, &b) && guts_lastfile_parse(guts_buf_slice(&b), a, out) == GUTS_OK;
	guts_buf_deinit(&b);
	return ok;
}

static bool
make(struct guts_history *h, const struct guts_oid *tip, struct guts_slice old, struct guts_arena *a, struct guts_buf *rows)
{
	struct guts_history_folder known, new;
	bool is_known = guts_lastfile_parse(old, a, &known) == GUTS_OK;
	char oid[GUTS_OID_HEX_SIZE], commit[GUTS_OID_HEX_SIZE];

	if (guts_history_folder(h, tip, guts_slice_str(""), is_known ? &known : NULL, a, &new) != GUTS_OK || new.incomplete)
		return false;
	for (size_t i = 0; i < new.n; i++) {
		guts_oid_hex(oid, &new.v[i].oid);
		guts_oid_hex(commit, &new.v[i].commit);
		guts_buf_printf(rows, "%o %s %s ", (unsigned)new.v[i].mode, oid, commit);
		guts_buf_add(rows, new.v[i].name, strlen(new.v[i].name) + 1);
	}
	return true;
}

void
guts_lastfile_update(const char *repo_path)
{
	guts_infofile_update(repo_path, NAME, make);
}
