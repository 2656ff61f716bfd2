/* sync/job.c - asking a peer about a CI job that it ran.
 *
 * Nobody signs a job's log.  It is asked of the very peer that signed the job's status, over a link that proves who it is, so it is
 * as good as that peer's word.
 */
#include "sync/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

struct ask {
	struct guts_sync *sync;
	struct guts_peerid peer;
	guts_job_answer *done;
	void *owner;
};

static bool
on_answer(void *owner, const struct guts_msg_response *m)
{
	struct ask *a = owner;
	struct guts_slice none = { 0 };

	if (m->has_job) {
		a->done(a->owner, GUTS_OK, NULL, m->job.json, m->job.data);
	} else {
		a->sync->s.events->offence(a->sync->s.owner, &a->peer, GUTS_EPROTO, "answer on /guts/sync");
		a->done(a->owner, GUTS_EPROTO, "the peer answered something else", none, none);
	}
	free(a);
	return false;
}

static void
on_end(void *owner, int err, const char *text)
{
	struct ask *a = owner;
	struct guts_slice none = { 0 };

	a->done(a->owner, err ? err : GUTS_EPROTO, text ? text : "the peer gave no answer", none, none);
	free(a);
}

void
guts_sync_ask_job(struct guts_sync *s, const struct guts_repo *r, const struct guts_peerid *peer, const uint8_t job[16],
    const char *file, uint64_t offset, guts_job_answer *done, void *owner)
{
	static const struct guts_request_events events = { .answer = on_answer, .end = on_end };
	struct guts_msg_request m = { .has_get_job = true };
	struct guts_slice none = { 0 };
	struct guts_request *q;
	struct ask *a;
	int err = GUTS_EDENIED;

	m.get_job.repository = guts_slice(r->id, sizeof r->id);
	m.get_job.job = guts_slice(job, 16);
	m.get_job.file = guts_slice_str(file);
	m.get_job.offset = offset;
	a = guts_alloc(sizeof *a);
	*a = (struct ask){ .sync = s, .peer = *peer, .done = done, .owner = owner };
	if (guts_repo_may_know(r, peer))
		err = guts_request_start(s, peer, &m, &events, a, &q);
	if (err) {
		free(a);
		done(owner, GUTS_EUNAVAILABLE, "the node that ran the job is not connected", none, none);
	}
}

/* -- who ran it -------------------------------------------------------------------------------- */

struct search {
	struct guts_slice id;
	struct guts_status found;
	bool is_found;
};

static bool
on_status(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct search *w = owner;

	(void)key;
	/* the payload holds its texts as they are; only what may be it is opened */
	if (!memmem(value.p, value.n, w->id.p, w->id.n) || guts_status_peek(&w->found, value) != GUTS_OK)
		return true;
	w->is_found = guts_slice_eq(guts_slice_str(w->found.run_id), w->id);
	return !w->is_found;
}

int
guts_sync_job_signer(struct guts_sync *s, const struct guts_repo *r, const char *run_id, struct guts_peerid *signer,
    struct guts_oid *commit)
{
	struct search w = { .id = guts_slice_str(run_id) };
	struct guts_slice none = { 0 };
	struct guts_storekey k;
	int err = guts_store_scan(s->s.store, GUTS_TABLE_STATUS, guts_key_repo(&k, r), none, on_status, &w);

	if (err || !w.is_found)
		return err ? err : GUTS_ENOTFOUND;
	*signer = w.found.signer;
	*commit = w.found.commit;
	return GUTS_OK;
}
