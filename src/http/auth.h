/* http/auth.h - who asks, and what they may do.
 *
 * A token is "guts_" and 64 hex digits; only its SHA-256 is kept, with scopes, an optional list
 * of repositories and an expiry.  A dashboard session comes from a one-time code (60 s) or a
 * token and lives in memory; its cookie counts only together with a header or a browser's own word
 * (Sec-Fetch-Site) that the page is ours, and for writes with a matching Origin.
 *
 * guts_who_may_see is the one function that decides who knows of a repository.
 *
 * Thread: any, except where it says loop.
 */
#ifndef GUTS_HTTP_AUTH_H
#define GUTS_HTTP_AUTH_H

#include "http/guard.h"
#include "http/router.h"
#include "node/node.h"

#define GUTS_TOKEN_NAME_MAX 100
#define GUTS_TOKEN_REPOS_MAX 64
#define GUTS_TOKENS_MAX 1000
#define GUTS_TOKEN_TEXT_SIZE 70   /* [bytes] "guts_", 64 hex digits, NUL */
#define GUTS_TOKEN_ID_SIZE 17     /* [bytes] 16 hex digits, NUL */
#define GUTS_SESSIONS_MAX 256
#define GUTS_SESSION_S (12 * 3600) /* [s] without use */
#define GUTS_CODES_MAX 32
#define GUTS_CODE_S 60            /* [s] */

enum {
	GUTS_CAN_READ = 1,
	GUTS_CAN_WRITE = 2,
	GUTS_CAN_CI = 4,
	GUTS_CAN_ADMIN = 8,
};

struct guts_token {
	int refcount;             /* private, atomic */
	uint8_t hash[32];         /* SHA-256 of the text */
	char id[GUTS_TOKEN_ID_SIZE];
	unsigned scopes;
	bool is_file;             /* the one in home/admin-token */
	uint64_t created_ms, expires_ms; /* 0 = never */
	char name[GUTS_TOKEN_NAME_MAX + 1];
	size_t nrepos;            /* 0 = all */
	uint8_t (*repos)[GUTS_REPOID_SIZE];
	struct guts_token *next;  /* private */
};

enum guts_who_kind { GUTS_WHO_ANYONE, GUTS_WHO_TOKEN, GUTS_WHO_SESSION };

struct guts_who {
	enum guts_who_kind kind;
	bool open;                /* public things are free here */
	unsigned scopes;
	struct guts_token *token; /* a reference, or NULL */
	char csrf[65];            /* of a session */
	uint64_t expires_ms;
};

struct guts_auth;

/* Read the tokens of the store.  Errors: GUTS_EIO. */
int guts_auth_new(struct guts_auth **out, struct guts_store *store, struct guts_errinfo *ei);
void guts_auth_free(struct guts_auth *a);

/* See that home/admin-token holds a good token; else make one (`fresh` gets its text).  Thread: loop. */
int guts_auth_admin_file(struct guts_auth *a, struct guts_store *store, const char *home, uint64_t now_ms,
    char fresh[GUTS_TOKEN_TEXT_SIZE],
    struct guts_errinfo *ei);

/* Who is it?  `open`: public things need no token here.  `cookie`: name of ours.  An Origin is ours if its host and
 * port are those of the Host header or it is `public_url`.
 * Errors: GUTS_EDENIED: credentials that are not good (unknown, expired, revoked). */
int guts_auth_check(struct guts_auth *a, const struct guts_guard *g, bool open, const char *cookie,
    const char *public_url, uint64_t now_ms, struct guts_who *who);
void guts_who_deinit(struct guts_who *w);

/* Has it this scope? */
bool guts_who_can(const struct guts_who *w, enum guts_scope s);

/* May it read this repository?  Private ones need a token that names them, or all. */
bool guts_who_may_see(const struct guts_who *w, const uint8_t repo[GUTS_REPOID_SIZE], bool is_private);
/* May write to, or report on, this repository (given the scope)? */
bool guts_who_may_touch(const struct guts_who *w, const uint8_t repo[GUTS_REPOID_SIZE]);

/* Bytes that name a token or session among all; n = 0: nobody in particular.  A view into *w. */
struct guts_slice guts_who_name(const struct guts_who *w);

/* Which answers may be shared among askers: 0 = of nobody in particular, all public; 1 = everything; else an id. */
uint64_t guts_who_class(const struct guts_who *w);

/* Wrong credentials from a network (guts_remote_network): counts; true if it must wait (answer 429). */
bool guts_auth_is_throttled(struct guts_auth *a, struct guts_slice network, uint64_t now_ms);
void guts_auth_failed(struct guts_auth *a, struct guts_slice network, uint64_t now_ms);

/* Make a token: in memory at once, in `batch` for the caller to commit.  Errors: GUTS_ELIMIT (too many). */
int guts_auth_create(struct guts_auth *a, const char *name, unsigned scopes,
    const uint8_t (*repos)[GUTS_REPOID_SIZE], size_t nrepos, uint64_t now_ms, uint64_t expires_ms, bool is_file,
    struct guts_batch *batch, char text[GUTS_TOKEN_TEXT_SIZE], struct guts_token **out);
/* Revoke; a reference to the one that was, or NULL. */
struct guts_token *guts_auth_revoke(struct guts_auth *a, struct guts_slice id, struct guts_batch *batch);
/* The token of a text, if it is good now; a reference or NULL. */
struct guts_token *guts_auth_lookup(struct guts_auth *a, struct guts_slice text, uint64_t now_ms);
/* Call for each, in order of making, until `row` returns false. */
void guts_auth_each(struct guts_auth *a, bool (*row)(void *owner, const struct guts_token *t), void *owner);
void guts_token_unref(struct guts_token *t);

/* One-time codes and sessions.  A session made of a token has its rights and ends with it (`token` NULL: all rights). */
void guts_auth_code(struct guts_auth *a, uint64_t now_ms, char code[65]);
bool guts_auth_take_code(struct guts_auth *a, struct guts_slice code, uint64_t now_ms);
void guts_auth_session(struct guts_auth *a, struct guts_token *token, uint64_t now_ms, char cookie[65],
    struct guts_who *who);
void guts_auth_end_session(struct guts_auth *a, struct guts_slice cookie);

/* "read,write" … of a set, in a fixed order; for facts and lists. */
void guts_scopes_text(unsigned scopes, char out[32]);
int guts_scope_parse(const char *name, unsigned *out);

#endif
