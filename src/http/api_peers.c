/* http/api_peers.c - peers, bans, offences and dials: read from the snapshot, changed on the loop. */
#include "base/alloc.h"
#include "http/api.h"
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* -- list ----------------------------------------------------------------------------- */

struct peer_order {
	const char *name;
	int (*cmp)(const void *a, const void *b);
};

#define PEER(p) (*(const struct guts_peer_info *const *)(p))
#define BY_NUMBER(name, field)                                                                    \
	static int name(const void *a, const void *b)                                             \
	{                                                                                         \
		return (PEER(a)->field > PEER(b)->field) - (PEER(a)->field < PEER(b)->field);     \
	}
BY_NUMBER(by_connected, connected_wall_ms)
BY_NUMBER(by_rtt, rtt_us)
BY_NUMBER(by_in, bytes_in)
BY_NUMBER(by_out, bytes_out)
BY_NUMBER(by_score, score)
BY_NUMBER(by_seen, last_seen_wall_ms)

static int
by_id(const void *a, const void *b)
{
	return strcmp(PEER(a)->id_text, PEER(b)->id_text);
}

static int
by_agent(const void *a, const void *b)
{
	return strcmp(PEER(a)->agent ? PEER(a)->agent : "", PEER(b)->agent ? PEER(b)->agent : "");
}

static const struct peer_order orders[] = { { "connected", by_connected }, { "id", by_id }, { "rtt", by_rtt },
	{ "bytes_in", by_in }, { "bytes_out", by_out }, { "score", by_score }, { "agent", by_agent },
	{ "last_seen", by_seen } };

static bool
holds(const char *text, struct guts_slice part)
{
	return text && memmem(text, strlen(text), part.p, part.n) != NULL;
}

static bool
peer_fits(const struct guts_peer_info *p, struct guts_slice q, struct guts_slice direction)
{
	if (direction.n && !guts_slice_eq(direction, guts_slice_str(p->direction == GUTS_INBOUND ? "inbound" : "outbound")))
		return false;
	return q.n == 0 || holds(p->id_text, q) || holds(p->remote_addr, q) || holds(p->agent, q);
}

/* Sort as the query says; false if it names no order. */
static bool
sort_peers(const struct guts_peer_info **v, size_t n, struct guts_slice sort)
{
	bool down = sort.n && sort.p[0] == '-';

	if (down)
		sort = guts_slice(sort.p + 1, sort.n - 1);
	if (sort.n == 0)
		return !down;
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		if (!guts_slice_eq(sort, guts_slice_str(orders[i].name)))
			continue;
		qsort(v, n, sizeof *v, orders[i].cmp);
		for (size_t k = 0; down && k < n / 2; k++) {
			const struct guts_peer_info *t = v[k];
			v[k] = v[n - 1 - k];
			v[n - 1 - k] = t;
		}
		return true;
	}
	return false;
}

static void
reply_peers(struct guts_req *r, struct guts_snapshot *s, uint64_t page, uint64_t per_page)
{
	const struct guts_peer_info **v = guts_calloc(s->npeers + 1, sizeof *v);
	struct guts_slice q = guts_target_query(&r->target, "q"), dir = guts_target_query(&r->target, "direction");
	size_t n = 0;
	struct guts_buf b;
	struct guts_json j;

	for (size_t i = 0; i < s->npeers; i++) {
		if (peer_fits(&s->peers[i], q, dir))
			v[n++] = &s->peers[i];
	}
	if (!sort_peers(v, n, guts_target_query(&r->target, "sort"))) {
		guts_reply_problem(r, 400, "sort: connected, id, rtt, bytes_in, bytes_out, score, agent or last_seen");
	} else {
		guts_reply_begin(&b, &j);
		guts_json_array(&j);
		for (uint64_t i = (page - 1) * per_page; i < n && i < page * per_page; i++)
			guts_view_peer(&j, v[i]);
		guts_json_array_end(&j);
		guts_reply_page(r, &b, &(struct guts_page){ .page = page, .per_page = per_page, .total = n }, NULL, s->version);
	}
	free(v);
}

void
guts_rest_peers(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	uint64_t page, per_page;

	if (!guts_reply_cached(r, s->version) && guts_req_page(r, &page, &per_page))
		reply_peers(r, s, page, per_page);
	guts_snapshot_unref(s);
}

/* The peer of parameter 0; false: an answer was queued. */
static bool
take_peer(struct guts_req *r, size_t param, struct guts_peerid *id)
{
	if (guts_peerid_parse(id, guts_req_param(r, param)) == 0)
		return true;
	guts_reply_problem(r, 400, "no peer id");
	return false;
}

void
guts_rest_peer(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	const struct guts_peer_info *found = NULL;
	struct guts_peerid id;
	struct guts_buf b;
	struct guts_json j;

	if (!take_peer(r, 0, &id))
		goto out;
	for (size_t i = 0; i < s->npeers; i++) {
		if (guts_peerid_eq(&s->peers[i].id, &id))
			found = &s->peers[i];
	}
	if (!found) {
		guts_reply_problem(r, 404, "no such peer is connected");
		goto out;
	}
	guts_reply_begin(&b, &j);
	guts_view_peer_detail(&j, found);
	guts_reply_json(r, 200, &b, NULL);
out:
	guts_snapshot_unref(s);
}

void
guts_rest_bans(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < s->nbans; i++)
		guts_view_ban(&j, &s->bans[i]);
	guts_json_array_end(&j);
	guts_snapshot_unref(s);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_offences(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < s->noffences; i++)
		guts_view_offence(&j, &s->offences[i]);
	guts_json_array_end(&j);
	guts_snapshot_unref(s);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_dials(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < s->ndials; i++)
		guts_view_dial(&j, &s->dials[i]);
	guts_json_array_end(&j);
	guts_snapshot_unref(s);
	guts_reply_json(r, 200, &b, NULL);
}

/* -- commands ------------------------------------------------------------------------------ */

struct peer_call {
	struct guts_call c;
	struct guts_maddr addr;
	struct guts_peerid id;
	char reason[201];
	uint64_t seconds;
};

static void
command_done(void *owner, int err, const struct guts_errinfo *ei)
{
	guts_call_done(owner, err, ei);
}

static void
connect_done(void *owner, int err, const struct guts_errinfo *ei, const struct guts_peerid *peer)
{
	struct peer_call *p = owner;

	if (err == 0 && peer)
		p->id = *peer;
	guts_call_done(&p->c, err, ei);
}

static void
run_connect(struct guts_call *c)
{
	struct peer_call *p = (struct peer_call *)c;

	guts_node_peer_connect(c->h->node, &p->addr, connect_done, p);
}

static void
answer_connect(struct guts_req *r, struct guts_call *c)
{
	struct peer_call *p = (struct peer_call *)c;
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_key(&j, "id");
	guts_view_peerid(&j, &p->id);
	guts_json_object_end(&j);
	guts_reply_json(r, 201, &b, NULL);
}

void
guts_rest_peer_connect(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "address", GUTS_FIELD_TEXT, true, false, 1, GUTS_MADDR_TEXT_MAX - 1, NULL, false },
	};
	struct guts_value v[1];
	struct guts_body body;
	struct guts_errinfo ei;
	struct guts_maddr addr;
	int err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 1, false, v, &ei);

	if (err == 0 && guts_maddr_parse(&addr, guts_slice_str(v[0].text)) < 0)
		err = guts_body_refuse(&body, "/address", "is no multiaddr", &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
	} else {
		struct peer_call *p = guts_call_new(sizeof *p, run_connect, answer_connect, NULL);
		p->addr = addr;
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

static void
run_disconnect(struct guts_call *c)
{
	struct peer_call *p = (struct peer_call *)c;
	int err = guts_node_peer_disconnect(c->h->node, &p->id);

	guts_call_done(c, err, NULL);
}

void
guts_rest_peer_disconnect(struct guts_req *r)
{
	struct guts_peerid id;

	if (!take_peer(r, 0, &id))
		return;
	struct peer_call *p = guts_call_new(sizeof *p, run_disconnect, guts_call_answer_empty, NULL);
	p->c.not_found = "no such peer is connected";
	p->id = id;
	guts_call_loop(r, &p->c);
}

static void
run_ban(struct guts_call *c)
{
	struct peer_call *p = (struct peer_call *)c;

	guts_node_peer_ban(c->h->node, &p->id, p->reason, p->seconds, command_done, p);
}

void
guts_rest_peer_ban(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "reason", GUTS_FIELD_TEXT, false, false, 0, 200, NULL, false },
		{ "seconds", GUTS_FIELD_NUMBER, false, false, 0, UINT64_C(3153600000), NULL, false },
	};
	struct guts_value v[2];
	struct guts_body body;
	struct guts_errinfo ei;
	struct guts_peerid id;
	int err;

	if (!take_peer(r, 0, &id))
		return;
	err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 2, false, v, &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
	} else {
		struct peer_call *p = guts_call_new(sizeof *p, run_ban, guts_call_answer_empty, NULL);
		p->id = id;
		p->seconds = v[1].number;
		snprintf(p->reason, sizeof p->reason, "%s", v[0].is_set && v[0].n ? v[0].text : "banned by hand");
		guts_call_loop(r, &p->c);
	}
	guts_body_deinit(&body);
}

static void
run_lift(struct guts_call *c)
{
	struct peer_call *p = (struct peer_call *)c;

	guts_node_peer_lift(c->h->node, &p->id, command_done, p);
}

void
guts_rest_peer_lift(struct guts_req *r)
{
	struct guts_peerid id;

	if (!take_peer(r, 0, &id))
		return;
	struct peer_call *p = guts_call_new(sizeof *p, run_lift, guts_call_answer_empty, NULL);
	p->id = id;
	guts_call_loop(r, &p->c);
}
