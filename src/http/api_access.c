/* http/api_access.c - tokens, one-time codes and the dashboard's session. */
#include "base/alloc.h"
#include "http/api.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

static void
put_scopes(struct guts_json *j, unsigned set)
{
	char text[32], *at = text;

	guts_scopes_text(set, text);
	guts_json_key(j, "scopes");
	guts_json_array(j);
	while (*at) {
		size_t n = strcspn(at, ",");
		guts_json_text(j, guts_slice(at, n));
		at += n + (at[n] == ',');
	}
	guts_json_array_end(j);
}

static void
put_token(struct guts_json *j, const struct guts_token *t, const char *secret)
{
	char repo[GUTS_REPOID_TEXT_SIZE];

	guts_json_object(j);
	guts_json_put_str(j, "id", t->id);
	guts_json_put_str(j, "name", t->name);
	put_scopes(j, t->scopes);
	guts_json_key(j, "repos");
	guts_json_array(j);
	for (size_t i = 0; i < t->nrepos; i++) {
		guts_repoid_text(repo, t->repos[i]);
		guts_json_str(j, repo);
	}
	guts_json_array_end(j);
	guts_json_put_time(j, "created_at", t->created_ms);
	guts_json_put_time_or_null(j, "expires_at", t->expires_ms);
	if (secret)
		guts_json_put_str(j, "token", secret);
	guts_json_object_end(j);
}

struct list {
	struct guts_json j;
	struct guts_slice id; /* p = NULL: all */
	size_t n;
};

static bool
list_token(void *owner, const struct guts_token *t)
{
	struct list *l = owner;

	if (!l->id.p || guts_slice_eq(l->id, guts_slice_str(t->id))) {
		put_token(&l->j, t, NULL);
		l->n++;
	}
	return true;
}

void
guts_rest_tokens(struct guts_req *r)
{
	struct guts_buf b;
	struct list l = { .n = 0 };

	guts_reply_begin(&b, &l.j);
	guts_json_array(&l.j);
	guts_auth_each(r->h->auth, list_token, &l);
	guts_json_array_end(&l.j);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_token(struct guts_req *r)
{
	struct guts_buf b;
	struct list l = { .id = guts_req_param(r, 0) };

	guts_reply_begin(&b, &l.j);
	guts_auth_each(r->h->auth, list_token, &l);
	if (l.n) {
		guts_reply_json(r, 200, &b, NULL);
		return;
	}
	guts_buf_deinit(&b);
	guts_reply_problem(r, 404, "no such token");
}

/* -- changes: committed on the loop, with a fact ------------------------------------------ */

struct token_call {
	struct guts_call c;
	char name[GUTS_TOKEN_NAME_MAX + 1];
	unsigned scopes;
	uint8_t repos[GUTS_TOKEN_REPOS_MAX][GUTS_REPOID_SIZE];
	size_t nrepos;
	uint64_t expires_ms;
	char id[GUTS_TOKEN_ID_SIZE];
	char secret[GUTS_TOKEN_TEXT_SIZE];
	struct guts_token *token;
};

static void
add_token_fact(struct guts_http *h, struct guts_batch *batch, const char *type, const struct guts_token *t)
{
	char scopes[32];
	struct guts_fact f = { .type = type, .is_private = true, .n = 3 };

	guts_scopes_text(t->scopes, scopes);
	f.wall_ns = guts_env_wall(h->env);
	f.attr[0] = (struct guts_fact_attr){ .name = "token", .text = guts_slice_str(t->id) };
	f.attr[1] = (struct guts_fact_attr){ .name = "name", .text = guts_slice_str(t->name) };
	f.attr[2] = (struct guts_fact_attr){ .name = "scopes", .text = guts_slice_str(scopes) };
	guts_batch_fact(batch, &f);
}

static void
token_committed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct guts_call *c = owner;

	if (err == 0 && c->h->ring && !c->h->stopping)
		guts_node_announce(c->h->node, first, last);
	guts_call_done(c, err, NULL);
}

static void
run_create(struct guts_call *c)
{
	struct token_call *t = (struct token_call *)c;
	struct guts_batch *batch = guts_batch_new();
	int err = guts_auth_create(c->h->auth, t->name, t->scopes, (const uint8_t(*)[GUTS_REPOID_SIZE])t->repos, t->nrepos,
	    guts_http_wall_ms(), t->expires_ms, false, batch, t->secret, &t->token);

	if (err < 0) {
		guts_batch_free(batch);
		guts_call_done(c, err, NULL);
		return;
	}
	add_token_fact(c->h, batch, "token.created", t->token);
	if ((err = guts_store_commit(c->h->store, batch, token_committed, c)) < 0)
		guts_call_done(c, err, NULL);
}

static void
answer_create(struct guts_req *r, struct guts_call *c)
{
	struct token_call *t = (struct token_call *)c;
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	put_token(&j, t->token, t->secret);
	guts_reply_json(r, 201, &b, NULL);
}

static void
destroy_token_call(struct guts_call *c)
{
	struct token_call *t = (struct token_call *)c;

	guts_token_unref(t->token);
	explicit_bzero(t->secret, sizeof t->secret);
}

void
guts_rest_token_create(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "name", GUTS_FIELD_TEXT, true, false, 1, GUTS_TOKEN_NAME_MAX, NULL, false },
		{ "scopes", GUTS_FIELD_LIST, true, false, 1, 4, "read write ci admin", false },
		{ "repos", GUTS_FIELD_LIST, false, true, 0, GUTS_TOKEN_REPOS_MAX, NULL, false },
		{ "expires_in", GUTS_FIELD_NUMBER, false, true, 1, UINT64_C(3153600000), NULL, false },
	};
	struct guts_value v[4];
	struct guts_body body;
	struct guts_errinfo ei;
	struct token_call *t = guts_call_new(sizeof *t, run_create, answer_create, destroy_token_call);
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 4, false, v, &ei);

	for (size_t i = 0; err == 0 && i < v[1].n; i++) {
		unsigned bit = 0;
		err = guts_scope_parse(v[1].list[i], &bit);
		t->scopes |= bit;
	}
	for (size_t i = 0; err == 0 && i < v[2].n; i++) {
		if (guts_repoid_parse(t->repos[t->nrepos++], guts_slice_str(v[2].list[i])) < 0)
			err = guts_body_refuse(&body, "/repos", "holds something that is no repository id", &ei);
	}
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
		free(t);
	} else {
		snprintf(t->name, sizeof t->name, "%s", v[0].text);
		if (v[3].is_set)
			t->expires_ms = guts_http_wall_ms() + v[3].number * 1000;
		guts_call_loop(r, &t->c);
	}
	guts_body_deinit(&body);
}

static void
run_revoke(struct guts_call *c)
{
	struct token_call *t = (struct token_call *)c;
	struct guts_batch *batch = guts_batch_new();
	int err;

	t->token = guts_auth_revoke(c->h->auth, guts_slice_str(t->id), batch);
	if (!t->token) {
		guts_batch_free(batch);
		guts_call_done(c, GUTS_ENOTFOUND, NULL);
		return;
	}
	add_token_fact(c->h, batch, "token.revoked", t->token);
	if ((err = guts_store_commit(c->h->store, batch, token_committed, c)) < 0)
		guts_call_done(c, err, NULL);
}

void
guts_rest_token_revoke(struct guts_req *r)
{
	struct guts_slice id = guts_req_param(r, 0);

	if (id.n != GUTS_TOKEN_ID_SIZE - 1) {
		guts_reply_problem(r, 404, "no such token");
		return;
	}
	struct token_call *t = guts_call_new(sizeof *t, run_revoke, guts_call_answer_empty, destroy_token_call);
	t->c.not_found = "no such token";
	memcpy(t->id, id.p, id.n);
	guts_call_loop(r, &t->c);
}

/* -- sessions ---------------------------------------------------------------------------- */

static void
reply_session(struct guts_req *r, int status, const struct guts_who *w, const char *const *extra)
{
	static const char *const kinds[] = { "anonymous", "token", "session" };
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_str(&j, "kind", kinds[w->kind]);
	put_scopes(&j, w->scopes);
	guts_json_put_str(&j, "csrf", w->csrf[0] ? w->csrf : NULL);
	guts_json_put_str(&j, "cookie", r->h->cookie);
	guts_json_put_time_or_null(&j, "expires_at", w->expires_ms);
	guts_json_object_end(&j);
	guts_reply_json(r, status, &b, extra);
}

void
guts_rest_session(struct guts_req *r)
{
	reply_session(r, 200, &r->who, NULL);
}

static void
open_session(struct guts_req *r, struct guts_token *token)
{
	char cookie[65], header[160];
	const char *extra[] = { "Set-Cookie", header, NULL };
	struct guts_who who = { .kind = GUTS_WHO_SESSION };

	guts_auth_session(r->h->auth, token, guts_http_wall_ms(), cookie, &who);
	snprintf(header, sizeof header, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", r->h->cookie, cookie,
	    GUTS_SESSION_S, r->from.is_https || strncmp(r->access->public_url, "https:", 6) == 0 ? "; Secure" : "");
	reply_session(r, 201, &who, extra);
	explicit_bzero(cookie, sizeof cookie);
	explicit_bzero(header, sizeof header);
	guts_who_deinit(&who);
}

void
guts_rest_session_create(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "code", GUTS_FIELD_TEXT, false, false, 1, 80, NULL, false },
		{ "token", GUTS_FIELD_TEXT, false, false, 1, 80, NULL, false },
	};
	struct guts_slice site = r->head.v[GUTS_HEAD_SEC_FETCH_SITE];
	struct guts_token *token = NULL;
	struct guts_value v[2];
	struct guts_body body;
	struct guts_errinfo ei;
	uint64_t now = guts_http_wall_ms();
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 2, false, v, &ei);
	bool good = false;

	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
		goto out;
	}
	if (site.n && !guts_slice_eq(site, guts_slice_str("same-origin")) && !guts_slice_eq(site, guts_slice_str("none"))) {
		guts_reply_problem(r, 403, "a session is opened by our own page only");
		goto out;
	}
	if (v[0].is_set)
		good = guts_auth_take_code(r->h->auth, guts_slice(v[0].text, v[0].n), now);
	else if (v[1].is_set)
		good = (token = guts_auth_lookup(r->h->auth, guts_slice(v[1].text, v[1].n), now)) != NULL;
	if (good) {
		open_session(r, token);
	} else {
		guts_call_delayed_problem(r, 200, guts_req_wrong_try(r) ? 429 : 401, "the code or token is unknown, used or expired");
	}
out:
	guts_token_unref(token);
	guts_body_deinit(&body);
}

void
guts_rest_session_end(struct guts_req *r)
{
	char header[96];
	const char *extra[] = { "Set-Cookie", header, NULL };

	if (r->who.kind == GUTS_WHO_SESSION)
		guts_auth_end_session(r->h->auth, guts_guard_cookie(r->head.v[GUTS_HEAD_COOKIE], r->h->cookie));
	snprintf(header, sizeof header, "%s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", r->h->cookie);
	guts_reply(r, 204, guts_reply_nothing(), extra);
}

void
guts_rest_code(struct guts_req *r)
{
	uint64_t now = guts_http_wall_ms();
	struct guts_buf b;
	struct guts_json j;
	char code[65];

	guts_auth_code(r->h->auth, now, code);
	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_str(&j, "code", code);
	guts_json_key(&j, "url");
	guts_json_strs(&j, guts_req_base(r), "/#code=", code, NULL);
	guts_json_put_time(&j, "expires_at", now + 1000 * GUTS_CODE_S);
	guts_json_object_end(&j);
	explicit_bzero(code, sizeof code);
	guts_reply_json(r, 201, &b, NULL);
}
