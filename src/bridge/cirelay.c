/* bridge/cirelay.c - one fetch for each job or file, however many ask for it.
 *
 * A relay that ended well leaves a copy and is forgotten.  One that did not is remembered for a moment: so who comes again hears that, and
 * the signer is not asked by everybody's question.
 */
#include "bridge/cirelay.h"

#include "base/alloc.h"
#include "bridge/cifetch.h"
#include "bridge/ciint.h"
#include "proto/messages.h"

#include <stdio.h>
#include <stdlib.h>

struct guts_cirelay {
	struct guts_cifetch fetch;
	uint64_t until_ns; /* it failed; 0 = it is under way */
	struct guts_cirelay *prev, *next;
};

static void
forget(struct guts_ci *ci, struct guts_cirelay *r)
{
	DL_DELETE(ci->relays, r);
	guts_buf_deinit(&r->fetch.data);
	free(r);
}

/* What is over goes, and the oldest of too many; returns how many are under way. */
static size_t
sweep(struct guts_ci *ci, uint64_t now)
{
	struct guts_cirelay *r, *next;
	size_t n = 0, nended = 0;

	DL_FOREACH (ci->relays, r) {
		n += r->until_ns == 0;
		nended += r->until_ns != 0;
	}
	DL_FOREACH_SAFE (ci->relays, r, next) {
		if (r->until_ns != 0 && (r->until_ns <= now || nended > GUTS_CIRELAYS_KEPT)) {
			nended--;
			forget(ci, r);
		}
	}
	return n;
}

static struct guts_cirelay *
find(struct guts_ci *ci, const uint8_t repo[GUTS_REPOID_SIZE], const char *id, const char *file)
{
	struct guts_cirelay *r;

	DL_FOREACH (ci->relays, r) {
		if (strcmp(r->fetch.id, id) == 0 && strcmp(r->fetch.file, file) == 0 && memcmp(r->fetch.repo, repo, GUTS_REPOID_SIZE) == 0)
			break;
	}
	return r;
}

static void
on_fetched(void *owner, int err, const struct guts_errinfo *ei)
{
	struct guts_cirelay *r = owner;
	struct guts_ci *ci = r->fetch.ci;

	(void)ei;
	if (!err && r->fetch.from == GUTS_CIFROM_STORE)
		forget(ci, r);
	else /* also of a job that runs: its signer alone may tell of it */
		r->until_ns = guts_env_now(ci->env) + GUTS_CIRELAY_PAUSE_MS * GUTS_MS_NS;
}

int
guts_cirelay(struct guts_ci *ci, const uint8_t repo[GUTS_REPOID_SIZE], const char *id, const char *file)
{
	size_t n = sweep(ci, guts_env_now(ci->env));
	struct guts_cirelay *r = find(ci, repo, id, file);

	if (!r && ci->is_running && ci->copies.max > 0 && n < GUTS_CIRELAYS_MAX) {
		r = guts_alloc(sizeof *r);
		r->fetch = (struct guts_cifetch){ .ci = ci, .signer_only = true, .done = on_fetched, .owner = r };
		memcpy(r->fetch.repo, repo, sizeof r->fetch.repo);
		snprintf(r->fetch.id, sizeof r->fetch.id, "%s", id);
		snprintf(r->fetch.file, sizeof r->fetch.file, "%s", file);
		guts_buf_init(&r->fetch.data, GUTS_MSG_JOB_DATA_MAX);
		DL_APPEND(ci->relays, r);
		guts_cifetch_run(&r->fetch);
		r = find(ci, repo, id, file); /* it may have ended at once */
	}
	if (r)
		return r->until_ns ? GUTS_ENOTFOUND : GUTS_EBUSY;
	return ci->is_running && n >= GUTS_CIRELAYS_MAX ? GUTS_EBUSY : GUTS_ENOTFOUND;
}

void
guts_cirelays_free(struct guts_ci *ci)
{
	struct guts_cirelay *r, *next;

	DL_FOREACH_SAFE (ci->relays, r, next)
		forget(ci, r);
}
