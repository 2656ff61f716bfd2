/* http/health.c - one function per part gives a verdict; the rest is what a change of it means. */
#include "http/health.h"

#include "base/alloc.h"
#include "base/log.h"
#include "bridge/bridge.h"
#include "bridge/ci.h"
#include "http/internal.h"
#include "http/tls.h"
#include "loop/child.h"
#include "sink/sink.h"
#include "store/sqlite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_NS GUTS_SECOND_NS
#define TABLE_MS 30000      /* until an empty routing table counts, although peers are linked */
#define MESH_MS 120000      /* until topics without a mesh count */
#define FETCH_MS 10000      /* until a failed fetch counts */
#define RUNNER_MS 60000     /* until jobs that no runner takes count */
#define BROKER_MS 5000  /* until a message broker that is away counts */
#define CROWD_MS 3000       /* until a queue that fills up counts */
#define EXPIRY_S (7 * 86400)

/* What one look found. */
struct verdict {
	enum guts_health_state state;
	uint64_t after_ms;      /* if it is worse than before: it counts when it has lasted so long */
	char reason[160];
};

struct guts_health {
	struct guts_http *h;
	struct guts_sqlite *sqlite;
	struct guts_children *children;
	size_t nbootstrap;
	uint64_t link_ms, connections;      /* p2p.connection_timeout, http.max_connections */
	struct guts_timer timer;
	uint64_t worse_ms[GUTS_HEALTH_N];   /* since when each is worse than its row says; 0 = it is not */
	pthread_mutex_t lock;               /* over report */
	struct guts_health_report report;
};

static const char *const part_names[GUTS_HEALTH_N] = { "p2p", "dht", "gossip", "sync", "store", "git", "http", "webhooks", "sinks", "ci" };
static const char *const state_names[] = { "off", "ok", "degraded", "failing" };

static void __attribute__((format(printf, 4, 5)))
say(struct verdict *v, enum guts_health_state state, uint64_t after_ms, const char *fmt, ...)
{
	va_list ap;

	if (state < v->state) /* the worst finding is told */
		return;
	v->state = state;
	v->after_ms = after_ms;
	va_start(ap, fmt);
	vsnprintf(v->reason, sizeof v->reason, fmt, ap);
	va_end(ap);
}

/* -- the parts --------------------------------------------------------------------------------- */

static void
look_p2p(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	if (!s->nlisten)
		say(v, GUTS_HEALTH_FAILING, 0, "the node listens on no address");
	else if (!s->npeers && x->nbootstrap)
		say(v, GUTS_HEALTH_DEGRADED, x->link_ms, "no peer is linked, although %zu are given in p2p.bootstrap_nodes", x->nbootstrap);
	else if (!s->npeers)
		say(v, GUTS_HEALTH_OK, 0, "no peer is linked, and none is given in p2p.bootstrap_nodes");
}

static void
look_dht(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	(void)x;
	if (!s->dht_is_on)
		v->state = GUTS_HEALTH_OFF;
	else if (!s->dht.contacts && s->npeers)
		say(v, GUTS_HEALTH_DEGRADED, TABLE_MS, "the routing table is empty: no linked peer serves the DHT");
	else if (!s->dht.contacts)
		say(v, GUTS_HEALTH_OK, 0, "the routing table is empty as long as no peer is linked");
}

static void
look_gossip(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	size_t n = 0;

	(void)x;
	for (size_t i = 0; i < s->ntopics; i++)
		n += s->topics[i].subscribed && s->topics[i].peers && !s->topics[i].mesh;
	if (n)
		say(v, GUTS_HEALTH_DEGRADED, MESH_MS, "%zu topics have subscribers but no mesh: their messages come late", n);
}

static void
look_sync(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	size_t n = 0;

	(void)x;
	for (size_t i = 0; i < s->nrepos; i++)
		n += s->repos[i]->last_error && !s->repos[i]->is_private;
	if (n)
		say(v, GUTS_HEALTH_DEGRADED, FETCH_MS, "the last fetch of %zu repositories failed", n);
}

static void
look_store(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	int fault = guts_sqlite_fault(x->sqlite);

	(void)s;
	if (fault)
		say(v, GUTS_HEALTH_FAILING, 0, "the last write to the database failed: %s", guts_err_text(fault));
}

static void
look_git(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	bool crowded, refused;

	(void)s;
	guts_children_trouble(x->children, &crowded, &refused);
	if (crowded)
		say(v, GUTS_HEALTH_DEGRADED, CROWD_MS, "many git processes wait for a place");
	if (refused)
		say(v, GUTS_HEALTH_FAILING, 0, "git cannot be started");
}

static void
look_http(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	const struct guts_counters *n = &x->h->n;
	uint64_t now = guts_http_wall_ms() / 1000, expiry = x->h->is_encrypted ? guts_tls_expiry() : UINT64_MAX;

	(void)s;
	if ((uint64_t)atomic_load(&n->connections) >= x->connections - x->connections / 20)
		say(v, GUTS_HEALTH_DEGRADED, CROWD_MS, "nearly all of http.max_connections are taken");
	if ((uint64_t)atomic_load(&n->streams) >= x->h->access->max_streams)
		say(v, GUTS_HEALTH_DEGRADED, CROWD_MS, "all of http.max_streams are taken");
	if (expiry <= now)
		say(v, GUTS_HEALTH_FAILING, 0, "the certificate has expired");
	else if (expiry - now < EXPIRY_S)
		say(v, GUTS_HEALTH_DEGRADED, 0, "the certificate expires within a week");
}

static void
look_webhooks(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	unsigned active = 0, failing = 0, full = 0;
	const struct guts_hook *hook;
	struct guts_hook_health health;

	(void)s;
	for (uint64_t id = 0; (hook = guts_bridge_next(x->h->bridge, id)) != NULL; id = hook->id) {
		if (!hook->active)
			continue;
		guts_bridge_health(x->h->bridge, hook->id, &health);
		active++;
		failing += health.was_tried && health.error[0];
		full += health.waiting >= GUTS_BRIDGE_WAITING_MAX;
	}
	if (!active)
		v->state = GUTS_HEALTH_OFF;
	if (failing)
		say(v, failing == active ? GUTS_HEALTH_FAILING : GUTS_HEALTH_DEGRADED, 0, "the last attempt of %u of %u webhooks failed", failing, active);
	if (full)
		say(v, GUTS_HEALTH_FAILING, 0, "the queue of %u webhooks is full: deliveries are dropped", full);
}

static void
look_sinks(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	size_t n = guts_sinks_count(x->h->sinks), away = 0;

	(void)s;
	for (size_t i = 0; i < n; i++)
		away += !atomic_load(&guts_sinks_counters(x->h->sinks, i)->is_connected);
	if (!n)
		v->state = GUTS_HEALTH_OFF;
	if (away)
		say(v, away == n ? GUTS_HEALTH_FAILING : GUTS_HEALTH_DEGRADED, BROKER_MS, "%zu of %zu message brokers are not connected", away, n);
}

static void
look_ci(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v)
{
	struct guts_ci_load load;

	(void)s;
	guts_ci_load(guts_bridge_ci(x->h->bridge), &load);
	if (!load.queues)
		v->state = GUTS_HEALTH_OFF;
	if (load.waiting && !load.running && !load.runners)
		say(v, GUTS_HEALTH_DEGRADED, RUNNER_MS, "%zu jobs wait, and no runner asks for one", load.waiting);
	if (load.waiting >= GUTS_CIJOBS_WAITING_MAX)
		say(v, GUTS_HEALTH_FAILING, 0, "%zu jobs wait: the oldest end unrun", load.waiting);
}

/* -- changes ----------------------------------------------------------------------------------- */

static void
tell(struct guts_health *x, enum guts_health_part part, const struct guts_health_row *row, enum guts_health_state before)
{
	bool is_bad = row->state > GUTS_HEALTH_OK, was_bad = before > GUTS_HEALTH_OK;
	struct guts_signal sig = { .type = "node.health" };

	sig.attr[sig.n++] = (struct guts_fact_attr){ .name = "subsystem", .text = guts_slice_str(part_names[part]) };
	sig.attr[sig.n++] = (struct guts_fact_attr){ .name = "state", .text = guts_slice_str(state_names[row->state]) };
	sig.attr[sig.n++] = (struct guts_fact_attr){ .name = "reason", .text = guts_slice_str(row->reason) };
	guts_node_signal(x->h->node, &sig);
	guts_log(is_bad ? GUTS_LOG_WARN : was_bad ? GUTS_LOG_NOTICE : GUTS_LOG_INFO, "health", "%s is %s%s%s", part_names[part], state_names[row->state],
	    row->reason[0] ? ": " : "", row->reason);
}

/* Is it another state than the row's, for good? */
static bool
counts(struct guts_health *x, unsigned part, const struct verdict *v, enum guts_health_state now, uint64_t wall_ms)
{
	uint64_t *since = &x->worse_ms[part];

	if (v->state <= now || v->state <= GUTS_HEALTH_OK) {
		*since = 0;
		return v->state != now;
	}
	if (!*since)
		*since = wall_ms;
	return wall_ms >= *since + v->after_ms;
}

static enum guts_health_state
worst_of(const struct guts_health_row rows[GUTS_HEALTH_N])
{
	enum guts_health_state worst = GUTS_HEALTH_OK;

	for (unsigned i = 0; i < GUTS_HEALTH_N; i++)
		worst = rows[i].state > worst ? rows[i].state : worst;
	return worst;
}

static void
take(struct guts_health *x, unsigned part, const struct verdict *v, uint64_t wall_ms)
{
	struct guts_health_row *row = &x->report.rows[part], before = *row;
	bool changed = counts(x, part, v, row->state, wall_ms);

	if (!changed && v->state != row->state)
		return;
	pthread_mutex_lock(&x->lock);
	if (changed) {
		row->state = v->state;
		row->since_wall_ms = x->worse_ms[part] ? x->worse_ms[part] : wall_ms;
		x->worse_ms[part] = 0;
	}
	memcpy(row->reason, v->reason, sizeof row->reason);
	x->report.worst = worst_of(x->report.rows);
	if (changed || strcmp(before.reason, row->reason) != 0)
		x->report.version++;
	pthread_mutex_unlock(&x->lock);
	if (changed)
		tell(x, (enum guts_health_part)part, row, before.state);
}

static void
look(struct guts_health *x)
{
	static void (*const looks[GUTS_HEALTH_N])(struct guts_health *x, const struct guts_snapshot *s, struct verdict *v) = {
		look_p2p, look_dht, look_gossip, look_sync, look_store, look_git, look_http, look_webhooks, look_sinks, look_ci };
	struct guts_snapshot *s = guts_node_snapshot(x->h->node);
	uint64_t wall_ms = guts_http_wall_ms();

	for (unsigned i = 0; i < GUTS_HEALTH_N && s->ready && !s->stopping; i++) {
		struct verdict v = { .state = GUTS_HEALTH_OK };
		looks[i](x, s, &v);
		take(x, i, &v, wall_ms);
	}
	guts_snapshot_unref(s);
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct guts_health *x = owner;

	(void)t;
	look(x);
	guts_env_timer_set(x->h->env, &x->timer, guts_env_now(x->h->env) + LOOK_NS);
}

/* -- from outside ------------------------------------------------------------------------------ */

struct guts_health *
guts_health_new(struct guts_http *h, const struct guts_http_setup *s)
{
	struct guts_health *x = guts_alloc(sizeof *x);

	x->h = h;
	x->sqlite = s->sqlite;
	x->children = s->children;
	x->nbootstrap = guts_conf_count(s->conf, GUTS_CONF_P2P_BOOTSTRAP_NODES);
	x->link_ms = guts_conf_number(s->conf, GUTS_CONF_P2P_CONNECTION_TIMEOUT);
	x->connections = guts_conf_number(s->conf, GUTS_CONF_HTTP_MAX_CONNECTIONS);
	x->report.worst = GUTS_HEALTH_OK;
	for (unsigned i = 0; i < GUTS_HEALTH_N; i++)
		x->report.rows[i] = (struct guts_health_row){ .state = GUTS_HEALTH_OK, .since_wall_ms = guts_http_wall_ms() };
	pthread_mutex_init(&x->lock, NULL);
	x->timer = (struct guts_timer){ .fire = on_timer, .owner = x, .at_ns = GUTS_NEVER };
	guts_env_timer_set(h->env, &x->timer, guts_env_now(h->env));
	return x;
}

void
guts_health_stop(struct guts_health *x)
{
	if (x)
		guts_env_timer_clear(x->h->env, &x->timer);
}

void
guts_health_free(struct guts_health *x)
{
	if (!x)
		return;
	pthread_mutex_destroy(&x->lock);
	free(x);
}

void
guts_health_report(struct guts_health *x, struct guts_health_report *out)
{
	pthread_mutex_lock(&x->lock);
	*out = x->report;
	pthread_mutex_unlock(&x->lock);
}

struct guts_view_health
guts_health_view(const struct guts_health_report *r, enum guts_health_part part)
{
	const struct guts_health_row *row = &r->rows[part];

	return (struct guts_view_health){ .name = part_names[part], .state = state_names[row->state],
		.reason = row->reason[0] ? row->reason : NULL, .since_wall_ms = row->since_wall_ms };
}

const char *
guts_health_part_name(enum guts_health_part part)
{
	return part_names[part];
}

const char *
guts_health_state_name(enum guts_health_state state)
{
	return state_names[state];
}
