/* bridge/cifile.c - files of a job: its log and what it made, written by its runner in pieces and read while it runs.
 *
 * Each piece says where it belongs, so one that is sent again changes nothing.  Readers that wait are told when there is more.
 */
#include "bridge/ciint.h"

#include "base/alloc.h"
#include "base/text.h"
#include "bridge/cirelay.h"
#include "bridge/ciview.h"
#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>

bool
guts_cifile_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > GUTS_CIFILE_NAME_MAX || name[0] == '.')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

/* -- writing ------------------------------------------------------------------------------------- */

struct writing {
	struct guts_ci *ci;
	uint64_t bytes;
	char name[GUTS_CIFILE_NAME_MAX + 1];
	guts_bridge_done *done;
	void *owner;
};

static void
on_written(void *owner, int err, struct guts_ciopen *o)
{
	struct writing *w = owner;
	struct guts_errinfo ei = { 0 };

	if (err)
		guts_err_set(&ei, err, "%s", guts_err_text(err));
	else
		guts_ci_signal(w->ci, "ci.job.output", &o->job,
		    (struct guts_fact_attr){ .name = "file", .text = guts_slice_str(w->name) },
		    (struct guts_fact_attr){ .name = "bytes", .is_number = true, .number = w->bytes });
	w->done(w->owner, err, &ei, w->bytes);
	guts_ci_prune(w->ci);
	free(w);
}

/* Append `bytes` to file `i` of *next, in rows. */
static void
append(struct guts_batch *b, struct guts_cijob *next, size_t i, struct guts_slice bytes)
{
	for (size_t at = 0, n; at < bytes.n; at += n) {
		n = bytes.n - at < GUTS_CIFILE_CHUNK ? bytes.n - at : GUTS_CIFILE_CHUNK;
		guts_cifile_put(b, next, i, next->files[i].bytes, guts_slice(bytes.p + at, n));
		next->files[i].bytes += n;
	}
}

/* Why a piece cannot be taken; 0 = it can. */
static int
check(const struct guts_cijob *j, size_t i, const char *name, uint64_t offset, size_t n, struct guts_errinfo *ei)
{
	uint64_t have = i < GUTS_CIJOB_FILES_MAX ? j->files[i].bytes : 0;
	bool is_log = strcmp(name, GUTS_CIFILE_LOG) == 0;
	uint64_t max = is_log ? GUTS_CIFILE_LOG_MAX : GUTS_CIFILE_MAX;

	if (!guts_cifile_name_is_valid(name))
		return guts_err_set(ei, GUTS_EINVAL, "a file's name has 1 to 64 letters, digits, '.', '_' and '-', not '.' first");
	if (i >= GUTS_CIJOB_FILES_MAX && j->nfiles >= GUTS_CIJOB_FILES_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "a job has at most 16 files");
	if (offset > have)
		return guts_err_set(ei, GUTS_ECONFLICT, "%s has %llu bytes: go on there", name, (unsigned long long)have);
	if (offset + n > max)
		return guts_err_set(ei, GUTS_ELIMIT, "%s has at most %llu MiB", is_log ? "a log" : "a file",
		    (unsigned long long)max >> 20);
	return GUTS_OK;
}

void
guts_ci_write(struct guts_ci *ci, const char *lease, const char *name, uint64_t offset, struct guts_slice bytes,
    guts_bridge_done *done, void *owner)
{
	struct guts_ciopen *o = guts_ci_take(ci, lease, done, owner);
	struct guts_errinfo ei = { 0 };
	struct guts_cijob next;
	struct guts_batch *b;
	struct writing *w;
	uint64_t have;
	size_t i;
	int err;

	if (!o)
		return;
	i = guts_cifile_find(&o->job, name);
	have = i < GUTS_CIJOB_FILES_MAX ? o->job.files[i].bytes : 0;
	err = check(&o->job, i, name, offset, bytes.n, &ei);
	if (err || (i < GUTS_CIJOB_FILES_MAX && offset + bytes.n <= have)) {
		done(owner, err, &ei, have); /* all of it is here */
		return;
	}
	next = o->job;
	if (i == GUTS_CIJOB_FILES_MAX) {
		i = next.nfiles++;
		next.files[i] = (struct guts_cifile){ 0 };
		snprintf(next.files[i].name, sizeof next.files[i].name, "%s", name);
	}
	b = guts_batch_new();
	append(b, &next, i, guts_slice(bytes.p + (have - offset), bytes.n - (size_t)(have - offset)));
	w = guts_alloc(sizeof *w);
	*w = (struct writing){ .ci = ci, .bytes = next.files[i].bytes, .done = done, .owner = owner };
	snprintf(w->name, sizeof w->name, "%s", name);
	guts_ci_change(ci, o, &next, b, NULL, on_written, w);
}

/* -- hashes, on a worker ------------------------------------------------------------------------------ */

int
guts_cifile_hash(struct guts_store *s, struct guts_cijob *j)
{
	struct guts_buf piece;
	int err = GUTS_OK;

	guts_buf_init(&piece, GUTS_CIFILE_CHUNK);
	for (size_t i = 0; i < j->nfiles && !err; i++) {
		struct guts_sha256_ctx c;
		uint64_t at = 0;

		guts_sha256_begin(&c);
		while (at < j->files[i].bytes && !err) {
			guts_buf_clear(&piece);
			err = guts_cifile_read(s, j, i, at, &piece);
			if (!err && piece.len == 0)
				err = GUTS_EIO;
			guts_sha256_add(&c, guts_buf_slice(&piece));
			at += piece.len;
		}
		guts_sha256_end(&c, j->files[i].sha256);
	}
	guts_buf_deinit(&piece);
	return err;
}

/* -- for other nodes ------------------------------------------------------------------------------------ */

/* Of a job that ran here: signed once it has ended, as it is shown here. */
static int
tell_own(struct guts_ci *ci, const struct guts_cijob *j, struct guts_repo *r, struct guts_job_told *out)
{
	struct guts_repo_info *info = guts_repo_info_get(r);
	struct guts_json w;
	int err;

	guts_json_init(&w, &out->json);
	guts_cijob_view(&w, "", j, info, 0, 0);
	guts_repo_info_unref(info);
	if (out->json.failed)
		return GUTS_ELIMIT;
	if (guts_cijob_is_open(j))
		return GUTS_OK;
	err = guts_cijob_seal(&out->record, guts_node_key(ci->node), guts_buf_slice(&out->json));
	guts_buf_clear(&out->json);
	return err;
}

int
guts_ci_answer(void *owner, const uint8_t repo[GUTS_REPOID_SIZE], const uint8_t job[16], struct guts_slice file, uint64_t offset,
    struct guts_job_told *out)
{
	struct guts_ci *ci = owner;
	struct guts_repo *r = guts_sync_find(guts_node_sync(ci->node), repo);
	char id[GUTS_CIJOB_ID_SIZE], name[GUTS_CIFILE_NAME_MAX + 1];
	struct guts_cicopy *c = NULL;
	struct guts_cijob j;
	size_t i;
	int err;

	guts_hex_encode(id, job, 16);
	err = guts_cijob_find(ci->store, guts_slice_str(id), &j);
	if (err == GUTS_ENOTFOUND && (c = guts_cicopy_find(&ci->copies, id)) != NULL)
		err = guts_cicopy_read(ci->store, c, &j, &out->record);
	snprintf(name, sizeof name, "%.*s", (int)file.n, (const char *)file.p);
	if (r && err == GUTS_ENOTFOUND && file.n < sizeof name)
		return guts_cirelay(ci, repo, id, name);
	if (err || !r || memcmp(j.repo, repo, sizeof j.repo) != 0 || file.n >= sizeof name)
		return err ? err : GUTS_ENOTFOUND;
	i = guts_cifile_find(&j, name);
	if (c && i < GUTS_CIJOB_FILES_MAX && !(c->have & 1u << i))
		return guts_cirelay(ci, repo, id, name);
	if (!c && (err = tell_own(ci, &j, r, out)) != 0)
		return err;
	if (i < GUTS_CIJOB_FILES_MAX)
		return guts_cifile_read(ci->store, &j, i, offset, &out->data);
	return file.n == 0 || guts_cijob_is_open(&j) ? GUTS_OK : GUTS_ENOTFOUND;
}

/* -- those that wait ---------------------------------------------------------------------------------- */

static void
wait_for(struct guts_ci *ci, const struct guts_citail *what, uint64_t wait_ms)
{
	struct guts_citail *t = guts_memdup(what, sizeof *what);

	t->deadline_ns = ci->is_running && ci->ntails < GUTS_CITAILS_MAX ?
	    guts_env_now(ci->env) + wait_ms * GUTS_MS_NS : 0;
	DL_APPEND(ci->tails, t);
	ci->ntails++;
	guts_ci_run(ci);
}

void
guts_ci_tail(struct guts_ci *ci, const char *id, const char *name, uint64_t offset, uint64_t wait_ms,
    void (*done)(void *owner), void *owner)
{
	struct guts_citail t = { .offset = offset, .done = done, .owner = owner };

	snprintf(t.id, sizeof t.id, "%s", id);
	snprintf(t.name, sizeof t.name, "%s", name);
	wait_for(ci, &t, wait_ms);
}

void
guts_ci_watch(struct guts_ci *ci, const char *lease, uint64_t wait_ms, void (*done)(void *owner), void *owner)
{
	struct guts_citail t = { .done = done, .owner = owner };
	const struct guts_cijob *j = guts_ci_held(ci, lease);

	snprintf(t.id, sizeof t.id, "%s", j ? j->id : "");
	snprintf(t.lease, sizeof t.lease, "%s", lease);
	wait_for(ci, &t, wait_ms < ci->lease_ms / 2 ? wait_ms : ci->lease_ms / 2);
	explicit_bzero(&t, sizeof t);
}

/* Is what it waits for there? */
static bool
has_come(struct guts_ci *ci, const struct guts_citail *t)
{
	struct guts_ciopen *o;
	size_t i;

	DL_FOREACH (ci->open, o) {
		if (strcmp(o->job.id, t->id) == 0)
			break;
	}
	if (!o)
		return true; /* ended, or there is none */
	if (t->lease[0])
		return !guts_ci_holds(o, t->lease);
	i = guts_cifile_find(&o->job, t->name);
	return i < GUTS_CIJOB_FILES_MAX && o->job.files[i].bytes > t->offset;
}

void
guts_ci_tails_run(struct guts_ci *ci, uint64_t now)
{
	struct guts_citail *t, *next;

	DL_FOREACH_SAFE (ci->tails, t, next) {
		if (ci->is_running && now < t->deadline_ns && !has_come(ci, t))
			continue;
		DL_DELETE(ci->tails, t);
		ci->ntails--;
		t->done(t->owner);
		explicit_bzero(t, sizeof *t);
		free(t);
	}
}
