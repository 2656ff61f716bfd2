/* git/peoplefile.c - the file of contributors: read, written. */
#include "git/peoplefile.h"

#include "git/infofile.h"

#define NAME "guts-people"
#define ROW_MIN 4 /* [bytes] a digit, a blank, two ends */

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
	if (!guts_infofile_open(bytes, NAME, &out->tip, &left))
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

	guts_buf_init(&b, GUTS_INFOFILE_MAX);
	ok = guts_infofile_read(repo_path, NAME, &b) && guts_peoplefile_parse(guts_buf_slice(&b), a, out) == GUTS_OK;
	guts_buf_deinit(&b);
	return ok;
}

static bool
make(struct guts_history *h, const struct guts_oid *tip, struct guts_slice old, struct guts_arena *a, struct guts_buf *rows)
{
	struct guts_history_people known, new;
	bool is_known = guts_peoplefile_parse(old, a, &known) == GUTS_OK;

	if (guts_history_people(h, tip, is_known ? &known : NULL, a, &new) != GUTS_OK || new.incomplete)
		return false;
	for (size_t i = 0; i < new.n; i++) {
		guts_buf_printf(rows, "%llu ", (unsigned long long)new.v[i].commits);
		guts_buf_add(rows, new.v[i].name, strlen(new.v[i].name) + 1);
		guts_buf_add(rows, new.v[i].email, strlen(new.v[i].email) + 1);
	}
	return true;
}

void
guts_peoplefile_update(const char *repo_path)
{
	guts_infofile_update(repo_path, NAME, make);
}
