/* base/err.c - the table behind every error: name, text, HTTP status. */
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const struct row {
	const char *name;
	const char *text;
	int http_status;
} rows[] = {
	[-GUTS_OK] = { "ok", "no error", 200 },
	[-GUTS_EAGAIN] = { "again", "not yet", 503 },
	[-GUTS_EINVAL] = { "invalid", "not a valid value", 400 },
	[-GUTS_EPROTO] = { "protocol", "breaks the protocol", 400 },
	[-GUTS_ELIMIT] = { "limit", "over a limit", 413 },
	[-GUTS_ENOTFOUND] = { "not_found", "not found", 404 },
	[-GUTS_EDENIED] = { "denied", "not allowed", 403 },
	[-GUTS_EBUSY] = { "busy", "busy, try again later", 503 },
	[-GUTS_ECONFLICT] = { "conflict", "changed meanwhile", 409 },
	[-GUTS_EEXIST] = { "exists", "exists already", 409 },
	[-GUTS_EIO] = { "io", "input or output failed", 500 },
	[-GUTS_ENOSPC] = { "no_space", "no space left", 507 },
	[-GUTS_ETIMEOUT] = { "timeout", "took too long", 504 },
	[-GUTS_ECLOSED] = { "closed", "closed", 503 },
	[-GUTS_ESIG] = { "signature", "a signature does not hold", 400 },
	[-GUTS_EUNSUPPORTED] = { "unsupported", "not supported", 501 },
	[-GUTS_ECANCELED] = { "canceled", "canceled", 503 },
	[-GUTS_EFUTURE] = { "future", "from too far in the future", 400 },
	[-GUTS_ESTALE] = { "stale", "older than what is known", 409 },
	[-GUTS_EUNAVAILABLE] = { "unavailable", "not available at the moment", 503 },
	[-GUTS_EINTERNAL] = { "internal", "internal error", 500 },
};

static const struct row unknown = { "unknown", "unknown error", 500 };

static const struct row *
row_of(int err)
{
	if (err > 0 || err <= -(int)(sizeof(rows) / sizeof(rows[0])))
		return &unknown;
	return &rows[-err];
}

const char *
guts_err_name(int err)
{
	return row_of(err)->name;
}

const char *
guts_err_text(int err)
{
	return row_of(err)->text;
}

int
guts_err_http_status(int err)
{
	return row_of(err)->http_status;
}

int
guts_err_set(struct guts_errinfo *ei, int code, const char *fmt, ...)
{
	va_list ap;

	if (ei != NULL) {
		ei->code = code;
		va_start(ap, fmt);
		vsnprintf(ei->text, sizeof(ei->text), fmt, ap);
		va_end(ap);
	}
	return code;
}
