/* http/api_sinks.c - how the message brokers do that get this node's events. */
#include "http/api.h"
#include "sink/sinkview.h"

struct sinks_call {
	struct guts_call c;
	struct guts_sink_info v[GUTS_SINKS_MAX];
	size_t n;
};

static void
run(struct guts_call *c)
{
	struct sinks_call *p = (struct sinks_call *)c;

	p->n = guts_sinks_count(c->h->sinks);
	for (size_t i = 0; i < p->n; i++)
		guts_sinks_info(c->h->sinks, i, &p->v[i]);
	guts_call_done(c, 0, NULL);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	struct sinks_call *p = (struct sinks_call *)c;
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < p->n; i++)
		guts_sink_view(&j, &p->v[i]);
	guts_json_array_end(&j);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_sinks(struct guts_req *r)
{
	struct sinks_call *p = guts_call_new(sizeof *p, run, answer, NULL);

	guts_call_loop(r, &p->c);
}
