/* http/cifetch.c - here, or there.
 *
 * What the other node says is read field by field and shown by our own view, so nothing of it reaches a client as it came.
 */
#include "http/cifetch.h"

#include "base/text.h"
#include "bridge/ciview.h"

static void
fail(struct guts_cifetch *f, int err, const char *text)
{
	struct guts_errinfo ei = { 0 };

	guts_err_set(&ei, err, "%s", text);
	f->done(f->owner, err, &ei);
}

static void
on_told(void *owner, int err, const char *text, struct guts_slice json, struct guts_slice data)
{
	struct guts_cifetch *f = owner;

	if (err == GUTS_ENOTFOUND) {
		fail(f, err, "the node that ran the job has no such job or file any more");
	} else if (err) {
		fail(f, err == GUTS_EUNSUPPORTED ? GUTS_EUNAVAILABLE : err, text ? text : guts_err_text(err));
	} else if (guts_cijob_read(&f->job, json) || strcmp(f->job.id, f->id) != 0 || !guts_oid_eq(&f->job.commit, &f->commit)) {
		fail(f, GUTS_EPROTO, "the node that ran the job told something else");
	} else {
		memcpy(f->job.repo, f->repo, sizeof f->job.repo);
		guts_buf_add_slice(&f->data, data);
		f->done(f->owner, GUTS_OK, NULL);
	}
}

void
guts_cifetch_run(struct guts_cifetch *f)
{
	struct guts_sync *sync = guts_node_sync(f->h->node);
	struct guts_repo *r = guts_sync_find(sync, f->repo);
	struct guts_peerid signer;
	uint8_t id[16];
	int err = guts_cijob_find(f->h->store, guts_slice_str(f->id), &f->job);

	if (!err && memcmp(f->job.repo, f->repo, sizeof f->repo) == 0) {
		f->done(f->owner, GUTS_OK, NULL);
		return;
	}
	err = r && guts_hex_decode(id, sizeof id, guts_slice_str(f->id)) == GUTS_OK ?
	    guts_sync_job_signer(sync, r, f->id, &signer, &f->commit) :
	    GUTS_ENOTFOUND;
	if (err || guts_peerid_eq(&signer, &f->h->id)) {
		fail(f, err ? err : GUTS_ENOTFOUND, "no such job");
		return;
	}
	f->is_remote = true;
	guts_buf_clear(&f->data);
	guts_sync_ask_job(sync, r, &signer, id, f->file, f->offset, on_told, f);
}
