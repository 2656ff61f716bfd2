/* node/topics.c - users' topics: subscriptions that survive restarts, messages kept for the API.
 *
 * What this node publishes is a signed envelope (proto/usermsg).  Other libp2p peers may publish anything on such a topic; it
 * is kept and shown as it is, attributed to gossipsub's signed sender only.
 *
 * Gossip forgets with a restart what it has seen, and neighbours announce a message for a minute: the ids of what is kept
 * are known from the store, so a message is kept and shown once.
 *
 * Rows of GUTS_TABLE_GOSSIP: "t" topic → nothing (a subscription); "m" cursor be64 → message.
 */
#include "node/internal.h"

#include "base/alloc.h"
#include "base/be.h"
#include "base/cursor.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TOPIC_MAX 128               /* [bytes] */
#define DATA_MAX (16u << 10)        /* [bytes] published by the API */
#define ID_AT 9                     /* where the id stands in a stored message */

struct guts_topic_user {
	char *name;
	UT_hash_handle hh;
};

static struct guts_topic_user *
find(struct guts_node *n, struct guts_slice topic)
{
	struct guts_topic_user *t;

	HASH_FIND(hh, n->topics, topic.p, topic.n, t);
	return t;
}

bool
guts_topics_has(struct guts_node *n, struct guts_slice topic)
{
	return find(n, topic) != NULL;
}

static void
add(struct guts_node *n, struct guts_slice topic)
{
	struct guts_topic_user *t = guts_alloc(sizeof *t);

	t->name = guts_memdup(topic.p, topic.n);
	HASH_ADD_KEYPTR(hh, n->topics, t->name, topic.n, t);
	guts_pubsub_topic(n, t->name, true);
	guts_pubsub_expect(n, t->name, n->s.gossip_expect);
}

void
guts_topics_expect(struct guts_node *n)
{
	struct guts_topic_user *t, *next;

	HASH_ITER(hh, n->topics, t, next)
		guts_pubsub_expect(n, t->name, n->s.gossip_expect);
}

static struct guts_slice
message_key(uint8_t out[9], uint64_t cursor)
{
	out[0] = 'm';
	guts_put_be64(out + 1, cursor);
	return guts_slice(out, 9);
}

static bool
load_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_node *n = owner;
	struct guts_cursor c;
	uint64_t cursor;

	if (key.n > 1 && key.p[0] == 't' && HASH_COUNT(n->topics) < GUTS_TOPICS_USER_MAX) {
		add(n, guts_slice(key.p + 1, key.n - 1));
	} else if (key.n == 9 && key.p[0] == 'm') {
		guts_cursor_init(&c, guts_slice(key.p + 1, 8));
		cursor = guts_cursor_be64(&c);
		if (!n->message_oldest)
			n->message_oldest = cursor;
		n->message_cursor = cursor;
		if (value.n >= ID_AT + GUTS_GOSSIP_ID_SIZE)
			guts_idset_put(&n->messages_kept, value.p + ID_AT, 0, guts_env_now(n->env));
	}
	return true;
}

void
guts_topics_load(struct guts_node *n)
{
	struct guts_slice none = { 0 };
	uint64_t salt[2];

	guts_env_random(n->env, salt, sizeof salt);
	guts_idset_init(&n->messages_kept, GUTS_MESSAGES_KEPT, UINT64_MAX, salt[0], salt[1]);
	(void)guts_store_scan(n->s.store, GUTS_TABLE_GOSSIP, none, none, load_row, n);
}

void
guts_topics_free(struct guts_node *n)
{
	struct guts_topic_user *t, *tmp;

	HASH_ITER (hh, n->topics, t, tmp) {
		HASH_DEL(n->topics, t);
		free(t->name);
		free(t);
	}
	guts_idset_deinit(&n->messages_kept);
}

static int
check_topic(const char *topic, struct guts_errinfo *ei)
{
	struct guts_slice s = guts_slice_str(topic);

	if (s.n == 0 || s.n > TOPIC_MAX || !guts_text_is_clean(s, false) || strncmp(topic, "guts/", 5) == 0)
		return guts_err_set(ei, GUTS_EINVAL, "a topic is 1 to %d bytes of plain text that does not begin with guts/",
		    TOPIC_MAX);
	return GUTS_OK;
}

void
guts_node_subscribe(struct guts_node *n, const char *topic, bool on, guts_done_fn *done, void *owner)
{
	struct guts_errinfo ei = { 0 };
	struct guts_topic_user *t = find(n, guts_slice_str(topic));
	int err = check_topic(topic, &ei);
	char key[TOPIC_MAX + 2];

	if (!err && on && !t && HASH_COUNT(n->topics) >= GUTS_TOPICS_USER_MAX)
		err = guts_err_set(&ei, GUTS_ELIMIT, "at most %d topics", GUTS_TOPICS_USER_MAX);
	if (!err && !on && !t)
		err = guts_err_set(&ei, GUTS_ENOTFOUND, "not subscribed to that topic");
	if (err || (on && t)) {
		done(owner, err, &ei);
		return;
	}
	if (on) {
		add(n, guts_slice_str(topic));
	} else {
		guts_pubsub_topic(n, t->name, false);
		HASH_DEL(n->topics, t);
		free(t->name);
		free(t);
	}
	guts_snapshot_dirty(n);
	snprintf(key, sizeof key, "t%s", topic);
	guts_persist_put(n, GUTS_TABLE_GOSSIP, guts_slice_str(key), on ? guts_slice_str("1") : guts_slice(NULL, 0), done, owner);
}

/* -- messages ------------------------------------------------------------------------------------ */

/* Stored form: flags u8, wall be64, id[32], n u8 author[n], be16 topic, data. */
static void
ignore(void *owner, int err, uint64_t first, uint64_t last)
{
	(void)owner;
	(void)err;
	(void)first;
	(void)last;
}

static void
keep(struct guts_node *n, struct guts_slice topic, const struct guts_peerid *author, bool is_envelope,
    struct guts_slice data, const uint8_t id[32])
{
	struct guts_batch *b = guts_batch_new();
	struct guts_buf v;
	uint8_t key[9];

	guts_buf_init(&v, GUTS_GOSSIP_DATA_MAX + 512);
	guts_buf_add_u8(&v, is_envelope);
	guts_buf_add_be64(&v, guts_env_wall(n->env) / GUTS_MS_NS);
	guts_buf_add(&v, id, 32);
	guts_buf_add_u8(&v, author->n);
	guts_buf_add(&v, author->b, author->n);
	guts_buf_add_be16(&v, (uint16_t)topic.n);
	guts_buf_add_slice(&v, topic);
	guts_buf_add_slice(&v, data);
	n->message_cursor++;
	if (!n->message_oldest)
		n->message_oldest = n->message_cursor;
	guts_batch_put(b, GUTS_TABLE_GOSSIP, message_key(key, n->message_cursor), guts_buf_slice(&v));
	while (n->message_cursor - n->message_oldest >= GUTS_MESSAGES_KEPT)
		guts_batch_del(b, GUTS_TABLE_GOSSIP, message_key(key, n->message_oldest++));
	(void)guts_store_commit(n->s.store, b, ignore, NULL);
	guts_idset_put(&n->messages_kept, id, 0, guts_env_now(n->env));
	guts_buf_deinit(&v);
}

static void
show(struct guts_node *n, struct guts_slice topic, const struct guts_peerid *author, struct guts_slice data,
    const uint8_t id[32])
{
	char *name = guts_memdup(topic.p, topic.n), hex[65];
	bool text = guts_text_is_utf8(data);
	char *base64 = NULL;
	struct guts_signal s = { .type = "gossip.message", .peer = guts_peerid_slice(author), .topic = name, .n = 5 };

	guts_hex_encode(hex, id, 32);
	if (!text) {
		base64 = guts_alloc(4 * ((data.n + 2) / 3) + 1);
		guts_base64_encode(base64, data.p, data.n);
		data = guts_slice_str(base64);
	}
	s.attr[0] = guts_node_attr("topic", name);
	s.attr[1] = guts_node_attr("id", hex);
	s.attr[2] = guts_node_attr_num("cursor", n->message_cursor);
	s.attr[3] = guts_node_attr("encoding", text ? "utf8" : "base64");
	s.attr[4] = (struct guts_fact_attr){ .name = "data", .text = data };
	guts_events_signal(n, &s, false);
	free(base64);
	free(name);
}

enum guts_verdict
guts_topics_heard(struct guts_node *n, struct guts_slice topic, const struct guts_peerid *from, struct guts_slice data,
    const uint8_t id[32])
{
	struct guts_usermsg m;
	struct guts_peerid author = *from;
	int err = guts_usermsg_open(&m, data, topic, guts_env_wall(n->env) / GUTS_MS_NS);

	if (err == GUTS_ESIG || err == GUTS_EFUTURE)
		return GUTS_REJECT;
	if (guts_idset_get(&n->messages_kept, id, guts_env_now(n->env)) >= 0)
		return GUTS_ACCEPT; /* others may lack it */
	if (!err) {
		author = m.author;
		data = m.data;
	}
	if (n->s.gossip_keep)
		keep(n, topic, &author, !err, data, id);
	show(n, topic, &author, data, id);
	return GUTS_ACCEPT;
}

int
guts_node_publish(struct guts_node *n, const char *topic, struct guts_slice data, char id[65], struct guts_errinfo *ei)
{
	struct guts_usermsg m = { .topic = guts_slice_str(topic), .data = data };
	uint64_t now_ms = guts_env_wall(n->env) / GUTS_MS_NS;
	struct guts_buf out;
	uint8_t mid[32];
	int err = check_topic(topic, ei);

	if (err)
		return err;
	if (data.n > DATA_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "a message is at most %u KiB", DATA_MAX >> 10);
	n->user_sequence = m.sequence = now_ms > n->user_sequence ? now_ms : n->user_sequence + 1;
	m.time_ms = now_ms;
	guts_buf_init(&out, GUTS_USERMSG_MAX);
	err = guts_usermsg_make(&out, &n->s.key, &m);
	if (!err)
		err = guts_pubsub_publish(n, topic, guts_buf_slice(&out), mid);
	if (err) {
		guts_err_set(ei, err, "the message could not be published: %s", guts_err_text(err));
	} else {
		guts_hex_encode(id, mid, sizeof mid);
		if (n->s.gossip_keep)
			keep(n, m.topic, &n->s.key.id, true, data, mid);
		show(n, m.topic, &n->s.key.id, data, mid);
	}
	guts_buf_deinit(&out);
	return err;
}

struct walk {
	const char *topic;
	size_t left;
	bool (*row)(void *owner, const struct guts_user_message *m);
	void *owner;
};

static bool
message_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct walk *w = owner;
	struct guts_user_message m = { 0 };
	struct guts_cursor c;
	struct guts_slice id, author, topic;
	char *name;
	bool more;

	guts_cursor_init(&c, guts_slice(key.p + 1, key.n - 1));
	m.cursor = guts_cursor_be64(&c);
	guts_cursor_init(&c, value);
	m.is_envelope = guts_cursor_u8(&c);
	m.wall_ms = guts_cursor_be64(&c);
	id = guts_cursor_bytes(&c, 32);
	author = guts_cursor_bytes(&c, guts_cursor_u8(&c));
	topic = guts_cursor_bytes(&c, guts_cursor_be16(&c));
	m.data = guts_cursor_rest(&c);
	if (!guts_cursor_ok(&c) || (w->topic && !guts_slice_eq(topic, guts_slice_str(w->topic))))
		return true;
	guts_hex_encode(m.id, id.p, id.n);
	(void)guts_peerid_decode(&m.author, author);
	m.topic = name = guts_memdup(topic.p, topic.n);
	more = w->row(w->owner, &m) && --w->left;
	free(name);
	return more;
}

int
guts_node_messages(struct guts_node *n, const char *topic, uint64_t after, size_t max,
    bool (*row)(void *owner, const struct guts_user_message *m), void *owner)
{
	struct walk w = { topic, max, row, owner };
	uint8_t key[9];

	if (!max)
		return GUTS_OK;
	return guts_store_scan(n->s.store, GUTS_TABLE_GOSSIP, guts_slice_str("m"),
	    after ? message_key(key, after) : guts_slice(NULL, 0), message_row, &w);
}
