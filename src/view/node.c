/* view/node.c - the node, its peers, topics, jobs and events as JSON. */
#include "view/view.h"

#include "base/text.h"
#include "view/body.h"
#include "wire/multibase.h"

#include <stdio.h>

#define FACT_MAX (256u << 10) /* [bytes] as JSON */

void
guts_view_peerid(struct guts_json *j, const struct guts_peerid *id)
{
	char text[GUTS_PEERID_TEXT_SIZE];

	guts_peerid_text(text, id);
	guts_json_str(j, text);
}

static void
put_strings(struct guts_json *j, const char *key, const char *const *v, size_t n)
{
	guts_json_key(j, key);
	guts_json_array(j);
	for (size_t i = 0; i < n; i++)
		guts_json_str(j, v[i]);
	guts_json_array_end(j);
}

static void
put_health(struct guts_json *j, const struct guts_view_status *v)
{
	guts_json_key(j, "health");
	guts_json_object(j);
	guts_json_put_str(j, "state", v->health);
	guts_json_key(j, "subsystems");
	guts_json_array(j);
	for (size_t i = 0; i < v->nparts; i++) {
		guts_json_object(j);
		guts_json_put_str(j, "name", v->parts[i].name);
		guts_json_put_str(j, "state", v->parts[i].state);
		guts_json_put_str(j, "reason", v->parts[i].reason);
		guts_json_put_time(j, "since", v->parts[i].since_wall_ms);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
	guts_json_object_end(j);
}

void
guts_view_status(struct guts_json *j, const struct guts_snapshot *s, const struct guts_view_status *v)
{
	size_t inbound = 0;

	for (size_t i = 0; i < s->npeers; i++)
		inbound += s->peers[i].direction == GUTS_INBOUND;
	guts_json_object(j);
	guts_json_put_str(j, "id", s->id_text);
	guts_json_put_str(j, "version", v->version);
	guts_json_put_str(j, "agent", s->agent);
	guts_json_put_str(j, "network", s->network);
	guts_json_put_time(j, "started_at", s->started_wall_ms);
	guts_json_put_time(j, "time", s->wall_ms);
	guts_json_put_bool(j, "ready", s->ready);
	guts_json_put_bool(j, "stopping", s->stopping);
	put_health(j, v);
	put_strings(j, "listen", (const char *const *)s->listen, s->nlisten);
	guts_json_put_str(j, "reachability", s->reachability);
	put_strings(j, "http", v->http, v->nhttp);
	put_strings(j, "restart_required", v->restart_required, v->nrestart_required);
	guts_json_put_u64(j, "bytes_in", s->bytes_in);
	guts_json_put_u64(j, "bytes_out", s->bytes_out);
	guts_json_put_u64(j, "rate_in", s->rate_in);
	guts_json_put_u64(j, "rate_out", s->rate_out);
	guts_json_key(j, "events");
	guts_json_object(j);
	guts_json_put_u64(j, "oldest", s->fact_oldest);
	guts_json_put_u64(j, "newest", s->fact_newest);
	guts_json_object_end(j);
	guts_json_key(j, "counts");
	guts_json_object(j);
	guts_json_put_u64(j, "peers", s->npeers);
	guts_json_put_u64(j, "inbound", inbound);
	guts_json_put_u64(j, "outbound", s->npeers - inbound);
	guts_json_put_u64(j, "repositories", v->repositories);
	guts_json_put_u64(j, "topics", s->ntopics);
	guts_json_put_u64(j, "bans", s->nbans);
	guts_json_put_u64(j, "known_peers", s->nbook);
	guts_json_object_end(j);
	guts_json_key(j, "limits");
	guts_json_object(j);
	guts_json_put_u64(j, "body_bytes", v->body_bytes);
	guts_json_put_u64(j, "pack_bytes", v->pack_bytes);
	guts_json_put_u64(j, "streams", v->streams);
	guts_json_object_end(j);
	guts_json_object_end(j);
}

static void
put_peer(struct guts_json *j, const struct guts_peer_info *p)
{
	guts_json_put_str(j, "id", p->id_text);
	put_strings(j, "addresses", (const char *const *)p->addrs, p->naddrs);
	guts_json_put_str(j, "remote_address", p->remote_addr ? p->remote_addr : "");
	guts_json_put_str(j, "direction", p->direction == GUTS_INBOUND ? "inbound" : "outbound");
	guts_json_put_str(j, "transport", p->transport ? p->transport : "");
	guts_json_put_str(j, "agent", p->agent ? p->agent : "");
	put_strings(j, "protocols", (const char *const *)p->protocols, p->nprotocols);
	guts_json_put_bool(j, "speaks_guts", p->speaks_guts);
	guts_json_put_time(j, "connected_at", p->connected_wall_ms);
	guts_json_put_time(j, "last_seen", p->last_seen_wall_ms);
	guts_json_key(j, "rtt_us");
	if (p->rtt_us)
		guts_json_u64(j, p->rtt_us);
	else
		guts_json_null(j);
	guts_json_put_u64(j, "bytes_in", p->bytes_in);
	guts_json_put_u64(j, "bytes_out", p->bytes_out);
	guts_json_key(j, "score");
	guts_json_i64(j, p->score);
	guts_json_put_u64(j, "repositories", p->repositories);
}

void
guts_view_peer(struct guts_json *j, const struct guts_peer_info *p)
{
	guts_json_object(j);
	put_peer(j, p);
	guts_json_object_end(j);
}

void
guts_view_peer_detail(struct guts_json *j, const struct guts_peer_info *p)
{
	guts_json_object(j);
	put_peer(j, p);
	guts_json_key(j, "standing");
	guts_json_object(j);
	guts_json_key(j, "score");
	guts_json_i64(j, p->score);
	guts_json_put_u64(j, "bans", p->bans);
	guts_json_put_u64(j, "useful", p->useful);
	guts_json_key(j, "offences");
	guts_json_array(j);
	for (size_t i = 0; i < p->noffences; i++) {
		guts_json_object(j);
		guts_json_put_str(j, "name", p->offences[i].name);
		guts_json_put_str(j, "reason", p->offences[i].text);
		guts_json_put_u64(j, "count", p->offences[i].count);
		guts_json_put_u64(j, "points", p->offences[i].points);
		guts_json_put_time(j, "last_at", p->offences[i].last_wall_ms);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
	guts_json_object_end(j);
	guts_json_object_end(j);
}

void
guts_view_offence(struct guts_json *j, const struct guts_offence_info *o)
{
	guts_json_object(j);
	guts_json_put_str(j, "name", o->name);
	guts_json_put_str(j, "reason", o->text);
	guts_json_put_u64(j, "points", o->points);
	guts_json_put_str(j, "ends", o->ends);
	guts_json_put_u64(j, "ban_seconds", o->ban_s);
	guts_json_put_u64(j, "count", o->count);
	guts_json_put_time_or_null(j, "last_at", o->last_wall_ms);
	guts_json_object_end(j);
}

void
guts_view_ban(struct guts_json *j, const struct guts_ban_info *b)
{
	guts_json_object(j);
	guts_json_put_str(j, "peer", b->id_text);
	guts_json_put_str(j, "reason", b->reason ? b->reason : "");
	guts_json_put_time(j, "since", b->since_wall_ms);
	guts_json_put_time_or_null(j, "until", b->until_wall_ms);
	guts_json_object_end(j);
}

void
guts_view_dial(struct guts_json *j, const struct guts_dial_info *d)
{
	guts_json_object(j);
	guts_json_put_str(j, "address", d->addr ? d->addr : "");
	guts_json_put_str(j, "error", d->error);
	guts_json_put_time(j, "last_try", d->last_wall_ms);
	guts_json_put_time_or_null(j, "next_try", d->next_wall_ms);
	guts_json_put_u64(j, "tries", d->tries);
	guts_json_object_end(j);
}

void
guts_view_address(struct guts_json *j, const struct guts_address_info *a)
{
	guts_json_object(j);
	guts_json_put_u64(j, "cursor", a->cursor);
	guts_json_put_str(j, "peer", a->id_text);
	guts_json_put_str(j, "table", a->is_tried ? "tried" : "new");
	guts_json_put_str(j, "source", a->source);
	guts_json_put_str(j, "teller", a->teller_text[0] ? a->teller_text : NULL);
	guts_json_put_bool(j, "connected", a->is_connected);
	guts_json_put_bool(j, "anchor", a->is_anchor);
	guts_json_put_bool(j, "banned", a->is_banned);
	guts_json_put_time(j, "seen_at", a->seen_wall_ms);
	guts_json_put_time_or_null(j, "worked_at", a->worked_wall_ms);
	guts_json_put_time_or_null(j, "failed_at", a->failed_wall_ms);
	guts_json_put_u64(j, "failures", a->failures);
	guts_json_key(j, "addresses");
	guts_json_array(j);
	for (size_t i = 0; i < a->naddrs; i++) {
		guts_json_object(j);
		guts_json_put_str(j, "address", a->addrs[i].text);
		guts_json_put_str(j, "source", a->addrs[i].source);
		guts_json_put_str(j, "netgroup", a->addrs[i].netgroup);
		guts_json_put_time_or_null(j, "heard_at", a->addrs[i].heard_wall_ms);
		guts_json_put_u64(j, "failures", a->addrs[i].failures);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
	guts_json_object_end(j);
}

void
guts_view_job(struct guts_json *j, const struct guts_job_info *i)
{
	char repo[GUTS_REPOID_TEXT_SIZE];

	guts_json_object(j);
	guts_json_put_u64(j, "id", i->id);
	guts_json_put_str(j, "kind", i->kind);
	guts_json_put_str(j, "state", i->state);
	guts_json_put_str(j, "phase", i->phase);
	guts_json_put_u64(j, "bytes", i->bytes);
	guts_json_put_u64(j, "objects", i->objects);
	guts_json_put_u64(j, "objects_total", i->objects_total);
	if (i->has_repo)
		guts_repoid_text(repo, i->repo);
	guts_json_put_str(j, "repo", i->has_repo ? repo : NULL);
	guts_json_put_str(j, "error", i->error[0] ? i->error : NULL);
	guts_json_put_time(j, "started_at", i->started_wall_ms);
	guts_json_put_time_or_null(j, "ended_at", i->ended_wall_ms);
	guts_json_object_end(j);
}

void
guts_view_message(struct guts_json *j, const struct guts_user_message *m)
{
	bool text = guts_text_is_utf8(m->data);

	guts_json_object(j);
	guts_json_put_u64(j, "cursor", m->cursor);
	guts_json_put_time(j, "time", m->wall_ms);
	guts_json_put_str(j, "topic", m->topic);
	guts_json_put_str(j, "id", m->id);
	guts_json_key(j, "author");
	guts_view_peerid(j, &m->author);
	guts_json_put_bool(j, "signed", m->is_envelope);
	guts_json_put_str(j, "encoding", text ? "utf8" : "base64");
	guts_json_key(j, "data");
	if (text)
		guts_json_text(j, m->data);
	else
		guts_json_base64(j, m->data);
	guts_json_object_end(j);
}

static void
put_subject(struct guts_json *j, struct guts_slice repo, struct guts_slice peer)
{
	struct guts_peerid id;
	char text[GUTS_REPOID_TEXT_SIZE];

	if (repo.n == GUTS_REPOID_SIZE) {
		guts_repoid_text(text, repo.p);
		guts_json_put_str(j, "repo", text);
	}
	if (peer.n && guts_peerid_decode(&id, peer) == 0) {
		guts_json_key(j, "peer");
		guts_view_peerid(j, &id);
	}
}

static void
put_attrs(struct guts_json *j, const struct guts_fact_attr *attr, size_t n)
{
	guts_json_key(j, "data");
	guts_json_object(j);
	for (size_t i = 0; i < n; i++) {
		guts_json_key(j, attr[i].name);
		if (attr[i].is_number)
			guts_json_u64(j, attr[i].number);
		else
			guts_json_text(j, attr[i].text);
	}
	guts_json_object_end(j);
}

void
guts_view_fact(struct guts_json *j, const struct guts_fact *f)
{
	guts_json_object(j);
	guts_json_put_u64(j, "id", f->id);
	guts_json_put_str(j, "type", f->type);
	guts_json_put_time(j, "time", f->wall_ns / 1000000);
	put_subject(j, f->repo, f->peer);
	put_attrs(j, f->attr, f->n);
	guts_json_object_end(j);
}

void
guts_view_cloudevent(struct guts_json *j, const struct guts_view_cloudevent *ce)
{
	char repo[GUTS_REPOID_TEXT_SIZE];

	guts_json_object(j);
	guts_json_put_str(j, "specversion", "1.0");
	guts_json_put_str(j, "id", ce->id);
	guts_json_put_str(j, "source", ce->source);
	guts_json_key(j, "type");
	guts_json_strs(j, "guts.", ce->type, NULL);
	guts_json_put_time(j, "time", ce->wall_ms);
	if (ce->repo) {
		guts_repoid_text(repo, ce->repo);
		guts_json_put_str(j, "subject", repo);
	} else if (ce->peer) {
		guts_json_key(j, "subject");
		guts_view_peerid(j, ce->peer);
	}
	guts_json_put_str(j, "datacontenttype", "application/json");
	guts_json_key(j, "data");
	guts_json_raw(j, ce->data);
	guts_json_object_end(j);
}

void
guts_view_fact_cloud(struct guts_json *j, const struct guts_fact *f, const char *source)
{
	struct guts_peerid peer;
	struct guts_view_cloudevent ce = { .source = source, .type = f->type, .wall_ms = f->wall_ns / GUTS_MS_NS,
		.repo = f->repo.n == GUTS_REPOID_SIZE ? f->repo.p : NULL,
		.peer = f->peer.n && guts_peerid_decode(&peer, f->peer) == 0 ? &peer : NULL };
	struct guts_json own;
	struct guts_buf data;
	char id[24];

	snprintf(id, sizeof id, "%llu", (unsigned long long)f->id);
	ce.id = id;
	guts_buf_init(&data, FACT_MAX);
	guts_json_init(&own, &data);
	guts_view_fact(&own, f);
	ce.data = guts_buf_slice(&data);
	guts_view_cloudevent(j, &ce);
	j->out->failed |= data.failed;
	guts_buf_deinit(&data);
}

void
guts_view_signal(struct guts_json *j, const struct guts_signal *s, uint64_t wall_ms)
{
	guts_json_object(j);
	guts_json_put_str(j, "type", s->type);
	guts_json_put_time(j, "time", wall_ms);
	put_subject(j, s->repo, s->peer);
	put_attrs(j, s->attr, s->n);
	guts_json_object_end(j);
}

void
guts_view_problem(struct guts_json *j, const struct guts_view_problem *p)
{
	guts_json_object(j);
	guts_json_put_str(j, "type", "about:blank");
	guts_json_put_str(j, "title", p->title);
	guts_json_put_u64(j, "status", (uint64_t)p->status);
	guts_json_put_str(j, "detail", p->detail);
	guts_json_put_str(j, "message", p->detail);
	if (p->code)
		guts_json_put_str(j, "code", p->code);
	if (p->request_id)
		guts_json_put_str(j, "request_id", p->request_id);
	if (p->body && p->body->nerrors) {
		guts_json_key(j, "errors");
		guts_json_array(j);
		for (size_t i = 0; i < p->body->nerrors; i++) {
			guts_json_object(j);
			guts_json_put_str(j, "pointer", p->body->errors[i].pointer);
			guts_json_put_str(j, "detail", p->body->errors[i].detail);
			guts_json_object_end(j);
		}
		guts_json_array_end(j);
	}
	guts_json_object_end(j);
}
