/* bridge/sign.h - the headers of one delivery: names and signatures that receivers look for.
 *
 * GitHub's and Gitea's are sent together, as Gitea does; beside them those of Standard Webhooks, whose signature covers the
 * time too.  Source: docs.github.com "Validating webhook deliveries"; standardwebhooks.com; CloudEvents 1.0 HTTP binding.
 */
#ifndef GUTS_BRIDGE_SIGN_H
#define GUTS_BRIDGE_SIGN_H

#include "bridge/delivery.h"
#include "bridge/hook.h"

#define GUTS_SIGN_HEADERS_MAX 24

/* "Name: value" lines, NULL at the end.  Owner: caller, guts_sign_deinit. */
struct guts_sign {
	char *line[GUTS_SIGN_HEADERS_MAX + 1];
	size_t n;
};

/* Headers for `body` sent at `wall_ms`.  A secret "whsec_…" is base64 for Standard Webhooks and the text itself for the
 * others.  `base`: the node's URL, the source of a CloudEvent. */
void guts_sign_make(struct guts_sign *s, const struct guts_hook *h, const struct guts_delivery *d, struct guts_slice body,
    uint64_t wall_ms, const char *base);
void guts_sign_deinit(struct guts_sign *s);

/* Is it the name of a header whose value must not be shown? */
bool guts_sign_is_secret(const char *name, size_t n);

#endif
