/* git/lastfile.c - the file of last commits: read, written. */
#include "git/lastfile.h"

#include "git/graph.h"
#include "git/infofile.h"

#define NAME "guts-last"
#define MAGIC "guts-last 1\n"
#define ENTRY_MIN (1 + 1 + 2 * GUTS_GRAPH_OID_BYTES + 1 + 2 * GUTS_GRAPH_OID_BYTES + 1) /* [bytes] of one before its name */
#define ARENA_MAX (32u << 20) /* [bytes] for the old and the new one */

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
	if (!guts_infofile_text(bytes, &left) || !guts_infofile_take(&left, MAGIC) || !guts_infofile_take_oid(&left, &out->tip) ||
	    !guts_infofile_take(&left, "\n"))
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

	guts_buf_init(&b, GUTS_LASTFILE_MAX);
	ok = guts_infofile_read(repo_path, NAME, GUTS_LASTFILE_MAX, &b) && guts_lastfile_parse(guts_buf_slice(&b), a, out) == GUTS_OK;
	guts_buf_deinit(&b);
	return ok;
}

static void
write_file(const char *repo_path, const struct guts_history_folder *f)
{
	char tip[GUTS_OID_HEX_SIZE], commit[GUTS_OID_HEX_SIZE];
	struct guts_buf b;

	guts_buf_init(&b, GUTS_LASTFILE_MAX);
	guts_oid_hex(tip, &f->tip);
	guts_buf_printf(&b, MAGIC "%s\n", tip);
	for (size_t i = 0; i < f->n; i++) {
		guts_oid_hex(tip, &f->v[i].oid);
		guts_oid_hex(commit, &f->v[i].commit);
		guts_buf_printf(&b, "%o %s %s ", (unsigned)f->v[i].mode, tip, commit);
		guts_buf_add(&b, f->v[i].name, strlen(f->v[i].name) + 1);
	}
	guts_infofile_write(repo_path, NAME, &b);
	guts_buf_deinit(&b);
}

void
guts_lastfile_update(const char *repo_path)
{
	struct guts_history_folder old, new;
	struct guts_read *r = NULL;
	struct guts_arena a;
	struct guts_oid tip;
	bool has_old;

	if (!guts_infofile_tip(repo_path, &tip))
		return;
	guts_arena_init(&a, ARENA_MAX);
	has_old = guts_lastfile_read(repo_path, &a, &old);
	if ((!has_old || !guts_oid_eq(&old.tip, &tip)) && guts_read_open(&r, repo_path) == GUTS_OK) {
		struct guts_history *h = guts_history_open(r, repo_path, 0);

		if (guts_history_folder(h, &tip, guts_slice_str(""), has_old ? &old : NULL, &a, &new) == GUTS_OK && !new.incomplete)
			write_file(repo_path, &new);
		guts_history_close(h);
	}
	guts_read_close(r);
	guts_arena_deinit(&a);
}
