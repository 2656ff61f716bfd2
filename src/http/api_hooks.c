/* http/api_hooks.c - webhooks and their deliveries, of one repository or of the whole node.
 *
 * The bridge belongs to the loop, so every call runs there and leaves its answer as bytes.  Under
 * /repos/{repo}/hooks there are that repository's hooks; /hooks has all, and makes node-wide ones.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "bridge/bridge.h"
#include "http/api.h"
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>

struct hook_call {
	struct guts_call c;
	const char *base;
	struct guts_repo_info *repo; /* NULL: the node's */
	uint64_t id, delivery;
	struct guts_hook hook;       /* as asked for; of a change, only what `given` names */
	unsigned given;
	bool only_failed, only_good;
	uint64_t cursor, per_page;
	uint64_t next;               /* answer: cursor of a list that goes on */
	int status;                  /* answer: when it went well */
	struct guts_buf body;        /* empty = none */
};

enum field { TYPE, ACTIVE, EVENTS, URL, SECRET, CONTENT_TYPE, INSECURE, BRANCHES, AUTHORIZATION, ALL_AUTHORS, NFIELDS };

static void
destroy_hook(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;

	if (p->repo)
		guts_repo_info_unref(p->repo);
	explicit_bzero(&p->hook, sizeof p->hook);
	guts_buf_deinit(&p->body);
}

static void
drop_call(struct hook_call *p)
{
	destroy_hook(&p->c);
	free(p);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;

	if (p->next)
		guts_reply_cursor(r, &p->body, p->next);
	else
		guts_reply_body(r, p->status, &p->body);
}

/* -- on the loop ------------------------------------------------------------------------------------- */

static struct guts_repo_info *
repo_of(struct guts_http *h, const struct guts_hook *hook)
{
	struct guts_repo *r = hook->has_repo ? guts_sync_find(guts_node_sync(h->node), hook->repo) : NULL;

	return r ? guts_repo_info_get(r) : NULL;
}

static bool
is_under(const struct hook_call *p, const struct guts_hook *hook)
{
	return !p->repo || (hook->has_repo && memcmp(hook->repo, p->repo->id, sizeof hook->repo) == 0);
}

/* The hook that is asked for; NULL: the call was ended. */
static const struct guts_hook *
find(struct hook_call *p)
{
	const struct guts_hook *hook = guts_bridge_hook(p->c.h->bridge, p->id);

	if (hook && is_under(p, hook))
		return hook;
	guts_err_set(&p->c.ei, GUTS_ENOTFOUND, "no such webhook");
	guts_call_done(&p->c, GUTS_ENOTFOUND, NULL);
	return NULL;
}

static void
put_hook(struct hook_call *p, struct guts_json *j, const struct guts_hook *hook)
{
	struct guts_repo_info *repo = repo_of(p->c.h, hook);
	struct guts_hook_health health;

	guts_bridge_health(p->c.h->bridge, hook->id, &health);
	guts_hook_view(j, p->base, hook, repo, &health);
	if (repo)
		guts_repo_info_unref(repo);
}

static void
end_with_hook(struct hook_call *p, int status, const struct guts_hook *hook)
{
	struct guts_json j;

	guts_reply_begin(&p->body, &j);
	put_hook(p, &j, hook);
	p->status = status;
	guts_call_done(&p->c, 0, NULL);
}

static void
run_list(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;
	struct guts_json j;

	guts_reply_begin(&p->body, &j);
	guts_json_array(&j);
	for (const struct guts_hook *h = guts_bridge_next(c->h->bridge, 0); h; h = guts_bridge_next(c->h->bridge, h->id)) {
		if (is_under(p, h))
			put_hook(p, &j, h);
	}
	guts_json_array_end(&j);
	p->status = 200;
	guts_call_done(c, 0, NULL);
}

static void
run_get(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;
	const struct guts_hook *hook = find(p);

	if (hook)
		end_with_hook(p, 200, hook);
}

static void
on_put(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct hook_call *p = owner;
	const struct guts_hook *hook = err ? NULL : guts_bridge_hook(p->c.h->bridge, id);

	if (hook)
		end_with_hook(p, p->id ? 200 : 201, hook);
	else
		guts_call_done(&p->c, err ? err : GUTS_ENOTFOUND, ei);
}

static void
run_create(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;

	guts_bridge_put(c->h->bridge, &p->hook, on_put, p);
}

/* Fields of `from` that were given, over `to`. */
static void
take_given(struct guts_hook *to, const struct guts_hook *from, unsigned given)
{
	if (given & 1u << TYPE)
		to->format = from->format;
	if (given & 1u << ACTIVE)
		to->active = from->active;
	if (given & 1u << EVENTS) {
		to->nevents = from->nevents;
		memcpy(to->events, from->events, sizeof to->events);
	}
	if (given & 1u << URL)
		memcpy(to->url, from->url, sizeof to->url);
	if (given & 1u << SECRET)
		memcpy(to->secret, from->secret, sizeof to->secret);
	if (given & 1u << INSECURE)
		to->any_certificate = from->any_certificate;
	if (given & 1u << BRANCHES)
		memcpy(to->branches, from->branches, sizeof to->branches);
	if (given & 1u << AUTHORIZATION)
		memcpy(to->authorization, from->authorization, sizeof to->authorization);
	if (given & 1u << ALL_AUTHORS)
		to->all_authors = from->all_authors;
}

static void
run_update(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;
	const struct guts_hook *hook = find(p);
	struct guts_hook next;

	if (!hook)
		return;
	next = *hook;
	take_given(&next, &p->hook, p->given);
	for (size_t i = 0; i < next.nevents; i++) {
		if (!guts_hook_event_exists(next.events[i], next.has_repo)) {
			guts_err_set(&c->ei, GUTS_EINVAL, "\"%s\" is an event of the whole node", next.events[i]);
			guts_call_done(c, GUTS_EINVAL, NULL);
			return;
		}
	}
	guts_bridge_put(c->h->bridge, &next, on_put, p);
	explicit_bzero(&next, sizeof next);
}

/* Done, with nothing to show. */
static void
on_done(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct hook_call *p = owner;

	(void)id;
	guts_call_done(&p->c, err, ei);
}

static void
run_delete(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;

	p->status = 204;
	if (find(p))
		guts_bridge_remove(c->h->bridge, p->id, on_done, p);
}

static void
run_ping(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;

	p->status = 204;
	if (find(p))
		guts_bridge_ping(c->h->bridge, p->id, on_done, p);
}

static void
run_test(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;

	p->status = 204;
	if (find(p))
		guts_bridge_test(c->h->bridge, p->id, on_done, p);
}

static void
on_redelivered(void *owner, int err, const struct guts_errinfo *ei, uint64_t id)
{
	struct hook_call *p = owner;
	struct guts_delivery d;
	struct guts_json j;

	if (!err)
		err = guts_delivery_get(p->c.h->store, p->id, id, &d);
	if (!err) {
		guts_reply_begin(&p->body, &j);
		guts_delivery_view(&j, &d, NULL, NULL);
		p->status = 202;
	}
	guts_call_done(&p->c, err, ei);
}

static void
run_redeliver(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;

	if (find(p))
		guts_bridge_redeliver(c->h->bridge, p->id, p->delivery, on_redelivered, p);
}

/* -- deliveries --------------------------------------------------------------------------------------- */

/* The newest ones that fit: a ring that the walk, oldest first, runs through. */
struct page {
	const struct hook_call *p;
	struct guts_delivery *v;
	size_t n; /* that fit, also those no longer in the ring */
};

static bool
on_delivery(void *owner, const struct guts_delivery *d)
{
	struct page *page = owner;
	const struct hook_call *p = page->p;
	bool failed = d->error[0] != 0;

	if (p->cursor && d->number >= p->cursor)
		return false;
	if ((!p->only_failed || failed) && (!p->only_good || d->state == GUTS_DELIVERY_DONE))
		page->v[page->n++ % p->per_page] = *d;
	return true;
}

static void
run_deliveries(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;
	struct page page = { .p = p };
	struct guts_json j;
	size_t n;
	int err;

	if (!find(p))
		return;
	page.v = guts_calloc(p->per_page, sizeof *page.v);
	err = guts_delivery_each(c->h->store, p->id, on_delivery, &page);
	n = page.n < p->per_page ? page.n : p->per_page;
	guts_reply_begin(&p->body, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < n; i++)
		guts_delivery_view(&j, &page.v[(page.n - 1 - i) % p->per_page], NULL, NULL);
	guts_json_array_end(&j);
	p->next = page.n > n ? page.v[(page.n - n) % p->per_page].number : 0;
	free(page.v);
	p->status = 200;
	guts_call_done(c, err, NULL);
}

static void
run_delivery(struct guts_call *c)
{
	struct hook_call *p = (struct hook_call *)c;
	struct guts_store *s = c->h->store;
	struct guts_exchange x;
	struct guts_delivery d;
	struct guts_buf body, mem;
	struct guts_slice slice;
	struct guts_json j;
	int err, tried;

	if (!find(p))
		return;
	guts_buf_init(&body, GUTS_STORE_VALUE_MAX);
	guts_buf_init(&mem, GUTS_STORE_VALUE_MAX);
	err = guts_delivery_get(s, p->id, p->delivery, &d);
	if (!err)
		err = guts_delivery_body(s, p->id, p->delivery, &body);
	if (!err) {
		tried = guts_delivery_exchange(s, p->id, p->delivery, &mem, &x);
		slice = guts_buf_slice(&body);
		guts_reply_begin(&p->body, &j);
		guts_delivery_view(&j, &d, &slice, tried == GUTS_OK ? &x : NULL);
		p->status = 200;
	} else if (err == GUTS_ENOTFOUND) {
		guts_err_set(&c->ei, err, "no such delivery");
	}
	guts_buf_deinit(&body);
	guts_buf_deinit(&mem);
	guts_call_done(c, err, NULL);
}

/* -- requests ------------------------------------------------------------------------------------------ */

static bool
take_number(struct guts_req *r, size_t param, const char *what, uint64_t *out)
{
	struct guts_slice s = guts_req_param(r, param);

	if (s.n && guts_text_u64(s, INT64_MAX, out) == GUTS_OK)
		return true;
	guts_reply_problem(r, 404, "no such %s", what);
	return false;
}

/* A call for the route: of a repository, or (`of_repo` false) of the node; `parts`: parameters behind that, hook and delivery.
 * NULL: an answer was queued. */
static struct hook_call *
new_call(struct guts_req *r, bool of_repo, unsigned parts, void (*run)(struct guts_call *c))
{
	struct guts_repo_info *repo = of_repo ? guts_req_repo(r) : NULL;
	size_t first = of_repo ? 2 : 0;
	struct hook_call *p;

	if (of_repo && !repo)
		return NULL;
	p = guts_call_new(sizeof *p, run, answer, destroy_hook);
	p->base = guts_req_base(r);
	p->repo = repo;
	if (of_repo ? !guts_who_may_touch(&r->who, repo->id) : r->who.token && r->who.token->nrepos)
		guts_reply_problem(r, 403, "this token is for %s", of_repo ? "other repositories" : "some repositories only");
	else if ((parts < 1 || take_number(r, first, "webhook", &p->id)) &&
	    (parts < 2 || take_number(r, first + 1, "delivery", &p->delivery)))
		return p;
	drop_call(p);
	return NULL;
}

static void
go(struct guts_req *r, bool of_repo, unsigned parts, void (*run)(struct guts_call *c))
{
	struct hook_call *p = new_call(r, of_repo, parts, run);

	if (p)
		guts_call_loop(r, &p->c);
}

static void
copy(char *to, size_t size, const struct guts_value *v)
{
	snprintf(to, size, "%s", v->is_set ? v->text : "");
}

/* What the body says, checked as far as it can be without the hook. */
static int
take_fields(struct hook_call *p, struct guts_body *body, const struct guts_value v[NFIELDS], bool of_repo,
    struct guts_errinfo *ei)
{
	struct guts_hook *h = &p->hook;
	struct guts_errinfo why;
	int err = GUTS_OK;

	for (unsigned i = 0; i < NFIELDS; i++)
		p->given |= v[i].is_set ? 1u << i : 0;
	h->format = GUTS_HOOK_GITHUB;
	if (v[TYPE].is_set)
		err = guts_hook_format_parse(&h->format, v[TYPE].text);
	h->active = !v[ACTIVE].is_set || v[ACTIVE].flag;
	h->nevents = v[EVENTS].is_set ? v[EVENTS].n : 1;
	snprintf(h->events[0], sizeof h->events[0], "push");
	for (size_t i = 0; v[EVENTS].is_set && i < v[EVENTS].n; i++) {
		if (!guts_hook_event_exists(v[EVENTS].list[i], of_repo)) {
			err = guts_body_add_error(body, "/events", of_repo ?
			    "must be of: push create delete status repository ping repo.sync.* *" :
			    "must be of: push create delete status repository ping repo.sync.* peer.* gossip.* *");
			guts_err_set(ei, err, "/events: there is no \"%.40s\" for this kind of webhook", v[EVENTS].list[i]);
		} else {
			snprintf(h->events[i], sizeof h->events[i], "%s", v[EVENTS].list[i]);
		}
	}
	copy(h->url, sizeof h->url, &v[URL]);
	if (v[URL].is_set && guts_hook_url_check(h->url, &why))
		err = guts_body_refuse(body, "/config/url", why.text, ei);
	copy(h->secret, sizeof h->secret, &v[SECRET]);
	h->any_certificate = v[INSECURE].is_set && v[INSECURE].text[0] == '1';
	copy(h->branches, sizeof h->branches, &v[BRANCHES]);
	copy(h->authorization, sizeof h->authorization, &v[AUTHORIZATION]);
	h->all_authors = v[ALL_AUTHORS].is_set && v[ALL_AUTHORS].flag;
	return err;
}

/* Create or change a hook. */
static void
put(struct guts_req *r, bool of_repo, bool is_new)
{
	const struct guts_field fields[NFIELDS] = {
		[TYPE] = { "type", GUTS_FIELD_TEXT, false, true, 0, 16, "github gitea cloudevents", false },
		[ACTIVE] = { "active", GUTS_FIELD_BOOL, false, true, 0, 0, NULL, false },
		[EVENTS] = { "events", GUTS_FIELD_LIST, false, true, 1, GUTS_HOOK_EVENTS_MAX, NULL, false },
		[URL] = { "config.url", GUTS_FIELD_TEXT, is_new, false, 1, GUTS_HOOK_URL_MAX, NULL, false },
		[SECRET] = { "config.secret", GUTS_FIELD_TEXT, false, true, 0, GUTS_HOOK_SECRET_MAX, NULL, false },
		[CONTENT_TYPE] = { "config.content_type", GUTS_FIELD_TEXT, false, true, 0, 4, "json", false },
		[INSECURE] = { "config.insecure_ssl", GUTS_FIELD_TEXT, false, true, 0, 1, "0 1", false },
		[BRANCHES] = { "branch_filter", GUTS_FIELD_TEXT, false, true, 0, GUTS_HOOK_BRANCHES_MAX, NULL, false },
		[AUTHORIZATION] = { "authorization_header", GUTS_FIELD_TEXT, false, true, 0, GUTS_HOOK_AUTHORIZATION_MAX, NULL,
		    false },
		[ALL_AUTHORS] = { "all_authors", GUTS_FIELD_BOOL, false, true, 0, 0, NULL, false },
	};
	struct hook_call *p = new_call(r, of_repo, is_new ? 0 : 1, is_new ? run_create : run_update);
	struct guts_value v[NFIELDS];
	struct guts_body body;
	struct guts_errinfo ei;

	if (!p)
		return;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, NFIELDS, true, v, &ei);
	if (!err)
		err = take_fields(p, &body, v, of_repo, &ei);
	if (err) {
		guts_reply_body_error(r, err, &ei, &body);
		drop_call(p);
	} else {
		p->hook.has_repo = of_repo;
		if (of_repo)
			memcpy(p->hook.repo, p->repo->id, sizeof p->hook.repo);
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

static void
deliveries(struct guts_req *r, bool of_repo)
{
	struct guts_slice status = guts_target_query(&r->target, "status");
	uint64_t per_page, cursor;
	struct hook_call *p;

	if (!guts_req_number(r, "per_page", 1, 100, 30, &per_page) || !guts_req_number(r, "cursor", 0, INT64_MAX, 0, &cursor))
		return;
	if (status.n && !guts_slice_eq(status, guts_slice_str("success")) && !guts_slice_eq(status, guts_slice_str("failure"))) {
		guts_reply_problem(r, 400, "status: success or failure");
		return;
	}
	p = new_call(r, of_repo, 1, run_deliveries);
	if (!p)
		return;
	p->per_page = per_page;
	p->cursor = cursor;
	p->only_good = status.n && status.p[0] == 's';
	p->only_failed = status.n && status.p[0] == 'f';
	guts_call_loop(r, &p->c);
}

void
guts_rest_hooks(struct guts_req *r)
{
	go(r, true, 0, run_list);
}

void
guts_rest_hook_create(struct guts_req *r)
{
	put(r, true, true);
}

void
guts_rest_hook(struct guts_req *r)
{
	go(r, true, 1, run_get);
}

void
guts_rest_hook_update(struct guts_req *r)
{
	put(r, true, false);
}

void
guts_rest_hook_delete(struct guts_req *r)
{
	go(r, true, 1, run_delete);
}

void
guts_rest_hook_ping(struct guts_req *r)
{
	go(r, true, 1, run_ping);
}

void
guts_rest_hook_test(struct guts_req *r)
{
	go(r, true, 1, run_test);
}

void
guts_rest_deliveries(struct guts_req *r)
{
	deliveries(r, true);
}

void
guts_rest_delivery(struct guts_req *r)
{
	go(r, true, 2, run_delivery);
}

void
guts_rest_redeliver(struct guts_req *r)
{
	go(r, true, 2, run_redeliver);
}

void
guts_rest_node_hooks(struct guts_req *r)
{
	go(r, false, 0, run_list);
}

void
guts_rest_node_hook_create(struct guts_req *r)
{
	put(r, false, true);
}

void
guts_rest_node_hook(struct guts_req *r)
{
	go(r, false, 1, run_get);
}

void
guts_rest_node_hook_update(struct guts_req *r)
{
	put(r, false, false);
}

void
guts_rest_node_hook_delete(struct guts_req *r)
{
	go(r, false, 1, run_delete);
}

void
guts_rest_node_hook_ping(struct guts_req *r)
{
	go(r, false, 1, run_ping);
}

void
guts_rest_node_deliveries(struct guts_req *r)
{
	deliveries(r, false);
}

void
guts_rest_node_delivery(struct guts_req *r)
{
	go(r, false, 2, run_delivery);
}

void
guts_rest_node_redeliver(struct guts_req *r)
{
	go(r, false, 2, run_redeliver);
}
