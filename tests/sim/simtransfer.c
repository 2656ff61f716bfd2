/* tests/sim/simtransfer.c - packs in virtual time: taken in through quarantine, sent out piece by piece.
 *
 * What comes in is gathered here and given to the disk at the moment of the verdict; what goes out was made by the
 * disk when it was opened.  So a pack costs the same moments whatever it is made of.
 */
#include "simrepo_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define HELD_MAX    (256u << 10)
#define CHUNK_BYTES (16u << 10)
#define CHUNK_NS    (GUTS_MS_NS / 2) /* between two chunks of a pack that is sent */
#define OPEN_MAX    64
#define PROGRESS_NS (100 * GUTS_MS_NS)

/* --- taking in ------------------------------------------------------------ */

static void
disk_writable(void *owner)
{
	struct guts_ingest *g = owner;

	g->has_room = true;
	g->wait.d->ops->over(g->wait.d);
}

static void
disk_verified(void *owner, int err, const struct guts_ingest_result *r)
{
	struct guts_ingest *g = owner;

	g->result = *r;
	g->why = r->detail ? guts_strdup(r->detail) : NULL;
	g->result.detail = g->why;
	if (r->answers)
		memcpy(g->asks, r->answers, g->nasks * sizeof *g->asks);
	g->result.answers = r->answers ? g->asks : NULL;
	sim_over(&g->wait, err);
}

static void
disk_accepted(void *owner, int err)
{
	sim_over(&((struct guts_ingest *)owner)->wait, err);
}

static const struct guts_ingest_events disk_events = { .writable = disk_writable, .verified = disk_verified,
	.accepted = disk_accepted };

void
simtransfer_ingest_free(struct guts_ingest *g)
{
	if (!g->accepting) {
		DL_DELETE(g->r->ingests, g);
		g->r->ningests--;
	}
	if (g->disk)
		guts_ingest_abort(simrepo_disk(g->r), g->disk);
	guts_buf_deinit(&g->bytes);
	free(g->why);
	free(g->asks);
	free(g);
}

int
simtransfer_ingest_open(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
    const struct guts_ingest_spec *spec, const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out)
{
	struct simrepo *r = simrepo_of(base);
	struct guts_ingest *g;
	int err;

	if (r->ningests == OPEN_MAX)
		return GUTS_EBUSY;
	g = guts_alloc(sizeof *g);
	g->r = r;
	memcpy(g->id, id, sizeof g->id);
	g->ev = ev;
	g->owner = owner;
	g->wait.d = r->p->disk;
	g->pack_max = spec->pack_max;
	g->asks = guts_memdup(spec->asks, spec->nasks * sizeof *spec->asks);
	g->nasks = spec->nasks;
	guts_buf_init(&g->bytes, GUTS_PACK_MAX);
	err = guts_ingest_open(simrepo_disk(r), id, spec, &disk_events, g, &g->disk);
	if (err) {
		free(g->asks);
		free(g);
		return err;
	}
	DL_APPEND(r->ingests, g);
	r->ningests++;
	*out = g;
	return 0;
}

static void
tell(struct guts_ingest *g, int err)
{
	g->told = true;
	g->ev->verified(g->owner, err, &g->result);
}

static bool
is_too_large(struct guts_ingest *g)
{
	if (g->bytes.len <= g->pack_max)
		return false;
	g->result = (struct guts_ingest_result){ .pack_bytes = g->bytes.len, .detail = "pack is too large" };
	tell(g, GUTS_ELIMIT);
	return true;
}

static void
fire_digest(struct sim *s, struct sim_event *ev)
{
	struct guts_ingest *g = ev->a;

	g->event = NULL;
	g->held = 0;
	if (is_too_large(g))
		return;
	/* one call at most: it may abort */
	if (g->full) {
		g->full = false;
		g->ev->writable(g->owner);
	} else if (g->ev->progress && s->now - g->progress_ns >= PROGRESS_NS) {
		g->progress_ns = s->now;
		g->ev->progress(g->owner, g->bytes.len, 0);
	}
}

size_t
simtransfer_ingest_write(struct guts_ingest *g, struct guts_slice bytes)
{
	struct sim *s = g->r->p->s;
	size_t n = HELD_MAX - g->held;

	assert(!g->ended);
	if (g->told)
		return bytes.n;
	if (n > bytes.n)
		n = bytes.n;
	guts_buf_add(&g->bytes, bytes.p, n);
	g->held += n;
	if (n < bytes.n)
		g->full = true;
	if (!g->event)
		g->event = sim_event_add(s, g->r->p->index, s->now + GUTS_MS_NS, SIM_DISK, fire_digest, g, NULL);
	return n;
}

/* Give the disk all the bytes and wait for its verdict. */
static int
verify_now(struct guts_ingest *g)
{
	struct guts_repos *disk = simrepo_disk(g->r);
	struct guts_slice rest = guts_buf_slice(&g->bytes);

	while (rest.n && !g->wait.is_over) {
		size_t n;

		g->has_room = false;
		n = guts_ingest_write(disk, g->disk, rest);
		rest = guts_slice(rest.p + n, rest.n - n);
		while (rest.n && !g->has_room && !g->wait.is_over)
			g->wait.d->ops->turn(g->wait.d);
	}
	if (!g->wait.is_over)
		guts_ingest_end(disk, g->disk);
	return sim_wait(&g->wait);
}

static void
fire_verify(struct sim *s, struct sim_event *ev)
{
	struct guts_ingest *g = ev->a;

	(void)s;
	g->event = NULL;
	if (!is_too_large(g))
		tell(g, verify_now(g));
}

void
simtransfer_ingest_end(struct guts_ingest *g)
{
	struct sim *s = g->r->p->s;

	assert(!g->ended);
	g->ended = true;
	if (g->told)
		return;
	if (g->event)
		sim_event_cancel(s, g->event);
	g->event = sim_event_add(s, g->r->p->index,
	    s->now + sim_between(&g->r->p->fate, s->c.job_min_ns, s->c.job_max_ns), SIM_DISK, fire_verify, g, NULL);
}

int
simtransfer_accept_now(struct guts_ingest *g)
{
	struct guts_ingest *disk = g->disk;

	g->disk = NULL; /* its own from now on */
	g->wait.is_over = false;
	guts_ingest_accept(simrepo_disk(g->r), disk);
	return sim_wait(&g->wait);
}

void
simtransfer_ingest_accept(struct guts_ingest *g)
{
	struct op *op = simrepo_op(g->r, OP_ACCEPT, g->id);

	assert(g->told && g->ended);
	DL_DELETE(g->r->ingests, g);
	g->r->ningests--;
	g->accepting = true;
	op->g = g;
	op->done = g->ev->accepted;
	op->owner = g->owner;
}

void
simtransfer_ingest_abort(struct guts_ingest *g)
{
	assert(!g->accepting);
	if (g->event)
		sim_event_cancel(g->r->p->s, g->event);
	simtransfer_ingest_free(g);
}

/* --- sending out ---------------------------------------------------------- */

void
simtransfer_packer_free(struct guts_packer *p)
{
	DL_DELETE(p->r->packers, p);
	p->r->npackers--;
	guts_buf_deinit(&p->bytes);
	free(p);
}

static void fire_send(struct sim *s, struct sim_event *ev);

static void
send_later(struct guts_packer *p, uint64_t at)
{
	if (!p->event && !p->paused && !p->ended)
		p->event = sim_event_add(p->r->p->s, p->r->p->index, at, SIM_DISK, fire_send, p, NULL);
}

static void
fire_send(struct sim *s, struct sim_event *ev)
{
	struct guts_packer *p = ev->a;
	struct guts_slice all = guts_buf_slice(&p->bytes);

	p->event = NULL;
	p->busy = true;
	if (p->wait.err || p->sent == all.n) {
		p->ended = true;
		p->ev->end(p->owner, p->wait.err);
	} else {
		size_t n = all.n - p->sent < CHUNK_BYTES ? all.n - p->sent : CHUNK_BYTES;

		p->sent += n;
		ev->length = (uint32_t)n;
		p->ev->data(p->owner, guts_slice(all.p + p->sent - n, n));
		if (!p->closed)
			send_later(p, s->now + CHUNK_NS);
	}
	p->busy = false;
	if (p->closed)
		simtransfer_packer_free(p);
}

static void
disk_data(void *owner, struct guts_slice bytes)
{
	guts_buf_add_slice(&((struct guts_packer *)owner)->bytes, bytes);
}

static void
disk_end(void *owner, int err)
{
	sim_over(&((struct guts_packer *)owner)->wait, err);
}

static const struct guts_packer_events disk_packer_events = { disk_data, disk_end };

int
simtransfer_pack_open(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
    size_t nwants, const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out)
{
	struct simrepo *r = simrepo_of(base);
	struct sim *s = r->p->s;
	struct guts_packer *p, *disk;
	int err;

	if (r->npackers == OPEN_MAX)
		return GUTS_EBUSY;
	p = guts_alloc(sizeof *p);
	p->r = r;
	p->ev = ev;
	p->owner = owner;
	p->wait.d = r->p->disk;
	guts_buf_init(&p->bytes, GUTS_PACK_MAX);
	err = guts_pack_open(simrepo_disk(r), id, wants, nwants, haves, nhaves, &disk_packer_events, p, &disk);
	if (err) {
		free(p);
		return err;
	}
	(void)sim_wait(&p->wait);
	guts_pack_close(simrepo_disk(r), disk);
	DL_APPEND(r->packers, p);
	r->npackers++;
	send_later(p, s->now + sim_between(&r->p->fate, s->c.job_min_ns, s->c.job_max_ns));
	*out = p;
	return 0;
}

void
simtransfer_pack_pause(struct guts_packer *p, bool pause)
{
	p->paused = pause;
	if (pause && p->event) {
		sim_event_cancel(p->r->p->s, p->event);
		p->event = NULL;
	} else if (!pause) {
		send_later(p, p->r->p->s->now);
	}
}

void
simtransfer_pack_close(struct guts_packer *p)
{
	if (p->event)
		sim_event_cancel(p->r->p->s, p->event);
	p->event = NULL;
	p->closed = true;
	if (!p->busy)
		simtransfer_packer_free(p);
}
