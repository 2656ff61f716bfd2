/* bridge/hookview.c - GitHub's and Gitea's members side by side. */
#include "bridge/hookview.h"

#include "view/view.h"
#include "wire/multibase.h"

#include <stdio.h>
#include <string.h>

#define HIDDEN "********" /* as GitHub shows a secret that is set */

static void
put_config(struct guts_json *j, const struct guts_hook *h)
{
	guts_json_key(j, "config");
	guts_json_object(j);
	guts_json_put_str(j, "url", h->url);
	guts_json_put_str(j, "content_type", "json");
	guts_json_put_str(j, "insecure_ssl", h->any_certificate ? "1" : "0");
	if (h->secret[0])
		guts_json_put_str(j, "secret", HIDDEN);
	guts_json_object_end(j);
}

static void
put_last_response(struct guts_json *j, const struct guts_hook_health *health)
{
	guts_json_key(j, "last_response");
	guts_json_object(j);
	if (health && health->status)
		guts_json_put_u64(j, "code", health->status);
	else
		guts_json_put_null(j, "code");
	guts_json_put_str(j, "status", !health || !health->was_tried ? "unused" : health->error[0] ? "failing" : "active");
	guts_json_put_str(j, "message", health && health->error[0] ? health->error : NULL);
	guts_json_put_time_or_null(j, "failing_since", health ? health->failing_ms : 0);
	guts_json_object_end(j);
}

void
guts_hook_view(struct guts_json *j, const char *base, const struct guts_hook *h, const struct guts_repo_info *repo,
    const struct guts_hook_health *health)
{
	char id[GUTS_REPOID_TEXT_SIZE], path[GUTS_VIEW_PATH_SIZE + 64] = "/api/v1", number[24];
	char repo_path[GUTS_VIEW_PATH_SIZE];

	if (repo) {
		guts_view_repo_path(repo_path, repo);
		snprintf(path, sizeof path, "/api/v1/repos/%s", repo_path);
	}
	snprintf(number, sizeof number, "%llu", (unsigned long long)h->id);
	if (h->has_repo)
		guts_repoid_text(id, h->repo);
	guts_json_object(j);
	guts_json_put_u64(j, "id", h->id);
	guts_json_put_str(j, "name", "web");
	guts_json_put_str(j, "type", guts_hook_format_name(h->format));
	guts_json_put_str(j, "repo", h->has_repo ? id : NULL);
	guts_json_put_bool(j, "active", h->active);
	guts_json_key(j, "events");
	guts_json_array(j);
	for (size_t i = 0; i < h->nevents; i++)
		guts_json_str(j, h->events[i]);
	guts_json_array_end(j);
	put_config(j, h);
	guts_json_put_str(j, "branch_filter", h->branches[0] ? h->branches : "*");
	guts_json_put_bool(j, "has_authorization_header", h->authorization[0] != 0);
	guts_json_put_bool(j, "all_authors", h->all_authors);
	guts_json_put_time(j, "created_at", h->created_ms);
	guts_json_put_time(j, "updated_at", h->updated_ms);
	guts_json_key(j, "url");
	guts_json_strs(j, base, path, "/hooks/", number, NULL);
	guts_json_key(j, "ping_url");
	guts_json_strs(j, base, path, "/hooks/", number, "/pings", NULL);
	guts_json_key(j, "deliveries_url");
	guts_json_strs(j, base, path, "/hooks/", number, "/deliveries", NULL);
	if (repo) {
		guts_json_key(j, "test_url");
		guts_json_strs(j, base, path, "/hooks/", number, "/tests", NULL);
	}
	put_last_response(j, health);
	guts_json_put_u64(j, "waiting", health ? health->waiting : 0);
	guts_json_put_u64(j, "dead", health ? health->dead : 0);
	guts_json_object_end(j);
}

/* -- deliveries ----------------------------------------------------------------------------------- */

static void
put_headers(struct guts_json *j, struct guts_slice lines)
{
	guts_json_key(j, "headers");
	guts_json_object(j);
	while (lines.n) {
		const uint8_t *end = memchr(lines.p, '\n', lines.n), *colon;
		size_t n = end ? (size_t)(end - lines.p) : lines.n;

		colon = memchr(lines.p, ':', n);
		if (colon) {
			size_t len = (size_t)(colon - lines.p), from = len + 1 + (len + 1 < n && lines.p[len + 1] == ' ');

			guts_json_name(j, guts_slice(lines.p, len));
			guts_json_text(j, guts_slice(lines.p + from, n - from));
		}
		n += end != NULL;
		lines = guts_slice(lines.p + n, lines.n - n);
	}
	guts_json_object_end(j);
}

/* GitHub's word for how it went: "OK" or the reason. */
static const char *
status_text(const struct guts_delivery *d)
{
	if (d->attempts == 0)
		return d->state == GUTS_DELIVERY_DEAD ? d->error : "waiting";
	return d->error[0] ? d->error : "OK";
}

static void
put_exchange(struct guts_json *j, const struct guts_slice *body, const struct guts_exchange *x)
{
	struct guts_slice none = { 0 };

	guts_json_key(j, "request");
	guts_json_object(j);
	put_headers(j, x ? x->request_headers : none);
	guts_json_key(j, "payload");
	guts_json_raw(j, *body);
	guts_json_object_end(j);
	guts_json_key(j, "response");
	guts_json_object(j);
	put_headers(j, x ? x->response_headers : none);
	guts_json_put_text(j, "payload", x ? x->answer : none);
	guts_json_object_end(j);
}

void
guts_delivery_view(struct guts_json *j, const struct guts_delivery *d, const struct guts_slice *body,
    const struct guts_exchange *x)
{
	char guid[GUTS_DELIVERY_GUID_SIZE], repo[GUTS_REPOID_TEXT_SIZE];

	guts_delivery_guid_text(guid, d->guid);
	if (d->has_repo)
		guts_repoid_text(repo, d->repo);
	guts_json_object(j);
	guts_json_put_u64(j, "id", d->number);
	guts_json_put_str(j, "guid", guid);
	guts_json_put_u64(j, "hook_id", d->hook);
	guts_json_put_str(j, "event", d->event);
	guts_json_put_str(j, "action", d->action[0] ? d->action : NULL);
	guts_json_put_str(j, "repository_id", d->has_repo ? repo : NULL);
	guts_json_put_bool(j, "redelivery", d->is_redelivery);
	guts_json_put_str(j, "state", guts_delivery_state_name(d->state));
	guts_json_put_u64(j, "attempts", d->attempts);
	guts_json_put_time(j, "created_at", d->created_ms);
	guts_json_put_time_or_null(j, "delivered_at", d->attempted_ms);
	guts_json_put_time_or_null(j, "next_attempt_at", d->state == GUTS_DELIVERY_PENDING ? d->next_ms : 0);
	guts_json_put_u64(j, "duration_ms", d->duration_ms);
	guts_json_put_str(j, "status", status_text(d));
	guts_json_put_u64(j, "status_code", d->status);
	if (body)
		put_exchange(j, body, x);
	guts_json_object_end(j);
}
