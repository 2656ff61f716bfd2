/* view/git.c - commits, diffs, folders and files as JSON, in GitHub's words. */
#include "view/view.h"

#include <stdio.h>
#include <time.h>

void
guts_view_git_time(struct guts_json *j, const char *key, int64_t time_s)
{
	time_t t = (time_t)time_s;
	struct tm tm;
	char text[40];

	/* git takes any number; the years RFC 3339 can write are 0 to 9999 */
	if (time_s < -62167219200 || time_s > 253402300799 || !gmtime_r(&t, &tm))
		snprintf(text, sizeof text, "1970-01-01T00:00:00Z");
	else
		snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		    tm.tm_hour, tm.tm_min, tm.tm_sec);
	guts_json_put_str(j, key, text);
}

void
guts_view_person(struct guts_json *j, const char *key, const struct guts_read_person *p)
{
	guts_json_key(j, key);
	guts_json_object(j);
	guts_json_put_str(j, "name", p->name ? p->name : "");
	guts_json_put_str(j, "email", p->email ? p->email : "");
	guts_view_git_time(j, "date", p->time_s);
	guts_json_object_end(j);
}

static const char *
status_name(enum guts_read_status s)
{
	switch (s) {
	case GUTS_FILE_ADDED: return "added";
	case GUTS_FILE_REMOVED: return "removed";
	case GUTS_FILE_RENAMED: return "renamed";
	case GUTS_FILE_TYPE: return "changed";
	case GUTS_FILE_MODIFIED: break;
	}
	return "modified";
}

static void
put_file(struct guts_json *j, const struct guts_read_file *f)
{
	guts_json_object(j);
	guts_json_put_str(j, "filename", f->path);
	if (f->old_path)
		guts_json_put_str(j, "previous_filename", f->old_path);
	guts_json_put_str(j, "status", status_name(f->status));
	guts_json_put_u64(j, "additions", f->additions);
	guts_json_put_u64(j, "deletions", f->deletions);
	guts_json_put_u64(j, "changes", f->additions + f->deletions);
	guts_json_key(j, "sha");
	if (guts_oid_is_none(&f->blob))
		guts_json_null(j);
	else
		guts_view_oid(j, &f->blob);
	if (f->patch)
		guts_json_put_text(j, "patch", guts_slice(f->patch, f->patch_bytes));
	guts_json_object_end(j);
}

void
guts_view_diff(struct guts_json *j, const struct guts_read_diff *d)
{
	guts_json_key(j, "stats");
	guts_json_object(j);
	guts_json_put_u64(j, "additions", d->additions);
	guts_json_put_u64(j, "deletions", d->deletions);
	guts_json_put_u64(j, "total", d->additions + d->deletions);
	guts_json_object_end(j);
	guts_json_key(j, "files");
	guts_json_array(j);
	for (size_t i = 0; i < d->n; i++)
		put_file(j, &d->v[i]);
	guts_json_array_end(j);
	guts_json_put_bool(j, "truncated", d->truncated);
}

void
guts_view_commit(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_commit *c,
    const struct guts_read_diff *diff)
{
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, &c->oid);
	guts_json_object(j);
	guts_json_put_str(j, "sha", hex);
	guts_json_put_str(j, "id", hex);
	guts_json_key(j, "html_url");
	guts_json_strs(j, x->base, "/", x->path, "/commit/", hex, NULL);
	guts_json_key(j, "url");
	guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/commits/", hex, NULL);
	guts_json_key(j, "commit");
	guts_json_object(j);
	guts_json_put_str(j, "message", c->message ? c->message : "");
	guts_view_person(j, "author", &c->author);
	guts_view_person(j, "committer", &c->committer);
	guts_json_key(j, "tree");
	guts_json_object(j);
	guts_json_key(j, "sha");
	guts_view_oid(j, &c->tree);
	guts_json_object_end(j);
	guts_json_object_end(j);
	guts_json_put_null(j, "author");
	guts_json_put_null(j, "committer");
	guts_json_key(j, "parents");
	guts_json_array(j);
	for (size_t i = 0; i < c->nparents; i++) {
		guts_oid_hex(hex, &c->parents[i]);
		guts_json_object(j);
		guts_json_put_str(j, "sha", hex);
		guts_json_key(j, "url");
		guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/commits/", hex, NULL);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
	if (diff)
		guts_view_diff(j, diff);
	guts_json_object_end(j);
}

void
guts_view_encode(struct guts_buf *out, struct guts_slice s)
{
	static const char keep[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] && strchr(keep, s.p[i]))
			guts_buf_add_u8(out, s.p[i]);
		else
			guts_buf_printf(out, "%%%02X", s.p[i]);
	}
}

const char *
guts_view_mode(enum guts_read_kind k)
{
	static const char *const modes[] = { "040000", "100644", "100755", "120000", "160000" };

	return modes[k];
}

static const char *
entry_type(enum guts_read_kind k)
{
	static const char *const types[] = { "dir", "file", "file", "symlink", "submodule" };

	return types[k];
}

static void
put_content(struct guts_json *j, const struct guts_read_entry *e, const struct guts_slice *content)
{
	guts_json_put_str(j, "encoding", content->p ? "base64" : "none");
	guts_json_key(j, "content");
	guts_json_base64(j, *content);
	if (e->kind == GUTS_ENTRY_LINK && content->p)
		guts_json_put_text(j, "target", *content);
}

void
guts_view_entry(struct guts_json *j, const struct guts_view_repo_ctx *x, struct guts_slice dir,
    const struct guts_read_entry *e, const struct guts_read_commit *last, const struct guts_slice *content)
{
	struct guts_buf path, coded, ref;
	const char *type = entry_type(e->kind);
	const char *r = x->ref ? x->ref : x->default_branch;

	guts_buf_init(&path, 8192);
	guts_buf_init(&coded, 3 * 8192);
	guts_buf_init(&ref, 3 * GUTS_REFNAME_MAX);
	guts_buf_add_slice(&path, dir);
	if (dir.n && e->name[0])
		guts_buf_add_u8(&path, '/');
	guts_buf_add_str(&path, e->name);
	guts_view_encode(&coded, guts_buf_slice(&path));
	guts_view_encode(&ref, guts_slice_str(r));
	guts_json_object(j);
	guts_json_put_str(j, "type", type);
	guts_json_put_str(j, "name", e->name);
	guts_json_put_text(j, "path", guts_buf_slice(&path));
	guts_json_key(j, "sha");
	guts_view_oid(j, &e->oid);
	guts_json_put_u64(j, "size", e->size);
	guts_json_put_str(j, "mode", guts_view_mode(e->kind));
	guts_json_key(j, "url");
	guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/contents/", guts_buf_cstr(&coded), "?ref=",
	    guts_buf_cstr(&ref), NULL);
	guts_json_key(j, "html_url");
	guts_json_strs(j, x->base, "/", x->path, "/src/", guts_buf_cstr(&ref), "/", guts_buf_cstr(&coded), NULL);
	guts_json_key(j, "download_url");
	if (strcmp(type, "file") == 0)
		guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/raw/", guts_buf_cstr(&coded), "?ref=",
		    guts_buf_cstr(&ref), NULL);
	else
		guts_json_null(j);
	if (last) {
		guts_json_key(j, "last_commit_sha");
		guts_view_oid(j, &last->oid);
		guts_view_git_time(j, "last_author_date", last->author.time_s);
		guts_view_git_time(j, "last_committer_date", last->committer.time_s);
	}
	if (content)
		put_content(j, e, content);
	guts_json_object_end(j);
	guts_buf_deinit(&path);
	guts_buf_deinit(&coded);
	guts_buf_deinit(&ref);
}

void
guts_view_contributor(struct guts_json *j, const struct guts_history_person *p)
{
	guts_json_object(j);
	guts_json_put_str(j, "type", "Anonymous");
	guts_json_put_str(j, "name", p->name);
	guts_json_put_str(j, "email", p->email);
	guts_json_put_u64(j, "contributions", p->commits);
	guts_json_object_end(j);
}

static const char *
mode_type(uint32_t mode)
{
	switch (mode & 0170000) {
	case 0040000: return "dir";
	case 0120000: return "symlink";
	case 0160000: return "submodule";
	default: return "file";
	}
}

void
guts_view_last_commit(struct guts_json *j, struct guts_slice dir, const struct guts_history_entry *e,
    const struct guts_read_commit *c)
{
	struct guts_buf path;

	guts_buf_init(&path, 8192);
	guts_buf_add_slice(&path, dir);
	if (dir.n)
		guts_buf_add_u8(&path, '/');
	guts_buf_add_str(&path, e->name);
	guts_json_object(j);
	guts_json_put_str(j, "name", e->name);
	guts_json_put_text(j, "path", guts_buf_slice(&path));
	guts_json_put_str(j, "type", mode_type(e->mode));
	guts_json_key(j, "sha");
	guts_view_oid(j, &e->oid);
	if (c) {
		guts_json_key(j, "last_commit_sha");
		guts_view_oid(j, &c->oid);
		guts_json_put_str(j, "last_commit_message", c->summary);
		guts_json_put_str(j, "last_author_name", c->author.name);
		guts_view_git_time(j, "last_author_date", c->author.time_s);
		guts_view_git_time(j, "last_committer_date", c->committer.time_s);
	} else {
		guts_json_put_null(j, "last_commit_sha");
	}
	guts_json_object_end(j);
	guts_buf_deinit(&path);
}
