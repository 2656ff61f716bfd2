/* client/transfer.h - one HTTP request and its answer, over libcurl.
 *
 * A transfer is an object with everything curl needs set on its handle, so that the same object
 * can be driven in three ways: to its end by the caller's thread (guts_transfer_run, for the
 * command line), beside what else that thread does (client/aside.h), or beside others on the loop by curl's multi interface
 * (client/multi.h).
 *
 * For all of them: http and https only, also after a redirect (and redirects only when asked
 * for, never to another scheme); certificates checked (by $SSL_CERT_FILE if it is set); no proxy for loopback whatever the
 * environment says; no cookies, no .netrc; every answer has a cap, every wait a deadline.
 */
#ifndef GUTS_CLIENT_TRANSFER_H
#define GUTS_CLIENT_TRANSFER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <sys/socket.h>

#define GUTS_TRANSFER_URL_MAX 4096            /* [bytes] */
#define GUTS_TRANSFER_HEADERS_MAX (64u << 10) /* [bytes] of an answer's header block */
#define GUTS_TRANSFER_BODY_MAX (16u << 20)    /* [bytes] usual cap of an answer */
#define GUTS_TRANSFER_CONNECT_MS 5000         /* [ms] usual time until connected */
#define GUTS_TRANSFER_TOTAL_MS 120000         /* [ms] usual time in all */

struct guts_transfer;

struct guts_transfer_spec {
	const char *method;         /* "GET", "POST", … */
	const char *url;            /* http:// or https:// */
	const char *socket;         /* not NULL: path of the Unix socket to connect to, whatever host the URL names */
	const char *const *headers; /* further "Name: value" lines, NULL at the end; may be NULL; copied */
	const char *token;          /* sent as Authorization: Bearer; may be NULL; copied, wiped */
	const char *content_type;   /* of the body; NULL = application/json */
	struct guts_slice body;     /* copied; p NULL = no body */
	uint64_t body_max;          /* [bytes] of the answer; 0 = GUTS_TRANSFER_BODY_MAX */
	uint32_t connect_ms;        /* 0 = GUTS_TRANSFER_CONNECT_MS */
	uint32_t total_ms;          /* 0 = GUTS_TRANSFER_TOTAL_MS; UINT32_MAX = no end (streams) */
	uint32_t idle_ms;           /* longest silence of a stream, checked in whole seconds; 0 = no limit */
	unsigned redirects_max;     /* 0 = none is followed */
	bool any_certificate;       /* do not check the other end's certificate */
	/* Not NULL: asked with each address that is about to be connected to, after the name was looked up; false makes
	 * the connect fail.  Then no proxy is used, whatever the environment says, and no connection is used twice: each
	 * transfer is asked about. */
	bool (*may_connect)(void *owner, const struct sockaddr *to);
	/* Not NULL: bytes of an answer with status 200 go here and are not kept; false ends the transfer with
	 * GUTS_ECANCELED.  Not called for other statuses, whose (capped) body is kept. */
	bool (*data)(void *owner, struct guts_slice bytes);
	/* Not NULL: asked about once a second, also in silence; false ends the transfer with GUTS_ECANCELED. */
	bool (*alive)(void *owner);
	void *owner;
};

/* Make a transfer; nothing is sent yet.  Owner: caller, guts_transfer_free.
 * Errors, with text: GUTS_EINVAL (not an http or https address, a header with a line break), GUTS_EINTERNAL. */
int guts_transfer_new(struct guts_transfer **out, const struct guts_transfer_spec *spec, struct guts_errinfo *ei);

/* Do it all now, on this thread.  0 means that an answer came, whatever its status.
 * Errors, with text: GUTS_ECLOSED nobody answers there, or the connection broke; GUTS_ETIMEOUT; GUTS_ELIMIT the
 * answer is over its cap; GUTS_ECANCELED by `data` or `alive`; GUTS_EPROTO no HTTP; GUTS_ESIG certificate. */
int guts_transfer_run(struct guts_transfer *t, struct guts_errinfo *ei);

/* The curl handle (CURL *) for a driver, and what it tells at the end (CURLcode); errors as guts_transfer_run. */
void *guts_transfer_handle(struct guts_transfer *t);
int guts_transfer_finish(struct guts_transfer *t, int curl_code, struct guts_errinfo *ei);

/* Of the answer: status, body, one header by name (any case; NULL = not there).  Valid as long as the transfer. */
long guts_transfer_status(const struct guts_transfer *t);
struct guts_slice guts_transfer_body(const struct guts_transfer *t);
const char *guts_transfer_header(struct guts_transfer *t, const char *name);

/* [s] that the answer asks to wait (Retry-After, as a number or a date); 0 = it does not. */
uint64_t guts_transfer_retry_after(const struct guts_transfer *t);

/* All headers of the answer, in its order. */
void guts_transfer_each_header(struct guts_transfer *t, void (*row)(void *owner, const char *name, const char *value),
    void *owner);

/* NULL is fine. */
void guts_transfer_free(struct guts_transfer *t);

#endif
