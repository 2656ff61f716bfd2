/* http/api_dht.c - the DHT: its state, who provides a repository, lookups that show their way.
 *
 * All of it is asked on the loop; a lookup answers when the network did.  The answer is written there too, because a
 * result is only lent.
 */
#include "base/alloc.h"
#include "http/api.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <stdlib.h>

#define TARGET_MAX 100 /* [bytes] */
#define SCHEME "guts://"

struct dht_call {
	struct guts_call c;
	struct guts_dht_info *info;
	char text[TARGET_MAX + 1];    /* as it was asked for */
	struct guts_peerid peer;      /* n = 0: a repository */
	uint8_t repo[GUTS_REPOID_SIZE];
	bool providers_only, record;
	struct guts_buf body;
};

static void
destroy(struct guts_call *c)
{
	struct dht_call *d = (struct dht_call *)c;

	guts_dht_info_free(d->info);
	guts_buf_deinit(&d->body);
}

/* -- state -------------------------------------------------------------------------------- */

static void
run_info(struct guts_call *c)
{
	((struct dht_call *)c)->info = guts_node_dht(c->h->node);
	guts_call_done(c, GUTS_OK, NULL);
}

static void
answer_info(struct guts_req *r, struct guts_call *c)
{
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_view_dht(&j, &r->h->id, ((struct dht_call *)c)->info);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_dht(struct guts_req *r)
{
	struct dht_call *d = guts_call_new(sizeof *d, run_info, answer_info, destroy);

	guts_call_loop(r, &d->c);
}

/* -- lookups ------------------------------------------------------------------------------ */

static void
looked(void *owner, int err, const struct guts_kad_result *r)
{
	struct dht_call *d = owner;
	struct guts_json j;

	if (r) {
		guts_reply_begin(&d->body, &j);
		if (d->providers_only) {
			guts_json_array(&j);
			for (size_t i = 0; i < r->n_providers; i++)
				guts_view_dht_contact(&j, &r->providers[i]);
			guts_json_array_end(&j);
		} else {
			guts_view_dht_lookup(&j, d->text, r);
		}
	}
	if (err == GUTS_EUNAVAILABLE)
		guts_err_set(&d->c.ei, err, "this node takes no part in the DHT (kad.mode), or is starting");
	else if (err == GUTS_EBUSY)
		guts_err_set(&d->c.ei, err, "too many lookups are under way");
	guts_call_done(&d->c, r ? GUTS_OK : err, &d->c.ei);
}

static void
run_lookup(struct guts_call *c)
{
	struct dht_call *d = (struct dht_call *)c;
	struct guts_dht_target t = { .peer = d->peer.n ? &d->peer : NULL, .record = d->record };

	memcpy(t.repo, d->repo, sizeof t.repo);
	guts_node_dht_lookup(c->h->node, &t, looked, d);
}

static void
answer_lookup(struct guts_req *r, struct guts_call *c)
{
	struct dht_call *d = (struct dht_call *)c;
	struct guts_buf b;

	b = d->body;
	guts_buf_init(&d->body, 0);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_dht_providers(struct guts_req *r)
{
	uint8_t id[GUTS_REPOID_SIZE];
	struct dht_call *d;

	if (guts_repoid_parse(id, guts_req_param(r, 0))) {
		guts_reply_problem(r, 400, "that is no repository id: bafkrei and 52 more characters");
		return;
	}
	d = guts_call_new(sizeof *d, run_lookup, answer_lookup, destroy);
	memcpy(d->repo, id, sizeof id);
	d->providers_only = true;
	guts_call_loop(r, &d->c);
}

static int
parse_target(struct dht_call *d, struct guts_slice text)
{
	const size_t n = sizeof SCHEME - 1;

	memcpy(d->text, text.p, text.n);
	if (text.n > n && memcmp(text.p, SCHEME, n) == 0)
		text = guts_slice(text.p + n, text.n - n);
	if (guts_repoid_parse(d->repo, text) == 0)
		return GUTS_OK;
	return guts_peerid_parse(&d->peer, text);
}

void
guts_rest_dht_lookup(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "target", GUTS_FIELD_TEXT, true, false, 1, TARGET_MAX, NULL, false },
		{ "record", GUTS_FIELD_BOOL, false, false, 0, 0, NULL, false },
	};
	struct guts_value v[2];
	struct guts_body body;
	struct guts_errinfo ei;
	struct dht_call *d = NULL;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 2, false, v, &ei);

	if (err == 0) {
		d = guts_call_new(sizeof *d, run_lookup, answer_lookup, destroy);
		d->record = v[1].is_set && v[1].flag;
		err = parse_target(d, guts_slice(v[0].text, v[0].n));
		if (err < 0)
			err = guts_body_refuse(&body, "/target", "must be a peer id, a repository id or guts://ID", &ei);
	}
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
		free(d);
	} else {
		guts_call_loop(r, &d->c);
	}
	guts_body_deinit(&body);
}
