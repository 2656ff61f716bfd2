/* http/smart.c - git fetches over HTTP: the request's bytes to git upload-pack, its bytes to the client.
 *
 *	body → (inflate) → pipe in → child … child → pipe out → answer
 *	                 ↘ while it may become ls-refs of protocol v2: held back, and answered by http/smartrefs.c
 *
 * Both pipes are bounded and each end sleeps when it cannot go on, so neither a pack nor a long list of
 * haves is ever held whole.  The status of the answer waits for the child's first byte or its end.
 *
 * Source: gitprotocol-http(5).
 */
#include "http/smart.h"

#include "base/alloc.h"
#include "git/receive.h"
#include "git/lsrefs.h"
#include "git/serve.h"
#include "http/api.h"
#include "http/childout.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUEST_MAX (64u << 20)  /* [bytes] wants and haves of one fetch, inflated */
#define PIPE_IN (64u << 10)      /* [bytes] */
#define CAPABILITIES_MAX 4096    /* [bytes] of protocol v2's advertisement */

/* -- the address ---------------------------------------------------------------------- */

static struct guts_slice
without_git(struct guts_slice s)
{
	return s.n > 4 && memcmp(s.p + s.n - 4, ".git", 4) == 0 ? guts_slice(s.p, s.n - 4) : s;
}

static void
refuse_unknown(struct guts_req *r, bool write, struct guts_slice owner, struct guts_slice name)
{
	struct guts_peerid id;

	if (r->who.kind == GUTS_WHO_ANYONE && !r->lane->is_public)
		guts_reply_problem(r, 401, "no such repository, or not without a token (user: any, password: the token)\n");
	else if (!write || name.n == 0)
		guts_reply_problem(r, 404, "no such repository\n");
	else if (guts_peerid_parse(&id, owner) == 0 && !guts_peerid_eq(&id, &r->h->id))
		guts_reply_problem(r, 404, "no such repository; one of that owner is made on its own node\n");
	else
		guts_reply_problem(r, 404, "no such repository; make it first with:  guts repo create %.*s\n", (int)name.n,
		    (const char *)name.p);
}

static void
redirect(struct guts_req *r, const struct guts_repo_info *i, const char *suffix)
{
	char path[GUTS_VIEW_PATH_SIZE], to[GUTS_VIEW_PATH_SIZE + 100];
	const char *extra[] = { "Location", to, NULL };

	guts_view_repo_path(path, i);
	snprintf(to, sizeof to, "/%s.git%s", path, suffix);
	guts_reply(r, 301, guts_reply_nothing(), extra);
}

bool
guts_smart_find(struct guts_req *r, bool write, const char *suffix, struct guts_smart_path *p)
{
	struct guts_slice first = guts_req_param(r, 0), second = without_git(guts_req_param(r, 1));
	uint8_t id[GUTS_REPOID_SIZE];
	bool moved;

	memset(p, 0, sizeof *p);
	if (second.n == 0)
		first = without_git(first);
	if (write && r->lane->is_public) {
		guts_reply_problem(r, 403, "this listener is for reading only; push to another address of the node\n");
		return false;
	}
	if (write && r->who.kind == GUTS_WHO_ANYONE) {
		guts_reply_problem(r, 401, "a push needs a token (user: any, password: the token)\n");
		return false;
	}
	if (write && !guts_who_can(&r->who, GUTS_SCOPE_WRITE)) {
		guts_reply_problem(r, 403, "the token lacks the scope for this\n");
		return false;
	}
	if (second.n && guts_repoid_parse(id, first) == 0) {
		if (guts_peerid_parse(&p->author, second) == 0) {
			p->has_author = true;
			guts_peerid_text(p->author_text, &p->author);
			p->info = guts_find_repo(r, first, guts_slice(NULL, 0), &moved);
		}
	} else {
		p->info = guts_find_repo(r, first, second, &moved);
	}
	if (!p->info) {
		refuse_unknown(r, write, first, second);
		return false;
	}
	if (!p->has_author && moved && suffix) {
		redirect(r, p->info, suffix);
	} else if (write && !guts_who_may_touch(&r->who, p->info->id)) {
		guts_reply_problem(r, 403, "this token is for other repositories\n");
	} else {
		return true;
	}
	guts_smart_path_deinit(p);
	return false;
}

void
guts_smart_path_deinit(struct guts_smart_path *p)
{
	if (p->info)
		guts_repo_info_unref(p->info);
	p->info = NULL;
}

/* -- bodies ------------------------------------------------------------------------------- */

static bool
slice_is(struct guts_slice s, const char *text)
{
	return guts_slice_eq(s, guts_slice_str(text));
}

bool
guts_smart_body_init(struct guts_smart_body *b, struct guts_req *r, const char *type)
{
	struct guts_slice enc = r->head.v[GUTS_HEAD_CONTENT_ENCODING];

	memset(b, 0, sizeof *b);
	if (!guts_guard_type_is(r->head.v[GUTS_HEAD_CONTENT_TYPE], type)) {
		guts_reply_problem(r, 415, "the body must be %s\n", type);
		return false;
	}
	b->is_gzip = slice_is(enc, "gzip") || slice_is(enc, "x-gzip");
	if (enc.n && !b->is_gzip && !slice_is(enc, "identity")) {
		guts_reply_problem(r, 415, "the body may be encoded with gzip only\n");
		return false;
	}
	if (b->is_gzip && inflateInit2(&b->z, 15 + 16) != Z_OK) {
		guts_reply_problem(r, 500, "no memory to inflate with\n");
		return false;
	}
	return true;
}

void
guts_smart_body_deinit(struct guts_smart_body *b)
{
	if (b->is_gzip)
		inflateEnd(&b->z);
	free(b->chunk);
	b->chunk = NULL;
	b->is_gzip = false;
}

static void
inflate_some(struct guts_smart_body *b, struct guts_slice in, size_t *used)
{
	if (!b->chunk)
		b->chunk = guts_alloc(GUTS_SMART_CHUNK);
	b->z.next_in = (Bytef *)(uintptr_t)in.p;
	b->z.avail_in = (uInt)in.n;
	b->z.next_out = b->chunk;
	b->z.avail_out = GUTS_SMART_CHUNK;
	int ret = inflate(&b->z, Z_NO_FLUSH);
	*used = in.n - b->z.avail_in;
	b->at = 0;
	b->n = GUTS_SMART_CHUNK - b->z.avail_out;
	if (ret == Z_STREAM_END)
		b->ended = true;
	else if (ret != Z_OK && ret != Z_BUF_ERROR)
		b->bad = true;
}

bool
guts_smart_body_next(struct guts_smart_body *b, struct guts_slice in, size_t *used, struct guts_slice *out)
{
	*used = 0;
	if (!b->is_gzip) {
		*out = in;
		return in.n > 0;
	}
	if (b->at == b->n && !b->ended && !b->bad)
		inflate_some(b, in, used);
	else if (b->at == b->n)
		*used = in.n; /* what follows the end is not looked at */
	*out = guts_slice(b->chunk + b->at, b->n - b->at);
	return out->n > 0;
}

void
guts_smart_body_used(struct guts_smart_body *b, size_t n)
{
	b->plain += n;
	if (b->is_gzip)
		b->at += n;
}

size_t
guts_smart_body_left(const struct guts_smart_body *b)
{
	return b->n - b->at;
}

bool
guts_smart_body_is_whole(const struct guts_smart_body *b)
{
	return !b->is_gzip || (b->ended && !b->bad);
}

/* -- one fetch ---------------------------------------------------------------------------------- */

struct fetch {
	struct guts_req *req;
	struct guts_smart_path path;
	struct guts_smart_body body;
	bool is_held;                /* no child yet: so far the body may be for refs alone */
	struct guts_buf held;        /* it */
	struct guts_pipe *in;        /* our end; NULL once given up */
	struct guts_childout out;
	const char *type;
	struct guts_buf copy;        /* of protocol v2's advertisement */
};

struct start {
	struct guts_repostore *repos;
	struct guts_serve_spec spec;
	char author[GUTS_PEERID_TEXT_SIZE];
	struct guts_pipe *in, *out;
};

static void
start_posted(void *arg)
{
	struct start *s = arg;

	guts_serve_upload(s->repos, &s->spec, s->in, s->out, NULL, NULL);
	free(s);
}

static void
wake(void *arg)
{
	guts_req_wake(arg);
}

static void
free_fetch(struct guts_req *r)
{
	struct fetch *f = r->state;

	if (f->in)
		guts_pipe_end(f->in, GUTS_ECANCELED);
	if (f->out.pipe)
		guts_childout_deinit(&f->out);
	guts_smart_body_deinit(&f->body);
	guts_smart_path_deinit(&f->path);
	guts_buf_deinit(&f->held);
	guts_buf_deinit(&f->copy);
	free(f);
}

/* The version of the protocol that is asked for. */
static unsigned
protocol_of(const struct guts_req *r)
{
	struct guts_slice proto = r->head.v[GUTS_HEAD_GIT_PROTOCOL];
	char header[128] = "";

	if (proto.n && proto.n < sizeof header)
		memcpy(header, proto.p, proto.n);
	return guts_serve_protocol(header);
}

/* The state of a request for what `p` names, which it adopts. */
static struct fetch *
new_fetch(struct guts_req *r, struct guts_smart_path *p)
{
	struct fetch *f = guts_alloc(sizeof *f);

	f->req = r;
	f->path = *p;
	p->info = NULL;
	guts_buf_init(&f->held, GUTS_LSREFS_REQUEST_MAX);
	r->state = f;
	r->state_free = free_fetch;
	return f;
}

static void
start_git(struct fetch *f, bool advertise)
{
	const struct guts_smart_path *p = &f->path;
	struct start *s = guts_alloc(sizeof *s);
	struct guts_req *r = f->req;

	guts_childout_init(&f->out, r);
	f->out.busy = "too many fetches at once; try again";
	if (!advertise) {
		f->in = guts_pipe_new(PIPE_IN);
		guts_pipe_on_room(f->in, wake, r);
	}
	memcpy(s->spec.repo, p->info->id, GUTS_REPOID_SIZE);
	memcpy(s->author, p->author_text, sizeof s->author);
	s->spec.author = p->has_author ? s->author : NULL;
	s->spec.protocol = protocol_of(r);
	s->spec.advertise = advertise;
	f->out.preface = advertise ? guts_serve_preface(s->spec.protocol) : "";
	s->spec.key = guts_childout_key(r);
	s->repos = r->h->repos;
	s->in = f->in;
	s->out = f->out.pipe;
	guts_env_post(r->h->env, start_posted, s);
}

/* It is not for refs alone: what was held goes to git. */
static void
release(struct fetch *f)
{
	f->is_held = false;
	start_git(f, false);
	guts_pipe_write(f->in, guts_buf_slice(&f->held)); /* fits: PIPE_IN is larger */
	guts_buf_deinit(&f->held);
}

static void
answer_fetch(struct guts_req *r)
{
	struct fetch *f = r->state;
	const char *const extra[] = GUTS_SMART_HEADERS(f->type);

	r->resume = answer_fetch;
	f->out.extra = extra;
	guts_childout_answer(&f->out);
}

void
guts_smart_fetch_open(struct guts_req *r)
{
	struct guts_smart_path p;

	if (!guts_smart_find(r, false, NULL, &p))
		return;
	struct fetch *f = new_fetch(r, &p);
	f->type = "application/x-git-upload-pack-result";
	if (!guts_smart_body_init(&f->body, r, "application/x-git-upload-pack-request"))
		return;
	atomic_fetch_add(&r->h->n.fetches, 1);
	f->is_held = protocol_of(r) == 2;
	if (!f->is_held)
		start_git(f, false);
}

/* Bytes of `plain` that were held back; fewer: they are not for refs alone. */
static size_t
hold(struct fetch *f, struct guts_slice plain)
{
	size_t room = GUTS_LSREFS_REQUEST_MAX - f->held.len, n = plain.n < room ? plain.n : room;

	guts_buf_add(&f->held, plain.p, n);
	if (n < plain.n || !guts_lsrefs_begins(guts_buf_slice(&f->held)))
		release(f);
	return n;
}

/* Give plain bytes to the child; false: the pipe is full and the request sleeps. */
static bool
give(struct fetch *f, struct guts_slice plain)
{
	size_t held = f->is_held ? hold(f, plain) : 0;
	struct guts_slice rest = guts_slice(plain.p + held, plain.n - held);
	ssize_t n = f->in && rest.n ? guts_pipe_write(f->in, rest) : (ssize_t)rest.n;

	if (n < 0) /* the child has ended: what it said is the answer */
		n = (ssize_t)rest.n;
	guts_smart_body_used(&f->body, held + (size_t)n);
	if ((size_t)n == rest.n)
		return true;
	if (guts_req_sleep(f->req))
		guts_pipe_wait_room(f->in);
	return false;
}

size_t
guts_smart_fetch_feed(struct guts_req *r, struct guts_slice data)
{
	struct fetch *f = r->state;
	struct guts_slice plain;
	size_t total = 0, used;
	bool more;

	do {
		more = guts_smart_body_next(&f->body, guts_slice(data.p + total, data.n - total), &used, &plain);
		total += used;
		size_t before = (size_t)f->body.plain;
		bool all = !more || give(f, plain);
		if (!f->body.is_gzip)
			total += (size_t)f->body.plain - before;
		if (f->in && f->body.plain > REQUEST_MAX) {
			guts_pipe_end(f->in, GUTS_ELIMIT);
			f->in = NULL;
		}
		if (!all)
			break;
	} while (total < data.n || (f->body.is_gzip && more));
	return total;
}

/* The whole body is with git. */
static void
end_body(struct guts_req *r)
{
	struct fetch *f = r->state;

	if (f->is_held)
		release(f);
	if (f->in) {
		guts_pipe_end(f->in, guts_smart_body_is_whole(&f->body) ? 0 : GUTS_EPROTO);
		f->in = NULL;
	}
	answer_fetch(r);
}

void
guts_smart_fetch(struct guts_req *r)
{
	struct fetch *f = r->state;

	guts_smart_fetch_feed(r, guts_slice(NULL, 0));
	if (guts_smart_body_left(&f->body))
		return; /* asleep until there is room for it */
	if (f->is_held && guts_smart_body_is_whole(&f->body) && guts_smart_lsrefs(r, &f->path, guts_buf_slice(&f->held), end_body))
		return;
	end_body(r);
}

/* -- GET info/refs -------------------------------------------------------------------------------- */

static const char fetch_advert[] = "application/x-git-upload-pack-advertisement";

/* What git says of itself in protocol v2 names no ref: it is asked once, and the answer serves all repositories of one format. */
static void
keep_capabilities(struct guts_childout *o)
{
	struct guts_http *h = o->req->h;

	pthread_mutex_lock(&h->cache_lock);
	if (h->capabilities.len == 0 && !o->copy->failed)
		guts_buf_add_slice(&h->capabilities, guts_buf_slice(o->copy));
	pthread_mutex_unlock(&h->cache_lock);
}

/* Answer with it; false: git was not asked yet. */
static bool
answer_capabilities(struct guts_req *r)
{
	static const char *const extra[] = GUTS_SMART_HEADERS(fetch_advert);
	struct guts_http *h = r->h;

	pthread_mutex_lock(&h->cache_lock);
	size_t n = h->capabilities.len;
	void *copy = n ? guts_memdup(guts_buf_slice(&h->capabilities).p, n) : NULL;
	pthread_mutex_unlock(&h->cache_lock);
	if (copy)
		guts_reply(r, 200, MHD_create_response_from_buffer(n, copy, MHD_RESPMEM_MUST_FREE), extra);
	return copy != NULL;
}

static void
advertise_fetch(struct guts_req *r, struct guts_smart_path *p)
{
	bool is_same = protocol_of(r) == 2 && p->info->format == GUTS_SHA1;

	if (is_same && answer_capabilities(r))
		return;
	struct fetch *f = new_fetch(r, p);
	start_git(f, true);
	atomic_fetch_add(&r->h->n.fetches, 1);
	f->type = fetch_advert;
	guts_buf_init(&f->copy, CAPABILITIES_MAX);
	f->out.copy = is_same ? &f->copy : NULL;
	f->out.whole = keep_capabilities;
	answer_fetch(r);
}

static void
advertise_push(struct guts_req *r, const struct guts_smart_path *p)
{
	static const char *const extra[] = GUTS_SMART_HEADERS("application/x-git-receive-pack-advertisement");
	const struct guts_refs_view *view = p->info->canonical;
	struct guts_receive_ref *refs;
	struct guts_receive_advert a = { .format = p->info->format, .is_http = true };
	char agent[48];
	struct guts_buf b;

	for (size_t i = 0; p->has_author && i < p->info->nauthors; i++) {
		if (guts_peerid_eq(&p->info->authors[i].id, &p->author))
			view = p->info->authors[i].refs_view;
	}
	if (p->has_author && view == p->info->canonical)
		view = NULL;
	refs = guts_calloc(view ? view->n + 1 : 1, sizeof *refs);
	for (size_t i = 0; view && i < view->n; i++)
		refs[i] = (struct guts_receive_ref){ .name = view->v[i].name, .oid = view->v[i].oid };
	snprintf(agent, sizeof agent, "guts/%s", r->h->version);
	a.refs = refs;
	a.n = view ? view->n : 0;
	a.agent = agent;
	guts_buf_init(&b, GUTS_HTTP_ANSWER_MAX);
	if (guts_receive_advertise(&b, &a) < 0) {
		guts_reply_problem(r, 500, "too many refs\n");
	} else {
		void *copy = guts_memdup(guts_buf_slice(&b).p, b.len);
		guts_reply(r, 200, MHD_create_response_from_buffer(b.len, copy, MHD_RESPMEM_MUST_FREE), extra);
	}
	guts_buf_deinit(&b);
	free(refs);
}

void
guts_smart_refs(struct guts_req *r)
{
	struct guts_slice service = guts_target_query(&r->target, "service");
	bool push = slice_is(service, "git-receive-pack");
	struct guts_smart_path p;

	if (!push && !slice_is(service, "git-upload-pack")) {
		guts_smart_dumb(r);
		return;
	}
	if (!guts_smart_find(r, push, push ? "/info/refs?service=git-receive-pack" : "/info/refs?service=git-upload-pack", &p))
		return;
	if (push)
		advertise_push(r, &p);
	else
		advertise_fetch(r, &p);
	guts_smart_path_deinit(&p);
}

void
guts_smart_dumb(struct guts_req *r)
{
	guts_reply_problem(r, 403, "the dumb HTTP protocol is not served; use a git that speaks smart HTTP (1.6.6 or later)\n");
}

/* An error in the shape that git-lfs shows to its user (git-lfs's docs/api/README.md). */
void
guts_smart_lfs(struct guts_req *r)
{
	const char *const extra[] = { "Content-Type", "application/vnd.git-lfs+json", NULL };
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_str(&j, "message", "Git LFS is not supported by this node; push the files themselves, or keep them elsewhere");
	guts_json_put_str(&j, "request_id", r->id);
	guts_json_object_end(&j);
	void *copy = guts_memdup(guts_buf_slice(&b).p, b.len);
	guts_reply(r, 501, MHD_create_response_from_buffer(b.len, copy, MHD_RESPMEM_MUST_FREE), extra);
	guts_buf_deinit(&b);
}
