/* http/metrics.c - counters and gauges in Prometheus' text format, version 0.0.4.
 *
 * No label comes from outside: classes of status and bucket bounds are ours, so the page does not grow.
 */
#include "bridge/ci.h"
#include "http/api.h"
#include "http/health.h"
#include "http/tls.h"
#include "sink/sink.h"

static void
head(struct guts_buf *b, const char *name, const char *type, const char *help)
{
	guts_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
one(struct guts_buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
	head(b, name, type, help);
	guts_buf_printf(b, "%s %llu\n", name, (unsigned long long)v);
}

static void
add_requests(struct guts_buf *b, struct guts_counters *n)
{
	static const char *const bounds[] = { "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.05", "0.25", "1" };
	unsigned long long sum = 0;

	head(b, "guts_http_requests_total", "counter", "HTTP requests answered, by class of status.");
	for (int i = 1; i < 6; i++)
		guts_buf_printf(b, "guts_http_requests_total{code=\"%dxx\"} %llu\n", i, atomic_load(&n->requests[i]));
	head(b, "guts_http_request_duration_seconds", "histogram", "Time from the headers of a request to the end of its answer.");
	for (int i = 0; i < 8; i++) {
		sum += atomic_load(&n->seconds_bucket[i]);
		guts_buf_printf(b, "guts_http_request_duration_seconds_bucket{le=\"%s\"} %llu\n", bounds[i], sum);
	}
	sum += atomic_load(&n->seconds_bucket[8]);
	guts_buf_printf(b, "guts_http_request_duration_seconds_bucket{le=\"+Inf\"} %llu\n", sum);
	guts_buf_printf(b, "guts_http_request_duration_seconds_sum %.6f\n", (double)atomic_load(&n->seconds_sum_ns) / 1e9);
	guts_buf_printf(b, "guts_http_request_duration_seconds_count %llu\n", sum);
}

static void
add_gateway(struct guts_buf *b, struct guts_counters *n)
{
	add_requests(b, n);
	one(b, "guts_http_active_connections", "gauge", "Open HTTP connections.", (uint64_t)atomic_load(&n->connections));
	one(b, "guts_http_event_streams", "gauge", "Open event streams.", (uint64_t)atomic_load(&n->streams));
	one(b, "guts_http_events_sent_total", "counter", "Events written to streams.", atomic_load(&n->events_sent));
	one(b, "guts_http_event_streams_dropped_total", "counter", "Event streams ended because their reader fell behind.",
	    atomic_load(&n->streams_dropped));
	one(b, "guts_http_requests_refused_total", "counter", "Requests refused as malformed or for another host.",
	    atomic_load(&n->refused));
	one(b, "guts_http_connections_cut_total", "counter", "Connections cut because their client was too slow.",
	    atomic_load(&n->cut));
	one(b, "guts_http_auth_failures_total", "counter", "Requests with credentials that were not good.",
	    atomic_load(&n->auth_failed));
	one(b, "guts_http_requests_limited_total", "counter", "Requests refused because their asker made too many.",
	    atomic_load(&n->limited));
	one(b, "guts_git_pushes_total", "counter", "Pushes that were begun over HTTP.", atomic_load(&n->pushes));
	one(b, "guts_git_fetches_total", "counter", "Fetches that were begun over HTTP.", atomic_load(&n->fetches));
}

static void
add_node(struct guts_buf *b, const struct guts_snapshot *s, const struct guts_who *who)
{
	uint64_t inbound = 0, bytes = 0, repos = 0;

	for (size_t i = 0; i < s->npeers; i++)
		inbound += s->peers[i].direction == GUTS_INBOUND;
	for (size_t i = 0; i < s->nrepos; i++) {
		if (guts_who_may_see(who, s->repos[i]->id, s->repos[i]->is_private)) {
			bytes += s->repos[i]->size_bytes;
			repos++;
		}
	}
	head(b, "guts_p2p_peers_connected", "gauge", "Links to other nodes, by who dialled.");
	guts_buf_printf(b, "guts_p2p_peers_connected{direction=\"inbound\"} %llu\n", (unsigned long long)inbound);
	guts_buf_printf(b, "guts_p2p_peers_connected{direction=\"outbound\"} %llu\n",
	    (unsigned long long)(s->npeers - inbound));
	one(b, "guts_p2p_peers_known", "gauge", "Peers in the address book.", s->nbook);
	one(b, "guts_p2p_peers_tried", "gauge", "Peers in the address book that were reached.", s->nbook_tried);
	one(b, "guts_p2p_links_accepted_total", "counter", "Inbound links.", s->accepted);
	one(b, "guts_p2p_links_refused_total", "counter", "Inbound links refused for want of a slot, by rate or by a ban.", s->refused);
	one(b, "guts_p2p_links_evicted_total", "counter", "Inbound links that made room for another.", s->evicted);
	one(b, "guts_p2p_links_dialled_total", "counter", "Outbound links.", s->dialled);
	one(b, "guts_p2p_dials_failed_total", "counter", "Dials that came to nothing.", s->dial_failures);
	one(b, "guts_p2p_feelers_total", "counter", "Dials made only to see whether a peer is there.", s->feelers);
	one(b, "guts_p2p_bans_total", "counter", "Bans, by rule or by a person.", s->bans_made);
	head(b, "guts_p2p_offences_total", "counter", "Broken rules, by name.");
	for (size_t i = 0; i < s->noffences; i++)
		guts_buf_printf(b, "guts_p2p_offences_total{offence=\"%s\"} %llu\n", s->offences[i].name,
		    (unsigned long long)s->offences[i].count);
	one(b, "guts_p2p_peers_banned", "gauge", "Banned peers.", s->nbans);
	one(b, "guts_p2p_received_bytes_total", "counter", "Bytes received from peers.", s->bytes_in);
	one(b, "guts_p2p_sent_bytes_total", "counter", "Bytes sent to peers.", s->bytes_out);
	one(b, "guts_repositories", "gauge", "Repositories kept by this node.", repos);
	one(b, "guts_storage_repositories_bytes", "gauge", "Disk space of repositories.", bytes);
	one(b, "guts_events_newest", "gauge", "Number of the newest fact in the event log.", s->fact_newest);
	head(b, "guts_start_time_seconds", "gauge", "When the node started.");
	guts_buf_printf(b, "guts_start_time_seconds %.3f\n", (double)s->started_wall_ms / 1000);
}

static void
add_control(struct guts_buf *b, const char *way, const uint64_t counts[5])
{
	static const char *const kinds[5] = { "graft", "prune", "ihave", "iwant", "idontwant" };

	for (int i = 0; i < 5; i++)
		guts_buf_printf(b, "guts_gossip_control_total{direction=\"%s\",kind=\"%s\"} %llu\n", way, kinds[i],
		    (unsigned long long)counts[i]);
}

static void
add_gossip(struct guts_buf *b, const struct guts_snapshot *s)
{
	const struct guts_gossip_stats *g = &s->gossip;
	const uint64_t sent[5] = { g->graft_sent, g->prune_sent, g->ihave_sent, g->iwant_sent, g->idontwant_sent };
	const uint64_t received[5] = { g->graft_received, g->prune_received, g->ihave_received, g->iwant_received,
		g->idontwant_received };

	one(b, "guts_gossip_topics", "gauge", "Gossip topics this node takes part in.", s->ntopics);
	one(b, "guts_gossip_peers", "gauge", "Peers that gossip with this node.", g->peers);
	one(b, "guts_gossip_published_total", "counter", "Messages of this node.", g->published);
	one(b, "guts_gossip_delivered_total", "counter", "Messages of others, each once.", g->delivered);
	one(b, "guts_gossip_sent_total", "counter", "Copies of messages sent to peers.", g->messages_sent);
	one(b, "guts_gossip_queue_full_total", "counter", "Copies not sent to a peer that reads too slowly.", g->queue_drops);
	head(b, "guts_gossip_dropped_total", "counter", "Messages that came and were not delivered, by reason.");
	for (int i = 0; i < GUTS_GOSSIP_DROP_COUNT; i++)
		guts_buf_printf(b, "guts_gossip_dropped_total{reason=\"%s\"} %llu\n",
		    guts_gossip_drop_name((enum guts_gossip_drop)i), (unsigned long long)g->dropped[i]);
	head(b, "guts_gossip_offences_total", "counter", "Rules of gossip broken by peers, by kind.");
	for (int i = 0; i < GUTS_GOSSIP_OFFENCE_COUNT; i++)
		guts_buf_printf(b, "guts_gossip_offences_total{kind=\"%s\"} %llu\n",
		    guts_gossip_offence_name((enum guts_gossip_offence)i), (unsigned long long)g->offences[i]);
	head(b, "guts_gossip_control_total", "counter", "Entries of GRAFT and PRUNE, ids of the rest, by direction.");
	add_control(b, "sent", sent);
	add_control(b, "received", received);
	one(b, "guts_gossip_seen", "gauge", "Message ids remembered.", g->seen);
	one(b, "guts_gossip_cached_bytes", "gauge", "Messages kept for peers that ask.", g->cached_bytes);
}

static void
add_dht(struct guts_buf *b, const struct guts_snapshot *s)
{
	static const char *const types[] = { "put_value", "get_value", "add_provider", "get_providers", "find_node", "ping" };
	const struct guts_kad_stats *d = &s->dht;

	one(b, "guts_dht_server", "gauge", "1 if this node serves others in the DHT.", s->dht_is_server);
	one(b, "guts_dht_contacts", "gauge", "Servers in the routing table.", d->contacts);
	one(b, "guts_dht_published_keys", "gauge", "Keys that this node keeps published.", d->published);
	one(b, "guts_dht_provider_records", "gauge", "Provider records kept for others.", d->providers);
	one(b, "guts_dht_values", "gauge", "Values kept for others.", d->values);
	one(b, "guts_dht_stored_bytes", "gauge", "Memory of records kept for others.", d->provider_bytes + d->value_bytes);
	head(b, "guts_dht_lookups_total", "counter", "Lookups begun, by kind.");
	for (unsigned i = 0; i < GUTS_KAD_KINDS; i++)
		guts_buf_printf(b, "guts_dht_lookups_total{kind=\"%s\"} %llu\n", guts_kad_kind_name((enum guts_kad_kind)i),
		    (unsigned long long)d->started[i]);
	head(b, "guts_dht_lookups_succeeded_total", "counter", "Lookups that found what they looked for, by kind.");
	for (unsigned i = 0; i < GUTS_KAD_KINDS; i++)
		guts_buf_printf(b, "guts_dht_lookups_succeeded_total{kind=\"%s\"} %llu\n",
		    guts_kad_kind_name((enum guts_kad_kind)i), (unsigned long long)d->succeeded[i]);
	one(b, "guts_dht_requests_sent_total", "counter", "Requests sent to peers.", d->sent);
	one(b, "guts_dht_requests_failed_total", "counter", "Of these, without an answer.", d->failed);
	head(b, "guts_dht_requests_served_total", "counter", "Requests of peers that were served, by type.");
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
		guts_buf_printf(b, "guts_dht_requests_served_total{type=\"%s\"} %llu\n", types[i],
		    (unsigned long long)d->served[i]);
	one(b, "guts_dht_requests_refused_total", "counter", "Requests of peers that were refused.", d->refused);
}

static void
add_webhooks(struct guts_buf *b, const struct guts_bridge_counters *n)
{
	head(b, "guts_webhook_attempts_total", "counter", "Attempts to deliver to webhooks, by result.");
	guts_buf_printf(b, "guts_webhook_attempts_total{result=\"delivered\"} %llu\n", atomic_load(&n->delivered));
	guts_buf_printf(b, "guts_webhook_attempts_total{result=\"failed\"} %llu\n", atomic_load(&n->failed));
	one(b, "guts_webhook_dead_total", "counter", "Deliveries to webhooks that were given up.", atomic_load(&n->dead));
	one(b, "guts_webhook_waiting", "gauge", "Deliveries to webhooks that have not arrived yet.", atomic_load(&n->waiting));
	one(b, "guts_webhooks", "gauge", "Webhooks of this node.", atomic_load(&n->hooks));
}

static void
add_ci(struct guts_buf *b, const struct guts_ci_counters *n)
{
	head(b, "guts_ci_jobs", "gauge", "CI jobs that have not ended, by state.");
	guts_buf_printf(b, "guts_ci_jobs{state=\"queued\"} %zu\n", atomic_load(&n->waiting));
	guts_buf_printf(b, "guts_ci_jobs{state=\"running\"} %zu\n", atomic_load(&n->running));
	head(b, "guts_ci_jobs_ended_total", "counter", "CI jobs that ended, by result.");
	guts_buf_printf(b, "guts_ci_jobs_ended_total{result=\"success\"} %llu\n", atomic_load(&n->success));
	guts_buf_printf(b, "guts_ci_jobs_ended_total{result=\"failure\"} %llu\n", atomic_load(&n->failure));
	guts_buf_printf(b, "guts_ci_jobs_ended_total{result=\"error\"} %llu\n", atomic_load(&n->error));
	one(b, "guts_ci_leases_total", "counter", "CI jobs given to a runner.", atomic_load(&n->leases));
	one(b, "guts_ci_leases_lost_total", "counter", "Leases of CI jobs whose runner was not heard of in time.", atomic_load(&n->lost));
	one(b, "guts_ci_runners_waiting", "gauge", "Runners that wait for a CI job.", atomic_load(&n->runners));
	one(b, "guts_ci_files_bytes", "gauge", "Logs and other files of CI jobs.", atomic_load(&n->file_bytes));
}

enum sink_metric { CONNECTED, LAG, PUBLISHED, FAILURES, LOST, SINK_METRICS };

static uint64_t
sink_value(const struct guts_sink_counters *n, enum sink_metric m, uint64_t newest)
{
	uint64_t cursor = atomic_load(&n->cursor);

	switch (m) {
	case CONNECTED:
		return atomic_load(&n->is_connected);
	case LAG:
		return newest > cursor ? newest - cursor : 0;
	case PUBLISHED:
		return atomic_load(&n->published);
	case FAILURES:
		return atomic_load(&n->failures);
	default:
		return atomic_load(&n->lost);
	}
}

/* The label is a sink's place in the configuration. */
static void
add_sinks(struct guts_buf *b, const struct guts_sinks *s, uint64_t newest)
{
	static const struct {
		const char *name, *type, *help;
	} rows[SINK_METRICS] = {
		[CONNECTED] = { "guts_sink_connected", "gauge", "1 if the message broker is connected." },
		[LAG] = { "guts_sink_lag_events", "gauge", "Facts of the log that the message broker has not confirmed yet." },
		[PUBLISHED] = { "guts_sink_published_total", "counter", "Events that the message broker confirmed." },
		[FAILURES] = { "guts_sink_failures_total", "counter", "Failures to connect or to publish." },
		[LOST] = { "guts_sink_lost_total", "counter", "Facts that left the log before they were published." },
	};

	for (int m = 0; m < SINK_METRICS && guts_sinks_count(s) > 0; m++) {
		head(b, rows[m].name, rows[m].type, rows[m].help);
		for (size_t i = 0; i < guts_sinks_count(s); i++)
			guts_buf_printf(b, "%s{sink=\"%zu\"} %llu\n", rows[m].name, i + 1,
			    (unsigned long long)sink_value(guts_sinks_counters(s, i), (enum sink_metric)m, newest));
	}
}

static void
add_health(struct guts_buf *b, struct guts_health *health)
{
	struct guts_health_report r;

	guts_health_report(health, &r);
	head(b, "guts_health", "gauge", "How each part of the node is: 0 off, 1 ok, 2 degraded, 3 failing.");
	for (unsigned i = 0; i < GUTS_HEALTH_N; i++)
		guts_buf_printf(b, "guts_health{subsystem=\"%s\"} %u\n", guts_health_part_name((enum guts_health_part)i),
		    (unsigned)r.rows[i].state);
}

void
guts_rest_metrics(struct guts_req *r)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);
	struct guts_buf b;

	guts_buf_init(&b, 1u << 20);
	if (r->h->is_encrypted)
		one(&b, "guts_http_tls_certificate_expiry_timestamp_seconds", "gauge", "When the gateway's certificate expires.",
		    guts_tls_expiry());
	head(&b, "guts_build_info", "gauge", "The program that runs.");
	guts_buf_printf(&b, "guts_build_info{version=\"%s\"} 1\n", r->h->version);
	add_gateway(&b, &r->h->n);
	add_health(&b, r->h->health);
	add_node(&b, s, &r->who);
	add_gossip(&b, s);
	if (s->dht_is_on)
		add_dht(&b, s);
	add_webhooks(&b, guts_bridge_counters(r->h->bridge));
	add_ci(&b, guts_ci_counters(guts_bridge_ci(r->h->bridge)));
	add_sinks(&b, r->h->sinks, s->fact_newest);
	guts_snapshot_unref(s);
	guts_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", guts_buf_slice(&b));
	guts_buf_deinit(&b);
}
