/* base/err.h - every error of the program in one list.
 *
 * Functions that can fail return `int`: 0 or one of these negative values.  What an
 * error means for whom (name, sentence, HTTP status) is a column of the table in err.c, so
 * that no caller keeps its own mapping.
 */
#ifndef GUTS_BASE_ERR_H
#define GUTS_BASE_ERR_H

#include <stdbool.h>

enum guts_err {
	GUTS_OK = 0,
	GUTS_EAGAIN = -1,        /* not now: more bytes or room needed, nothing consumed */
	GUTS_EINVAL = -2,        /* the caller's value is wrong */
	GUTS_EPROTO = -3,        /* bytes break the protocol */
	GUTS_ELIMIT = -4,        /* over a limit of ours */
	GUTS_ENOTFOUND = -5,     /* no such thing, or the asker may not know of it */
	GUTS_EDENIED = -6,       /* known, but not allowed */
	GUTS_EBUSY = -7,         /* no slot now; try again later */
	GUTS_ECONFLICT = -8,     /* state changed under the caller (old value differs) */
	GUTS_EEXIST = -9,        /* is there already */
	GUTS_EIO = -10,          /* disk or socket error */
	GUTS_ENOSPC = -11,       /* disk full or quota used up */
	GUTS_ETIMEOUT = -12,     /* a deadline passed */
	GUTS_ECLOSED = -13,      /* the other end, or we, closed */
	GUTS_ESIG = -14,         /* a signature or authentication tag does not hold */
	GUTS_EUNSUPPORTED = -15, /* a version or feature we do not have */
	GUTS_ECANCELED = -16,    /* the asker gave up */
	GUTS_EFUTURE = -17,      /* a record from too far in the future */
	GUTS_ESTALE = -18,       /* older than what is already known */
	GUTS_EUNAVAILABLE = -19, /* the node cannot do this at the moment (start-up, recovery) */
	GUTS_EINTERNAL = -20,    /* a fault of ours that was contained */
};

/* A code with a sentence for a person; filled at outer borders only. */
struct guts_errinfo {
	int code;
	char text[256];
};

/* Short name of `err`, e.g. "not_found"; "unknown" for anything else. */
const char *guts_err_name(int err);

/* One sentence fragment for a person, e.g. "not found". */
const char *guts_err_text(int err);

/* HTTP status that fits `err`, e.g. 404; 500 for anything unknown. */
int guts_err_http_status(int err);

/* Set *ei (may be NULL) to `code` with a printf-style text; returns `code`. */
int guts_err_set(struct guts_errinfo *ei, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
