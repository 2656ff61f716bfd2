/* http/api_gossip.c - topics, meshes, scores and counters; users' topics and messages. */
#include "base/alloc.h"
#include "base/text.h"
#include "http/api.h"
#include "view/view.h"

#include <stdlib.h>

#define TOPIC_MAX 128        /* [bytes] of users' topics; those of repositories are shorter */
#define DATA_MAX (16u << 10) /* [bytes] of a message */

void
guts_rest_topics(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_buf b;
	struct guts_json j;

	/* topics of private repositories do not exist: these are all public names */
	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < s->ntopics; i++)
		guts_view_topic(&j, &s->topics[i]);
	guts_json_array_end(&j);
	guts_snapshot_unref(s);
	guts_reply_json(r, 200, &b, NULL);
}

/* The topic of parameter 0 as a string; false: an answer was queued. */
static bool
take_topic(struct guts_req *r, char topic[TOPIC_MAX + 1])
{
	struct guts_slice s = guts_req_param(r, 0);

	if (s.n == 0 || s.n > TOPIC_MAX || !guts_text_is_clean(s, false)) {
		guts_reply_problem(r, 400, "a topic is 1 to %d bytes of clean text", TOPIC_MAX);
		return false;
	}
	memcpy(topic, s.p, s.n);
	topic[s.n] = 0;
	return true;
}

/* -- looking ------------------------------------------------------------------------ */

struct look_call {
	struct guts_call c;
	char topic[TOPIC_MAX + 1];
	struct guts_topic_detail detail;
	struct guts_gossip_peer_info *peers;
	size_t npeers;
};

static void
destroy_look(struct guts_call *c)
{
	struct look_call *l = (struct look_call *)c;

	guts_topic_detail_deinit(&l->detail);
	free(l->peers);
}

static void
run_topic(struct guts_call *c)
{
	struct look_call *l = (struct look_call *)c;
	int err = guts_node_gossip_topic(c->h->node, l->topic, &l->detail);

	if (err)
		guts_err_set(&c->ei, err, "neither this node nor a peer of it takes part in that topic");
	guts_call_done(c, err, &c->ei);
}

static void
answer_topic(struct guts_req *r, struct guts_call *c)
{
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_view_topic_detail(&j, &((struct look_call *)c)->detail);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_topic(struct guts_req *r)
{
	char topic[TOPIC_MAX + 1];
	struct look_call *l;

	if (!take_topic(r, topic))
		return;
	l = guts_call_new(sizeof *l, run_topic, answer_topic, destroy_look);
	memcpy(l->topic, topic, sizeof topic);
	guts_call_loop(r, &l->c);
}

static void
run_peers(struct guts_call *c)
{
	struct look_call *l = (struct look_call *)c;

	l->npeers = guts_node_gossip_peers(c->h->node, &l->peers);
	guts_call_done(c, 0, &c->ei);
}

static void
answer_peers(struct guts_req *r, struct guts_call *c)
{
	struct look_call *l = (struct look_call *)c;
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t i = 0; i < l->npeers; i++)
		guts_view_gossip_peer(&j, &l->peers[i]);
	guts_json_array_end(&j);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_gossip_peers(struct guts_req *r)
{
	struct look_call *l = guts_call_new(sizeof *l, run_peers, answer_peers, destroy_look);

	guts_call_loop(r, &l->c);
}

void
guts_rest_gossip_stats(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_view_gossip_stats(&j, &s->gossip, &s->thresholds);
	guts_snapshot_unref(s);
	guts_reply_json(r, 200, &b, NULL);
}

/* -- subscriptions ------------------------------------------------------------------ */

struct topic_call {
	struct guts_call c;
	char topic[TOPIC_MAX + 1];
	bool on;
	uint8_t *data;
	size_t n;
	char id[65];
};

static void
topic_done(void *owner, int err, const struct guts_errinfo *ei)
{
	guts_call_done(owner, err, ei);
}

static void
run_subscribe(struct guts_call *c)
{
	struct topic_call *t = (struct topic_call *)c;

	guts_node_subscribe(c->h->node, t->topic, t->on, topic_done, t);
}

static void
subscribe(struct guts_req *r, bool on)
{
	char topic[TOPIC_MAX + 1];

	if (!take_topic(r, topic))
		return;
	struct topic_call *t = guts_call_new(sizeof *t, run_subscribe, guts_call_answer_empty, NULL);
	memcpy(t->topic, topic, sizeof topic);
	t->on = on;
	guts_call_loop(r, &t->c);
}

void
guts_rest_subscribe(struct guts_req *r)
{
	subscribe(r, true);
}

void
guts_rest_unsubscribe(struct guts_req *r)
{
	subscribe(r, false);
}

/* -- publish ------------------------------------------------------------------------ */

static void
run_publish(struct guts_call *c)
{
	struct topic_call *t = (struct topic_call *)c;
	int err = guts_node_publish(c->h->node, t->topic, guts_slice(t->data, t->n), t->id, &c->ei);

	guts_call_done(c, err, &c->ei);
}

static void
answer_publish(struct guts_req *r, struct guts_call *c)
{
	struct topic_call *t = (struct topic_call *)c;
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_str(&j, "id", t->id);
	guts_json_object_end(&j);
	guts_reply_json(r, 201, &b, NULL);
}

static void
destroy_publish(struct guts_call *c)
{
	free(((struct topic_call *)c)->data);
}

static int
decode_data(const struct guts_value *data, const struct guts_value *encoding, uint8_t **out, size_t *n)
{
	*out = guts_alloc(data->n + 1);
	if (encoding->is_set && strcmp(encoding->text, "base64") == 0) {
		if (guts_base64_decode(*out, data->n + 1, guts_slice(data->text, data->n), n) < 0)
			return GUTS_EINVAL;
	} else {
		memcpy(*out, data->text, data->n);
		*n = data->n;
	}
	return *n > DATA_MAX ? GUTS_ELIMIT : 0;
}

void
guts_rest_publish(struct guts_req *r)
{
	static const struct guts_field fields[] = {
		{ "data", GUTS_FIELD_TEXT, true, false, 0, 22000, NULL, true },
		{ "encoding", GUTS_FIELD_TEXT, false, false, 0, 10, "utf8 base64", false },
	};
	char topic[TOPIC_MAX + 1];
	struct guts_value v[2];
	struct guts_body body;
	struct guts_errinfo ei;
	uint8_t *data = NULL;
	size_t n = 0;
	int err;

	if (!take_topic(r, topic))
		return;
	err = guts_body_parse(&body, guts_buf_slice(&r->body), fields, 2, false, v, &ei);
	if (err == 0 && decode_data(&v[0], &v[1], &data, &n) < 0)
		err = guts_body_refuse(&body, "/data", "must be at most 16 KiB of the encoding named", &ei);
	if (err < 0) {
		guts_reply_body_error(r, err, &ei, &body);
		free(data);
	} else {
		struct topic_call *t = guts_call_new(sizeof *t, run_publish, answer_publish, destroy_publish);
		memcpy(t->topic, topic, sizeof topic);
		t->data = data;
		t->n = n;
		guts_call_loop(r, &t->c);
	}
	guts_body_deinit(&body);
}

/* -- messages ------------------------------------------------------------------------- */

static bool
add_message(void *owner, const struct guts_user_message *m)
{
	guts_view_message(owner, m);
	return true;
}

static void
reply_messages(struct guts_req *r, const char *topic)
{
	uint64_t after, limit;
	struct guts_buf b;
	struct guts_json j;

	if (!guts_req_number(r, "after", 0, INT64_MAX, 0, &after) || !guts_req_number(r, "limit", 1, 1000, 100, &limit))
		return;
	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	int err = guts_node_messages(r->h->node, topic, after, (size_t)limit, add_message, &j);
	guts_json_array_end(&j);
	if (err < 0) {
		guts_buf_deinit(&b);
		guts_reply_err(r, err, NULL);
		return;
	}
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_topic_messages(struct guts_req *r)
{
	char topic[TOPIC_MAX + 1];

	if (take_topic(r, topic))
		reply_messages(r, topic);
}

void
guts_rest_messages(struct guts_req *r)
{
	reply_messages(r, NULL);
}
