/* bridge/cifetch.c - here, or there.
 *
 * A job that runs is asked of the node that runs it, over a link that proves who it is.  Of one that has ended the record is asked, of its
 * signer first and then of others: whoever gives it, it is the signer's.  A file is taken whole, into a copy, before any of it is given.
 * What another node says is read field by field and shown by our own view, so nothing of it reaches a client as it came.
 */
#include "bridge/cifetch.h"

#include "base/text.h"
#include "bridge/ciint.h"
#include "bridge/ciview.h"
#include "proto/messages.h"

#include <stdio.h>

static void ask(struct guts_cifetch *f);
static void use_copy(struct guts_cifetch *f, struct guts_cicopy *c);

/* -- the end ------------------------------------------------------------------------------------------ */

static void
forget_hash(struct guts_cifetch *f)
{
	uint8_t sum[32];

	if (f->hash.impl)
		guts_sha256_end(&f->hash, sum);
}

static void
unlist(struct guts_cifetch *f)
{
	forget_hash(f);
	if (f->is_listed)
		DL_DELETE(f->ci->fetches, f);
	if (f->is_pausing)
		guts_env_timer_clear(f->ci->env, &f->again);
	f->is_listed = f->is_waiting = f->is_ready = f->is_pausing = false;
}

static void
fail(struct guts_cifetch *f, int err, const char *text)
{
	struct guts_errinfo ei = { 0 };

	unlist(f);
	guts_err_set(&ei, err, "%s", text);
	f->done(f->owner, err, &ei);
}

static void
finish(struct guts_cifetch *f, enum guts_cifrom from)
{
	unlist(f);
	f->from = from;
	f->done(f->owner, GUTS_OK, NULL);
}

/* Who may be asked: the signer, if it is connected, then others. */
static void
set_peers(struct guts_cifetch *f)
{
	struct guts_sync *sync = guts_node_sync(f->ci->node);
	struct guts_repo *r = guts_sync_find(sync, f->repo);

	f->next_peer = f->nbusy = 0;
	f->npeers = r ? guts_sync_job_peers(sync, r, &f->signer, f->peers, GUTS_CIFETCH_PEERS_MAX) : 0;
	f->signer_is_asked = f->npeers > 0 && guts_peerid_eq(&f->peers[0], &f->signer);
	if (f->signer_only)
		f->npeers = f->signer_is_asked;
}

/* The file does not come from this peer. */
static void
try_next(struct guts_cifetch *f, int err, const char *why)
{
	f->err = err;
	snprintf(f->why, sizeof f->why, "%s", why);
	ask(f);
}

/* -- a file, piece by piece ------------------------------------------------------------------------------- */

static void
restart(struct guts_cifetch *f)
{
	f->got = 0;
	forget_hash(f);
	if (f->copy)
		guts_sha256_begin(&f->hash);
}

static void
settle(struct guts_cifetch *f, bool is_whole)
{
	struct guts_cicopy *c = f->copy;

	f->copy = NULL;
	guts_cicopy_settle(&f->ci->copies, c, &f->job, f->index, is_whole);
}

static void
on_whole(struct guts_cifetch *f)
{
	uint8_t hash[32];

	guts_sha256_end(&f->hash, hash);
	if (memcmp(hash, f->job.files[f->index].sha256, sizeof hash) != 0) {
		guts_sync_blame_job(guts_node_sync(f->ci->node), &f->peer);
		restart(f);
		try_next(f, GUTS_EUNAVAILABLE, "the file is not what the node signed that ran the job");
		return;
	}
	settle(f, true);
	finish(f, GUTS_CIFROM_STORE);
}

static void
on_written(void *owner, int err, uint64_t first, uint64_t last)
{
	struct guts_cifetch *f = owner;

	(void)first;
	(void)last;
	if (err) {
		settle(f, false);
		fail(f, err, "the file cannot be stored");
		return;
	}
	f->got += f->piece;
	if (f->got == f->job.files[f->index].bytes) {
		on_whole(f);
	} else {
		f->next_peer--; /* the same again */
		ask(f);
	}
}

static void
take_piece(struct guts_cifetch *f, struct guts_slice data)
{
	uint64_t left = f->job.files[f->index].bytes - f->got;
	size_t want = left < GUTS_MSG_JOB_DATA_MAX ? (size_t)left : GUTS_MSG_JOB_DATA_MAX;
	int err;

	if (data.n != want) {
		guts_sync_blame_job(guts_node_sync(f->ci->node), &f->peer);
		restart(f);
		try_next(f, GUTS_EUNAVAILABLE, "the node has less or more of the file than was signed");
		return;
	}
	if (want == 0) {
		on_whole(f);
		return;
	}
	guts_sha256_add(&f->hash, data);
	f->piece = data.n;
	err = guts_cicopy_write(&f->ci->copies, f->copy, f->index, f->got, data, on_written, f);
	if (err)
		on_written(f, err, 0, 0);
}

/* -- what a node tells ------------------------------------------------------------------------------------------ */

/* Is this the job that the status is of? */
static bool
is_the_one(const struct guts_cifetch *f)
{
	return strcmp(f->job.id, f->id) == 0 && guts_oid_eq(&f->job.commit, &f->commit);
}

/* Of a job that has not ended its signer alone may tell. */
static void
take_word(struct guts_cifetch *f, const struct guts_msg_job *m)
{
	if (!guts_peerid_eq(&f->peer, &f->signer) || guts_cijob_read(&f->job, m->json) || !is_the_one(f)) {
		try_next(f, GUTS_EUNAVAILABLE, "the node that ran the job told something else");
		return;
	}
	memcpy(f->job.repo, f->repo, sizeof f->job.repo);
	guts_buf_clear(&f->data);
	guts_buf_add_slice(&f->data, m->data);
	finish(f, GUTS_CIFROM_PEER);
}

/* The file of a job whose record is here comes, if there is room for it. */
static void
begin_file(struct guts_cifetch *f, struct guts_cicopy *c)
{
	if (guts_cicopy_expect(&f->ci->copies, c, &f->job, f->index)) {
		fail(f, GUTS_ELIMIT, "the file is larger than what is kept of other nodes' jobs (ci.copies)");
		return;
	}
	f->copy = c;
	restart(f);
	ask(f);
}

static void
take_record(struct guts_cifetch *f, const struct guts_msg_job *m)
{
	struct guts_cicopies *k = &f->ci->copies;
	struct guts_peerid signer;
	struct guts_cicopy *c;

	if (guts_cijob_open(&f->job, &signer, m->record)) {
		guts_sync_blame_job(guts_node_sync(f->ci->node), &f->peer);
		try_next(f, GUTS_EUNAVAILABLE, "the job is not what the node signed that ran it");
	} else if (!guts_peerid_eq(&signer, &f->signer) || !is_the_one(f) || memcmp(f->job.repo, f->repo, sizeof f->repo) != 0) {
		try_next(f, GUTS_EUNAVAILABLE, "the job that was told is another");
	} else if (f->copy) {
		f->job.number = f->copy->number;
		take_piece(f, m->data);
	} else if ((c = guts_cicopy_find(k, f->id)) != NULL) {
		set_peers(f);
		use_copy(f, c);
	} else if (guts_cicopy_keep(k, &f->job, m->record)) {
		f->is_waiting = true; /* until it is stored */
	} else if (guts_peerid_eq(&f->peer, &f->signer)) {
		guts_buf_clear(&f->data);
		guts_buf_add_slice(&f->data, m->data);
		finish(f, GUTS_CIFROM_PEER);
	} else {
		fail(f, GUTS_ELIMIT, "nothing is kept of other nodes' jobs (ci.copies)");
	}
}

static void
on_told(void *owner, int err, const char *text, const struct guts_msg_job *m)
{
	struct guts_cifetch *f = owner;

	if (err == GUTS_ENOTFOUND) {
		restart(f);
		try_next(f, err, "no node that is connected has the job or the file any more");
	} else if (err) {
		if (err == GUTS_EBUSY)
			f->peers[f->nbusy++] = f->peer;
		restart(f);
		try_next(f, err == GUTS_EUNSUPPORTED || err == GUTS_EPROTO ? GUTS_EUNAVAILABLE : err, text ? text : guts_err_text(err));
	} else if (m->record.n) {
		take_record(f, m);
	} else {
		take_word(f, m);
	}
}

static void
on_again(struct guts_timer *t, void *owner)
{
	struct guts_cifetch *f = owner;

	(void)t;
	f->is_pausing = false;
	ask(f);
}

/* All were asked, and some were busy, perhaps with getting it themselves: they are asked again, a little later each time. */
static bool
ask_again(struct guts_cifetch *f)
{
	uint64_t ms = (uint64_t)GUTS_CIFETCH_AGAIN_MS << f->tries;

	if (f->nbusy == 0 || ++f->tries == GUTS_CIFETCH_TRIES_MAX || !f->ci->is_running)
		return false;
	f->npeers = f->nbusy;
	f->next_peer = f->nbusy = 0;
	f->is_pausing = true;
	if (ms > GUTS_CIFETCH_AGAIN_MAX_MS)
		ms = GUTS_CIFETCH_AGAIN_MAX_MS;
	guts_env_timer_set(f->ci->env, &f->again, guts_env_now(f->ci->env) + ms * GUTS_MS_NS);
	return true;
}

/* Ask the next peer. */
static void
ask(struct guts_cifetch *f)
{
	struct guts_sync *sync = guts_node_sync(f->ci->node);
	struct guts_repo *r = guts_sync_find(sync, f->repo);
	uint8_t id[16];

	if (r && f->next_peer >= f->npeers && ask_again(f))
		return;
	if (!f->ci->is_running || !r || f->next_peer >= f->npeers) {
		if (f->copy)
			settle(f, false);
		if (f->err == GUTS_ENOTFOUND && !f->signer_is_asked)
			f->err = 0; /* others need not have it */
		fail(f, f->err ? f->err : GUTS_EUNAVAILABLE, f->err ? f->why : "the node that ran the job is not connected, and no other has it");
		return;
	}
	f->peer = f->peers[f->next_peer++];
	(void)guts_hex_decode(id, sizeof id, guts_slice_str(f->id));
	guts_sync_ask_job(sync, r, &f->peer, id, f->file, f->copy ? f->got : f->offset, on_told, f);
}

/* -- where it is ------------------------------------------------------------------------------------------------- */

/* A copy is here: give it, wait for what comes of it, or get the file. */
static void
use_copy(struct guts_cifetch *f, struct guts_cicopy *c)
{
	int err = c->is_stored ? guts_cicopy_read(f->ci->store, c, &f->job, NULL) : GUTS_OK;

	if (err || memcmp(c->repo, f->repo, sizeof f->repo) != 0) {
		fail(f, err ? err : GUTS_ENOTFOUND, err ? "the copy of the job cannot be read" : "no such job");
		return;
	}
	f->index = guts_cifile_find(&f->job, f->file);
	if (c->is_stored && f->file[0] == '\0')
		finish(f, GUTS_CIFROM_STORE);
	else if (c->is_stored && f->index == GUTS_CIJOB_FILES_MAX)
		fail(f, GUTS_ENOTFOUND, "the job has no such file");
	else if (c->is_stored && c->have & 1u << f->index)
		finish(f, GUTS_CIFROM_STORE);
	else if (!c->is_stored || c->coming & 1u << f->index)
		f->is_waiting = true;
	else
		begin_file(f, c);
}

void
guts_cifetch_run(struct guts_cifetch *f)
{
	struct guts_ci *ci = f->ci;
	struct guts_sync *sync = guts_node_sync(ci->node);
	struct guts_repo *r = guts_sync_find(sync, f->repo);
	struct guts_cifetch *other;
	struct guts_cicopy *c;
	size_t n;
	uint8_t id[16];
	int err = guts_cijob_find(ci->store, guts_slice_str(f->id), &f->job);

	f->is_own = !err && memcmp(f->job.repo, f->repo, sizeof f->repo) == 0;
	if (f->is_own) {
		finish(f, GUTS_CIFROM_STORE);
		return;
	}
	err = r && guts_hex_decode(id, sizeof id, guts_slice_str(f->id)) == GUTS_OK ?
	    guts_sync_job_signer(sync, r, f->id, &f->signer, &f->commit) :
	    GUTS_ENOTFOUND;
	DL_COUNT(ci->fetches, other, n);
	if (err || guts_peerid_eq(&f->signer, &guts_node_key(ci->node)->id) || n >= GUTS_CIFETCHES_MAX || !ci->is_running) {
		fail(f, err ? err : !ci->is_running ? GUTS_EUNAVAILABLE : n >= GUTS_CIFETCHES_MAX ? GUTS_EBUSY : GUTS_ENOTFOUND,
		    n >= GUTS_CIFETCHES_MAX ? "too many jobs of other nodes are being read" : "no such job");
		return;
	}
	DL_APPEND(ci->fetches, f);
	f->is_listed = true;
	f->err = GUTS_OK;
	f->again = (struct guts_timer){ .fire = on_again, .owner = f, .at_ns = GUTS_NEVER };
	f->tries = 0;
	set_peers(f);
	c = guts_cicopy_find(&ci->copies, f->id);
	if (c)
		use_copy(f, c);
	else
		ask(f);
}

static struct guts_cifetch *
first_ready(struct guts_ci *ci)
{
	struct guts_cifetch *f;

	DL_FOREACH (ci->fetches, f) {
		if (f->is_ready)
			break;
	}
	return f;
}

void
guts_cifetch_wake(struct guts_ci *ci, const char *id)
{
	struct guts_cifetch *f;

	DL_FOREACH (ci->fetches, f) {
		if (id ? f->is_waiting && strcmp(f->id, id) == 0 : f->is_waiting || f->is_pausing)
			f->is_ready = true;
	}
	if (ci->is_waking)
		return; /* what is under way below comes to them */
	ci->is_waking = true;
	while ((f = first_ready(ci)) != NULL) {
		unlist(f);
		guts_cifetch_run(f);
	}
	ci->is_waking = false;
}
