/* http/api_cifile.c - files of CI jobs: pieces taken from a runner, and read by anybody who may see the repository.
 *
 * What a job wrote is a stranger's: it is shown as plain text or saved, never rendered.
 */
#include "base/text.h"
#include "bridge/ci.h"
#include "http/api.h"
#include "bridge/cifetch.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE_MAX (1u << 20) /* [bytes] of one answer */
#define AGAIN_NS GUTS_SECOND_NS /* until the node of a job that runs is asked again */

struct file_call {
	struct guts_call c;
	char lease[GUTS_CIJOB_ID_SIZE], id[GUTS_CIJOB_ID_SIZE];
	char name[GUTS_CIFILE_NAME_MAX + 1];
	uint8_t repo[GUTS_REPOID_SIZE];
	uint64_t offset, wait_s, bytes;
	struct guts_buf data;   /* a piece to write, or what was read */
	enum guts_cistate state;
	struct guts_cifetch fetch;
	struct guts_timer timer;
	uint64_t deadline_ns;
};

static void
destroy_file(struct guts_call *c)
{
	struct file_call *p = (struct file_call *)c;

	explicit_bzero(p->lease, sizeof p->lease);
	guts_buf_deinit(&p->data);
	guts_buf_deinit(&p->fetch.data);
}

static void
copy(char *to, size_t size, struct guts_slice s)
{
	snprintf(to, size, "%.*s", (int)s.n, (const char *)s.p);
}

/* -- written ------------------------------------------------------------------------------------ */

size_t
guts_rest_ci_write_feed(struct guts_req *r, struct guts_slice data)
{
	if (guts_buf_add_slice(&r->body, data) < 0)
		r->is_dropped = true;
	return data.n;
}

static void
on_written(void *owner, int err, const struct guts_errinfo *ei, uint64_t bytes)
{
	struct file_call *p = owner;

	p->bytes = bytes;
	guts_call_done(&p->c, err, ei);
}

static void
run_write(struct guts_call *c)
{
	struct file_call *p = (struct file_call *)c;

	guts_ci_write(guts_bridge_ci(c->h->bridge), p->lease, p->name, p->offset, guts_buf_slice(&p->data), on_written, p);
}

static void
answer_write(struct guts_req *r, struct guts_call *c)
{
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_u64(&j, "bytes", ((struct file_call *)c)->bytes);
	guts_json_object_end(&j);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_ci_write(struct guts_req *r)
{
	struct guts_slice lease = guts_req_param(r, 0), name = guts_req_param(r, 1);
	struct file_call *p;
	uint64_t offset;

	if (!guts_req_number(r, "offset", 0, GUTS_CIFILE_MAX, 0, &offset))
		return;
	if (lease.n != GUTS_CIJOB_ID_SIZE - 1 || name.n > GUTS_CIFILE_NAME_MAX) {
		guts_reply_problem(r, lease.n != GUTS_CIJOB_ID_SIZE - 1 ? 404 : 400, "no such lease, or the name of the file is too long");
		return;
	}
	p = guts_call_new(sizeof *p, run_write, answer_write, destroy_file);
	copy(p->lease, sizeof p->lease, lease);
	copy(p->name, sizeof p->name, name);
	p->offset = offset;
	p->data = r->body;
	guts_buf_init(&r->body, GUTS_HTTP_JSON_MAX);
	guts_call_loop(r, &p->c);
}

/* -- read --------------------------------------------------------------------------------------------- */

static void
on_more(void *owner)
{
	struct file_call *p = owner;

	guts_call_done(&p->c, 0, NULL);
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct file_call *p = owner;

	(void)t;
	if (guts_call_is_waited(&p->c))
		guts_cifetch_run(&p->fetch);
	else
		guts_call_done(&p->c, GUTS_ECANCELED, NULL);
}

/* Here readers are told of more; another node is asked again. */
static void
on_found(void *owner, int err, const struct guts_errinfo *ei)
{
	struct file_call *p = owner;
	struct guts_env *env = p->c.h->env;

	if (err)
		guts_call_done(&p->c, err, ei);
	else if (p->fetch.is_own)
		guts_ci_tail(guts_bridge_ci(p->c.h->bridge), p->id, p->name, p->offset, p->wait_s * 1000, on_more, p);
	else if (p->fetch.from == GUTS_CIFROM_PEER && p->fetch.data.len == 0 && guts_cijob_is_open(&p->fetch.job) && guts_env_now(env) < p->deadline_ns)
		guts_env_timer_set(env, &p->timer, guts_env_now(env) + AGAIN_NS);
	else
		guts_call_done(&p->c, 0, NULL);
}

static void
run_read(struct guts_call *c)
{
	struct file_call *p = (struct file_call *)c;

	p->fetch = (struct guts_cifetch){ .ci = guts_bridge_ci(c->h->bridge), .offset = p->offset, .done = on_found, .owner = p };
	memcpy(p->fetch.repo, p->repo, sizeof p->repo);
	memcpy(p->fetch.id, p->id, sizeof p->id);
	memcpy(p->fetch.file, p->name, sizeof p->name);
	guts_buf_init(&p->fetch.data, PIECE_MAX);
	p->timer = (struct guts_timer){ .fire = on_timer, .owner = p, .at_ns = GUTS_NEVER };
	p->deadline_ns = guts_env_now(c->h->env) + p->wait_s * GUTS_SECOND_NS;
	guts_cifetch_run(&p->fetch);
}

/* Of a job of another node: its copy is in the store, or it was told. */
static int
take_remote(struct file_call *p)
{
	size_t i = guts_cifile_find(&p->fetch.job, p->name);

	p->state = p->fetch.job.state;
	p->bytes = i < GUTS_CIJOB_FILES_MAX ? p->fetch.job.files[i].bytes : 0;
	if (p->fetch.from == GUTS_CIFROM_STORE) {
		int err = guts_cifile_read(p->c.h->store, &p->fetch.job, i, p->offset, &p->data);

		return !err && p->data.len == 0 && p->offset < p->bytes ? GUTS_EBUSY : err; /* it made room for another meanwhile */
	}
	p->data = p->fetch.data;
	guts_buf_init(&p->fetch.data, PIECE_MAX);
	return GUTS_OK;
}

static int
read_piece(struct file_call *p, struct guts_errinfo *ei)
{
	struct guts_store *s = p->c.h->store;
	struct guts_cijob j;
	size_t i;
	int err = guts_cijob_find(s, guts_slice_str(p->id), &j);

	if (!err && memcmp(j.repo, p->repo, sizeof j.repo) != 0)
		err = GUTS_ENOTFOUND;
	if (err)
		return guts_err_set(ei, err, "no such job");
	i = guts_cifile_find(&j, p->name);
	p->state = j.state;
	if (i == GUTS_CIJOB_FILES_MAX) /* of one that runs it may still come */
		return guts_cijob_is_open(&j) ? GUTS_OK : guts_err_set(ei, GUTS_ENOTFOUND, "the job has no such file");
	p->bytes = j.files[i].bytes;
	return guts_cifile_read(s, &j, i, p->offset, &p->data);
}

static void
answer_read(struct guts_req *r, struct guts_call *c)
{
	struct file_call *p = (struct file_call *)c;
	bool is_log = strcmp(p->name, GUTS_CIFILE_LOG) == 0;
	char bytes[24], disposition[GUTS_CIFILE_NAME_MAX + 32];
	const char *extra[] = { "Content-Type", is_log ? "text/plain; charset=utf-8" : "application/octet-stream",
		"X-Job-State", NULL, "X-File-Bytes", bytes, "Content-Disposition", disposition, NULL };
	struct guts_errinfo ei = { 0 };
	struct guts_slice data;
	int err;

	guts_buf_init(&p->data, PIECE_MAX);
	err = p->fetch.is_own ? read_piece(p, &ei) : take_remote(p);
	if (err) {
		guts_reply_err(r, err, &ei);
		return;
	}
	data = guts_buf_slice(&p->data);
	extra[3] = guts_cistate_name(p->state);
	snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)p->bytes);
	snprintf(disposition, sizeof disposition, is_log ? "inline" : "attachment; filename=\"%s\"", p->name);
	guts_reply(r, 200, MHD_create_response_from_buffer(data.n, (void *)(uintptr_t)data.p, MHD_RESPMEM_MUST_COPY), extra);
}

void
guts_rest_ci_read(struct guts_req *r)
{
	struct guts_slice id = guts_req_param(r, 2), name = guts_req_param(r, 3);
	uint64_t offset, wait_s;
	struct guts_repo_info *info;
	struct file_call *p;

	if (!guts_req_number(r, "offset", 0, INT64_MAX, 0, &offset) ||
	    !guts_req_number(r, "wait", 0, GUTS_CILEASE_WAIT_MAX_S, 0, &wait_s) || !(info = guts_req_repo(r)))
		return;
	p = guts_call_new(sizeof *p, run_read, answer_read, destroy_file);
	memcpy(p->repo, info->id, sizeof p->repo);
	guts_repo_info_unref(info);
	copy(p->id, sizeof p->id, id);
	copy(p->name, sizeof p->name, name);
	p->offset = offset;
	p->wait_s = wait_s;
	if (name.n <= GUTS_CIFILE_NAME_MAX && guts_cifile_name_is_valid(p->name)) {
		guts_call_loop(r, &p->c);
		return;
	}
	destroy_file(&p->c);
	free(p);
	guts_reply_problem(r, 404, "no file has such a name");
}
