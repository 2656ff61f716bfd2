/* http/checks.c - marks of branches and of commits. */
#include "http/checks.h"

int
guts_checks_of(struct guts_store *s, const struct guts_repo_info *i, const struct guts_oid *commit, struct guts_checks *out)
{
	struct guts_checks_by by = { i->id, i->delegates, i->signers, i->ndelegates, i->nsigners };

	return guts_checks_read(s, &by, commit, out);
}

void
guts_checks_required(const struct guts_checks *c, const struct guts_repo_info *i, struct guts_view_checks *out)
{
	*out = (struct guts_view_checks){ .n = i->ncontexts < GUTS_VIEW_CHECKS_MAX ? i->ncontexts : GUTS_VIEW_CHECKS_MAX };
	for (size_t k = 0; k < out->n; k++) {
		const struct guts_status *s = guts_checks_find(c, i->contexts[k]);

		out->v[k].context = i->contexts[k];
		out->v[k].state = s ? guts_status_state_name(s->state) : NULL;
	}
}

void
guts_checks_put_branch(struct guts_readjob *p, struct guts_json *j, const struct guts_view_repo_ctx *x,
    const struct guts_refs_row *row, const struct guts_read_commit *newest)
{
	struct guts_view_checks required = { 0 };
	struct guts_checks checks = { 0 };

	if (p->info->ncontexts && guts_checks_of(p->c.h->store, p->info, &row->oid, &checks) == GUTS_OK)
		guts_checks_required(&checks, p->info, &required);
	guts_view_branch(j, x, row, newest, &required);
	guts_checks_deinit(&checks);
}

uint64_t
guts_checks_version(struct guts_store *s)
{
	uint64_t oldest, newest;

	guts_store_fact_range(s, &oldest, &newest);
	return newest;
}
