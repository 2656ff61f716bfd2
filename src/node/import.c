/* node/import.c - jobs: a repository from a folder of this machine, or cloned from another.
 *
 *	(clone →) read refs → create the repository → push: pack of the folder → ingest
 *
 * The pack flows from git in the folder into the push with back-pressure; progress goes out as signals.
 */
#include "node/internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

struct guts_job_entry {
	struct guts_node *node;
	struct guts_job_info info;      /* under jobs_lock */
	char *path, *name, *description, *branch;
	bool running, pack_done;
	struct guts_importer *importer;
	struct guts_push *push;
	struct guts_push_cmd *cmds;
	size_t ncmds;
	struct guts_buf rest;           /* pack bytes that the push had no room for */
	UT_hash_handle hh;
};

static void
note(struct guts_job_entry *j, const char *phase)
{
	struct guts_signal s = { .type = "job.progress", .n = 6 };

	pthread_mutex_lock(&j->node->jobs_lock);
	if (phase)
		snprintf(j->info.phase, sizeof j->info.phase, "%s", phase);
	pthread_mutex_unlock(&j->node->jobs_lock);
	if (j->info.has_repo)
		s.repo = guts_slice(j->info.repo, GUTS_REPOID_SIZE);
	s.attr[0] = guts_node_attr_num("job", j->info.id);
	s.attr[1] = guts_node_attr("kind", j->info.kind);
	s.attr[2] = guts_node_attr("phase", j->info.phase);
	s.attr[3] = guts_node_attr_num("bytes", j->info.bytes);
	s.attr[4] = guts_node_attr_num("objects", j->info.objects);
	s.attr[5] = guts_node_attr_num("objects_total", j->info.objects_total);
	guts_events_signal(j->node, &s, true);
}

static void
job_end(struct guts_job_entry *j, int err, const char *text)
{
	struct guts_node *n = j->node;
	struct guts_fact f = { .type = "job.done", .n = 4 };
	char why[sizeof j->info.error] = "";

	if (err) /* the text may be the importer's own */
		snprintf(why, sizeof why, "%s", text ? text : guts_err_text(err));
	if (j->importer)
		guts_import_close(n->s.repos, j->importer);
	j->importer = NULL;
	if (j->push)
		guts_push_abort(j->push);
	j->push = NULL;
	guts_buf_deinit(&j->rest);
	for (size_t i = 0; i < j->ncmds; i++)
		free(j->cmds[i].name);
	free(j->cmds);
	j->cmds = NULL;
	j->ncmds = 0;
	j->running = false;
	if (j->info.has_repo)
		guts_sync_imported(n->sync, j->info.repo);
	guts_node_snapshot_flush(n);
	pthread_mutex_lock(&n->jobs_lock);
	snprintf(j->info.state, sizeof j->info.state, "%s", err ? "failed" : "done");
	memcpy(j->info.error, why, sizeof why);
	j->info.ended_wall_ms = guts_env_wall(n->env) / GUTS_MS_NS;
	pthread_mutex_unlock(&n->jobs_lock);
	note(j, err ? "failed" : "done");
	if (j->info.has_repo)
		f.repo = guts_slice(j->info.repo, GUTS_REPOID_SIZE);
	f.attr[0] = guts_node_attr_num("job", j->info.id);
	f.attr[1] = guts_node_attr("kind", j->info.kind);
	f.attr[2] = guts_node_attr("state", j->info.state);
	f.attr[3] = guts_node_attr("error", j->info.error);
	guts_node_fact(n, &f);
}

static void
feed(struct guts_job_entry *j)
{
	if (j->rest.len && j->push)
		guts_buf_consume(&j->rest, guts_push_write(j->push, guts_buf_slice(&j->rest)));
	if (j->rest.len || !j->push)
		return;
	if (j->pack_done)
		guts_push_end(j->push);
	else if (j->importer)
		guts_import_pause(j->node->s.repos, j->importer, false);
}

static void
push_writable(void *owner)
{
	feed(owner);
}

static void
push_done(void *owner, int err, const char *text, const struct guts_push_cmd *cmds, size_t n)
{
	struct guts_job_entry *j = owner;

	j->push = NULL;
	for (size_t i = 0; i < n && !err; i++) {
		if (cmds[i].err) {
			err = cmds[i].err;
			text = cmds[i].text;
		}
	}
	job_end(j, err, text);
}

static const struct guts_push_events push_events = { .writable = push_writable, .done = push_done };

static void
import_data(void *owner, struct guts_slice bytes)
{
	struct guts_job_entry *j = owner;
	size_t n = j->rest.len || !j->push ? 0 : guts_push_write(j->push, bytes);

	pthread_mutex_lock(&j->node->jobs_lock);
	j->info.bytes += bytes.n;
	pthread_mutex_unlock(&j->node->jobs_lock);
	note(j, NULL);
	if (n < bytes.n) {
		if (guts_buf_add(&j->rest, bytes.p + n, bytes.n - n)) {
			job_end(j, GUTS_EINTERNAL, "the importer did not wait");
			return;
		}
		guts_import_pause(j->node->s.repos, j->importer, true);
	}
}

static void
import_end(void *owner, int err, const char *text)
{
	struct guts_job_entry *j = owner;

	guts_import_close(j->node->s.repos, j->importer);
	j->importer = NULL;
	if (err) {
		job_end(j, err, text);
		return;
	}
	j->pack_done = true;
	note(j, "verify");
	feed(j);
}

static void
on_created(void *owner, int err, const struct guts_errinfo *ei, struct guts_repo *r)
{
	struct guts_job_entry *j = owner;
	struct guts_node *n = j->node;
	struct guts_errinfo why = { 0 };

	if (err) {
		job_end(j, err, ei->text);
		return;
	}
	pthread_mutex_lock(&n->jobs_lock);
	memcpy(j->info.repo, guts_repo_id(r), GUTS_REPOID_SIZE);
	j->info.has_repo = true;
	pthread_mutex_unlock(&n->jobs_lock);
	if (j->ncmds == 0) {
		job_end(j, GUTS_OK, NULL);
		return;
	}
	err = guts_push_open(n->sync, r, NULL, j->cmds, j->ncmds, true, true, &push_events, j, &j->push, &why);
	if (err) {
		job_end(j, err, why.text);
		return;
	}
	guts_push_is_import(j->push);
	note(j, "objects");
	guts_import_pack(n->s.repos, j->importer);
}

static void
import_refs(void *owner, int err, const char *text, enum guts_object_format format, struct guts_slice head_ref,
    const struct guts_ref_row *v, size_t n)
{
	static const char prefix[] = "refs/heads/";
	struct guts_job_entry *j = owner;
	struct guts_repo_params p = { .name = j->name, .description = j->description, .default_branch = j->branch,
		.format = format, .is_import = true };

	if (err) {
		job_end(j, err, text);
		return;
	}
	if (!j->branch && head_ref.n > sizeof prefix - 1 && memcmp(head_ref.p, prefix, sizeof prefix - 1) == 0)
		p.default_branch = j->branch = guts_memdup(head_ref.p + sizeof prefix - 1, head_ref.n - (sizeof prefix - 1));
	j->cmds = guts_calloc(n + 1, sizeof *j->cmds);
	for (size_t i = 0; i < n; i++) {
		if (!guts_refname_is_valid(guts_slice_str(v[i].name)))
			continue;
		j->cmds[j->ncmds].name = guts_strdup(v[i].name);
		j->cmds[j->ncmds++].new_oid = v[i].oid;
	}
	note(j, "create");
	guts_sync_create(j->node->sync, &p, on_created, j);
}

static void
import_progress(void *owner, uint64_t objects, uint64_t total)
{
	struct guts_job_entry *j = owner;

	pthread_mutex_lock(&j->node->jobs_lock);
	j->info.objects = objects;
	j->info.objects_total = total;
	pthread_mutex_unlock(&j->node->jobs_lock);
	note(j, NULL);
}

static const struct guts_import_events import_events = {
	.refs = import_refs, .data = import_data, .end = import_end, .progress = import_progress,
};

static void
job_free(struct guts_job_entry *j)
{
	free(j->path);
	free(j->name);
	free(j->description);
	free(j->branch);
	free(j);
}

/* Forget the oldest job that ended when there are too many. */
static void
forget(struct guts_node *n)
{
	struct guts_job_entry *j, *tmp;

	HASH_ITER (hh, n->jobs, j, tmp) {
		if (HASH_COUNT(n->jobs) < GUTS_JOBS_KEPT)
			return;
		if (!j->running) {
			HASH_DEL(n->jobs, j);
			job_free(j);
		}
	}
}

int
guts_node_import(struct guts_node *n, const char *path, const struct guts_repo_params *p, uint64_t *job,
    struct guts_errinfo *ei)
{
	struct guts_job_entry *j = guts_alloc(sizeof *j);
	const char *base = strrchr(path, '/');
	int err;

	j->node = n;
	j->running = true;
	j->path = guts_strdup(path);
	j->name = guts_strdup(p->name && p->name[0] ? p->name : base ? base + 1 : path);
	if (!p->name && strlen(j->name) > 4 && strcmp(j->name + strlen(j->name) - 4, ".git") == 0)
		j->name[strlen(j->name) - 4] = '\0';
	j->description = guts_strdup(p->description);
	j->branch = guts_strdup(p->default_branch && p->default_branch[0] ? p->default_branch : NULL);
	guts_buf_init(&j->rest, 1u << 20);
	snprintf(j->info.kind, sizeof j->info.kind, "import");
	snprintf(j->info.state, sizeof j->info.state, "running");
	snprintf(j->info.phase, sizeof j->info.phase, "%s", guts_import_is_url(path) ? "clone" : "refs");
	j->info.started_wall_ms = guts_env_wall(n->env) / GUTS_MS_NS;
	err = guts_import_open(n->s.repos, path, &import_events, j, &j->importer);
	if (err) {
		job_free(j);
		return guts_err_set(ei, err, "%s", err == GUTS_EINVAL ? "an import needs an absolute path or an address" : guts_err_text(err));
	}
	pthread_mutex_lock(&n->jobs_lock);
	forget(n);
	*job = j->info.id = ++n->job_number;
	HASH_ADD(hh, n->jobs, info.id, sizeof j->info.id, j);
	pthread_mutex_unlock(&n->jobs_lock);
	return GUTS_OK;
}

int
guts_node_job(struct guts_node *n, uint64_t id, struct guts_job_info *out)
{
	struct guts_job_entry *j;

	pthread_mutex_lock(&n->jobs_lock);
	HASH_FIND(hh, n->jobs, &id, sizeof id, j);
	if (j)
		*out = j->info;
	pthread_mutex_unlock(&n->jobs_lock);
	return j ? GUTS_OK : GUTS_ENOTFOUND;
}

void
guts_jobs_free(struct guts_node *n)
{
	struct guts_job_entry *j, *tmp;

	HASH_ITER (hh, n->jobs, j, tmp) {
		HASH_DEL(n->jobs, j);
		if (j->importer)
			guts_import_close(n->s.repos, j->importer);
		guts_buf_deinit(&j->rest);
		for (size_t i = 0; i < j->ncmds; i++)
			free(j->cmds[i].name);
		free(j->cmds);
		job_free(j);
	}
}
