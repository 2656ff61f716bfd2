/* sync/job.c - asking peers about a CI job.
 *
 * While a job runs, the very peer that signed its status is asked, over a link that proves who it is.  Once it has ended, that peer
 * signs what it was, with the hashes of its files, so anybody may be asked; whoever asks checks.
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

	if (m->has_job) {
		a->done(a->owner, GUTS_OK, NULL, &m->job);
	} else {
		a->sync->s.events->offence(a->sync->s.owner, &a->peer, GUTS_EPROTO, "answer on /guts/sync");
		a->done(a->owner, GUTS_EPROTO, "the peer answered something else", NULL);
	}
	free(a);
	return false;
}

static void
on_end(void *owner, int err, const char *text)
{
	struct ask *a = owner;

	a->done(a->owner, err ? err : GUTS_EPROTO, text ? text : "the peer gave no answer", NULL);
	free(a);
}

void
guts_sync_ask_job(struct guts_sync *s, const struct guts_repo *r, const struct guts_peerid *peer, const uint8_t job[16],
    const char *file, uint64_t offset, guts_job_answer *done, void *owner)
{
	static const struct guts_request_events events = { .answer = on_answer, .end = on_end };
	struct guts_msg_request m = { .has_get_job = true };
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
		done(owner, GUTS_EUNAVAILABLE, "the node that ran the job is not connected", NULL);
	}
}

void
guts_sync_blame_job(struct guts_sync *s, const struct guts_peerid *peer)
{
	s->s.events->offence(s->s.owner, peer, GUTS_EPROTO, "a CI job that is not what was signed");
}

size_t
guts_sync_job_peers(struct guts_sync *s, const struct guts_repo *r, const struct guts_peerid *signer,
    struct guts_peerid *out, size_t max)
{
	struct guts_peerid peer;
	const void *it = NULL;
	size_t n = 0;

	if (max > 0 && guts_peers_is_connected(s->s.peers, signer))
		out[n++] = *signer;
	while (n < max && guts_peers_next(s->s.peers, &it, &peer)) {
		if (!guts_peerid_eq(&peer, signer) && guts_repo_may_know(r, &peer) &&
		    guts_peers_speaks(s->s.peers, &peer, GUTS_SYNC_PROTOCOL))
			out[n++] = peer;
	}
	return n;
}

/* -- who ran it -------------------------------------------------------------------------------- */

struct search {
	struct guts_sync *sync;
	const struct guts_repo *repo;
	struct guts_slice id;
	struct guts_status found;
	bool is_found;
};

static bool
on_status(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct search *w = owner;
	struct guts_status st;
	bool counts;

	(void)key;
	/* the payload holds its texts as they are; only what may be it is opened */
	if (!memmem(value.p, value.n, w->id.p, w->id.n) || guts_status_peek(&st, value) != GUTS_OK ||
	    !guts_slice_eq(guts_slice_str(st.run_id), w->id))
		return true;
	/* anybody may sign a status with the run id of another's job: first those that count */
	counts = guts_sync_status_counts(w->sync, w->repo, &st.signer);
	if (counts || !w->is_found)
		w->found = st;
	w->is_found = true;
	return !counts;
}

int
guts_sync_job_signer(struct guts_sync *s, const struct guts_repo *r, const char *run_id, struct guts_peerid *signer,
    struct guts_oid *commit)
{
	struct search w = { .sync = s, .repo = r, .id = guts_slice_str(run_id) };
	struct guts_slice none = { 0 };
	struct guts_storekey k;
	int err = guts_store_scan(s->s.store, GUTS_TABLE_STATUS, guts_key_repo(&k, r), none, on_status, &w);

	if (err || !w.is_found)
		return err ? err : GUTS_ENOTFOUND;
	*signer = w.found.signer;
	*commit = w.found.commit;
	return GUTS_OK;
}
