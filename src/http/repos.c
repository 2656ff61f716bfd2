/* http/repos.c - which repository a request names, and whether the asker may know of it.
 *
 * One answer for "not there" and "not for you": 404 (on git's paths 401 for an asker without a token,
 * since git sends credentials only when asked; again the same in both cases).
 */
#include "http/internal.h"
#include "wire/multibase.h"

bool
guts_req_owner(struct guts_req *r, struct guts_slice owner, struct guts_peerid *id)
{
	struct guts_buf v;
	bool found;

	if (guts_peerid_parse(id, owner) == 0)
		return true;
	guts_buf_init(&v, 256);
	found = owner.n <= GUTS_NAME_MAX && guts_store_get(r->h->store, GUTS_TABLE_ALIAS, owner, &v) == 0 &&
	    guts_peerid_decode(id, guts_buf_slice(&v)) == 0;
	guts_buf_deinit(&v);
	return found;
}

static struct guts_repo_info *
lookup(struct guts_req *r, struct guts_snapshot *s, struct guts_slice owner, struct guts_slice name)
{
	uint8_t id[GUTS_REPOID_SIZE];
	char text[GUTS_PEERID_TEXT_SIZE];
	struct guts_peerid peer;
	struct guts_repo_info *i;

	if (name.n == 0)
		return guts_repoid_parse(id, owner) == 0 ? guts_snapshot_repo(s, id) : NULL;
	if (!guts_req_owner(r, owner, &peer))
		return NULL;
	guts_peerid_text(text, &peer);
	i = guts_snapshot_repo_by_path(s, guts_slice_str(text), name);
	if (!i && guts_sync_name_bound(r->h->store, &peer, name, id) == 0)
		i = guts_snapshot_repo(s, id); /* a name it had before */
	return i;
}

struct guts_repo_info *
guts_find_repo(struct guts_req *r, struct guts_slice owner, struct guts_slice name, bool *moved)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_repo_info *i = lookup(r, s, owner, name);

	*moved = false;
	if (i && !guts_who_may_see(&r->who, i->id, i->is_private))
		i = NULL;
	if (i) {
		*moved = name.n && !guts_slice_eq(name, guts_slice_str(i->name));
		guts_repo_info_ref(i);
	}
	guts_snapshot_unref(s);
	return i;
}

struct guts_repo_info *
guts_req_repo(struct guts_req *r)
{
	bool moved;
	struct guts_repo_info *i = guts_find_repo(r, guts_req_param(r, 0), guts_req_param(r, 1), &moved);

	if (!i)
		guts_reply_problem(r, 404, "no such repository");
	return i;
}
