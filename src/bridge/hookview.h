/* bridge/hookview.h - hooks and deliveries as JSON, in the shapes of api/openapi.yaml. */
#ifndef GUTS_BRIDGE_HOOKVIEW_H
#define GUTS_BRIDGE_HOOKVIEW_H

#include "bridge/delivery.h"
#include "bridge/hook.h"
#include "node/node.h"
#include "view/json.h"

/* How it went lately. */
struct guts_hook_health {
	uint16_t status;     /* of the last answer; 0 = none came */
	char error[160];     /* of the last attempt; empty = it went well, or there was none */
	bool was_tried;
	uint64_t failing_ms; /* [unix ms] since when no attempt went well; 0 = the last one did */
	size_t waiting;      /* deliveries */
	size_t dead;         /* deliveries that were given up, of those that are kept */
};

/* A Hook; `repo` of a repository's hook (NULL: it is not here), `health` may be NULL.  No secret is in it. */
void guts_hook_view(struct guts_json *j, const char *base, const struct guts_hook *h, const struct guts_repo_info *repo,
    const struct guts_hook_health *health);

/* A Delivery; with `body` a DeliveryDetail (`x` NULL: not tried yet). */
void guts_delivery_view(struct guts_json *j, const struct guts_delivery *d, const struct guts_slice *body,
    const struct guts_exchange *x);

#endif
