/* bridge/sign.c - one line after another. */
#include "bridge/sign.h"

#include "base/alloc.h"
#include "base/text.h"
#include "crypto/hmac.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_PREFIX "whsec_"

static void __attribute__((format(printf, 2, 3)))
add(struct guts_sign *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	assert(s->n < GUTS_SIGN_HEADERS_MAX);
	va_start(ap, fmt);
	n = vasprintf(&s->line[s->n], fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	s->n++;
}

static void
add_signatures(struct guts_sign *s, struct guts_slice secret, struct guts_slice body)
{
	uint8_t sha1[GUTS_SHA1_SIZE], sha256[GUTS_SHA256_SIZE];
	char hex[2 * GUTS_SHA256_SIZE + 1];

	guts_hmac_sha1(sha1, secret, body);
	guts_hex_encode(hex, sha1, sizeof sha1);
	add(s, "X-Hub-Signature: sha1=%s", hex);
	guts_hmac_sha256(sha256, secret, body);
	guts_hex_encode(hex, sha256, sizeof sha256);
	add(s, "X-Hub-Signature-256: sha256=%s", hex);
	add(s, "X-Gitea-Signature: %s", hex);
}

/* Over "id.time.body". */
static void
add_standard_signature(struct guts_sign *s, const char *secret, const char *guid, uint64_t seconds, struct guts_slice body)
{
	uint8_t key[GUTS_HOOK_SECRET_MAX], mac[GUTS_SHA256_SIZE];
	struct guts_slice k = guts_slice_str(secret);
	char text[48];
	struct guts_buf in;
	size_t n;

	if (strncmp(secret, KEY_PREFIX, strlen(KEY_PREFIX)) == 0 &&
	    guts_base64_decode(key, sizeof key, guts_slice_str(secret + strlen(KEY_PREFIX)), &n) == GUTS_OK)
		k = guts_slice(key, n);
	guts_buf_init(&in, body.n + 128);
	guts_buf_printf(&in, "%s.%llu.", guid, (unsigned long long)seconds);
	guts_buf_add_slice(&in, body);
	guts_hmac_sha256(mac, k, guts_buf_slice(&in));
	guts_base64_encode(text, mac, sizeof mac);
	add(s, "webhook-signature: v1,%s", text);
	guts_buf_deinit(&in);
	explicit_bzero(key, sizeof key);
}

static void
add_cloudevent(struct guts_sign *s, const struct guts_delivery *d, const char *guid, const char *base)
{
	char time[25];

	guts_text_time(time, d->created_ms * 1000000);
	add(s, "ce-specversion: 1.0");
	add(s, "ce-id: %s", guid);
	add(s, "ce-source: %s", base);
	add(s, "ce-type: guts.%s", d->event);
	add(s, "ce-time: %s", time);
}

void
guts_sign_make(struct guts_sign *s, const struct guts_hook *h, const struct guts_delivery *d, struct guts_slice body,
    uint64_t wall_ms, const char *base)
{
	char guid[GUTS_DELIVERY_GUID_SIZE];
	uint64_t seconds = wall_ms / 1000;

	memset(s, 0, sizeof *s);
	guts_delivery_guid_text(guid, d->guid);
	add(s, "X-GitHub-Event: %s", d->event);
	add(s, "X-GitHub-Delivery: %s", guid);
	add(s, "X-GitHub-Hook-ID: %llu", (unsigned long long)h->id);
	add(s, "X-Gitea-Event: %s", d->event);
	add(s, "X-Gitea-Event-Type: %s", d->event);
	add(s, "X-Gitea-Delivery: %s", guid);
	add(s, "webhook-id: %s", guid);
	add(s, "webhook-timestamp: %llu", (unsigned long long)seconds);
	if (h->secret[0]) {
		add_signatures(s, guts_slice_str(h->secret), body);
		add_standard_signature(s, h->secret, guid, seconds, body);
	}
	if (h->format == GUTS_HOOK_CLOUDEVENTS)
		add_cloudevent(s, d, guid, base);
	if (h->authorization[0])
		add(s, "Authorization: %s", h->authorization);
}

void
guts_sign_deinit(struct guts_sign *s)
{
	for (size_t i = 0; i < s->n; i++) {
		explicit_bzero(s->line[i], strlen(s->line[i]));
		free(s->line[i]);
	}
	s->n = 0;
}

bool
guts_sign_is_secret(const char *name, size_t n)
{
	static const char *const names[] = { "Authorization", "Set-Cookie", "Proxy-Authorization", "WWW-Authenticate" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strlen(names[i]) == n && strncasecmp(names[i], name, n) == 0)
			return true;
	}
	return false;
}
