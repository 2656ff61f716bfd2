/* http/api_node.c - the node itself: index, status, the log's level, health, jobs, shutdown. */
#include "base/log.h"
#include "base/text.h"
#include "http/api.h"
#include "http/health.h"
#include "http/openapi.h"
#include "view/view.h"

#include <stdlib.h>

void
guts_rest_index(struct guts_req *r)
{
	static const char *const links[] = { "status", "config", "log", "peers", "bans", "dials", "repos",
		"gossip/topics", "gossip/peers", "gossip/stats", "gossip/messages", "events", "tokens", "session", "openapi.yaml", "openapi.json" };
	const char *base = guts_req_base(r);
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		guts_json_key(&j, links[i]);
		guts_json_strs(&j, base, "/api/v1/", links[i], NULL);
	}
	guts_json_key(&j, "metrics");
	guts_json_strs(&j, base, "/metrics", NULL);
	guts_json_object_end(&j);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_openapi_yaml(struct guts_req *r)
{
	guts_reply_text(r, 200, "application/yaml", guts_slice(guts_openapi_yaml, guts_openapi_yaml_n));
}

void
guts_rest_openapi_json(struct guts_req *r)
{
	struct guts_buf b;

	guts_buf_init(&b, GUTS_HTTP_ANSWER_MAX);
	guts_buf_add(&b, guts_openapi_json, guts_openapi_json_n);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_status(struct guts_req *r)
{
	struct guts_http *h = r->h;
	struct guts_snapshot *s = guts_node_snapshot(h->node);
	struct guts_view_status v = { .version = h->version, .body_bytes = GUTS_HTTP_JSON_MAX,
		.pack_bytes = r->access->pack_bytes, .streams = r->access->max_streams };
	const char *pending[GUTS_CONF_N];
	const char *urls[2 * GUTS_CONF_LIST_MAX];
	struct guts_view_health parts[GUTS_HEALTH_N];
	struct guts_health_report health;
	struct guts_buf b;
	struct guts_json j;

	guts_health_report(h->health, &health);
	uint64_t version = s->version + (health.version << 40);
	if (!guts_reply_cached(r, version)) {
		for (size_t i = 0; i < h->nlanes; i++) {
			if (!h->lanes[i].is_unix || r->who.scopes) /* a path is no stranger's business */
				urls[v.nhttp++] = h->lanes[i].url;
		}
		v.http = urls;
		v.health = guts_health_state_name(health.worst);
		v.parts = parts;
		for (; v.nparts < GUTS_HEALTH_N; v.nparts++)
			parts[v.nparts] = guts_health_view(&health, (enum guts_health_part)v.nparts);
		v.restart_required = pending;
		if (r->who.scopes)
			v.nrestart_required = guts_http_restart_required(h, pending);
		for (size_t i = 0; i < s->nrepos; i++)
			v.repositories += guts_who_may_see(&r->who, s->repos[i]->id, s->repos[i]->is_private);
		guts_reply_begin(&b, &j);
		guts_view_status(&j, s, &v);
		guts_reply_keep(r, version, &b, NULL);
	}
	guts_snapshot_unref(s);
}

/* -- the log's level ---------------------------------------------------------------------------- */

void
guts_rest_log_level(struct guts_req *r)
{
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_str(&j, "level", guts_log_level_name(guts_log_level()));
	guts_json_object_end(&j);
	guts_reply_json(r, 200, &b, NULL);
}

/* Until the node ends; the next start takes the option log.level again. */
void
guts_rest_log_set_level(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "level", GUTS_FIELD_TEXT, true, false, 1, 6, "error warn notice info debug", false },
	};
	struct guts_value v[1];
	struct guts_body body;
	struct guts_errinfo ei;
	enum guts_log_level level;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 1, false, v, &ei);

	if (!err)
		err = guts_log_level_parse(v[0].text, &level);
	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
	} else {
		guts_log_set_level(level);
		guts_rest_log_level(r);
	}
	guts_body_deinit(&body);
}

void
guts_rest_nothing(struct guts_req *r)
{
	guts_reply_problem(r, 404, "no such address");
}

void
guts_rest_livez(struct guts_req *r)
{
	guts_reply_text(r, 200, "text/plain; charset=utf-8", guts_slice_str("ok\n"));
}

void
guts_rest_readyz(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	bool ready = s->ready && !s->stopping;

	guts_reply_text(r, ready ? 200 : 503, "text/plain; charset=utf-8",
	    guts_slice_str(ready ? "ok\n" : s->stopping ? "stopping\n" : "starting\n"));
	guts_snapshot_unref(s);
}

/* -- commands ----------------------------------------------------------------------- */

static void
shutdown_posted(void *arg)
{
	struct guts_http *h = arg;

	if (!h->stopping)
		h->shutdown(h->owner);
}

/* The answer is on its way: now the node may go. */
static void
shutdown_answered(struct guts_req *r)
{
	guts_env_post(r->h->env, shutdown_posted, r->h);
}

void
guts_rest_shutdown(struct guts_req *r)
{
	r->state_free = shutdown_answered;
	guts_reply_empty(r, 202);
}

void
guts_rest_job(struct guts_req *r)
{
	struct guts_job_info i;
	struct guts_buf b;
	struct guts_json j;
	uint64_t id;

	if (guts_text_u64(guts_req_param(r, 0), INT64_MAX, &id) < 0 || guts_node_job(r->h->node, id, &i) < 0) {
		guts_reply_problem(r, 404, "no such job");
		return;
	}
	guts_reply_begin(&b, &j);
	guts_view_job(&j, &i);
	guts_reply_json(r, 200, &b, NULL);
}

struct alias_call {
	struct guts_call c;
	char alias[GUTS_NAME_MAX + 1];
	struct guts_peerid peer;
};

static void
alias_done(void *owner, int err, const struct guts_errinfo *ei)
{
	guts_call_done(owner, err, ei);
}

static void
run_alias(struct guts_call *c)
{
	struct alias_call *a = (struct alias_call *)c;

	guts_node_alias(c->h->node, a->alias, &a->peer, alias_done, c);
}

void
guts_rest_alias_put(struct guts_req *r)
{
	static const struct guts_field fields[] = { { "peer", GUTS_FIELD_TEXT, true, false, 1, 100, NULL, false } };
	struct guts_slice alias = guts_req_param(r, 0);
	struct guts_value v[1];
	struct guts_body body;
	struct guts_errinfo ei;
	struct guts_peerid peer;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 1, false, v, &ei);

	if (err == 0 && guts_peerid_parse(&peer, guts_slice_str(v[0].text)) < 0)
		err = guts_body_refuse(&body, "/peer", "is no peer id", &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
	} else if (alias.n > GUTS_NAME_MAX) {
		guts_reply_problem(r, 400, "the alias is too long");
	} else {
		struct alias_call *a = guts_call_new(sizeof *a, run_alias, guts_call_answer_empty, NULL);
		memcpy(a->alias, alias.p, alias.n);
		a->peer = peer;
		guts_call_loop(r, &a->c);
	}
	guts_body_deinit(&body);
}
