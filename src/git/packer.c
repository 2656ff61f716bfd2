/* git/packer.c - making a pack: git pack-objects under the supervisor.
 *
 *	job: are the wants there, which haves do we know?  ──►  child: revisions in, thin pack out
 *	exact: …  ──►  child: all that the refs reach, until every want was seen  ──►  child: ids in, pack out
 *
 * pack-objects dies of an id it does not know, so the haves of a peer are sifted first by
 * libgit2; what is left goes to its standard input.  Its output is paused through the
 * supervisor, so a slow peer holds at most the pipe's buffer here.  An object may be asked for by its id
 * only if a ref reaches it: the newest commits are walked first, and the walk ends with the last want.
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
	bool in_job, closed, paused, exact;
	struct guts_buf input;   /* what pack-objects is still to read */
	struct guts_child *child;
	bool *seen;              /* exact: which of the wants (sorted) the walk has met, */
	size_t nseen;            /* and how many */
	char line[GUTS_OID_HEX_SIZE]; /* the one it is printing */
	size_t nline;
};

static void
packer_free(struct guts_packer *p)
{
	if (p->child)
		guts_child_cancel(p->child);
	DL_DELETE(p->store->packers, p);
	guts_buf_deinit(&p->input);
	free(p->oids);
	free(p->seen);
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

static const struct guts_child_events child_events = { .data = on_data, .writable = on_writable, .exit = on_ended };

/* Run git with these arguments (NULL ends) in the repository. */
static int
run_git(struct guts_packer *p, const char *const *args, const struct guts_child_events *ev)
{
	struct guts_gitcmd c;
	int err;

	guts_gitcmd_init(&c, p->store->git_path, p->path, guts_gitcmd_key(p->id));
	while (*args)
		guts_gitcmd_arg(&c, *args++);
	c.spec.is_serving = true;
	err = guts_child_start(p->store->children, &c.spec, ev, p, &p->child);
	guts_gitcmd_deinit(&c);
	return err;
}

static int
start(struct guts_packer *p)
{
	static const char *const reached[] = { "pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset",
		"--progress", NULL };
	static const char *const listed[] = { "pack-objects", "--stdout", "--delta-base-offset", "--progress", NULL };
	int err = run_git(p, p->exact ? listed : reached, &child_events);

	if (err)
		return err;
	guts_child_pause(p->child, p->paused);
	feed(p);
	return GUTS_OK;
}

/* -- exact: do the refs reach the wants? ---------------------------------------------------- */

static int
cmp_oid(const void *a, const void *b)
{
	const struct guts_oid *x = a, *y = b;

	return memcmp(x->b, y->b, sizeof(x->b));
}

/* The walk has met an object. */
static void
meet(struct guts_packer *p)
{
	struct guts_oid oid, *at;

	if (guts_oid_from_hex(&oid, guts_slice(p->line, p->nline)))
		return;
	at = bsearch(&oid, p->oids, p->nwants, sizeof(oid), cmp_oid);
	if (at && !p->seen[at - p->oids]) {
		p->seen[at - p->oids] = true;
		p->nseen++;
	}
}

static void
on_walk_data(void *owner, struct guts_slice bytes)
{
	struct guts_packer *p = owner;
	int err;

	for (size_t i = 0; i < bytes.n && p->nseen < p->nwants; i++) {
		if (bytes.p[i] == '\n') {
			meet(p);
			p->nline = 0;
		} else if (p->nline < sizeof(p->line)) {
			p->line[p->nline++] = (char)bytes.p[i];
		}
	}
	if (p->nseen < p->nwants)
		return;
	guts_child_cancel(p->child);
	p->child = NULL;
	err = start(p);
	if (err)
		p->ev.end(p->owner, err);
}

static void
on_walk_ended(void *owner, const struct guts_child_result *r)
{
	struct guts_packer *p = owner;

	p->child = NULL;
	p->ev.end(p->owner, r->err ? guts_gitcmd_error(r, GUTS_EIO, NULL) : GUTS_ENOTFOUND);
}

static int
walk(struct guts_packer *p)
{
	static const char *const args[] = { "rev-list", "--objects", "--no-object-names", "--in-commit-order", "--all", NULL };
	static const struct guts_child_events events = { .data = on_walk_data, .exit = on_walk_ended };
	int err = run_git(p, args, &events);

	if (!err)
		guts_child_end_input(p->child);
	return err;
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
		p->err = p->exact ? walk(p) : start(p);
	if (!p->exact) {
		free(p->oids);
		p->oids = NULL;
	}
	if (p->err)
		p->ev.end(p->owner, p->err);
}

static struct guts_packer *
packer_new(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants, size_t nwants,
    const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner)
{
	struct guts_packer *p;

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
	return p;
}

static void
packer_go(struct guts_packer *p)
{
	p->job = (struct guts_job){ .run = sift, .done = sifted, .name = "git.sift" };
	p->in_job = true;
	DL_APPEND(p->store->packers, p);
	guts_env_submit(p->store->env, &p->job);
}

int
guts_repostore_pack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
    size_t nwants, const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out)
{
	struct guts_repostore *s = (struct guts_repostore *)r;

	if (!guts_repostore_has(s, id))
		return GUTS_ENOTFOUND;
	*out = packer_new(s, id, wants, nwants, haves, nhaves, ev, owner);
	packer_go(*out);
	return GUTS_OK;
}

int
guts_repostore_pack_exact(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
    size_t nwants, const struct guts_packer_events *ev, void *owner, struct guts_packer **out)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct guts_packer *p;
	size_t n = 0;

	if (!guts_repostore_has(s, id))
		return GUTS_ENOTFOUND;
	*out = p = packer_new(s, id, wants, nwants, NULL, 0, ev, owner);
	p->exact = true;
	qsort(p->oids, nwants, sizeof(*p->oids), cmp_oid);
	for (size_t i = 0; i < nwants; i++) { /* each once */
		if (n == 0 || cmp_oid(&p->oids[n - 1], &p->oids[i]) != 0)
			p->oids[n++] = p->oids[i];
	}
	p->nwants = n;
	p->seen = guts_calloc(n, sizeof(*p->seen));
	packer_go(p);
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
