/* discover/portmap.c - one job at a time: map, renew, take back.
 *
 *	ASKING ──ok──> MAPPED ──half the lease──> (renewal) ──ok──> MAPPED
 *	   └──error──> FAILED ──1 min, doubling to 1 h──> (again)
 *
 * The job has its own copy of the mapping and may outlive the object: a router that does not answer
 * is not waited for when the node is freed.
 */
#include "discover/portmap.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_MIN_NS (60 * GUTS_SECOND_NS)
#define RETRY_MAX_NS (3600 * GUTS_SECOND_NS)
#define RENEW_EVER_NS (1200 * GUTS_SECOND_NS) /* a mapping without an end is looked at: the router may have restarted */
#define LEASE_MIN_S 120                       /* a shorter one is renewed as if it were so long */

struct portmap_job {
	struct guts_job job;
	struct guts_portmap *p; /* NULL: nobody waits for it any more */
	const struct guts_portmap_router *router;
	struct guts_portmap_mapping m;
	bool unmap;
	int err;
	char error[GUTS_PORTMAP_ERROR_SIZE];
};

struct guts_portmap {
	struct guts_env *env;
	const struct guts_portmap_router *router;
	const struct guts_portmap_events *ev;
	void *owner;
	struct guts_timer timer;
	struct guts_portmap_mapping m; /* the one in force; lease_s and method say so */
	enum guts_portmap_state state;
	struct portmap_job *job;       /* the one that runs */
	uint64_t retry_ns, until_ns;   /* until: the lease ends */
	bool is_mapped, is_stopping;
};

static void submit(struct guts_portmap *p, bool unmap);

static void
run_job(struct guts_job *j)
{
	struct portmap_job *job = (struct portmap_job *)(void *)j;

	if (job->unmap)
		job->router->unmap(&job->m);
	else
		job->err = job->router->map(&job->m, job->error);
}

/* Does it mean anything outside? */
static bool
external_addr(const struct guts_portmap_mapping *m, struct guts_maddr *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(m->external), .sin_addr = m->address };

	guts_maddr_from_tcp(out, (const struct sockaddr *)&in);
	return !guts_maddr_is_private(out);
}

static void
mapped(struct guts_portmap *p, const struct guts_portmap_mapping *m)
{
	bool same = p->is_mapped && p->m.external == m->external && p->m.address.s_addr == m->address.s_addr;
	uint32_t lease_s = m->lease_s < LEASE_MIN_S ? LEASE_MIN_S : m->lease_s;
	uint64_t wait = m->lease_s == 0 ? RENEW_EVER_NS : lease_s * GUTS_SECOND_NS / 2;
	char text[GUTS_MADDR_TEXT_MAX];
	struct guts_maddr addr;
	bool is_public = external_addr(m, &addr);

	p->m = *m;
	p->is_mapped = true;
	p->retry_ns = RETRY_MIN_NS;
	p->state = is_public ? GUTS_PORTMAP_MAPPED : GUTS_PORTMAP_BEHIND_NAT;
	p->until_ns = guts_env_now(p->env) + lease_s * GUTS_SECOND_NS;
	guts_env_timer_set(p->env, &p->timer, guts_env_now(p->env) + wait);
	if (same)
		return;
	guts_maddr_text(text, &addr);
	guts_log(GUTS_LOG_NOTICE, "discover", "the router maps %s to port %u by %s%s", text, m->internal, m->method,
	    is_public ? "" : "; but that is a private address, so nobody is told");
	p->ev->changed(p->owner, p->state, is_public ? &addr : NULL);
}

static void
failed(struct guts_portmap *p, const char *error)
{
	uint64_t now = guts_env_now(p->env), at = now + p->retry_ns;
	bool first = p->state != GUTS_PORTMAP_FAILED, holds = p->is_mapped && now < p->until_ns;

	p->retry_ns = p->retry_ns * 2 < RETRY_MAX_NS ? p->retry_ns * 2 : RETRY_MAX_NS;
	if (holds && at > p->until_ns)
		at = p->until_ns;
	guts_env_timer_set(p->env, &p->timer, at);
	if (holds) /* a renewal: what was given lasts a while yet */
		return;
	p->is_mapped = false;
	p->state = GUTS_PORTMAP_FAILED;
	if (first)
		p->ev->changed(p->owner, p->state, NULL);
	guts_log(first ? GUTS_LOG_INFO : GUTS_LOG_DEBUG, "discover", "no port of the router is mapped: %s", error);
}

static void
stopped(struct guts_portmap *p)
{
	p->state = GUTS_PORTMAP_OFF;
	p->ev->stopped(p->owner);
}

static void
job_done(struct guts_job *j, void *owner)
{
	struct portmap_job *job = (struct portmap_job *)(void *)j;
	struct guts_portmap *p = job->p;

	(void)owner;
	if (p) {
		p->job = NULL;
		if (p->is_stopping && !job->unmap && (job->err == 0 || p->is_mapped)) {
			if (job->err == 0)
				p->m = job->m; /* it was made meanwhile: take it back */
			submit(p, true);
		} else if (p->is_stopping) {
			stopped(p);
		} else if (job->err) {
			failed(p, job->error);
		} else {
			mapped(p, &job->m);
		}
	}
	free(job);
}

static void
submit(struct guts_portmap *p, bool unmap)
{
	struct portmap_job *job = guts_alloc(sizeof(*job));

	job->job = (struct guts_job){ .run = run_job, .done = job_done, .name = "portmap" };
	job->p = p;
	job->router = p->router;
	job->m = p->m;
	job->unmap = unmap;
	p->job = job;
	guts_env_submit(p->env, &job->job);
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	(void)t;
	submit(owner, false);
}

struct guts_portmap *
guts_portmap_new(struct guts_env *env, const struct guts_portmap_router *router, uint16_t port,
    const struct guts_portmap_events *ev, void *owner)
{
	struct guts_portmap *p = guts_alloc(sizeof(*p));

	p->env = env;
	p->router = router;
	p->ev = ev;
	p->owner = owner;
	p->timer = (struct guts_timer){ .fire = on_timer, .owner = p };
	p->m.internal = p->m.external = port;
	p->state = GUTS_PORTMAP_ASKING;
	p->retry_ns = RETRY_MIN_NS;
	submit(p, false);
	return p;
}

static void
on_stop(struct guts_timer *t, void *owner)
{
	(void)t;
	stopped(owner);
}

void
guts_portmap_stop(struct guts_portmap *p)
{
	p->is_stopping = true;
	guts_env_timer_clear(p->env, &p->timer);
	if (p->job)
		return;
	if (p->is_mapped) {
		submit(p, true);
		return;
	}
	p->timer.fire = on_stop; /* in a later turn, as always */
	guts_env_timer_set(p->env, &p->timer, guts_env_now(p->env));
}

void
guts_portmap_free(struct guts_portmap *p)
{
	if (!p)
		return;
	guts_env_timer_clear(p->env, &p->timer);
	if (p->job)
		p->job->p = NULL;
	free(p);
}

enum guts_portmap_state
guts_portmap_state(const struct guts_portmap *p)
{
	return p ? p->state : GUTS_PORTMAP_OFF;
}

const char *
guts_portmap_state_name(enum guts_portmap_state s)
{
	static const char *const names[] = { "off", "asking", "mapped", "failed", "behind_nat" };

	return names[s];
}
