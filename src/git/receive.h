/* git/receive.h - the server's side of a push: advertisement, request, report; no I/O.
 *
 * The node does not run git-receive-pack, which would move refs before our signature.  This is
 * its protocol (v0 and v1): http gives the bytes of the request to the parser, hands the commands
 * to sync, lets the pack flow to the ingest, and writes the report.
 *
 *	GET info/refs        guts_receive_advertise
 *	POST receive-pack    parser: commands [push options] | pack bytes
 *	                     ← side band: messages …, report-status(-v2), flush
 *
 * Source: gitprotocol-pack(5) "Pushing Data To a Server", gitprotocol-capabilities(5).
 */
#ifndef GUTS_GIT_RECEIVE_H
#define GUTS_GIT_RECEIVE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/oid.h"
#include "base/slice.h"

#define GUTS_RECEIVE_OPTIONS_MAX 16        /* push options of one push */
#define GUTS_RECEIVE_HEAD_MAX (32u << 20)  /* [bytes] of commands and options */

/* A ref of the view that is pushed to. */
struct guts_receive_ref {
	const char *name; /* without namespace: refs/heads/main */
	struct guts_oid oid;
};

struct guts_receive_advert {
	const struct guts_receive_ref *refs; /* sorted by name */
	size_t n;
	enum guts_object_format format;
	unsigned version;                    /* 0 or 1, as asked by Git-Protocol (2 means 0 here) */
	const char *agent;                   /* "guts/0.1.0" */
	bool is_http;                        /* begin with the "# service=git-receive-pack" frame */
};

/* Append the answer to GET info/refs?service=git-receive-pack.  Errors: GUTS_ELIMIT (out->max). */
int guts_receive_advertise(struct guts_buf *out, const struct guts_receive_advert *a);

/* One command; `name` was checked by guts_refname_is_valid unless `err` says otherwise. */
struct guts_receive_cmd {
	const char *name;
	struct guts_oid old_oid, new_oid; /* none = create, delete */
	int err;                          /* set by the parser: GUTS_EINVAL bad name; 0 = fine */
};

/* What the client said before the pack. */
struct guts_receive_request {
	size_t ncmds;
	struct guts_receive_cmd *cmds;
	bool report_status, report_status_v2, side_band, quiet, atomic;
	bool has_pack;                    /* some command is not a deletion: a pack follows */
	enum guts_object_format format;
	size_t noptions;
	char *options[GUTS_RECEIVE_OPTIONS_MAX]; /* clean UTF-8 */
	char agent[64];
};

struct guts_receive;

/* A parser for one POST of git-receive-pack.  `format`: of the repository.  Never NULL. */
struct guts_receive *guts_receive_new(enum guts_object_format format);
void guts_receive_free(struct guts_receive *p);

/* Feed bytes as they come; *used tells how many belonged to the head (all of them unless it is complete).
 * Returns 0 when the head is complete: what follows is the pack; GUTS_EAGAIN for more bytes.
 * Errors, with text: GUTS_EPROTO, GUTS_ELIMIT (over GUTS_REFS_PER_PUSH_MAX commands or the head's cap), GUTS_EUNSUPPORTED
 * (signed push, other object format).  A lone flush (git's probe before a chunked push) is complete with no command. */
int guts_receive_feed(struct guts_receive *p, struct guts_slice in, size_t *used, struct guts_errinfo *ei);

/* The body ended before the head was complete: GUTS_EPROTO; an empty body counts as a lone flush (0). */
int guts_receive_finish(struct guts_receive *p, struct guts_errinfo *ei);

/* The complete head; belongs to the parser. */
const struct guts_receive_request *guts_receive_request(const struct guts_receive *p);

/* Append a line for the person who pushes ("remote: …"); nothing without side band.  Control characters are
 * replaced.  Errors: GUTS_ELIMIT. */
int guts_receive_message(struct guts_buf *out, const struct guts_receive_request *rq, const char *text);

/* What became of one command. */
struct guts_receive_status {
	const char *name;
	const char *error; /* NULL = done */
	const char *written; /* NULL = `name`; else the ref that was written instead, … */
	struct guts_oid old_oid, new_oid; /* … from which value to which */
};

/* Append the report and the last flush.  `unpack_error` NULL = the objects were taken.  Without report-status only the flush is written.  A client
 * without report-status-v2 cannot read of a ref that was written instead: say an error.
 * Errors: GUTS_ELIMIT. */
int guts_receive_report(struct guts_buf *out, const struct guts_receive_request *rq, const char *unpack_error,
    const struct guts_receive_status *v, size_t n);

/* Append a fatal error (band 3) and end; without side band the client only sees the connection's end. */
int guts_receive_fatal(struct guts_buf *out, const struct guts_receive_request *rq, const char *text);

#endif
