/* view/repo.c - repositories, their refs, authors, seeders and statuses as JSON, in GitHub's and Gitea's words. */
#include "view/view.h"

#include <stdio.h>

void
guts_view_oid(struct guts_json *j, const struct guts_oid *oid)
{
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, oid);
	guts_json_str(j, hex);
}

static void
put_oid(struct guts_json *j, const char *key, const struct guts_oid *oid)
{
	guts_json_key(j, key);
	guts_view_oid(j, oid);
}

static void
put_peerids(struct guts_json *j, const char *key, const struct guts_peerid *v, size_t n)
{
	guts_json_key(j, key);
	guts_json_array(j);
	for (size_t i = 0; i < n; i++)
		guts_view_peerid(j, &v[i]);
	guts_json_array_end(j);
}

static void
put_texts(struct guts_json *j, const char *key, char *const *v, size_t n)
{
	guts_json_key(j, key);
	guts_json_array(j);
	for (size_t i = 0; i < n; i++)
		guts_json_str(j, v[i]);
	guts_json_array_end(j);
}

void
guts_view_user(struct guts_json *j, const struct guts_peerid *id)
{
	char text[GUTS_PEERID_TEXT_SIZE];

	guts_peerid_text(text, id);
	guts_json_object(j);
	guts_json_put_str(j, "login", text);
	guts_json_put_str(j, "id", text);
	guts_json_put_str(j, "type", "User");
	guts_json_object_end(j);
}

void
guts_view_repo_path(char out[GUTS_VIEW_PATH_SIZE], const struct guts_repo_info *i)
{
	char owner[GUTS_PEERID_TEXT_SIZE];

	guts_peerid_text(owner, &i->creator);
	if (i->shadowed)
		snprintf(out, GUTS_VIEW_PATH_SIZE, "%s", i->id_text);
	else
		snprintf(out, GUTS_VIEW_PATH_SIZE, "%s/%s", owner, i->name);
}

static void
put_links(struct guts_json *j, const char *base, const struct guts_repo_info *i)
{
	char path[GUTS_VIEW_PATH_SIZE];

	guts_view_repo_path(path, i);
	guts_json_key(j, "html_url");
	guts_json_strs(j, base, "/", path, NULL);
	guts_json_key(j, "clone_url");
	guts_json_strs(j, base, "/", path, ".git", NULL);
	guts_json_key(j, "url");
	guts_json_strs(j, base, "/api/v1/repos/", path, NULL);
	guts_json_key(j, "guts_url");
	guts_json_strs(j, "guts://", i->id_text, NULL);
}

static size_t
count_prefix(const struct guts_refs_view *v, const char *prefix)
{
	size_t n = 0, len = strlen(prefix);

	for (size_t i = 0; v && i < v->n; i++)
		n += strncmp(v->v[i].name, prefix, len) == 0;
	return n;
}

static void
put_head(struct guts_json *j, const struct guts_repo_info *i)
{
	char name[300];
	const struct guts_refs_row *row = NULL;

	snprintf(name, sizeof name, "refs/heads/%s", i->default_branch ? i->default_branch : "");
	if (i->canonical)
		row = guts_refs_view_find(i->canonical, guts_slice_str(name));
	if (row)
		put_oid(j, "head", &row->oid);
	else
		guts_json_put_null(j, "head");
}

static uint64_t
last_push_ms(const struct guts_repo_info *i)
{
	uint64_t ms = 0;

	for (size_t k = 0; k < i->nauthors; k++) {
		if (i->authors[k].wall_ms > ms)
			ms = i->authors[k].wall_ms;
	}
	return ms ? ms : i->created_wall_ms;
}

static const char *
policy_name(enum guts_policy p)
{
	return p == GUTS_POLICY_SEED ? "seed" : p == GUTS_POLICY_BLOCK ? "block" : "default";
}

void
guts_view_repo_members(struct guts_json *j, const char *base, const struct guts_repo_info *i)
{
	char owner[GUTS_PEERID_TEXT_SIZE];

	guts_peerid_text(owner, &i->creator);
	guts_json_put_str(j, "name", i->name);
	guts_json_key(j, "full_name");
	guts_json_strs(j, owner, "/", i->name, NULL);
	guts_json_put_str(j, "description", i->description ? i->description : "");
	guts_json_put_bool(j, "private", i->is_private);
	guts_json_put_bool(j, "archived", i->is_retired);
	guts_json_put_bool(j, "fork", false);
	guts_json_put_str(j, "default_branch", i->default_branch ? i->default_branch : "");
	put_links(j, base, i);
	guts_json_put_time(j, "created_at", i->created_wall_ms);
	guts_json_put_time(j, "updated_at", i->updated_wall_ms);
	guts_json_put_time(j, "pushed_at", last_push_ms(i));
	guts_json_put_u64(j, "size", (i->size_bytes + 1023) / 1024);
	guts_json_put_u64(j, "size_bytes", i->size_bytes);
	guts_json_put_str(j, "object_format", i->format == GUTS_SHA256 ? "sha256" : "sha1");
	guts_json_put_u64(j, "identity_version", i->identity_version);
	guts_json_put_u64(j, "threshold", i->threshold);
	put_peerids(j, "delegates", i->delegates, i->ndelegates);
	put_peerids(j, "signers", i->signers, i->nsigners);
	put_peerids(j, "readers", i->readers, i->nreaders);
	put_texts(j, "required_contexts", i->contexts, i->ncontexts);
	put_texts(j, "gated_branches", i->gates, i->ngates);
	guts_json_put_str(j, "policy", policy_name(i->policy));
	guts_json_put_bool(j, "syncing", i->syncing);
	guts_json_put_bool(j, "shadowed", i->shadowed);
	guts_json_key(j, "permissions");
	guts_json_object(j);
	guts_json_put_bool(j, "pull", true);
	guts_json_put_bool(j, "push", i->is_delegate);
	guts_json_put_bool(j, "admin", i->is_delegate);
	guts_json_object_end(j);
	guts_json_put_u64(j, "branches", count_prefix(i->canonical, "refs/heads/"));
	guts_json_put_u64(j, "tags", count_prefix(i->canonical, "refs/tags/"));
	guts_json_put_u64(j, "authors", i->nauthors);
	guts_json_put_u64(j, "seeders", i->nseeders);
	put_head(j, i);
	guts_json_put_str(j, "last_error", i->last_error);
}

void
guts_view_repo(struct guts_json *j, const char *base, const struct guts_repo_info *i)
{
	guts_json_object(j);
	guts_json_put_str(j, "id", i->id_text);
	guts_json_key(j, "owner");
	guts_view_user(j, &i->creator);
	guts_view_repo_members(j, base, i);
	guts_json_object_end(j);
}

void
guts_view_author(struct guts_json *j, const struct guts_repo_author *a)
{
	guts_json_object(j);
	guts_json_key(j, "id");
	guts_view_peerid(j, &a->id);
	guts_json_put_u64(j, "sequence", a->sequence);
	guts_json_put_time(j, "time", a->wall_ms);
	guts_json_put_u64(j, "refs", a->refs);
	guts_json_put_bool(j, "delegate", a->is_delegate);
	guts_json_put_bool(j, "forked", a->is_forked);
	guts_json_key(j, "record");
	guts_json_hex(j, a->record_hash, sizeof a->record_hash);
	guts_json_object_end(j);
}

static void
put_hash(struct guts_json *j, const char *key, const uint8_t hash[GUTS_HASH_SIZE])
{
	guts_json_key(j, key);
	guts_json_hex(j, hash, GUTS_HASH_SIZE);
}

void
guts_view_record(struct guts_json *j, const struct guts_record_row *row, const struct guts_signedrefs *s, const char *error)
{
	guts_json_object(j);
	guts_json_put_u64(j, "sequence", row->sequence);
	put_hash(j, "hash", row->hash);
	guts_json_put_bool(j, "valid", error == NULL);
	guts_json_put_str(j, "error", error);
	if (s) {
		guts_json_put_u64(j, "format", s->format);
		guts_json_key(j, "signer");
		guts_view_peerid(j, &s->author);
		guts_json_key(j, "previous");
		guts_json_array(j);
		for (size_t i = 0; i < s->nprevious; i++)
			guts_json_hex(j, s->previous[i], GUTS_HASH_SIZE);
		guts_json_array_end(j);
		put_hash(j, "refs_root", s->refs_root);
		guts_json_put_u64(j, "refs", s->ref_count);
		guts_json_put_u64(j, "identity_version", s->identity_version);
		guts_json_put_time(j, "time", s->time_ms);
	}
	guts_json_key(j, "envelope");
	guts_json_base64(j, row->envelope);
	guts_json_object_end(j);
}

void
guts_view_seeder(struct guts_json *j, const struct guts_repo_seeder *s)
{
	guts_json_object(j);
	guts_json_key(j, "id");
	guts_view_peerid(j, &s->id);
	guts_json_put_bool(j, "current", s->is_current);
	if (s->is_current || s->is_behind)
		guts_json_put_u64(j, "behind", s->behind);
	else
		guts_json_put_null(j, "behind");
	guts_json_put_time_or_null(j, "behind_since", s->behind_since_wall_ms);
	guts_json_put_time(j, "seen", s->seen_wall_ms);
	guts_json_object_end(j);
}

/* Name without `prefix`. */
static const char *
short_name(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 ? name + n : name;
}

static void
put_commit_url(struct guts_json *j, const char *key, const struct guts_view_repo_ctx *x, const struct guts_oid *oid)
{
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, oid);
	guts_json_key(j, key);
	guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/commits/", hex, NULL);
}

void
guts_view_checks(struct guts_json *j, const struct guts_view_checks *c)
{
	size_t good = 0, bad = 0;

	if (!c->n)
		return;
	guts_json_key(j, "required_contexts");
	guts_json_array(j);
	for (size_t i = 0; i < c->n; i++) {
		const char *state = c->v[i].state;

		good += state && strcmp(state, "success") == 0;
		bad += state && (strcmp(state, "failure") == 0 || strcmp(state, "error") == 0);
		guts_json_object(j);
		guts_json_put_str(j, "context", c->v[i].context);
		guts_json_put_str(j, "state", state);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
	guts_json_put_str(j, "checks", good == c->n ? "success" : bad ? "failure" : "pending");
}

void
guts_view_branch(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_refs_row *r,
    const struct guts_read_commit *newest, const struct guts_view_checks *checks)
{
	const char *name = short_name(r->name, "refs/heads/");

	guts_json_object(j);
	guts_json_put_str(j, "name", name);
	guts_json_key(j, "commit");
	if (newest) {
		guts_view_commit(j, x, newest, NULL);
	} else {
		guts_json_object(j);
		put_oid(j, "sha", &r->oid);
		put_oid(j, "id", &r->oid);
		put_commit_url(j, "url", x, &r->oid);
		guts_json_object_end(j);
	}
	guts_json_put_bool(j, "protected", r->is_gated);
	guts_json_put_bool(j, "default", x->default_branch && strcmp(name, x->default_branch) == 0);
	guts_json_key(j, "signer");
	guts_view_peerid(j, &r->author);
	guts_json_put_bool(j, "conflict", r->conflict);
	if (checks)
		guts_view_checks(j, checks);
	guts_json_object_end(j);
}

static void
put_ref_url(struct guts_json *j, const char *key, const struct guts_view_repo_ctx *x, const char *kind, const char *ref)
{
	struct guts_buf coded;

	guts_buf_init(&coded, 3 * GUTS_REFNAME_MAX);
	guts_view_encode(&coded, guts_slice_str(ref));
	guts_json_key(j, key);
	guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/", kind, "/", guts_buf_cstr(&coded), NULL);
	guts_buf_deinit(&coded);
}

void
guts_view_tag(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_refs_row *r,
    const struct guts_oid *commit)
{
	guts_json_object(j);
	guts_json_put_str(j, "name", short_name(r->name, "refs/tags/"));
	put_oid(j, "id", &r->oid);
	guts_json_key(j, "commit");
	guts_json_object(j);
	put_oid(j, "sha", commit);
	put_commit_url(j, "url", x, commit);
	guts_json_object_end(j);
	put_ref_url(j, "tarball_url", x, "tarball", r->name);
	put_ref_url(j, "zipball_url", x, "zipball", r->name);
	guts_json_key(j, "signer");
	guts_view_peerid(j, &r->author);
	guts_json_object_end(j);
}

void
guts_view_ref(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_refs_row *r,
    enum guts_object_type type)
{
	guts_json_object(j);
	guts_json_put_str(j, "ref", r->name);
	put_ref_url(j, "url", x, "git", r->name);
	guts_view_object(j, "object", x, &r->oid, type);
	guts_json_put_u64(j, "version", r->version);
	guts_json_key(j, "signer");
	guts_view_peerid(j, &r->author);
	guts_json_put_bool(j, "conflict", r->conflict);
	guts_json_object_end(j);
}

void
guts_view_commit_status(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_status *s,
    bool counts)
{
	char commit[GUTS_OID_HEX_SIZE];
	const char *state = guts_status_state_name(s->state);

	guts_oid_hex(commit, &s->commit);
	guts_json_object(j);
	guts_json_key(j, "id");
	guts_json_hex(j, s->hash, sizeof s->hash);
	guts_json_put_str(j, "state", state);
	guts_json_put_str(j, "status", state);
	guts_json_put_str(j, "context", s->context);
	guts_json_put_str(j, "target_url", s->target_url[0] ? s->target_url : NULL);
	guts_json_put_str(j, "description", s->description[0] ? s->description : NULL);
	guts_json_put_time(j, "created_at", s->time_ms);
	guts_json_put_time(j, "updated_at", s->time_ms);
	guts_json_key(j, "url");
	guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/statuses/", commit, NULL);
	guts_json_put_str(j, "run_id", s->run_id[0] ? s->run_id : NULL);
	guts_json_key(j, "signer");
	guts_view_peerid(j, &s->signer);
	guts_json_key(j, "creator");
	guts_view_user(j, &s->signer);
	guts_json_put_bool(j, "counts", counts);
	guts_json_object_end(j);
}

const char *
guts_view_combined(const struct guts_status *v, const bool *counts, size_t n)
{
	bool pending = false, failed = false, any = false;

	for (size_t i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		any = true;
		pending |= v[i].state == GUTS_STATUS_PENDING;
		failed |= v[i].state == GUTS_STATUS_FAILURE || v[i].state == GUTS_STATUS_ERROR;
	}
	return failed ? "failure" : !any || pending ? "pending" : "success";
}
