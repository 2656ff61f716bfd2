/* http/checks.c - one scan over the statuses of a commit. */
#include "http/checks.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	struct guts_store *store;
	const struct guts_repo_info *info;
	struct guts_checks *out;
};

static bool
is_one_of(const struct guts_peerid *ids, size_t n, const struct guts_peerid *id)
{
	for (size_t i = 0; i < n; i++) {
		if (guts_peerid_eq(&ids[i], id))
			return true;
	}
	return false;
}

static bool
counts(const struct reading *r, const struct guts_peerid *signer)
{
	const struct guts_repo_info *i = r->info;
	struct guts_buf key, value;
	bool trusted;

	if (is_one_of(i->delegates, i->ndelegates, signer) || is_one_of(i->signers, i->nsigners, signer))
		return true;
	guts_buf_init(&key, 128);
	guts_buf_init(&value, 16);
	guts_buf_add(&key, i->id, sizeof i->id);
	guts_buf_add_slice(&key, guts_peerid_slice(signer));
	trusted = guts_store_get(r->store, GUTS_TABLE_TRUST, guts_buf_slice(&key), &value) == GUTS_OK;
	guts_buf_deinit(&key);
	guts_buf_deinit(&value);
	return trusted;
}

static bool
is_newer(const struct guts_status *a, const struct guts_status *b)
{
	return a->time_ms != b->time_ms ? a->time_ms > b->time_ms : guts_status_cmp(a, b) < 0;
}

static bool
on_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct reading *r = owner;
	struct guts_checks *c = r->out;
	struct guts_status s;
	size_t i = 0;

	(void)key;
	/* stored ones were checked when they came */
	if (guts_status_peek(&s, value) || !counts(r, &s.signer))
		return true;
	while (i < c->n && strcmp(c->v[i].context, s.context) != 0)
		i++;
	if (i == c->n)
		c->v = guts_realloc(c->v, ++c->n * sizeof *c->v);
	else if (!is_newer(&s, &c->v[i]))
		return true;
	c->v[i] = s;
	return true;
}

int
guts_checks_read(struct guts_store *s, const struct guts_repo_info *i, const struct guts_oid *commit, struct guts_checks *out)
{
	struct reading r = { .store = s, .info = i, .out = out };
	struct guts_buf prefix;
	int err;

	*out = (struct guts_checks){ 0 };
	guts_buf_init(&prefix, 128);
	guts_buf_add(&prefix, i->id, sizeof i->id);
	guts_buf_add_u8(&prefix, commit->n);
	guts_buf_add(&prefix, commit->b, commit->n);
	err = guts_store_scan(s, GUTS_TABLE_STATUS, guts_buf_slice(&prefix), guts_slice(NULL, 0), on_row, &r);
	guts_buf_deinit(&prefix);
	return err;
}

void
guts_checks_deinit(struct guts_checks *c)
{
	free(c->v);
	*c = (struct guts_checks){ 0 };
}

const struct guts_status *
guts_checks_find(const struct guts_checks *c, const char *context)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->v[i].context, context) == 0)
			return &c->v[i];
	}
	return NULL;
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

	if (p->info->ncontexts && guts_checks_read(p->c.h->store, p->info, &row->oid, &checks) == GUTS_OK)
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
