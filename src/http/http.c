/* http/http.c - the gateway as a whole: start, stop, and small things about a request. */
#include "base/alloc.h"
#include "base/text.h"
#include "http/config.h"
#include "http/events.h"
#include "http/health.h"
#include "http/histcache.h"
#include "http/idempotency.h"
#include "http/tls.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <utlist.h>

/* The certificate is read if some listener is encrypted. */
static int
start_tls(struct guts_http *h, const struct guts_conf *conf, enum guts_conf_id id, struct guts_errinfo *ei)
{
	const char *cert = guts_conf_text(conf, GUTS_CONF_HTTP_TLS_CERT), *key = guts_conf_text(conf, GUTS_CONF_HTTP_TLS_KEY);
	struct guts_errinfo why;

	for (size_t i = 0; i < guts_conf_count(conf, id) && !h->is_encrypted; i++) {
		const char *at = guts_conf_item(conf, id, i);
		if (strncmp(at, "https:", 6) != 0)
			continue;
		if (!cert[0] || !key[0])
			return guts_err_set(ei, GUTS_EINVAL, "%s %s: needs http.tls_cert and http.tls_key", guts_conf_option(id)->name, at);
		if (guts_tls_start(cert, key, &why) < 0)
			return guts_err_set(ei, GUTS_EINVAL, "http.tls_cert: %s", why.text);
		h->is_encrypted = true;
	}
	return 0;
}

static int
open_lanes(struct guts_http *h, const struct guts_conf *conf, enum guts_conf_id id, struct guts_errinfo *ei)
{
	for (size_t i = 0; i < guts_conf_count(conf, id); i++) {
		struct guts_lane *lane = &h->lanes[h->nlanes];
		int err;
		lane->h = h;
		lane->is_public = id == GUTS_CONF_HTTP_PUBLIC_LISTEN;
		err = guts_listen_open(lane, guts_conf_option(id)->name, guts_conf_item(conf, id, i), ei);
		if (err < 0)
			return err;
		h->nlanes++;
	}
	return 0;
}

/* All listeners are open before the first one serves: what its thread reads changes no more. */
static int
start_lanes(struct guts_http *h, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	static const enum guts_conf_id ids[] = { GUTS_CONF_HTTP_LISTEN, GUTS_CONF_HTTP_PUBLIC_LISTEN };
	unsigned connections = (unsigned)guts_conf_number(conf, GUTS_CONF_HTTP_MAX_CONNECTIONS);
	int err;

	for (size_t i = 0; i < 2; i++) {
		if ((err = start_tls(h, conf, ids[i], ei)) < 0 || (err = open_lanes(h, conf, ids[i], ei)) < 0)
			return err;
	}
	for (size_t i = 0; i < h->nlanes; i++) {
		if (guts_lane_start(&h->lanes[i], connections) < 0)
			return guts_err_set(ei, GUTS_EIO, "%s: the server cannot be started", h->lanes[i].url);
	}
	return 0;
}

int
guts_http_start(struct guts_http **out, const struct guts_http_setup *s, struct guts_errinfo *ei)
{
	struct guts_http *h = guts_alloc(sizeof *h);
	enum guts_conf_id at;
	int err;

	h->env = s->env;
	h->node = s->node;
	h->bridge = s->bridge;
	h->sinks = s->sinks;
	h->store = guts_node_store(s->node);
	h->repos = s->repos;
	h->home = guts_strdup(s->home);
	h->configure = s->configure;
	h->shutdown = s->shutdown;
	h->owner = s->owner;
	snprintf(h->version, sizeof h->version, "%s", s->version);
	h->id = guts_node_key(s->node)->id;
	guts_peerid_text(h->id_text, &h->id);
	snprintf(h->cookie, sizeof h->cookie, "guts-%s", h->id_text + strlen(h->id_text) - 8);
	while (getrandom(&h->boot, sizeof h->boot, 0) != sizeof h->boot)
		;
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->cache_lock, NULL);
	h->histcache = guts_histcache_new();
	guts_buf_init(&h->capabilities, GUTS_HTTP_ANSWER_MAX);
	h->lanes = guts_calloc(guts_conf_count(s->conf, GUTS_CONF_HTTP_LISTEN) +
	    guts_conf_count(s->conf, GUTS_CONF_HTTP_PUBLIC_LISTEN), sizeof *h->lanes);
	h->idempotency = guts_idempotency_new(h->store);
	h->limits = guts_limits_new();
	h->config = guts_config_new(s->conf, s->conf_path, h->boot);
	if ((err = guts_access_new(&h->access, s->conf, &at, ei)) < 0 || (err = guts_auth_new(&h->auth, h->store, ei)) < 0)
		goto failed;
	if ((err = guts_auth_admin_file(h->auth, h->store, h->home, guts_http_wall_ms(), h->fresh_token, ei)) < 0)
		goto failed;
	h->ring = guts_ring_new(h);
	h->health = guts_health_new(h, s);
	if ((err = guts_watch_start(h)) < 0) {
		guts_err_set(ei, err, "no thread for the gateway");
		goto failed;
	}
	if ((err = start_lanes(h, s->conf, ei)) < 0)
		goto failed;
	*out = h;
	return 0;
failed:
	guts_http_stop(h);
	guts_http_free(h);
	return err;
}

size_t
guts_http_count(const struct guts_http *h)
{
	return h->nlanes;
}

const char *
guts_http_url(const struct guts_http *h, size_t i)
{
	return h->lanes[i].url;
}

const char *
guts_http_base(const struct guts_http *h)
{
	for (size_t i = 0; i < h->nlanes && !h->access->public_url[0]; i++) {
		if (!h->lanes[i].is_unix)
			return h->lanes[i].url;
	}
	return h->access->public_url;
}

bool
guts_http_new_admin_token(const struct guts_http *h, char token[GUTS_HTTP_TOKEN_SIZE])
{
	snprintf(token, GUTS_HTTP_TOKEN_SIZE, "%s", h->fresh_token);
	return h->fresh_token[0] != 0;
}

/* Wake everything that sleeps; whoever tries to sleep from now on may not. */
static void
wake_all(struct guts_http *h)
{
	struct guts_req *r, *next_r;
	struct guts_call *c, *next_c;

	if (h->ring) {
		pthread_mutex_lock(&h->ring->lock);
		guts_ring_end_readers(h->ring);
		pthread_mutex_unlock(&h->ring->lock);
	}
	pthread_mutex_lock(&h->lock);
	DL_FOREACH_SAFE(h->calls, c, next_c) {
		if (!c->req || c->is_done)
			continue;
		c->req->call = NULL;
		c->req = NULL;
	}
	DL_FOREACH_SAFE(h->asleep, r, next_r)
		guts_req_wake_locked(r);
	pthread_mutex_unlock(&h->lock);
}

void
guts_http_stop(struct guts_http *h)
{
	if (h->ring && !h->stopping)
		guts_ring_detach(h->ring);
	guts_health_stop(h->health);
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < h->nlanes; i++) {
		if (h->lanes[i].daemon)
			MHD_quiesce_daemon(h->lanes[i].daemon);
		guts_listen_close(&h->lanes[i]);
	}
	wake_all(h);
	for (size_t i = 0; i < h->nlanes; i++) {
		if (h->lanes[i].daemon)
			MHD_stop_daemon(h->lanes[i].daemon);
	}
	h->nlanes = 0;
	if (h->watch) {
		guts_watch_stop(h);
		free(h->watch);
		h->watch = NULL;
	}
	guts_http_cache_clear(h);
}

void
guts_http_free(struct guts_http *h)
{
	struct guts_call *c, *next;

	if (!h)
		return;
	DL_FOREACH_SAFE(h->calls, c, next) {
		if (c->destroy)
			c->destroy(c);
		free(c);
	}
	if (h->is_encrypted)
		guts_tls_stop();
	guts_ring_free(h->ring);
	guts_auth_free(h->auth);
	guts_limits_free(h->limits);
	guts_idempotency_free(h->idempotency);
	guts_audit_free(h);
	guts_histcache_free(h->histcache);
	guts_buf_deinit(&h->capabilities);
	guts_health_free(h->health);
	guts_access_unref(h->access);
	guts_config_free(h->config);
	free(h->reload);
	free(h->lanes);
	free(h->home);
	pthread_mutex_destroy(&h->lock);
	pthread_mutex_destroy(&h->cache_lock);
	explicit_bzero(h->fresh_token, sizeof h->fresh_token);
	free(h);
}

/* -- a request's parts --------------------------------------------------------------------- */

struct guts_slice
guts_req_param(const struct guts_req *r, size_t i)
{
	if (r->match.param[i].n == 0)
		return guts_slice(NULL, 0);
	return guts_target_segment(&r->target, r->match.param[i].first);
}

bool
guts_req_param_rest(const struct guts_req *r, size_t i, char *out, size_t max)
{
	size_t at = 0;

	for (size_t k = 0; k < r->match.param[i].n; k++) {
		struct guts_slice s = guts_target_segment(&r->target, r->match.param[i].first + k);
		if (at + s.n + 2 > max)
			return false;
		if (k)
			out[at++] = '/';
		memcpy(out + at, s.p, s.n);
		at += s.n;
	}
	out[at] = 0;
	return true;
}

bool
guts_req_number(struct guts_req *r, const char *key, uint64_t min, uint64_t max, uint64_t fallback, uint64_t *out)
{
	struct guts_slice v = guts_target_query(&r->target, key);

	*out = fallback;
	if (!v.p || (v.n && guts_text_u64(v, max, out) == 0 && *out >= min))
		return true;
	guts_reply_problem(r, 400, "%s: a number from %llu to %llu", key, (unsigned long long)min, (unsigned long long)max);
	return false;
}

bool
guts_req_page(struct guts_req *r, uint64_t *page, uint64_t *per_page)
{
	const char *key = guts_target_query(&r->target, "per_page").p ? "per_page" : "limit";
	uint64_t n;

	if (!guts_req_number(r, "page", 1, 100000, 1, page) || !guts_req_number(r, key, 1, 1000000, 30, &n))
		return false;
	*per_page = n < 100 ? n : 100;
	return true;
}

const char *
guts_req_base(const struct guts_req *r)
{
	if (r->access->public_url[0])
		return r->access->public_url;
	return r->lane->is_unix ? "http://localhost" : r->lane->url;
}
