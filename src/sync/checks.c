/* sync/checks.c - one scan over the statuses of a commit. */
#include "sync/checks.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	struct guts_store *store;
	const struct guts_checks_by *by;
	struct guts_checks *out;
};

bool
guts_checks_counts(struct guts_store *s, const struct guts_checks_by *by, const struct guts_peerid *signer)
{
	struct guts_buf key, value;
	bool trusted;

	if (guts_peerid_is_among(by->delegates, by->ndelegates, signer) || guts_peerid_is_among(by->signers, by->nsigners, signer))
		return true;
	guts_buf_init(&key, GUTS_STORE_KEY_MAX);
	guts_buf_init(&value, 16);
	guts_buf_add(&key, by->repo, GUTS_REPOID_SIZE);
	guts_buf_add_slice(&key, guts_peerid_slice(signer));
	trusted = guts_store_get(s, GUTS_TABLE_TRUST, guts_buf_slice(&key), &value) == GUTS_OK;
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
	if (guts_status_peek(&s, value) || !guts_checks_counts(r->store, r->by, &s.signer))
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
guts_checks_read(struct guts_store *s, const struct guts_checks_by *by, const struct guts_oid *commit, struct guts_checks *out)
{
	struct reading r = { .store = s, .by = by, .out = out };
	struct guts_buf prefix;
	int err;

	*out = (struct guts_checks){ 0 };
	guts_buf_init(&prefix, GUTS_STORE_KEY_MAX);
	guts_buf_add(&prefix, by->repo, GUTS_REPOID_SIZE);
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
