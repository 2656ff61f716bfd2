/* sink/sink.c - one round after another: read behind the cursor, publish, store the cursor.
 *
 *	read ──► messages ──► sender (thread) ──► broker
 *	  ▲                                         │ acknowledged
 *	  └───────── cursor is stored ◄─────────────┘
 *
 * After a failure the next round begins at the first fact that was not acknowledged, after a time that doubles.
 */
#include "sink/sink.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"
#include "sink/sender.h"
#include "store/fact.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_FACTS 256               /* read at once */
#define ROUND_BYTES (1u << 20)       /* [bytes] after which a round is closed */
#define BODY_MAX (512u << 10)        /* [bytes] of one message: more than any fact takes */
#define UNMARKED_FACTS 1000          /* passed facts that nobody wanted, before that is stored */
#define RETRY_NS (500 * GUTS_MS_NS)  /* doubled each time */
#define RETRY_MAX_NS (30 * GUTS_SECOND_NS)
#define CALM_NS (60 * GUTS_SECOND_NS) /* a failure after such a time is the first again */

struct sink {
	struct guts_sinks *all;
	size_t number;
	char *url, *key;                     /* key: of its cursor in GUTS_TABLE_META */
	struct guts_broker_url where;
	const struct guts_broker_ops *ops;
	struct guts_sender *sender;
	struct guts_timer timer;
	enum guts_sink_state state;
	bool is_busy;                        /* a round or a batch is under way */
	uint64_t cursor, stored;             /* done with; stored as such */
	uint64_t upto;                       /* of the round: the last fact that was looked at */
	struct guts_broker_message v[GUTS_TALLY_MAX];
	size_t n, bytes;
	uint64_t retry_ns, failed_ns, next_ns;
	char error[256];
	uint64_t error_wall_ms, published_wall_ms;
	struct guts_sink_counters count;
};

struct guts_sinks {
	struct guts_env *env;
	struct guts_node *node;
	struct guts_store *store;
	struct guts_node_listener listener;
	char id[GUTS_PEERID_TEXT_SIZE];      /* of this node */
	char *source, *prefix;
	struct guts_broker_files files;
	char (*events)[GUTS_FACT_TYPE_MAX];
	uint8_t (*repositories)[GUTS_REPOID_SIZE];
	size_t nevents, nrepositories;
	bool takes_all, is_running;
	uint64_t told;                       /* facts up to here show in what the node answers */
	size_t n;
	struct sink *v;
};

static void run(struct sink *k);

const char *
guts_sink_state_name(enum guts_sink_state state)
{
	static const char *const names[] = { "off", "connecting", "connected", "waiting" };

	return names[state];
}

/* -- what is published ------------------------------------------------------------------------------ */

static bool
may_be_read_by_all(const struct guts_sinks *s, const struct guts_fact *f)
{
	struct guts_repo *r = f->repo.n == GUTS_REPOID_SIZE ? guts_sync_find(guts_node_sync(s->node), f->repo.p) : NULL;

	/* a repository that became private takes its past with it */
	return !f->is_private && !guts_event_needs_admin(f->type) && !(r && guts_repo_is_private(r));
}

static bool
takes(const struct sink *k, const struct guts_fact *f)
{
	const struct guts_sinks *s = k->all;
	bool fits = s->nevents == 0, is_there = s->nrepositories == 0;

	if (strcmp(f->type, "sink.reset") == 0)
		return guts_fact_number(f, "sink") == k->number;
	for (size_t i = 0; i < s->nevents && !fits; i++)
		fits = guts_event_type_fits(s->events[i], f->type);
	for (size_t i = 0; i < s->nrepositories && !is_there; i++)
		is_there = guts_slice_eq(guts_slice(s->repositories[i], GUTS_REPOID_SIZE), f->repo);
	return fits && is_there && (s->takes_all || may_be_read_by_all(s, f));
}

static bool
on_fact(void *owner, const struct guts_fact *f)
{
	struct sink *k = owner;
	struct guts_broker_message *m = &k->v[k->n];
	struct guts_json j;

	if (f->id > k->all->told)
		return false;
	k->upto = f->id;
	if (!takes(k, f))
		return true;
	m->fact = f->id;
	snprintf(m->subject, sizeof m->subject, "%s.%s", k->all->prefix, f->type);
	snprintf(m->id, sizeof m->id, "%s-%" PRIu64, k->all->id, f->id);
	guts_buf_clear(&m->body);
	guts_json_init(&j, &m->body);
	guts_view_fact_cloud(&j, f, k->all->source);
	if (m->body.failed) {
		guts_log(GUTS_LOG_ERROR, "sink", "event %" PRIu64 " is too large to be published", f->id);
		return true;
	}
	k->bytes += m->body.len;
	return ++k->n < GUTS_TALLY_MAX && k->bytes < ROUND_BYTES;
}

/* -- the cursor --------------------------------------------------------------------------------------- */

static void
move_cursor(struct sink *k, uint64_t fact)
{
	k->cursor = fact;
	atomic_store(&k->count.cursor, fact);
}

static void
put_cursor(struct sink *k, struct guts_batch *batch)
{
	struct guts_buf v;

	guts_buf_init(&v, 16);
	guts_buf_add_be64(&v, k->cursor);
	guts_batch_put(batch, GUTS_TABLE_META, guts_slice_str(k->key), guts_buf_slice(&v));
	guts_buf_deinit(&v);
	k->stored = k->cursor;
}

static void
on_stored(void *owner, int err, uint64_t first, uint64_t last)
{
	struct sink *k = owner;

	k->is_busy = false;
	if (err)
		guts_log_limited(GUTS_LOG_ERROR, "sink", "a cursor cannot be stored: %s", guts_err_text(err));
	else if (first)
		guts_node_announce(k->all->node, first, last);
	run(k);
}

/* Store the cursor, and with it a fact that tells of it if `lost` > 0 facts were passed unread; then go on. */
static void
store_cursor(struct sink *k, uint64_t lost)
{
	struct guts_batch *batch = guts_batch_new();
	struct guts_fact f = { .type = "sink.reset", .wall_ns = guts_env_wall(k->all->env), .is_private = true, .n = 3 };
	int err;

	put_cursor(k, batch);
	f.attr[0] = (struct guts_fact_attr){ .name = "sink", .is_number = true, .number = k->number };
	f.attr[1] = (struct guts_fact_attr){ .name = "first", .is_number = true, .number = k->cursor - lost + 1 };
	f.attr[2] = (struct guts_fact_attr){ .name = "last", .is_number = true, .number = k->cursor };
	if (lost)
		guts_batch_fact(batch, &f);
	k->is_busy = true;
	err = guts_store_commit(k->all->store, batch, on_stored, k);
	if (err) {
		k->is_busy = false;
		guts_log_limited(GUTS_LOG_ERROR, "sink", "a cursor cannot be stored: %s", guts_err_text(err));
		guts_env_timer_set(k->all->env, &k->timer, guts_env_now(k->all->env) + RETRY_NS);
	}
}

static void
load_cursor(struct sink *k)
{
	uint64_t oldest, newest;
	struct guts_cursor c;
	struct guts_buf v;
	bool is_new;

	guts_store_fact_range(k->all->store, &oldest, &newest);
	guts_buf_init(&v, 64);
	is_new = guts_store_get(k->all->store, GUTS_TABLE_META, guts_slice_str(k->key), &v) != GUTS_OK;
	guts_cursor_init(&c, guts_buf_slice(&v));
	move_cursor(k, is_new ? newest : guts_cursor_be64(&c));
	k->stored = k->cursor;
	guts_buf_deinit(&v);
	if (is_new)
		store_cursor(k, 0);
}

/* Where the log no longer reaches back to, nothing can be read.  True: that is being told. */
static bool
pass_gap(struct sink *k)
{
	uint64_t oldest, newest, lost;

	guts_store_fact_range(k->all->store, &oldest, &newest);
	if (oldest <= k->cursor + 1)
		return false;
	lost = oldest - 1 - k->cursor;
	guts_log(GUTS_LOG_WARN, "sink", "facts %" PRIu64 " to %" PRIu64 " are no longer kept: %s does not get them", k->cursor + 1,
	    oldest - 1, k->url);
	move_cursor(k, oldest - 1);
	atomic_fetch_add(&k->count.lost, lost);
	store_cursor(k, lost);
	return true;
}

/* -- rounds ------------------------------------------------------------------------------------------- */

static void
set_state(struct sink *k, enum guts_sink_state state)
{
	k->state = state;
	atomic_store(&k->count.is_connected, state == GUTS_SINK_CONNECTED);
}

static void
begin_round(struct sink *k)
{
	k->is_busy = true;
	if (k->state != GUTS_SINK_CONNECTED)
		set_state(k, GUTS_SINK_CONNECTING);
	guts_sender_round(k->sender, k->v, k->n);
}

/* Try again later: between half and all of a time that doubles. */
static void
back_off(struct sink *k, const char *why)
{
	struct guts_env *env = k->all->env;
	uint64_t now = guts_env_now(env), chance;

	if (now - k->failed_ns > CALM_NS)
		k->retry_ns = RETRY_NS;
	guts_env_random(env, &chance, sizeof chance);
	k->next_ns = now + k->retry_ns / 2 + chance % (k->retry_ns / 2);
	k->retry_ns = k->retry_ns < RETRY_MAX_NS / 2 ? 2 * k->retry_ns : RETRY_MAX_NS;
	k->failed_ns = now;
	k->error_wall_ms = guts_env_wall(env) / GUTS_MS_NS;
	atomic_fetch_add(&k->count.failures, 1);
	if (strcmp(k->error, why) != 0)
		guts_log_limited(GUTS_LOG_WARN, "sink", "%s: %s", k->url, why);
	snprintf(k->error, sizeof k->error, "%s", why);
	set_state(k, GUTS_SINK_WAITING);
	guts_env_timer_set(env, &k->timer, k->next_ns);
}

static void
on_round(void *owner, size_t taken, int err, const struct guts_errinfo *ei)
{
	struct sink *k = owner;

	k->is_busy = false;
	if (taken) {
		k->retry_ns = RETRY_NS;
		k->published_wall_ms = guts_env_wall(k->all->env) / GUTS_MS_NS;
		atomic_fetch_add(&k->count.published, taken);
	}
	if (k->n && (taken || !err))
		move_cursor(k, err ? k->v[taken - 1].fact : k->upto);
	if (err) {
		back_off(k, ei->text);
	} else {
		set_state(k, GUTS_SINK_CONNECTED);
		k->error[0] = '\0';
	}
	if (k->cursor != k->stored)
		store_cursor(k, 0);
	else
		run(k);
}

static void
on_lost(void *owner, const char *why)
{
	struct sink *k = owner;

	/* a round under way makes a new connection by itself */
	if (!k->is_busy)
		back_off(k, why);
}

static const struct guts_sender_events sender_events = { .done = on_round, .lost = on_lost };

static void
run(struct sink *k)
{
	struct guts_sinks *s = k->all;

	if (!s->is_running || k->is_busy || (k->state == GUTS_SINK_WAITING && guts_env_now(s->env) < k->next_ns))
		return;
	if (pass_gap(k))
		return;
	k->n = k->bytes = 0;
	k->upto = k->cursor;
	(void)guts_store_facts(s->store, k->cursor, PAGE_FACTS, on_fact, k);
	if (k->n || k->state != GUTS_SINK_CONNECTED) {
		begin_round(k);
		return;
	}
	if (k->upto == k->cursor)
		return;
	move_cursor(k, k->upto);
	if (k->cursor - k->stored >= UNMARKED_FACTS)
		store_cursor(k, 0);
	else
		guts_env_timer_set(s->env, &k->timer, guts_env_now(s->env));
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	run(owner);
}

/* In a later turn: who told is still at work on what it told of. */
static void
on_facts(void *owner, uint64_t first, uint64_t last)
{
	struct guts_sinks *s = owner;

	(void)first;
	s->told = last > s->told ? last : s->told;
	for (size_t i = 0; i < s->n; i++) {
		struct sink *k = &s->v[i];

		if (!k->is_busy && k->state == GUTS_SINK_CONNECTED)
			guts_env_timer_set(s->env, &k->timer, guts_env_now(s->env));
	}
}

/* -- life ------------------------------------------------------------------------------------------------ */

static int
take_prefix(struct guts_sinks *s, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	const char *text = guts_conf_text(conf, GUTS_CONF_SINK_PREFIX);
	size_t n = strlen(text);

	if (n == 0 || n > GUTS_SINK_PREFIX_MAX || strspn(text, letters) != n || text[0] == '.' || text[n - 1] == '.' ||
	    strstr(text, ".."))
		return guts_err_set(ei, GUTS_EINVAL, "sink.prefix: \"%.80s\" is not names of letters, digits, - and _ with dots between "
		    "them, at most %d bytes", text, GUTS_SINK_PREFIX_MAX);
	s->prefix = guts_strdup(text);
	return GUTS_OK;
}

static int
take_events(struct guts_sinks *s, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	size_t n = guts_conf_count(conf, GUTS_CONF_SINK_EVENTS);

	s->events = guts_calloc(n, sizeof *s->events);
	for (; s->nevents < n; s->nevents++) {
		const char *type = guts_conf_item(conf, GUTS_CONF_SINK_EVENTS, s->nevents);

		if (strlen(type) >= GUTS_FACT_TYPE_MAX)
			return guts_err_set(ei, GUTS_EINVAL, "sink.events: \"%.80s\" is no type of events", type);
		memcpy(s->events[s->nevents], type, strlen(type));
	}
	return GUTS_OK;
}

static int
take_repositories(struct guts_sinks *s, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	size_t n = guts_conf_count(conf, GUTS_CONF_SINK_REPOSITORIES);

	s->repositories = guts_calloc(n, sizeof *s->repositories);
	for (; s->nrepositories < n; s->nrepositories++) {
		const char *id = guts_conf_item(conf, GUTS_CONF_SINK_REPOSITORIES, s->nrepositories);

		if (guts_repoid_parse(s->repositories[s->nrepositories], guts_slice_str(id)))
			return guts_err_set(ei, GUTS_EINVAL, "sink.repositories: \"%.80s\" is no id of a repository", id);
	}
	return GUTS_OK;
}

static int
take_files(struct guts_sinks *s, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	struct guts_broker_files *f = &s->files;

	f->credentials = guts_strdup(guts_conf_text(conf, GUTS_CONF_SINK_CREDENTIALS));
	f->nats_creds = guts_strdup(guts_conf_text(conf, GUTS_CONF_SINK_NATS_CREDS));
	f->ca = guts_strdup(guts_conf_text(conf, GUTS_CONF_SINK_CA_FILE));
	f->cert = guts_strdup(guts_conf_text(conf, GUTS_CONF_SINK_TLS_CERT));
	f->key = guts_strdup(guts_conf_text(conf, GUTS_CONF_SINK_TLS_KEY));
	if (!f->cert[0] != !f->key[0])
		return guts_err_set(ei, GUTS_EINVAL, "sink.tls_cert and sink.tls_key belong together");
	return GUTS_OK;
}

static int
add_sink(struct guts_sinks *s, const char *url, struct guts_errinfo *ei)
{
	struct sink *k = &s->v[s->n];
	struct guts_errinfo why;
	int err = guts_broker_url_parse(&k->where, guts_slice_str(url), &why);

	if (!err && k->where.user[0])
		err = guts_err_set(&why, GUTS_EINVAL, "names and passwords have a file of their own, sink.credentials");
	if (!err)
		err = guts_broker_ops(k->where.kind, &k->ops, &why);
	for (size_t i = 0; i < s->n && !err; i++) {
		if (strcmp(s->v[i].url, url) == 0)
			err = guts_err_set(&why, GUTS_EINVAL, "it is there twice");
	}
	explicit_bzero(k->where.user, sizeof k->where.user);
	explicit_bzero(k->where.password, sizeof k->where.password);
	if (err)
		return guts_err_set(ei, err, "sink.url, value %zu: %s", s->n + 1, why.text);
	k->all = s;
	k->number = ++s->n;
	k->url = guts_strdup(url);
	k->key = guts_asprintf("sink %s", url);
	k->retry_ns = RETRY_NS;
	k->timer = (struct guts_timer){ .fire = on_timer, .owner = k, .at_ns = GUTS_NEVER };
	for (size_t i = 0; i < GUTS_TALLY_MAX; i++)
		guts_buf_init(&k->v[i].body, BODY_MAX);
	return GUTS_OK;
}

static int
take_urls(struct guts_sinks *s, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	size_t n = guts_conf_count(conf, GUTS_CONF_SINK_URL);
	int err = GUTS_OK;

	if (n > GUTS_SINKS_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "sink.url: more than %d", GUTS_SINKS_MAX);
	s->v = guts_calloc(n, sizeof *s->v);
	for (size_t i = 0; i < n && !err; i++)
		err = add_sink(s, guts_conf_item(conf, GUTS_CONF_SINK_URL, i), ei);
	return err;
}

/* All that the configuration says. */
static int
read_conf(struct guts_sinks *s, const struct guts_conf *conf, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	static const struct {
		enum guts_conf_id id;
		int (*take)(struct guts_sinks *s, const struct guts_conf *conf, struct guts_errinfo *ei);
	} rows[] = {
		{ GUTS_CONF_SINK_PREFIX, take_prefix },
		{ GUTS_CONF_SINK_EVENTS, take_events },
		{ GUTS_CONF_SINK_REPOSITORIES, take_repositories },
		{ GUTS_CONF_SINK_TLS_KEY, take_files },
		{ GUTS_CONF_SINK_URL, take_urls },
	};
	int err = GUTS_OK;

	s->takes_all = guts_conf_bool(conf, GUTS_CONF_SINK_PRIVATE);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !err; i++) {
		*at = rows[i].id;
		err = rows[i].take(s, conf, ei);
	}
	return err;
}

int
guts_sinks_new(struct guts_sinks **out, struct guts_node *node, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	struct guts_sinks *s = guts_alloc(sizeof *s);
	enum guts_conf_id at;
	int err = read_conf(s, conf, &at, ei);

	if (err) {
		guts_sinks_free(s);
		return err;
	}
	s->node = node;
	s->env = guts_node_env(node);
	s->store = guts_node_store(node);
	s->listener = (struct guts_node_listener){ .facts = on_facts, .owner = s };
	guts_peerid_text(s->id, &guts_node_key(node)->id);
	*out = s;
	return GUTS_OK;
}

int
guts_sinks_check(const struct guts_conf *conf, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	struct guts_sinks *s = guts_alloc(sizeof *s);
	int err = read_conf(s, conf, at, ei);

	guts_sinks_free(s);
	return err;
}

static void
start_one(struct sink *k)
{
	struct guts_sinks *s = k->all;
	char name[GUTS_PEERID_TEXT_SIZE + 16];
	struct guts_sender_setup setup = { .env = s->env, .url = k->where, .ops = k->ops, .files = &s->files,
		.name = name, .events = &sender_events, .owner = k };

	snprintf(name, sizeof name, "guts-%s-%zu", s->id, k->number);
	if (guts_sender_new(&k->sender, &setup)) {
		guts_log(GUTS_LOG_ERROR, "sink", "%s: the system gives no thread", k->url);
		return;
	}
	set_state(k, GUTS_SINK_CONNECTING);
	load_cursor(k);
	run(k);
}

void
guts_sinks_start(struct guts_sinks *s, const char *source)
{
	uint64_t oldest;

	if (s->n == 0)
		return;
	s->source = guts_strdup(source);
	s->is_running = true;
	guts_store_fact_range(s->store, &oldest, &s->told);
	guts_node_listen(s->node, &s->listener);
	for (size_t i = 0; i < s->n; i++)
		start_one(&s->v[i]);
}

void
guts_sinks_stop(struct guts_sinks *s)
{
	if (!s->is_running)
		return;
	s->is_running = false;
	guts_node_unlisten(s->node, &s->listener);
	for (size_t i = 0; i < s->n; i++) {
		guts_env_timer_clear(s->env, &s->v[i].timer);
		if (s->v[i].sender)
			guts_sender_stop(s->v[i].sender);
	}
}

void
guts_sinks_free(struct guts_sinks *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		struct sink *k = &s->v[i];

		guts_sender_free(k->sender);
		for (size_t m = 0; m < GUTS_TALLY_MAX; m++)
			guts_buf_deinit(&k->v[m].body);
		free(k->url);
		free(k->key);
	}
	free(s->v);
	free(s->events);
	free(s->repositories);
	free(s->source);
	guts_broker_files_free(&s->files);
	free(s->prefix);
	free(s);
}

size_t
guts_sinks_count(const struct guts_sinks *s)
{
	return s->n;
}

void
guts_sinks_info(const struct guts_sinks *s, size_t i, struct guts_sink_info *out)
{
	const struct sink *k = &s->v[i];
	uint64_t oldest, now = guts_env_now(s->env);

	*out = (struct guts_sink_info){ .number = k->number, .kind = k->where.kind, .url = k->url, .prefix = s->prefix,
		.state = k->state, .cursor = k->cursor, .published = atomic_load(&k->count.published),
		.failures = atomic_load(&k->count.failures), .lost = atomic_load(&k->count.lost),
		.error_wall_ms = k->error_wall_ms, .published_wall_ms = k->published_wall_ms };
	guts_store_fact_range(s->store, &oldest, &out->newest);
	memcpy(out->error, k->error, sizeof out->error);
	if (k->state == GUTS_SINK_WAITING && k->next_ns > now)
		out->next_try_wall_ms = (guts_env_wall(s->env) + (k->next_ns - now)) / GUTS_MS_NS;
}

const struct guts_sink_counters *
guts_sinks_counters(const struct guts_sinks *s, size_t i)
{
	return &s->v[i].count;
}
