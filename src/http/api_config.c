/* http/api_config.c - the configuration: shown, changed, and the changes told. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "http/api.h"
#include "http/config.h"
#include "http/tls.h"
#include "view/check.h"
#include "view/doc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const layers[] = { "default", "file", "command line" };

/* -- shown ------------------------------------------------------------------------------------- */

static void
put_value(struct guts_json *j, const char *key, const struct guts_conf *c, enum guts_conf_id id)
{
	const struct guts_conf_option *o = guts_conf_option(id);

	guts_json_key(j, key);
	if (o->list) {
		guts_json_array(j);
		for (size_t i = 0; i < guts_conf_count(c, id); i++)
			guts_json_str(j, guts_conf_item(c, id, i));
		guts_json_array_end(j);
	} else if (o->type == GUTS_CONF_BOOL) {
		guts_json_bool(j, guts_conf_bool(c, id));
	} else if (o->type == GUTS_CONF_NUMBER || o->type == GUTS_CONF_BYTES || o->type == GUTS_CONF_DURATION) {
		guts_json_u64(j, guts_conf_number(c, id));
	} else {
		guts_json_str(j, guts_conf_text(c, id));
	}
}

static void
put_choices(struct guts_json *j, const char *choices)
{
	guts_json_key(j, "choices");
	guts_json_array(j);
	while (choices && *choices) {
		size_t n = strcspn(choices, " ");
		guts_json_text(j, guts_slice(choices, n));
		choices += n + (choices[n] == ' ');
	}
	guts_json_array_end(j);
}

static void
put_option(struct guts_json *j, const struct guts_config_look *l, enum guts_conf_id id)
{
	static const char *const types[] = { "text", "multiaddr", "listen", "bool", "number", "bytes", "duration",
		"choice" };
	const struct guts_conf_option *o = guts_conf_option(id);

	guts_json_object(j);
	guts_json_put_str(j, "name", o->name);
	guts_json_put_str(j, "type", types[o->type]);
	guts_json_put_bool(j, "list", o->list);
	put_choices(j, o->choices);
	put_value(j, "value", l->in_force, id);
	guts_json_put_str(j, "default", o->fallback);
	guts_json_put_str(j, "source", layers[guts_conf_layer(l->in_force, id)]);
	if (guts_conf_layer(l->file, id))
		put_value(j, "file", l->file, id);
	else
		guts_json_put_null(j, "file");
	guts_json_put_bool(j, "reloadable", o->reloadable);
	guts_json_put_bool(j, "restart_required", guts_config_needs_restart(l, id));
	guts_json_put_str(j, "help", o->help);
	guts_json_object_end(j);
}

/* An answer about the configuration; `changed` NULL: all options as a list. */
struct page {
	struct guts_buf b;
	struct guts_json j;
	const bool *asked;
	char etag[GUTS_CONFIG_ETAG_SIZE];
};

static void
write_page(void *owner, const struct guts_config_look *l)
{
	struct page *p = owner;

	memcpy(p->etag, l->etag, sizeof p->etag);
	if (p->asked) {
		guts_json_object(&p->j);
		guts_json_key(&p->j, "options");
	}
	guts_json_array(&p->j);
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		if (!p->asked || p->asked[i])
			put_option(&p->j, l, (enum guts_conf_id)i);
	}
	guts_json_array_end(&p->j);
	if (!p->asked)
		return;
	guts_json_key(&p->j, "restart_required");
	guts_json_array(&p->j);
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		if (guts_config_needs_restart(l, (enum guts_conf_id)i))
			guts_json_str(&p->j, guts_conf_option((enum guts_conf_id)i)->name);
	}
	guts_json_array_end(&p->j);
	guts_json_object_end(&p->j);
}

static void
reply_page(struct guts_req *r, const bool *asked)
{
	struct page p = { .asked = asked };
	const char *extra[] = { "ETag", p.etag, "Cache-Control", "private, no-cache", NULL };

	guts_reply_begin(&p.b, &p.j);
	guts_config_look(r->h->config, write_page, &p);
	if (!asked && guts_reply_not_modified(r, p.etag))
		guts_buf_deinit(&p.b);
	else
		guts_reply_json(r, 200, &p.b, extra);
}

void
guts_rest_config(struct guts_req *r)
{
	reply_page(r, NULL);
}

struct pending {
	const char **names;
	size_t n;
};

static void
add_pending(void *owner, const struct guts_config_look *l)
{
	struct pending *p = owner;

	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		if (guts_config_needs_restart(l, (enum guts_conf_id)i))
			p->names[p->n++] = guts_conf_option((enum guts_conf_id)i)->name;
	}
}

size_t
guts_http_restart_required(struct guts_http *h, const char *names[GUTS_CONF_N])
{
	struct pending p = { .names = names };

	guts_config_look(h->config, add_pending, &p);
	return p.n;
}

/* -- brought into force ------------------------------------------------------------------------------ */

/* The values of an option with spaces between. */
static void
join(struct guts_buf *b, const struct guts_conf *c, enum guts_conf_id id)
{
	for (size_t i = 0; i < guts_conf_count(c, id); i++)
		guts_buf_printf(b, "%s%s", i ? " " : "", guts_conf_item(c, id, i));
}

struct telling {
	struct guts_http *h;
	const bool *changed;
};

static void
tell(void *owner, const struct guts_config_look *l)
{
	const struct telling *t = owner;

	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		enum guts_conf_id id = (enum guts_conf_id)i;
		struct guts_fact f = { .type = "config.changed", .is_private = true };
		struct guts_buf value;
		if (!t->changed[i])
			continue;
		guts_buf_init(&value, GUTS_CONF_FILE_MAX);
		join(&value, l->file, id);
		f.attr[f.n++] = (struct guts_fact_attr){ .name = "key", .text = guts_slice_str(guts_conf_option(id)->name) };
		f.attr[f.n++] = (struct guts_fact_attr){ .name = "value", .text = guts_buf_slice(&value) };
		f.attr[f.n++] = (struct guts_fact_attr){ .name = "source", .text = guts_slice_str(layers[guts_conf_layer(l->file, id)]) };
		f.attr[f.n++] = (struct guts_fact_attr){ .name = "restart_required", .is_number = true,
			.number = guts_config_needs_restart(l, id) };
		guts_node_fact(t->h->node, &f);
		guts_buf_deinit(&value);
	}
}

static void
take_access(struct guts_http *h, const struct guts_conf *conf)
{
	struct guts_access *fresh, *old;
	enum guts_conf_id at;
	struct guts_errinfo ei;

	if (guts_access_new(&fresh, conf, &at, &ei) < 0) { /* it was checked before it was written */
		guts_log(GUTS_LOG_ERROR, "config", "%s", ei.text);
		return;
	}
	pthread_mutex_lock(&h->lock);
	old = h->access;
	h->access = fresh;
	pthread_mutex_unlock(&h->lock);
	guts_access_unref(old);
}

static void
apply(struct guts_http *h)
{
	struct guts_config_change change;

	guts_config_apply(h->config, &change);
	take_access(h, change.now);
	guts_http_cache_clear(h); /* the status names what waits for a restart */
	h->configure(h->owner, change.was, change.now);
	guts_conf_free(change.was);
	guts_config_look(h->config, tell, &(struct telling){ h, change.changed });
}

/* -- changed --------------------------------------------------------------------------------------- */

struct config_call {
	struct guts_call c;
	struct guts_job job;
	struct guts_doc *doc;               /* the edits' texts are in it, or in `texts` */
	char *texts[GUTS_CONF_N];
	struct guts_config_edit edits[GUTS_CONF_N];
	size_t n;
	struct guts_slice if_match;         /* owner: this */
	enum guts_conf_id at;
	int err;
	struct guts_errinfo ei;
	bool asked[GUTS_CONF_N];
};

static void
destroy(struct guts_call *c)
{
	struct config_call *x = (struct config_call *)c;

	guts_doc_free(x->doc);
	for (size_t i = 0; i < GUTS_CONF_N; i++)
		free(x->texts[i]);
	free((void *)(uintptr_t)x->if_match.p);
}

static void
job_run(struct guts_job *j)
{
	struct config_call *x = j->owner;

	x->err = guts_config_store(x->c.h->config, x->edits, x->n, x->if_match, &x->at, &x->ei);
}

static void
job_done(struct guts_job *j, void *owner)
{
	struct config_call *x = owner;

	(void)j;
	if (!x->err)
		apply(x->c.h);
	guts_call_done(&x->c, x->err, &x->ei);
}

static void
run(struct guts_call *c)
{
	struct config_call *x = (struct config_call *)c;

	x->job = (struct guts_job){ .run = job_run, .done = job_done, .owner = x, .name = "config" };
	guts_env_submit(c->h->env, &x->job);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	struct config_call *x = (struct config_call *)c;
	struct guts_body errors = { 0 };
	char pointer[80];

	if (!c->err) {
		reply_page(r, x->asked);
	} else if (c->err == GUTS_EINVAL && x->at < GUTS_CONF_N) {
		snprintf(pointer, sizeof pointer, "/%s", guts_conf_option(x->at)->name);
		guts_body_add_error(&errors, pointer, c->ei.text);
		guts_reply_body_error(r, GUTS_EINVAL, &c->ei, &errors);
	} else if (c->err == GUTS_ESTALE) {
		guts_reply_problem(r, 412, "%s", c->ei.text);
	} else {
		guts_reply_err(r, c->err, &c->ei);
	}
}

/* -- the body of a change ---------------------------------------------------------------------------- */

/* The pointer to a member, RFC 6901, and to an entry of it. */
static void
complain(struct guts_body *errors, const char *member, const char *detail)
{
	char pointer[80], *to = pointer;

	*to++ = '/';
	for (const char *p = member; *p && to < pointer + sizeof pointer - 3; p++) {
		if (*p == '~' || *p == '/') {
			*to++ = '~';
			*to++ = *p == '~' ? '0' : '1';
		} else {
			*to++ = *p;
		}
	}
	*to = 0;
	guts_body_add_error(errors, pointer, detail);
}

/* A scalar as guts.conf would have it: text as it is, numbers as digits; NULL: of no fitting type. */
static const char *
scalar(const struct guts_conf_option *o, struct guts_jv v, char **memory)
{
	uint64_t n = guts_jv_u64(v, UINT64_MAX);

	if (guts_jv_str(v, NULL))
		return guts_jv_str(v, NULL);
	if (o->type == GUTS_CONF_BOOL && guts_jv_bool(v, false) == guts_jv_bool(v, true))
		return guts_jv_bool(v, false) ? "true" : "false";
	if (n == UINT64_MAX || o->type < GUTS_CONF_NUMBER || o->type > GUTS_CONF_DURATION)
		return NULL;
	return *memory = guts_asprintf("%" PRIu64 "%s", n, o->type == GUTS_CONF_DURATION ? "ms" : "");
}

/* The entries of a list: of an array, or of a text as guts.conf has it.  False: of no fitting type, or too many. */
static bool
list(struct guts_config_edit *e, struct guts_jv v, char **memory)
{
	char *save = NULL;

	if (!guts_jv_str(v, NULL)) {
		for (size_t i = 0; i < guts_jv_count(v); i++) {
			if (i == GUTS_CONF_LIST_MAX || !guts_jv_str(guts_jv_at(v, i), NULL))
				return false;
			e->values[e->n++] = guts_jv_str(guts_jv_at(v, i), NULL);
		}
		return guts_jv_is_array(v);
	}
	*memory = guts_strdup(guts_jv_str(v, NULL));
	for (char *w = strtok_r(*memory, " \t,", &save); w; w = strtok_r(NULL, " \t,", &save)) {
		if (e->n == GUTS_CONF_LIST_MAX)
			return false;
		e->values[e->n++] = w;
	}
	return true;
}

/* Is each value good for the option by itself? */
static void
check_values(struct guts_body *errors, const struct guts_config_edit *e, bool is_array)
{
	const char *name = guts_conf_option(e->id)->name;
	struct guts_conf *scratch = guts_conf_new();
	struct guts_errinfo ei;
	char member[80];

	for (size_t i = 0; i < e->n; i++) {
		snprintf(member, sizeof member, is_array ? "/%s/%zu" : "/%s", name, i);
		if (guts_conf_set(scratch, e->id, e->values[i], 1, &ei) < 0)
			guts_body_add_error(errors, member, ei.text);
	}
	guts_conf_free(scratch);
}

static void
take_member(struct config_call *x, struct guts_body *errors, const char *name, struct guts_jv v)
{
	struct guts_config_edit *e = &x->edits[x->n];
	const struct guts_conf_option *o;

	if (guts_conf_lookup(name, &e->id)) {
		complain(errors, name, "there is no such option");
		return;
	}
	o = guts_conf_option(e->id);
	x->asked[e->id] = true;
	if (!v.o) { /* back to the default */
		x->n++;
		return;
	}
	if (o->list) {
		if (!list(e, v, &x->texts[e->id]))
			complain(errors, name, "must be a list of at most 32 texts");
		else if (e->n == 0 && o->fallback)
			complain(errors, name, "must not be empty; null brings the default back");
	} else if ((e->values[0] = scalar(o, v, &x->texts[e->id])) != NULL) {
		e->n = 1;
	} else {
		complain(errors, name, o->type == GUTS_CONF_BOOL ? "must be true or false" :
		    o->type == GUTS_CONF_NUMBER ? "must be a whole number" : "must be a text as in guts.conf");
	}
	check_values(errors, e, guts_jv_is_array(v));
	x->n++;
}

/* Errors as guts_body_parse. */
static int
take_body(struct config_call *x, struct guts_body *errors, struct guts_slice in, struct guts_errinfo *ei)
{
	void *pos = NULL;
	struct guts_jv root, v;
	const char *name;
	int err = guts_json_check(in, ei);

	if (!err)
		err = guts_doc_parse(&x->doc, in, ei);
	if (err)
		return err;
	root = guts_doc_root(x->doc);
	if (!guts_jv_is_object(root))
		return guts_err_set(ei, GUTS_EPROTO, "the body must be a JSON object");
	while ((name = guts_jv_next(root, &pos, &v)) != NULL)
		take_member(x, errors, name, v);
	return errors->nerrors ? guts_err_set(ei, GUTS_EINVAL, "%s %s", errors->errors[0].pointer, errors->errors[0].detail) : 0;
}

void
guts_rest_config_change(struct guts_req *r)
{
	struct config_call *x = guts_call_new(sizeof *x, run, answer, destroy);
	struct guts_slice if_match = r->head.v[GUTS_HEAD_IF_MATCH];
	struct guts_body errors = { 0 };
	struct guts_errinfo ei;
	int err = take_body(x, &errors, guts_buf_slice(&r->body), &ei);

	x->c.takes_err = true;
	if (err) {
		guts_reply_body_error(r, err, &ei, &errors);
		destroy(&x->c);
		free(x);
		return;
	}
	x->if_match = guts_slice(guts_memdup(if_match.p ? if_match.p : (const uint8_t *)"", if_match.n), if_match.n);
	guts_call_loop(r, &x->c);
}

/* -- guts.conf read again ------------------------------------------------------------------------ */

struct guts_reload {
	struct guts_job job;
	bool is_running, again;
	enum guts_conf_id at;
	int err;
	struct guts_errinfo ei;
};

static void
reload_run(struct guts_job *j)
{
	struct guts_http *h = j->owner;

	h->reload->err = guts_config_store(h->config, NULL, 0, guts_slice(NULL, 0), &h->reload->at, &h->reload->ei);
}

static void
reload_done(struct guts_job *j, void *owner)
{
	struct guts_http *h = owner;
	struct guts_reload *x = h->reload;

	(void)j;
	x->is_running = false;
	if (x->err)
		guts_log(GUTS_LOG_ERROR, "config", "what was in force stays: %s", x->ei.text);
	else
		apply(h);
	if (x->again)
		guts_http_reload(h);
}

void
guts_http_reload(struct guts_http *h)
{
	struct guts_reload *x = h->reload;

	guts_tls_reload();
	if (!x)
		x = h->reload = guts_alloc(sizeof *x);
	x->again = x->is_running;
	if (x->is_running)
		return;
	x->is_running = true;
	x->job = (struct guts_job){ .run = reload_run, .done = reload_done, .owner = h, .name = "config" };
	guts_env_submit(h->env, &x->job);
}
