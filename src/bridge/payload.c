/* bridge/payload.c - facts as webhook payloads.
 *
 * A push must fit whatever its commits are: it is written with fewer and fewer of them until it does, the
 * last time with the newest alone, its text cut.
 */
#include "bridge/payload.h"

#include "bridge/hookview.h"
#include "git/read.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX (64u << 20)   /* [bytes] of commits and names of one payload */
#define MESSAGE_CUT 1024        /* [bytes] of a message when all else did not help */

/* How much is told of a push. */
struct detail {
	size_t commits;
	bool files;
	size_t message_max; /* [bytes] */
};

struct push {
	const struct guts_payload *p;
	struct guts_view_repo_ctx x;
	char path[GUTS_VIEW_PATH_SIZE];
	struct guts_slice ref;
	struct guts_oid before, after;
	bool is_branch, is_created, is_deleted, is_forced, is_test;
	struct guts_read *git;              /* NULL: the repository cannot be read */
	struct guts_read_commits commits;   /* newest first */
	struct guts_read_diff *files;       /* of each, made when first needed */
	bool *has_files;
	struct guts_read_commit head;
	struct guts_read_diff head_files;
	bool has_head;
	struct guts_arena arena;
};

/* What is behind `prefix`; empty if it is not there. */
static struct guts_slice
behind(struct guts_slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n > n && memcmp(s.p, prefix, n) == 0 ? guts_slice(s.p + n, s.n - n) : guts_slice(NULL, 0);
}

/* A ref as its author named it: without refs/namespaces/<peer id>/. */
static struct guts_slice
own_name(struct guts_slice ref)
{
	struct guts_slice in = behind(ref, "refs/namespaces/");
	const uint8_t *slash = in.n ? memchr(in.p, '/', in.n) : NULL;

	return slash ? guts_slice(slash + 1, in.n - (size_t)(slash + 1 - in.p)) : ref;
}

struct guts_slice
guts_ref_branch(struct guts_slice ref)
{
	return behind(own_name(ref), "refs/heads/");
}

struct guts_slice
guts_ref_tag(struct guts_slice ref)
{
	return behind(own_name(ref), "refs/tags/");
}

/* -- what all have ----------------------------------------------------------------------------- */

/* A key's or hash's last 48 bits: forges number what they have, and clients with types take nothing but a number. */
static uint64_t
number_of(const uint8_t *p, size_t n)
{
	uint64_t number = 0;

	for (size_t i = n > 6 ? n - 6 : 0; i < n; i++)
		number = number << 8 | p[i];
	return number;
}

/* A user of both forges; there is no mail address. */
static void
put_user(struct guts_json *j, const char *key, struct guts_slice peer)
{
	struct guts_peerid id = { 0 };
	char text[GUTS_PEERID_TEXT_SIZE] = "";

	if (peer.n && guts_peerid_decode(&id, peer) == GUTS_OK)
		guts_peerid_text(text, &id);
	guts_json_key(j, key);
	guts_json_object(j);
	guts_json_put_str(j, "login", text);
	guts_json_put_u64(j, "id", number_of(id.b, id.n));
	guts_json_put_str(j, "username", text);
	guts_json_put_str(j, "full_name", "");
	guts_json_put_str(j, "email", "");
	guts_json_put_str(j, "visibility", "public");
	guts_json_put_str(j, "type", "User");
	guts_json_object_end(j);
}

static void
put_repository(struct guts_json *j, const struct guts_payload *p)
{
	struct guts_slice owner = guts_fact_text(p->fact, "owner"), name = guts_fact_text(p->fact, "name");
	char id[GUTS_REPOID_TEXT_SIZE];
	char full[GUTS_VIEW_PATH_SIZE];
	const uint8_t *rid = p->repo ? p->repo->id : p->fact->repo.n == GUTS_REPOID_SIZE ? p->fact->repo.p : NULL;

	if (!rid)
		return;
	guts_json_key(j, "repository");
	guts_json_object(j);
	guts_json_put_u64(j, "id", number_of(rid, GUTS_REPOID_SIZE));
	if (p->repo) {
		put_user(j, "owner", guts_peerid_slice(&p->repo->creator));
		guts_view_repo_members(j, p->base, p->repo);
	} else {
		guts_repoid_text(id, rid);
		snprintf(full, sizeof full, "%.*s/%.*s", (int)owner.n, (const char *)owner.p, (int)name.n, (const char *)name.p);
		guts_json_put_text(j, "name", name);
		guts_json_put_str(j, "full_name", full);
		guts_json_key(j, "html_url");
		guts_json_strs(j, p->base, "/", full, NULL);
		guts_json_key(j, "guts_url");
		guts_json_strs(j, "guts://", id, NULL);
	}
	guts_json_object_end(j);
}

static void
put_end(struct guts_json *j, const struct guts_payload *p)
{
	put_repository(j, p);
	put_user(j, "sender", p->fact->peer);
	guts_json_object_end(j);
}

static void
put_oid(struct guts_json *j, const char *key, const struct guts_oid *oid)
{
	guts_json_key(j, key);
	guts_view_oid(j, oid);
}

/* -- push: reading ------------------------------------------------------------------------------- */

/* What a new branch starts from: the default branch, unless it is that. */
static struct guts_oid
base_of_new(const struct push *u)
{
	const struct guts_repo_info *i = u->p->repo;
	char name[GUTS_REFNAME_MAX + 1];
	const struct guts_refs_row *row;

	snprintf(name, sizeof name, "refs/heads/%s", i->default_branch ? i->default_branch : "");
	row = i->canonical && !guts_slice_eq(u->ref, guts_slice_str(name)) ?
	    guts_refs_view_find(i->canonical, guts_slice_str(name)) : NULL;
	return row ? row->oid : (struct guts_oid){ 0 };
}

/* Does the ref lose commits?  Facts tell of canonical refs only. */
static bool
loses_commits(struct push *u)
{
	struct guts_read_commits lost;

	return !u->is_created && guts_read_range(u->git, &u->after, &u->before, 0, 1, &u->arena, &lost) == GUTS_OK && lost.total > 0;
}

static void
read_push(struct push *u)
{
	struct guts_oid from = u->is_created ? base_of_new(u) : u->before;

	if (u->is_deleted || guts_read_open(&u->git, u->p->git_path))
		return;
	u->has_head = guts_read_commit(u->git, &u->after, &u->arena, &u->head) == GUTS_OK;
	if (u->has_head)
		(void)guts_read_names(u->git, &u->head.oid, &u->arena, &u->head_files);
	if (!u->has_head || !u->is_branch)
		return;
	if (u->is_test) {
		u->commits = (struct guts_read_commits){ .n = 1, .v = &u->head, .total = 1 };
	} else if (guts_read_range(u->git, &from, &u->after, 0, GUTS_PAYLOAD_COMMITS_MAX, &u->arena, &u->commits)) {
		u->commits.n = 0;
	}
	u->is_forced |= !u->is_test && loses_commits(u);
	u->files = guts_arena_alloc(&u->arena, (u->commits.n + 1) * sizeof *u->files);
	u->has_files = guts_arena_alloc(&u->arena, u->commits.n + 1);
	if (!u->files || !u->has_files)
		u->commits.n = 0;
}

/* Files of commit `i`; NULL if they cannot be told. */
static const struct guts_read_diff *
files_of(struct push *u, size_t i)
{
	if (!u->has_files[i] && guts_read_names(u->git, &u->commits.v[i].oid, &u->arena, &u->files[i]) == GUTS_OK)
		u->has_files[i] = true;
	return u->has_files[i] ? &u->files[i] : NULL;
}

/* -- push: writing ------------------------------------------------------------------------------- */

static void
put_person(struct guts_json *j, const char *key, const struct guts_read_person *p)
{
	guts_json_key(j, key);
	guts_json_object(j);
	guts_json_put_str(j, "name", p->name);
	guts_json_put_str(j, "email", p->email);
	guts_json_put_str(j, "username", p->name);
	guts_json_object_end(j);
}

static void
put_files(struct guts_json *j, const char *key, const struct guts_read_diff *d, enum guts_read_status status)
{
	guts_json_key(j, key);
	guts_json_array(j);
	for (size_t i = 0; d && i < d->n; i++) {
		const struct guts_read_file *f = &d->v[i];
		enum guts_read_status as = f->status == GUTS_FILE_TYPE ? GUTS_FILE_MODIFIED : f->status;

		if (as == status || (as == GUTS_FILE_RENAMED && status == GUTS_FILE_ADDED))
			guts_json_str(j, f->path);
		else if (as == GUTS_FILE_RENAMED && status == GUTS_FILE_REMOVED)
			guts_json_str(j, f->old_path);
	}
	guts_json_array_end(j);
}

static void
put_commit(struct guts_json *j, const struct push *u, const struct guts_read_commit *c, const struct guts_read_diff *files,
    const struct detail *d)
{
	char hex[GUTS_OID_HEX_SIZE];
	size_t n = strnlen(c->message, d->message_max);

	guts_oid_hex(hex, &c->oid);
	guts_json_object(j);
	guts_json_put_str(j, "id", hex);
	put_oid(j, "tree_id", &c->tree);
	guts_json_put_bool(j, "distinct", true);
	guts_json_put_text(j, "message", guts_slice(c->message, n));
	guts_view_git_time(j, "timestamp", c->committer.time_s);
	guts_json_key(j, "url");
	guts_json_strs(j, u->p->base, "/", u->path, "/commit/", hex, NULL);
	put_person(j, "author", &c->author);
	put_person(j, "committer", &c->committer);
	if (u->p->gitea)
		guts_json_put_null(j, "verification");
	put_files(j, "added", files, GUTS_FILE_ADDED);
	put_files(j, "removed", files, GUTS_FILE_REMOVED);
	put_files(j, "modified", files, GUTS_FILE_MODIFIED);
	guts_json_object_end(j);
}

static void
put_compare(struct guts_json *j, const struct push *u)
{
	char old_hex[GUTS_OID_HEX_SIZE], new_hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(old_hex, &u->before);
	guts_oid_hex(new_hex, &u->after);
	guts_json_key(j, u->p->gitea ? "compare_url" : "compare");
	if (u->is_created || u->is_deleted)
		guts_json_strs(j, u->p->base, "/", u->path, "/commit/", u->is_deleted ? old_hex : new_hex, NULL);
	else
		guts_json_strs(j, u->p->base, "/", u->path, "/compare/", old_hex, "...", new_hex, NULL);
}

static void
put_pusher(struct guts_json *j, const struct push *u)
{
	struct guts_peerid id = { 0 };
	char text[GUTS_PEERID_TEXT_SIZE] = "";

	if (u->p->gitea) {
		put_user(j, "pusher", u->p->fact->peer);
		return;
	}
	if (guts_peerid_decode(&id, u->p->fact->peer) == GUTS_OK)
		guts_peerid_text(text, &id);
	guts_json_key(j, "pusher");
	guts_json_object(j);
	guts_json_put_str(j, "name", text);
	guts_json_put_str(j, "email", "");
	guts_json_object_end(j);
}

static int
write_push(struct guts_buf *out, struct push *u, const struct detail *d)
{
	size_t n = u->commits.n < d->commits ? u->commits.n : d->commits;
	struct guts_json j;

	guts_json_init(&j, out);
	guts_json_object(&j);
	guts_json_put_text(&j, "ref", u->ref);
	put_oid(&j, "before", &u->before);
	put_oid(&j, "after", &u->after);
	guts_json_put_bool(&j, "created", u->is_created);
	guts_json_put_bool(&j, "deleted", u->is_deleted);
	guts_json_put_bool(&j, "forced", u->is_forced);
	guts_json_put_null(&j, "base_ref");
	put_compare(&j, u);
	guts_json_key(&j, "commits");
	guts_json_array(&j);
	for (size_t i = n; i-- > 0;)
		put_commit(&j, u, &u->commits.v[i], d->files ? files_of(u, i) : NULL, d);
	guts_json_array_end(&j);
	guts_json_put_u64(&j, "total_commits", u->commits.total);
	guts_json_key(&j, "head_commit");
	if (u->has_head)
		put_commit(&j, u, &u->head, d->files ? &u->head_files : NULL, d);
	else
		guts_json_null(&j);
	put_pusher(&j, u);
	put_end(&j, u->p);
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}

static int
make_push(struct guts_buf *out, const struct guts_payload *p)
{
	struct push u = { .p = p, .ref = guts_fact_text(p->fact, "ref") };
	struct guts_slice kind = guts_fact_text(p->fact, "kind");
	int err = GUTS_ELIMIT;

	guts_arena_init(&u.arena, ARENA_MAX);
	guts_view_repo_path(u.path, p->repo);
	guts_oid_from_hex(&u.before, guts_fact_text(p->fact, "old"));
	guts_oid_from_hex(&u.after, guts_fact_text(p->fact, "new"));
	u.is_branch = guts_ref_branch(u.ref).n > 0;
	u.is_created = guts_oid_is_none(&u.before);
	u.is_deleted = guts_oid_is_none(&u.after);
	u.is_forced = guts_slice_eq(kind, guts_slice_str("force"));
	u.is_test = guts_slice_eq(kind, guts_slice_str("test"));
	read_push(&u);
	for (size_t commits = GUTS_PAYLOAD_COMMITS_MAX; err == GUTS_ELIMIT && commits > 0; commits /= 4) {
		guts_buf_clear(out);
		err = write_push(out, &u, &(struct detail){ commits, true, SIZE_MAX });
	}
	if (err == GUTS_ELIMIT) {
		guts_buf_clear(out);
		err = write_push(out, &u, &(struct detail){ 1, false, MESSAGE_CUT });
	}
	guts_read_close(u.git);
	guts_arena_deinit(&u.arena);
	return err;
}

/* -- the others ---------------------------------------------------------------------------------- */

/* A branch or tag came or went. */
static void
make_create_delete(struct guts_json *j, const struct guts_payload *p)
{
	struct guts_slice ref = guts_fact_text(p->fact, "ref"), branch = guts_ref_branch(ref);

	guts_json_object(j);
	guts_json_put_text(j, "ref", branch.n ? branch : guts_ref_tag(ref));
	guts_json_put_str(j, "ref_type", branch.n ? "branch" : "tag");
	guts_json_put_text(j, "full_ref", ref);
	if (strcmp(p->event, "create") == 0) {
		guts_json_put_text(j, "sha", guts_fact_text(p->fact, "new"));
		guts_json_put_str(j, "master_branch", p->repo->default_branch);
		guts_json_put_str(j, "description", p->repo->description ? p->repo->description : "");
	}
	guts_json_put_str(j, "pusher_type", "user");
	put_end(j, p);
}

/* The commit that a status speaks of; it may not be here yet. */
static void
put_status_commit(struct guts_json *j, const struct guts_payload *p, const struct guts_view_repo_ctx *x)
{
	struct guts_slice hex = guts_fact_text(p->fact, "commit");
	struct guts_read *git = NULL;
	struct guts_read_commit c;
	struct guts_arena arena;
	struct guts_oid oid = { 0 };

	guts_arena_init(&arena, ARENA_MAX);
	guts_json_key(j, "commit");
	if (guts_oid_from_hex(&oid, hex) == GUTS_OK && guts_read_open(&git, p->git_path) == GUTS_OK &&
	    guts_read_commit(git, &oid, &arena, &c) == GUTS_OK) {
		if (strlen(c.message) > MESSAGE_CUT)
			c.message = guts_arena_memdup(&arena, c.message, MESSAGE_CUT);
		guts_view_commit(j, x, &c, NULL);
	} else {
		guts_json_object(j);
		guts_json_put_text(j, "sha", hex);
		guts_json_object_end(j);
	}
	guts_read_close(git);
	guts_arena_deinit(&arena);
}

/* Branches whose newest commit it is. */
static void
put_branches(struct guts_json *j, const struct guts_payload *p, const struct guts_view_repo_ctx *x)
{
	struct guts_oid oid = { 0 };
	const struct guts_refs_view *v = p->repo->canonical;
	unsigned left = 10; /* as many as GitHub lists */

	guts_oid_from_hex(&oid, guts_fact_text(p->fact, "commit"));
	guts_json_key(j, "branches");
	guts_json_array(j);
	for (size_t i = 0; v && i < v->n && left > 0; i++) {
		if (strncmp(v->v[i].name, "refs/heads/", 11) == 0 && guts_oid_eq(&v->v[i].oid, &oid)) {
			guts_view_branch(j, x, &v->v[i], NULL, NULL);
			left--;
		}
	}
	guts_json_array_end(j);
}

static void
make_status(struct guts_json *j, const struct guts_payload *p)
{
	static const char *const texts[] = { "context", "state", "description", "target_url" };
	char path[GUTS_VIEW_PATH_SIZE], owner[GUTS_PEERID_TEXT_SIZE];
	struct guts_view_repo_ctx x = { .base = p->base, .path = path, .default_branch = p->repo->default_branch };

	guts_view_repo_path(path, p->repo);
	guts_peerid_text(owner, &p->repo->creator);
	guts_json_object(j);
	guts_json_put_u64(j, "id", p->fact->id);
	guts_json_put_text(j, "sha", guts_fact_text(p->fact, "commit"));
	guts_json_key(j, "name");
	guts_json_strs(j, owner, "/", p->repo->name, NULL);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		guts_json_put_text(j, texts[i], guts_fact_text(p->fact, texts[i]));
	guts_json_put_bool(j, "counts", guts_fact_number(p->fact, "counts") != 0);
	put_status_commit(j, p, &x);
	put_branches(j, p, &x);
	guts_json_put_time(j, "created_at", p->fact->wall_ns / 1000000);
	guts_json_put_time(j, "updated_at", p->fact->wall_ns / 1000000);
	put_end(j, p);
}

static void
make_repository(struct guts_json *j, const struct guts_payload *p)
{
	guts_json_object(j);
	guts_json_put_str(j, "action", p->action);
	put_end(j, p);
}

static void
make_ping(struct guts_json *j, const struct guts_payload *p)
{
	guts_json_object(j);
	guts_json_put_str(j, "zen", "Every push arrives, once or more.");
	guts_json_put_u64(j, "hook_id", p->hook->id);
	guts_json_key(j, "hook");
	guts_hook_view(j, p->base, p->hook, p->repo, NULL);
	put_end(j, p);
}

int
guts_payload_make(struct guts_buf *out, const struct guts_payload *p)
{
	struct guts_json j;

	guts_json_init(&j, out);
	if (strcmp(p->event, "push") == 0)
		return make_push(out, p);
	if (strcmp(p->event, "create") == 0 || strcmp(p->event, "delete") == 0)
		make_create_delete(&j, p);
	else if (strcmp(p->event, "status") == 0)
		make_status(&j, p);
	else if (strcmp(p->event, "repository") == 0)
		make_repository(&j, p);
	else if (strcmp(p->event, "ping") == 0)
		make_ping(&j, p);
	else
		guts_view_fact(&j, p->fact);
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}
