/* bridge/ciview.c - queues and jobs as JSON.  A lease is shown to its holder alone. */
#include "bridge/ciview.h"

#include "base/text.h"
#include "crypto/envelope.h"
#include "proto/messages.h"
#include "view/doc.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <string.h>
#include <time.h>

static void
put_events(struct guts_json *j, unsigned events)
{
	guts_json_key(j, "events");
	guts_json_array(j);
	for (unsigned e = GUTS_CIEVENT_PUSH; e <= GUTS_CIEVENT_TAG; e <<= 1) {
		if (events & e)
			guts_json_str(j, guts_cievent_name((enum guts_cievent)e));
	}
	guts_json_array_end(j);
}

void
guts_ciask_view(struct guts_json *j, const struct guts_ciask *a)
{
	char id[GUTS_REPOID_TEXT_SIZE];

	guts_json_object(j);
	guts_json_put_str(j, "name", a->runner[0] ? a->runner : NULL);
	guts_json_key(j, "repositories");
	guts_json_array(j);
	for (size_t i = 0; i < a->nrepos; i++) {
		guts_repoid_text(id, a->repos[i]);
		guts_json_str(j, id);
	}
	guts_json_array_end(j);
	guts_json_put_str(j, "branch_filter", a->branches[0] ? a->branches : "*");
	put_events(j, a->events);
	guts_json_object_end(j);
}

void
guts_ciqueue_view(struct guts_json *j, const struct guts_ciqueue *q, const struct guts_repo_info *repo, size_t waiting)
{
	char id[GUTS_REPOID_TEXT_SIZE], path[GUTS_VIEW_PATH_SIZE];

	guts_repoid_text(id, q->repo);
	if (repo)
		guts_view_repo_path(path, repo);
	guts_json_object(j);
	guts_json_put_u64(j, "id", q->id);
	guts_json_put_str(j, "repo", id);
	guts_json_put_str(j, "full_name", repo ? path : NULL);
	guts_json_put_str(j, "branch_filter", q->branches[0] ? q->branches : "*");
	put_events(j, q->events);
	guts_json_put_str(j, "context", q->context);
	guts_json_put_time(j, "created_at", q->created_ms);
	guts_json_put_u64(j, "waiting", waiting);
	guts_json_object_end(j);
}

/* -- jobs ---------------------------------------------------------------------------------------- */

static void
put_repository(struct guts_json *j, const char *base, const struct guts_repo_info *repo, const char *path)
{
	guts_json_key(j, "repository");
	guts_json_object(j);
	guts_json_put_str(j, "id", repo->id_text);
	guts_json_put_str(j, "name", repo->name);
	guts_json_put_str(j, "full_name", path);
	guts_json_put_bool(j, "private", repo->is_private);
	guts_json_key(j, "clone_url");
	guts_json_strs(j, base, "/", path, ".git", NULL);
	guts_json_object_end(j);
}

static void
put_text_or_null(struct guts_json *j, const char *key, const char *text)
{
	guts_json_put_str(j, key, text[0] ? text : NULL);
}

static void
put_oid(struct guts_json *j, const char *key, const struct guts_oid *oid)
{
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, oid);
	guts_json_put_str(j, key, guts_oid_is_none(oid) ? NULL : hex);
}

static void
put_steps(struct guts_json *j, const struct guts_cijob *job)
{
	guts_json_key(j, "steps");
	guts_json_array(j);
	for (size_t i = 0; i < job->nsteps; i++) {
		bool is_last = i + 1 == job->nsteps;

		guts_json_object(j);
		guts_json_put_str(j, "name", job->steps[i].name);
		guts_json_put_str(j, "state", is_last ? guts_cistate_name(job->state) : "success");
		guts_json_put_time(j, "started_at", job->steps[i].started_ms);
		guts_json_put_time_or_null(j, "ended_at", is_last ? job->ended_ms : job->steps[i + 1].started_ms);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
}

static void
put_files(struct guts_json *j, const char *base, const char *path, const struct guts_cijob *job)
{
	guts_json_key(j, "files");
	guts_json_array(j);
	for (size_t i = 0; i < job->nfiles; i++) {
		const struct guts_cifile *f = &job->files[i];

		guts_json_object(j);
		guts_json_put_str(j, "name", f->name);
		guts_json_put_u64(j, "bytes", f->bytes);
		guts_json_key(j, "sha256");
		if (guts_cijob_is_open(job))
			guts_json_null(j);
		else
			guts_json_hex(j, f->sha256, sizeof f->sha256);
		guts_json_key(j, "url");
		guts_json_strs(j, base, "/api/v1/repos/", path, "/ci/jobs/", job->id, "/files/", f->name, NULL);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
}

static void
put_lease(struct guts_json *j, const struct guts_cijob *job, uint64_t lease_end_ms, uint64_t lease_ms)
{
	guts_json_key(j, "lease");
	guts_json_object(j);
	guts_json_put_str(j, "id", job->lease);
	guts_json_put_time(j, "expires_at", lease_end_ms);
	guts_json_put_u64(j, "seconds", lease_ms / 1000);
	guts_json_object_end(j);
}

void
guts_cijob_view(struct guts_json *j, const char *base, const struct guts_cijob *job, const struct guts_repo_info *repo,
    uint64_t lease_end_ms, uint64_t lease_ms)
{
	char path[GUTS_VIEW_PATH_SIZE];

	guts_view_repo_path(path, repo);
	guts_json_object(j);
	guts_json_put_str(j, "id", job->id);
	put_repository(j, base, repo, path);
	if (job->queue)
		guts_json_put_u64(j, "queue", job->queue);
	else
		guts_json_put_null(j, "queue");
	guts_json_put_str(j, "event", guts_cievent_name(job->event));
	put_text_or_null(j, "ref", job->ref);
	put_oid(j, "commit", &job->commit);
	put_oid(j, "before", &job->before);
	guts_json_put_str(j, "context", job->context);
	guts_json_put_str(j, "state", guts_cistate_name(job->state));
	guts_json_put_u64(j, "attempts", job->attempts);
	put_text_or_null(j, "runner", job->runner);
	guts_json_put_u64(j, "progress", job->progress);
	put_steps(j, job);
	put_files(j, base, path, job);
	guts_json_put_str(j, "description", job->description);
	put_text_or_null(j, "target_url", job->target_url);
	guts_json_put_time(j, "created_at", job->created_ms);
	guts_json_put_time_or_null(j, "started_at", job->started_ms);
	guts_json_put_time_or_null(j, "ended_at", job->ended_ms);
	guts_json_key(j, "url");
	guts_json_strs(j, base, "/api/v1/repos/", path, "/ci/jobs/", job->id, NULL);
	if (lease_end_ms)
		put_lease(j, job, lease_end_ms, lease_ms);
	guts_json_object_end(j);
}

/* -- read back ------------------------------------------------------------------------------------- */

/* A text of another node: cut nowhere, refused if it is too long or not plain. */
static bool
take_text(char *to, size_t size, struct guts_jv v, const char *name)
{
	const char *s = guts_jv_str_of(v, name);
	size_t n = strlen(s);

	if (n >= size || !guts_text_is_clean(guts_slice(s, n), false))
		return false;
	memcpy(to, s, n + 1);
	return true;
}

static uint64_t
take_time(struct guts_jv v, const char *name)
{
	struct tm tm = { 0 };
	const char *s = guts_jv_str_of(v, name), *rest = s[0] ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	time_t t = rest ? timegm(&tm) : 0;

	return t > 0 ? (uint64_t)t * 1000 : 0;
}

static bool
take_lists(struct guts_cijob *j, struct guts_jv v)
{
	struct guts_jv steps = guts_jv_get(v, "steps"), files = guts_jv_get(v, "files");

	if (guts_jv_count(steps) > GUTS_CIJOB_STEPS_MAX || guts_jv_count(files) > GUTS_CIJOB_FILES_MAX)
		return false;
	for (; j->nsteps < guts_jv_count(steps); j->nsteps++) {
		struct guts_jv s = guts_jv_at(steps, j->nsteps);

		if (!take_text(j->steps[j->nsteps].name, sizeof j->steps[0].name, s, "name"))
			return false;
		j->steps[j->nsteps].started_ms = take_time(s, "started_at");
	}
	for (; j->nfiles < guts_jv_count(files); j->nfiles++) {
		struct guts_jv f = guts_jv_at(files, j->nfiles);
		struct guts_cifile *file = &j->files[j->nfiles];
		const char *hash = guts_jv_str_of(f, "sha256");

		if (!take_text(file->name, sizeof file->name, f, "name") || !guts_cifile_name_is_valid(file->name) ||
		    (hash[0] && guts_hex_decode(file->sha256, sizeof file->sha256, guts_slice_str(hash))))
			return false;
		file->bytes = guts_jv_u64_of(f, "bytes");
	}
	return true;
}

static bool
take_job(struct guts_cijob *j, struct guts_jv v)
{
	const char *before = guts_jv_str_of(v, "before");
	uint64_t progress = guts_jv_u64_of(v, "progress");

	j->created_ms = take_time(v, "created_at");
	j->started_ms = take_time(v, "started_at");
	j->ended_ms = take_time(v, "ended_at");
	j->attempts = (uint32_t)guts_jv_u64_of(v, "attempts");
	j->progress = progress > 100 ? 100 : (uint8_t)progress;
	j->queue = guts_jv_u64_of(v, "queue");
	if (strncmp(guts_jv_str_of(v, "target_url"), "http", 4) == 0 &&
	    !take_text(j->target_url, sizeof j->target_url, v, "target_url"))
		return false;
	return take_text(j->id, sizeof j->id, v, "id") && take_text(j->ref, sizeof j->ref, v, "ref") &&
	    take_text(j->context, sizeof j->context, v, "context") && take_text(j->runner, sizeof j->runner, v, "runner") &&
	    take_text(j->description, sizeof j->description, v, "description") &&
	    guts_oid_from_hex(&j->commit, guts_slice_str(guts_jv_str_of(v, "commit"))) == GUTS_OK &&
	    !guts_oid_is_none(&j->commit) &&
	    (!before[0] || guts_oid_from_hex(&j->before, guts_slice_str(before)) == GUTS_OK) &&
	    guts_cievent_parse(&j->event, guts_jv_str_of(v, "event")) == GUTS_OK &&
	    guts_cistate_parse(&j->state, guts_jv_str_of(v, "state")) == GUTS_OK && take_lists(j, v);
}

int
guts_cijob_read(struct guts_cijob *j, struct guts_slice json)
{
	struct guts_doc *doc;
	int err = guts_doc_parse(&doc, json, NULL);

	*j = (struct guts_cijob){ 0 };
	if (err)
		return err;
	if (!take_job(j, guts_doc_root(doc)))
		err = GUTS_EPROTO;
	guts_doc_free(doc);
	return err;
}

/* -- signed ---------------------------------------------------------------------------------------- */

static const char domain[] = "guts-job", payload_type[] = "guts/job/1";

int
guts_cijob_seal(struct guts_buf *out, const struct guts_key *key, struct guts_slice json)
{
	return guts_envelope_seal(out, key, domain, guts_slice_str(payload_type), json);
}

static int
read_record(struct guts_cijob *j, struct guts_slice json)
{
	struct guts_doc *doc;
	int err = guts_cijob_read(j, json);

	if (!err)
		err = guts_doc_parse(&doc, json, NULL);
	if (err)
		return err;
	err = guts_repoid_parse(j->repo, guts_slice_str(guts_jv_str_of(guts_jv_get(guts_doc_root(doc), "repository"), "id")));
	guts_doc_free(doc);
	return err || guts_cijob_is_open(j) ? GUTS_EPROTO : GUTS_OK;
}

int
guts_cijob_open(struct guts_cijob *j, struct guts_peerid *signer, struct guts_slice record)
{
	struct guts_envelope e;
	int err = guts_envelope_open(&e, record, GUTS_MSG_JOB_RECORD_MAX, domain, guts_slice_str(payload_type));

	if (err)
		return err;
	*signer = e.signer;
	return read_record(j, e.payload);
}

int
guts_cijob_peek(struct guts_cijob *j, struct guts_slice record)
{
	struct guts_envelope e;
	int err = guts_envelope_peek(&e, record, GUTS_MSG_JOB_RECORD_MAX);

	return err ? err : read_record(j, e.payload);
}
