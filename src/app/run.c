/* app/run.c - the layers put together, lowest first, and taken apart in the opposite order.
 *
 *	home lock → configuration → key → loop → database → git children → repositories → node → bridge, sinks → gateway
 *
 * The gateway listens before the node is ready and answers 503 until then, so a health check
 * sees a starting node and not a missing one.  At the end the order matters: no job may run when
 * the database closes, and the environment must be there as long as anybody can post to it.
 */
#include "app/run.h"

#include "app/settings.h"
#include "base/alloc.h"
#include "base/log.h"
#include "bridge/bridge.h"
#include "cli/init.h"
#include "git/repostore.h"
#include "http/http.h"
#include "sink/sink.h"
#include "store/sqlite.h"
#include "view/json.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_NS (11 * GUTS_SECOND_NS) /* the node's own 10 s and a little */
#define ANSWER_NS (100 * GUTS_MS_NS)  /* for the answer to "stop" to leave */
#define AGENT "guts/" PACKAGE_VERSION

struct run {
	struct guts_cli *cli;
	struct guts_conf *conf;
	struct guts_key key;
	bool made_key;
	struct guts_uvenv *loop;
	struct guts_sqlite *sqlite;
	struct guts_children *children;
	struct guts_repostore *repos;
	struct guts_node *node;
	struct guts_bridge *bridge;
	struct guts_sinks *sinks;
	struct guts_http *http;
	struct guts_timer deadline, asked;
	bool is_ready, is_stopping;
	int code;
};

const struct guts_opt guts_run_opts[] = {
	{ "config", 'c', "FILE", "configuration file (default guts.conf in the home, if it is there)" },
	{ "listen", 'l', "MULTIADDR", "where other nodes reach this one, e.g. /ip4/0.0.0.0/tcp/9000; several; port 0: a free one" },
	{ "http", 0, "ADDR:PORT", "where the gateway listens, e.g. 127.0.0.1:8080; several; port 0: a free one" },
	{ "bootstrap", 'b', "MULTIADDR", "a node to link to, with its /p2p/ id; several" },
	{ "network", 0, "NAME", "name of the network" },
	{ "set", 's', "KEY=VALUE", "any option of the configuration; several" },
	{ "log-level", 0, "LEVEL", "error, warn, notice, info or debug" },
	{ NULL, 0, NULL, NULL },
};

/* {"event":"ready",…}: printed with --json, and kept in the home's run file for the command line. */
static void
describe(struct run *r, struct guts_buf *out)
{
	struct guts_snapshot *s = guts_node_snapshot(r->node);
	struct guts_json j;

	guts_json_init(&j, out);
	guts_json_object(&j);
	guts_json_put_str(&j, "event", "ready");
	guts_json_put_str(&j, "peer_id", s->id_text);
	guts_json_key(&j, "listen");
	guts_json_array(&j);
	for (size_t i = 0; i < s->nlisten; i++)
		guts_json_str(&j, s->listen[i]);
	guts_json_array_end(&j);
	guts_json_put_str(&j, "http", guts_http_count(r->http) ? guts_http_url(r->http, 0) : NULL);
	guts_json_put_u64(&j, "pid", (uint64_t)getpid());
	guts_json_put_str(&j, "version", PACKAGE_VERSION);
	guts_json_object_end(&j);
	guts_snapshot_unref(s);
}

static void
greet(struct run *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->node);
	char token[GUTS_HTTP_TOKEN_SIZE];

	printf("%s is ready\npeer id    %s\n", PACKAGE_STRING, s->id_text);
	for (size_t i = 0; i < s->nlisten; i++)
		printf("listening  %s\n", s->listen[i]);
	for (size_t i = 0; i < guts_http_count(r->http); i++)
		printf("gateway    %s\n", guts_http_url(r->http, i));
	if (guts_http_new_admin_token(r->http, token))
		printf("token      %s   (admin; shown this once, kept in %s)\n", token, r->cli->home.token_path);
	puts("dashboard  run `guts dashboard`; stop with Ctrl-C");
	explicit_bzero(token, sizeof(token));
	guts_snapshot_unref(s);
}

static void
on_ready(void *owner, int err, const char *text)
{
	struct run *r = owner;
	struct guts_buf b;

	if (err) {
		r->code = guts_cli_fail(err == GUTS_EEXIST || err == GUTS_EINVAL ? GUTS_EXIT_USAGE : GUTS_EXIT_FAILED, "%s",
		    text != NULL ? text : guts_err_text(err));
		guts_uvenv_stop(r->loop);
		return;
	}
	r->is_ready = true;
	guts_bridge_start(r->bridge, guts_http_base(r->http));
	guts_sinks_start(r->sinks, guts_http_base(r->http));
	malloc_trim(0); /* the libraries' start left holes */
	guts_buf_init(&b, 64 << 10);
	describe(r, &b);
	guts_buf_add_str(&b, "\n");
	/* First the file, then the line: who waits for the line may use the command line at once. */
	err = guts_file_write(r->cli->home.run_path, guts_buf_cstr(&b), b.len, 0600);
	if (err)
		guts_log(GUTS_LOG_WARN, "run", "cannot write %s: %s", r->cli->home.run_path, guts_err_text(err));
	if (r->cli->json)
		fputs(guts_buf_cstr(&b), stdout);
	else
		greet(r);
	fflush(stdout);
	guts_buf_deinit(&b);
}

static void
on_stopped(void *owner)
{
	struct run *r = owner;

	guts_uvenv_stop(r->loop);
}

static void
on_deadline(struct guts_timer *t, void *owner)
{
	struct run *r = owner;

	(void)t;
	guts_log(GUTS_LOG_WARN, "run", "not everything ended in time; stopping anyway");
	guts_uvenv_stop(r->loop);
}

static void
stop(void *owner)
{
	struct run *r = owner;
	struct guts_env *env = guts_uvenv_env(r->loop);

	if (r->is_stopping)
		return;
	r->is_stopping = true;
	guts_log(GUTS_LOG_NOTICE, "run", "stopping");
	unlink(r->cli->home.run_path);
	r->deadline = (struct guts_timer){ .fire = on_deadline, .owner = r, .at_ns = GUTS_NEVER };
	guts_env_timer_set(env, &r->deadline, guts_env_now(env) + STOP_NS);
	guts_http_stop(r->http);
	guts_bridge_stop(r->bridge);
	guts_sinks_stop(r->sinks);
	guts_node_stop(r->node, on_stopped, r);
}

static void
on_asked(struct guts_timer *t, void *owner)
{
	(void)t;
	stop(owner);
}

/* The gateway was asked to stop the node; its answer needs the gateway for a moment more. */
static void
stop_soon(void *owner)
{
	struct run *r = owner;
	struct guts_env *env = guts_uvenv_env(r->loop);

	if (r->is_stopping || r->asked.fire != NULL)
		return;
	r->asked = (struct guts_timer){ .fire = on_asked, .owner = r, .at_ns = GUTS_NEVER };
	guts_env_timer_set(env, &r->asked, guts_env_now(env) + ANSWER_NS);
}

static void
on_signal(void *owner, int number)
{
	struct run *r = owner;

	if (number == SIGHUP)
		guts_http_reload(r->http);
	else if (r->is_stopping)
		guts_uvenv_stop(r->loop);
	else
		stop(r);
}

/* The bridge's set-up out of a configuration; `allow` is its memory. */
static struct guts_bridge_setup
bridge_setup(struct run *r, const struct guts_conf *conf, const char *allow[GUTS_CONF_LIST_MAX])
{
	struct guts_bridge_setup s = { .loop = r->loop, .node = r->node, .repos = r->repos, .allow = allow,
		.nallow = guts_conf_count(conf, GUTS_CONF_BRIDGE_ALLOW),
		.timeout_ms = guts_conf_number(conf, GUTS_CONF_BRIDGE_TIMEOUT),
		.retry_ms = guts_conf_number(conf, GUTS_CONF_BRIDGE_RETRY),
		.give_up_ms = guts_conf_number(conf, GUTS_CONF_BRIDGE_GIVE_UP),
		.lease_ms = guts_conf_number(conf, GUTS_CONF_CI_LEASE),
		.age_ms = guts_conf_number(conf, GUTS_CONF_CI_MAX_AGE),
		.copies_max = guts_conf_number(conf, GUTS_CONF_CI_COPIES) };

	for (size_t i = 0; i < s.nallow; i++)
		allow[i] = guts_conf_item(conf, GUTS_CONF_BRIDGE_ALLOW, i);
	return s;
}

static int
make_bridge(struct run *r, struct guts_errinfo *ei)
{
	const char *allow[GUTS_CONF_LIST_MAX];
	struct guts_bridge_setup s = bridge_setup(r, r->conf, allow);
	struct guts_errinfo why;

	if (guts_bridge_new(&r->bridge, &s, &why) == GUTS_OK)
		return GUTS_OK;
	return guts_err_set(ei, why.code, "bridge.allow: %s", why.text);
}

static void
retain_facts(struct run *r, const struct guts_conf *conf)
{
	guts_sqlite_retain(r->sqlite, guts_conf_number(conf, GUTS_CONF_EVENTS_KEEP),
	    guts_conf_number(conf, GUTS_CONF_EVENTS_MAX_AGE));
}

/* Options came into force while the node runs. */
static void
configure(void *owner, const struct guts_conf *was, const struct guts_conf *now)
{
	struct run *r = owner;
	const char *allow[GUTS_CONF_LIST_MAX];
	struct guts_bridge_setup b = bridge_setup(r, now, allow);
	struct guts_settings settings;
	struct guts_errinfo ei = { 0 };
	enum guts_log_level level;

	if (!guts_conf_is_same(was, now, GUTS_CONF_LOG_LEVEL) &&
	    guts_log_level_parse(guts_conf_text(now, GUTS_CONF_LOG_LEVEL), &level) == GUTS_OK)
		guts_log_set_level(level);
	retain_facts(r, now);
	if (guts_bridge_tune(r->bridge, &b, guts_http_base(r->http), &ei))
		guts_log(GUTS_LOG_ERROR, "run", "bridge.allow: %s", ei.text);
	if (guts_settings_read(&settings, now, &ei)) {
		guts_log(GUTS_LOG_ERROR, "run", "%s", ei.text);
		return;
	}
	guts_node_tune(r->node, &settings.node);
	guts_settings_deinit(&settings);
}

/* Everything that can fail before the loop turns.  Errors are told; returns an exit code. */
static int
prepare(struct run *r)
{
	struct guts_errinfo ei = { 0 };
	struct guts_home *h = &r->cli->home;
	struct guts_repostore_setup rs = { .repos_path = h->repos_path };
	struct guts_http_setup hs = { .conf = r->conf, .conf_path = guts_settings_path(r->cli), .home = h->dir,
		.version = PACKAGE_VERSION, .configure = configure, .shutdown = stop_soon, .owner = r };
	struct guts_settings settings;
	struct guts_env *env;
	int err;

	if (guts_uvenv_new(NULL, &r->loop))
		return guts_cli_fail(GUTS_EXIT_FAILED, "the system gives no threads or descriptors");
	env = guts_uvenv_env(r->loop);
	if (guts_uvenv_on_signal(r->loop, on_signal, r))
		return guts_cli_fail(GUTS_EXIT_FAILED, "no signals can be heard");
	if (guts_sqlite_open(&r->sqlite, h->db_path, env, &ei))
		return guts_cli_fail(GUTS_EXIT_HOME, "%s", ei.text);
	retain_facts(r, r->conf);
	r->children = guts_children_new(r->loop, NULL);
	rs.env = env;
	rs.children = r->children;
	if ((err = guts_repostore_open(&r->repos, &rs, &ei)))
		return guts_cli_fail(err == GUTS_ENOTFOUND || err == GUTS_EUNSUPPORTED ? GUTS_EXIT_FAILED : GUTS_EXIT_HOME, "%s",
		    ei.text);
	if (guts_settings_read(&settings, r->conf, &ei))
		return guts_cli_fail(GUTS_EXIT_USAGE, "%s", ei.text);
	settings.node.env = env;
	settings.node.store = guts_sqlite_store(r->sqlite);
	settings.node.repos = guts_repostore_repos(r->repos);
	settings.node.key = r->key;
	settings.node.agent = AGENT;
	err = guts_node_new(&r->node, &settings.node, &ei);
	guts_settings_deinit(&settings);
	if (err)
		return guts_cli_fail(GUTS_EXIT_FAILED, "%s", ei.text);
	if (make_bridge(r, &ei))
		return guts_cli_fail(GUTS_EXIT_USAGE, "%s", ei.text);
	if (guts_sinks_new(&r->sinks, r->node, r->conf, &ei))
		return guts_cli_fail(GUTS_EXIT_USAGE, "%s", ei.text);
	hs.env = env;
	hs.bridge = r->bridge;
	hs.sinks = r->sinks;
	hs.node = r->node;
	hs.repos = r->repos;
	hs.sqlite = r->sqlite;
	hs.children = r->children;
	if ((err = guts_http_start(&r->http, &hs, &ei)))
		return guts_cli_fail(err == GUTS_EIO ? GUTS_EXIT_FAILED : GUTS_EXIT_USAGE, "%s", ei.text);
	if (guts_uvenv_hear_hangup(r->loop))
		return guts_cli_fail(GUTS_EXIT_FAILED, "no signals can be heard");
	return GUTS_EXIT_OK;
}

/* In the opposite order; anything may be missing. */
static void
take_apart(struct run *r)
{
	if (r->http != NULL)
		guts_http_stop(r->http);
	if (r->sqlite != NULL) { /* what was written last gets its answers, while all who wait for them are there */
		guts_sqlite_stop(r->sqlite);
		guts_env_post(guts_uvenv_env(r->loop), on_stopped, r);
		guts_uvenv_run(r->loop);
	}
	if (r->children != NULL) /* no turn of the loop after this: owners still hold what it forgot */
		guts_children_stop(r->children);
	if (r->loop != NULL)
		guts_uvenv_end_jobs(r->loop);
	guts_http_free(r->http);
	guts_sinks_free(r->sinks);
	guts_bridge_free(r->bridge);
	guts_node_free(r->node);
	guts_sqlite_close(r->sqlite);
	guts_uvenv_free(r->loop);
	guts_repostore_close(r->repos);
	guts_children_free(r->children);
}

static int
serve(struct run *r)
{
	r->code = prepare(r);
	if (!r->code) {
		guts_node_start(r->node, on_ready, r);
		guts_uvenv_run(r->loop);
	}
	take_apart(r);
	if (r->is_stopping)
		guts_log(GUTS_LOG_NOTICE, "run", "stopped");
	return r->code;
}

/* A node is idle most of its life: memory that a burst needed goes back, and threads share few heaps. */
static void
limit_heap(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
}

int
guts_run(struct guts_cli *c)
{
	struct run *r;
	struct guts_errinfo ei = { 0 };
	enum guts_log_level level;
	int code, err;

	limit_heap();
	umask(077);
	r = guts_alloc(sizeof(*r));
	r->cli = c;
	r->conf = guts_conf_new();
	code = guts_settings_layers(r->conf, c);
	if (!code) {
		err = guts_home_make(&c->home, &ei);
		if (!err)
			err = guts_home_lock(&c->home, &ei);
		if (!err)
			err = guts_home_init(&c->home, &r->key, &r->made_key, &ei);
		if (err)
			code = guts_cli_fail(GUTS_EXIT_HOME, "%s", ei.text);
	}
	if (!code) {
		if (guts_log_level_parse(guts_conf_text(r->conf, GUTS_CONF_LOG_LEVEL), &level) == GUTS_OK)
			guts_log_set_level(level);
		if (r->made_key)
			guts_log(GUTS_LOG_NOTICE, "run", "made a node key in %s", c->home.dir);
		code = serve(r);
	}
	guts_key_wipe(&r->key);
	guts_conf_free(r->conf);
	free(r);
	return code;
}
