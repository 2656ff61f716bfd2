/* http/smartrefs.c - ls-refs of protocol v2: a worker reads packed-refs; what it does not answer goes to git. */
#include "base/alloc.h"
#include "git/lsrefs.h"
#include "http/api.h"
#include "http/smart.h"

#include <microhttpd.h>
#include <stdlib.h>

struct lsrefs_call {
	struct guts_call c;
	struct guts_lsrefs q;    /* views into request */
	uint8_t *request;
	char *disk;
	bool has_author;
	char author[GUTS_PEERID_TEXT_SIZE];
	struct guts_buf out;
	void (*instead)(struct guts_req *r);
};

static void
destroy(struct guts_call *c)
{
	struct lsrefs_call *l = (struct lsrefs_call *)c;

	free(l->request);
	free(l->disk);
	guts_buf_deinit(&l->out);
}

static void
run(struct guts_call *c)
{
	struct lsrefs_call *l = (struct lsrefs_call *)c;

	c->err = guts_lsrefs_answer(&l->q, l->disk, l->has_author ? l->author : NULL, &l->out);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	static const char *const extra[] = GUTS_SMART_HEADERS("application/x-git-upload-pack-result");
	struct lsrefs_call *l = (struct lsrefs_call *)c;

	if (c->err)
		l->instead(r);
	else
		guts_reply(r, 200, MHD_create_response_from_buffer(l->out.len, guts_memdup(guts_buf_slice(&l->out).p, l->out.len),
		    MHD_RESPMEM_MUST_FREE), extra);
}

bool
guts_smart_lsrefs(struct guts_req *r, const struct guts_smart_path *p, struct guts_slice request,
    void (*instead)(struct guts_req *r))
{
	struct lsrefs_call *l = guts_call_new(sizeof *l, run, answer, destroy);

	l->c.takes_err = true;
	guts_buf_init(&l->out, GUTS_HTTP_ANSWER_MAX);
	l->request = guts_memdup(request.p, request.n);
	if (guts_lsrefs_parse(&l->q, guts_slice(l->request, request.n), p->info->format)) {
		destroy(&l->c);
		free(l);
		return false;
	}
	l->disk = guts_repostore_path(r->h->repos, p->info->id);
	l->has_author = p->has_author;
	memcpy(l->author, p->author_text, sizeof l->author);
	l->instead = instead;
	l->c.is_read = true;
	guts_call_job(r, &l->c, "git.lsrefs");
	return true;
}
