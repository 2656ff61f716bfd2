/* git/packer.c - making a thin pack: git pack-objects under the supervisor.
 *
 *	job: are the wants there, which haves do we know?  ──►  child: revisions in, pack out
 *
 * pack-objects dies of an id it does not know, so the haves of a peer are sifted first by
 * libgit2; what is left goes to its standard input.  Its output is paused through the
 * supervisor, so a slow peer holds at most the pipe's buffer here.
 */
#include "git/repostore_priv.h"

#include "base/alloc.h"
#include "git/odb.h"

#include <git2.h>
#include <stdlib.h>
#include <utlist.h>

struct guts_packer {
	struct guts_job job;
	struct guts_repostore *store;
	struct guts_packer *next, *prev;
	uint8_t id[GUTS_REPOID_SIZE];
	char *path;
	struct guts_oid *oids;   /* wants, then haves */
	size_t nwants, nhaves;
	struct guts_packer_events ev;
	void *owner;
	int err;
	bool in_job, closed, paused;
	struct guts_buf input;   /* what pack-objects is still to read */
	struct guts_child *child;
};

static void
packer_free(struct guts_packer *p)
{
	if (p->child)
		guts_child_cancel(p->child);
	DL_DELETE(p->store->packers, p);
	guts_buf_deinit(&p->input);
	free(p->oids);
	free(p->path);
	free(p);
}

/* -- the child --------------------------------------------------------------------- */

static void
feed(struct guts_packer *p)
{
	struct guts_slice left = guts_buf_slice(&p->input);

	if (p->child == NULL)
		return;
	guts_buf_consume(&p->input, guts_child_write(p->child, left));
	if (p->input.len == 0)
		guts_child_end_input(p->child);
}

static void
on_writable(void *owner)
{
	struct guts_packer *p = owner;

	if (p->input.len > 0)
		feed(p);
}

static void
on_data(void *owner, struct guts_slice bytes)
{
	struct guts_packer *p = owner;

	p->ev.data(p->owner, bytes);
}

static void
on_ended(void *owner, const struct guts_child_result *r)
{
	struct guts_packer *p = owner;

	p->child = NULL;
	p->ev.end(p->owner, r->err ? guts_gitcmd_error(r, GUTS_EIO, NULL) : GUTS_OK);
}

static const struct guts_child_events child_events = { on_data, on_writable, on_ended };

static int
start(struct guts_packer *p)
{
	static const char *const args[] = { "pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset",
		"--progress" };
	struct guts_gitcmd c;
	int err;

	guts_gitcmd_init(&c, p->store->git_path, p->path, guts_gitcmd_key(p->id));
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		guts_gitcmd_arg(&c, args[i]);
	err = guts_child_start(p->store->children, &c.spec, &child_events, p, &p->child);
	guts_gitcmd_deinit(&c);
	if (err)
		return err;
	guts_child_pause(p->child, p->paused);
	feed(p);
	return GUTS_OK;
}

/* -- before it: which ids do we have ----------------------------------------------------- */

static void
add_revision(struct guts_buf *b, const char *sign, const struct guts_oid *o)
{
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, o);
	guts_buf_add_str(b, sign);
	guts_buf_add_str(b, hex);
	guts_buf_add_u8(b, '\n');
}

static void
sift(struct guts_job *j)
{
	struct guts_packer *p = (struct guts_packer *)j;
	git_odb *odb = NULL;

	p->err = guts_odb_open(&odb, p->path);
	for (size_t i = 0; i < p->nwants && !p->err; i++) {
		if (guts_odb_type(odb, &p->oids[i]) == GUTS_OBJ_NONE)
			p->err = GUTS_ENOTFOUND;
		else
			add_revision(&p->input, "", &p->oids[i]);
	}
	for (size_t i = p->nwants; i < p->nwants + p->nhaves && !p->err; i++) {
		if (guts_odb_type(odb, &p->oids[i]) != GUTS_OBJ_NONE)
			add_revision(&p->input, "^", &p->oids[i]);
	}
	if (p->input.failed && !p->err)
		p->err = GUTS_ELIMIT;
	git_odb_free(odb);
}

static void
sifted(struct guts_job *j, void *owner)
{
	struct guts_packer *p = (struct guts_packer *)j;

	(void)owner;
	p->in_job = false;
	if (p->closed) {
		packer_free(p);
		return;
	}
	if (!p->err)
		p->err = start(p);
	free(p->oids);
	p->oids = NULL;
	if (p->err)
		p->ev.end(p->owner, p->err);
}

int
guts_repostore_pack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
    size_t nwants, const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct guts_packer *p;

	if (!guts_repostore_has(s, id))
		return GUTS_ENOTFOUND;
	p = guts_alloc(sizeof(*p));
	p->store = s;
	memcpy(p->id, id, GUTS_REPOID_SIZE);
	p->path = guts_repostore_path(s, id);
	p->oids = guts_calloc(nwants + nhaves, sizeof(*p->oids));
	if (nwants > 0)
		memcpy(p->oids, wants, nwants * sizeof(*wants));
	if (nhaves > 0)
		memcpy(p->oids + nwants, haves, nhaves * sizeof(*haves));
	p->nwants = nwants;
	p->nhaves = nhaves;
	p->ev = *ev;
	p->owner = owner;
	guts_buf_init(&p->input, (nwants + nhaves + 1) * GUTS_OID_HEX_SIZE * 2);
	p->job = (struct guts_job){ .run = sift, .done = sifted, .name = "git.sift" };
	p->in_job = true;
	DL_APPEND(s->packers, p);
	guts_env_submit(s->env, &p->job);
	*out = p;
	return GUTS_OK;
}

void
guts_repostore_pack_pause(struct guts_packer *p, bool pause)
{
	p->paused = pause;
	if (p->child)
		guts_child_pause(p->child, pause);
}

void
guts_repostore_pack_close(struct guts_packer *p)
{
	p->closed = true;
	if (!p->in_job)
		packer_free(p);
}

void
guts_repostore_packers_free(struct guts_repostore *s)
{
	struct guts_packer *p, *next;

	/* The supervisor has stopped: the children are gone without a word. */
	DL_FOREACH_SAFE(s->packers, p, next) {
		p->child = NULL;
		packer_free(p);
	}
}
