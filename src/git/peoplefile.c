/* git/peoplefile.c - the file of contributors: read, written. */
#include "git/peoplefile.h"

#include "git/infofile.h"

#define NAME "guts-people"
#define MAGIC "guts-people 1\n"
#define ROW_MIN 4 /* [bytes] a digit, a blank, two ends */
#define ARENA_MAX (32u << 20) /* [bytes] for the old and the new one */

static bool
take_person(struct guts_slice *s, struct guts_history_person *p)
{
	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < 15 && s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; i++) {
		p->commits = p->commits * 10 + (s->p[0] - '0');
		*s = guts_slice(s->p + 1, s->n - 1);
	}
	return p->commits > 0 && guts_infofile_take(s, " ") && guts_infofile_take_string(s, &p->name) && guts_infofile_take_string(s, &p->email);
}

int
guts_peoplefile_parse(struct guts_slice bytes, struct guts_arena *a, struct guts_history_people *out)
{
	struct guts_slice left;

	memset(out, 0, sizeof(*out));
	if (!guts_infofile_text(bytes, &left) || !guts_infofile_take(&left, MAGIC) || !guts_infofile_take_oid(&left, &out->tip) ||
	    !guts_infofile_take(&left, "\n"))
		return GUTS_EPROTO;
	out->v = guts_arena_alloc(a, (left.n / ROW_MIN + 1) * sizeof(*out->v));
	if (out->v == NULL)
		return GUTS_ELIMIT;
	while (left.n > 0) {
		struct guts_history_person *p = &out->v[out->n];

		if (out->n == GUTS_HISTORY_PEOPLE_MAX || !take_person(&left, p))
			return GUTS_EPROTO;
		p->name = guts_arena_memdup(a, p->name, strlen(p->name));
		p->email = guts_arena_memdup(a, p->email, strlen(p->email));
		if (p->name == NULL || p->email == NULL)
			return GUTS_ELIMIT;
		out->commits += p->commits;
		out->n++;
	}
	return GUTS_OK;
}

bool
guts_peoplefile_read(const char *repo_path, struct guts_arena *a, struct guts_history_people *out)
{
	struct guts_buf b;
	bool ok;

	guts_buf_init(&b, GUTS_PEOPLEFILE_MAX);
	ok = guts_infofile_read(repo_path, NAME, GUTS_PEOPLEFILE_MAX, &b) && guts_peoplefile_parse(guts_buf_slice(&b), a, out) == GUTS_OK;
	guts_buf_deinit(&b);
	return ok;
}

static void
write_file(const char *repo_path, const struct guts_history_people *p)
{
	char tip[GUTS_OID_HEX_SIZE];
	struct guts_buf b;

	guts_buf_init(&b, GUTS_PEOPLEFILE_MAX);
	guts_oid_hex(tip, &p->tip);
	guts_buf_printf(&b, MAGIC "%s\n", tip);
	for (size_t i = 0; i < p->n; i++) {
		guts_buf_printf(&b, "%llu ", (unsigned long long)p->v[i].commits);
		guts_buf_add(&b, p->v[i].name, strlen(p->v[i].name) + 1);
		guts_buf_add(&b, p->v[i].email, strlen(p->v[i].email) + 1);
	}
	guts_infofile_write(repo_path, NAME, &b);
	guts_buf_deinit(&b);
}

void
guts_peoplefile_update(const char *repo_path)
{
	struct guts_history_people old, new;
	struct guts_read *r = NULL;
	struct guts_arena a;
	struct guts_oid tip;
	bool has_old;

	if (!guts_infofile_tip(repo_path, &tip))
		return;
	guts_arena_init(&a, ARENA_MAX);
	has_old = guts_peoplefile_read(repo_path, &a, &old);
	if ((!has_old || !guts_oid_eq(&old.tip, &tip)) && guts_read_open(&r, repo_path) == GUTS_OK) {
		struct guts_history *h = guts_history_open(r, repo_path, 0);

		if (guts_history_people(h, &tip, has_old ? &old : NULL, &a, &new) == GUTS_OK && !new.incomplete)
			write_file(repo_path, &new);
		guts_history_close(h);
	}
	guts_read_close(r);
	guts_arena_deinit(&a);
}
