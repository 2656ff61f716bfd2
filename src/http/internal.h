/* http/internal.h - what the files of this folder share: the gateway, its listeners, one request.
 *
 * Locks: h->lock guards sleeping requests, calls and connections; ring and tokens have their own
 * (events.h, auth.h).  None is held while a handler runs, and none while another is taken except
 * h->lock last.
 */
#ifndef GUTS_HTTP_INTERNAL_H
#define GUTS_HTTP_INTERNAL_H

#include "crypto/key.h"
#include "git/read.h"
#include "git/repostore.h"
#include "http/access.h"
#include "http/auth.h"
#include "http/http.h"
#include "http/limit.h"
#include "http/remote.h"
#include "http/router.h"
#include "view/body.h"
#include "view/json.h"

#include <pthread.h>
#include <stdatomic.h>

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

#define GUTS_HTTP_HEADER_S 10            /* [s] from accept to the end of the first header */
#define GUTS_HTTP_IDLE_S 30              /* [s] without a byte */
#define GUTS_HTTP_BODY_S 30              /* [s] for a JSON body in all */
#define GUTS_HTTP_POOL_BYTES 8192        /* [bytes] of a connection: bounds its headers */
#define GUTS_HTTP_JSON_MAX (1u << 20)    /* [bytes] body */
#define GUTS_HTTP_ANSWER_MAX (64u << 20) /* [bytes] largest answer that is made in memory */
#define GUTS_HTTP_GZIP_MIN 1024          /* [bytes] smaller answers are not compressed */
#define GUTS_HTTP_GZIP_MAX (1u << 20)    /* [bytes] larger ones neither: everybody else would wait for it */
#define GUTS_HTTP_CACHE_N 32             /* encoded snapshots kept */
#define GUTS_HTTP_TREES_N 64             /* trees whose languages are kept */

/* A listening address. */
struct guts_lane {
	struct guts_http *h;
	struct MHD_Daemon *daemon;           /* NULL: does not serve yet */
	int fd;                              /* listening */
	bool is_loopback;                    /* nobody but this machine reaches it */
	bool is_unix;
	bool is_tls;
	bool is_public;                      /* only public reads, for everybody */
	char url[128];                       /* or "unix:/path" */
};

enum guts_line_state {
	GUTS_LINE_FIRST, /* no request yet */
	GUTS_LINE_NEXT,  /* between requests */
	GUTS_LINE_BODY,  /* a small body is coming */
	GUTS_LINE_BUSY,  /* being answered, or streaming */
};

/* A connection, for the watch over slow ones. */
struct guts_line {
	struct guts_line *prev, *next;
	int fd;
	enum guts_line_state state;
	uint64_t since_ns;
};

/* An encoded snapshot; its bytes are shared by the answers that are on their way. */
struct guts_bytes;
struct guts_cached {
	uint8_t key[GUTS_SHA256_SIZE];       /* digest of the question and of the class of its asker */
	uint64_t version;
	struct guts_bytes *plain, *gzip;     /* references; gzip may be NULL */
	char *extra[4];                      /* further headers: name, value, …; NULL = no more */
	char etag[64];
};

/* The languages of a tree. */
struct guts_counted_tree {
	struct guts_oid tree;
	struct guts_read_languages languages;
};

struct guts_counters {
	atomic_ullong requests[6];           /* by class of status; 0 = none sent */
	atomic_ullong seconds_bucket[9];     /* answered within guts_buckets_ns[i]; last: more */
	atomic_ullong seconds_sum_ns;
	atomic_ullong refused;               /* by the guard */
	atomic_ullong cut;                   /* too slow */
	atomic_ullong auth_failed;
	atomic_ullong limited;               /* too many requests */
	atomic_ullong pushes, fetches;
	atomic_ullong events_sent, streams_dropped;
	atomic_llong connections, streams;
};

struct guts_audit_row;
struct guts_call;
struct guts_config;
struct guts_health;
struct guts_idempotency;
struct guts_reload;
struct guts_ring;
struct guts_watch;

struct guts_http {
	struct guts_env *env;
	struct guts_node *node;
	struct guts_bridge *bridge;
	struct guts_sinks *sinks;
	struct guts_store *store;
	struct guts_repostore *repos;
	struct guts_config *config;
	struct guts_health *health;
	struct guts_reload *reload;          /* loop; NULL: never asked for */
	char *home;
	char version[32];
	void (*configure)(void *owner, const struct guts_conf *was, const struct guts_conf *now);
	void (*shutdown)(void *owner);
	void *owner;
	uint64_t boot;                       /* random: makes ETags differ between runs */
	struct guts_peerid id;
	char id_text[GUTS_PEERID_TEXT_SIZE];
	char cookie[16];                     /* "guts-" and the end of the peer id */

	struct guts_lane *lanes;
	size_t nlanes;
	struct guts_auth *auth;
	struct guts_histcache *histcache;
	struct guts_idempotency *idempotency;
	struct guts_limits *limits;
	bool is_encrypted;                   /* some listener speaks TLS */
	struct guts_ring *ring;

	pthread_mutex_t lock;
	struct guts_access *access;          /* the newest; under lock, changed by the loop alone */
	bool stopping;
	struct guts_req *asleep;             /* suspended requests */
	struct guts_audit_row *audit;        /* writes that are no facts yet */
	size_t naudit;
	struct guts_call *calls;             /* all that are not destroyed */
	struct guts_line *lines;
	pthread_mutex_t cache_lock;
	struct guts_cached cache[GUTS_HTTP_CACHE_N];
	unsigned cache_next;
	struct guts_buf capabilities;        /* what git says of itself in protocol v2; under cache_lock */
	struct guts_counted_tree trees[GUTS_HTTP_TREES_N]; /* under cache_lock too */
	unsigned trees_next;
	struct guts_watch *watch;
	atomic_bool is_ready;                /* the node has loaded its repositories */
	char fresh_token[GUTS_TOKEN_TEXT_SIZE];
	struct guts_counters n;
};

struct guts_req {
	struct guts_http *h;
	struct guts_lane *lane;
	struct guts_access *access;          /* a reference */
	struct guts_line *line;
	struct MHD_Connection *conn;
	struct guts_req *prev, *next;        /* in h->asleep */
	bool begun, asleep, answered;
	bool is_over;                        /* its connection is closed: an answer reaches nobody */
	bool is_dropped;                     /* the body is read to its end only to answer */
	atomic_bool is_gone;                 /* its client left while it slept */
	int status;                          /* of the answer that was queued */
	int early;                           /* status to answer with instead of the handler's */
	const char *early_why;
	uint64_t start_ns;
	uint64_t taken;                      /* body bytes so far */
	struct guts_guard head;
	struct guts_match match;
	struct guts_remote from;
	struct guts_who who;
	struct guts_allowance allowance;
	bool has_key;                        /* its answer is to be kept under r->idempotency */
	uint8_t idempotency[32];
	struct guts_buf body;
	struct guts_call *call;              /* what it waits for */
	void (*resume)(struct guts_req *r);  /* instead of the handler, when it was woken without a call */
	void *state;                         /* the handler's own */
	void (*state_free)(struct guts_req *r);
	char id[33];                         /* request id */
	struct guts_target target;
	size_t ntext;
	char text[];                         /* the target, as it came, then decoded */
};

/* -- server.c ------------------------------------------------------------------ */

/* Suspend the request's connection; false if the gateway stops (answer or end then). */
bool guts_req_sleep(struct guts_req *r);
/* Resume it if it sleeps.  Thread: any that knows the request to be alive (h->lock held or own thread). */
void guts_req_wake(struct guts_req *r);
void guts_req_wake_locked(struct guts_req *r);
uint64_t guts_http_now(void);            /* monotonic [ns] */
uint64_t guts_http_wall_ms(void);

/* The request's id, its own or one of ours; a view into *r. */
const char *guts_req_id(struct guts_req *r);
/* Its path, percent-encoded, appended to `out`. */
void guts_req_path(const struct guts_req *r, struct guts_buf *out);

/* Credentials were not good: counted for the client's network; true if it must wait (answer 429). */
bool guts_req_wrong_try(struct guts_req *r);

/* Parameter `i` of the route; a `{x*}` joined with slashes in `out` (NUL at the end). */
struct guts_slice guts_req_param(const struct guts_req *r, size_t i);
bool guts_req_param_rest(const struct guts_req *r, size_t i, char *out, size_t max);
/* A number in the query: `fallback` if it is not there; false (and a 400 was queued) if malformed. */
bool guts_req_number(struct guts_req *r, const char *key, uint64_t min, uint64_t max, uint64_t fallback, uint64_t *out);
/* page and per_page/limit. */
bool guts_req_page(struct guts_req *r, uint64_t *page, uint64_t *per_page);
/* "http://127.0.0.1:8080" or the configured public address. */
const char *guts_req_base(const struct guts_req *r);

/* -- api_config.c ------------------------------------------------------------------ */

/* Options whose change waits for a restart, in the order of the table; returns how many.  Thread: any. */
size_t guts_http_restart_required(struct guts_http *h, const char *names[GUTS_CONF_N]);

/* -- audit.c: a private fact "audit.write" per write ------------------------------------ */

/* The request has ended, however it did.  Thread: HTTP. */
void guts_audit_note(struct guts_req *r);
void guts_audit_free(struct guts_http *h);

/* -- cors.c: pages of other sites that the operator names ------------------------------- */

/* Let the page that asks read this answer, if its origin is listed. */
void guts_cors_allow(const struct guts_req *r, struct MHD_Response *resp);
/* The same for what it asks before a request; `methods` as in Allow. */
void guts_cors_preflight(const struct guts_req *r, struct MHD_Response *resp, const char *methods);

/* -- listen.c --------------------------------------------------------------------- */

/* A listening socket at "addr:port" ([…] around IPv6) or "unix:/path" (mode 0600; one that a killed node left behind is replaced);
 * describes it in *lane.  `option` names it in messages.  Errors: as guts_http_start. */
int guts_listen_open(struct guts_lane *lane, const char *option, const char *at, struct guts_errinfo *ei);
/* Could it be one, by its words?  Errors, with text: GUTS_EINVAL. */
int guts_listen_check(const char *option, const char *at, struct guts_errinfo *ei);
/* Close it and remove its file. */
void guts_listen_close(struct guts_lane *lane);

/* -- watch.c: one thread that pumps events and looks after slow connections ------------ */

int guts_watch_start(struct guts_http *h);
void guts_watch_stop(struct guts_http *h);
/* There is something to look at: a first connection, new events.  Thread: any. */
void guts_watch_poke(struct guts_http *h);

int guts_lane_start(struct guts_lane *lane, unsigned connections_max);

/* -- reply.c -------------------------------------------------------------------- */

/* Queue an answer.  Each takes the request to its end; exactly one is called. */
void guts_reply_problem(struct guts_req *r, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void guts_reply_err(struct guts_req *r, int err, const struct guts_errinfo *ei);
void guts_reply_body_error(struct guts_req *r, int err, const struct guts_errinfo *ei, const struct guts_body *b);
void guts_reply_empty(struct guts_req *r, int status);
/* Adopts the buffer's bytes (left empty).  `extra`: header name and value pairs, NULL at the end; may be NULL. */
void guts_reply_json(struct guts_req *r, int status, struct guts_buf *body, const char *const *extra);
/* The body as JSON, or no content if it is empty.  Adopts it. */
void guts_reply_body(struct guts_req *r, int status, struct guts_buf *body);
/* 200 with an ETag made of the bytes, or 304 if the asker has them.  Adopts the body. */
void guts_reply_hashed(struct guts_req *r, struct guts_buf *body);
void guts_reply_text(struct guts_req *r, int status, const char *type, struct guts_slice text);
/* Any response object (adopted). */
void guts_reply(struct guts_req *r, int status, struct MHD_Response *resp, const char *const *extra);
/* Its end: give it to the connection as it is (adopted). */
void guts_reply_queue(struct guts_req *r, int status, struct MHD_Response *resp);
/* A response object without a body. */
struct MHD_Response *guts_reply_nothing(void);
/* The same with no other headers than these: each one costs memory as long as a stream lasts. */
void guts_reply_lean(struct guts_req *r, int status, struct MHD_Response *resp, const char *const *extra);
/* 304 if If-None-Match names etag: true, and the answer was queued. */
bool guts_reply_not_modified(struct guts_req *r, const char *etag);
/* From the cache of encoded snapshots: true if it was there (an answer was queued). */
bool guts_reply_cached(struct guts_req *r, uint64_t version);
/* Make it, keep it, answer with it (adopts the body).  `extra`: at most two headers, copied. */
void guts_reply_keep(struct guts_req *r, uint64_t version, struct guts_buf *body, const char *const *extra);
void guts_http_cache_clear(struct guts_http *h);
/* A page of a list: Link, and X-Total-Count unless total is GUTS_TOTAL_UNKNOWN (then `more` says if another follows). */
#define GUTS_TOTAL_UNKNOWN UINT64_MAX
struct guts_page {
	uint64_t page, per_page, total;
	bool more;
	bool is_immutable;                   /* with an ETag: it will never differ */
	bool incomplete;                     /* the search ended early */
};
void guts_reply_page(struct guts_req *r, struct guts_buf *body, const struct guts_page *p, const char *etag,
    uint64_t cache_version);
/* A page of a list that goes on behind `cursor` (0: it ends), 200; Link names the next one with all else that was asked for. */
void guts_reply_cursor(struct guts_req *r, struct guts_buf *body, uint64_t cursor);
/* A buffer for an answer and a writer on it. */
void guts_reply_begin(struct guts_buf *b, struct guts_json *j);

/* -- call.c ----------------------------------------------------------------------- */

/* A closure on the loop (or a job on a worker) for one sleeping request.  Embedded first in the handler's own struct. */
struct guts_call {
	void (*run)(struct guts_call *c);    /* loop: ends with guts_call_done, now or later; worker: just returns */
	void (*answer)(struct guts_req *r, struct guts_call *c); /* HTTP thread: own fields tell what */
	void (*destroy)(struct guts_call *c); /* free own fields (not c); may be NULL */
	struct guts_http *h;
	int err;
	struct guts_errinfo ei;
	bool is_read;                        /* changes nothing, whatever the method */
	bool takes_err;                      /* err and ei are told by `answer`; false: by a problem, and `answer` is for success */
	const char *not_found;               /* its text for GUTS_ENOTFOUND; NULL: that of ei */
	/* private */
	struct guts_req *req;                /* NULL: nobody waits any more */
	struct guts_call *prev, *next;
	bool is_done, is_job, is_write;
	struct guts_job job;
};

/* Zeroed memory for a call of `n` bytes with its functions. */
void *guts_call_new(size_t n, void (*run)(struct guts_call *c), void (*answer)(struct guts_req *r, struct guts_call *c),
    void (*destroy)(struct guts_call *c));
/* For `answer`: 204. */
void guts_call_answer_empty(struct guts_req *r, struct guts_call *c);
/* Send it and put the request to sleep (adopts c). */
void guts_call_loop(struct guts_req *r, struct guts_call *c);
void guts_call_job(struct guts_req *r, struct guts_call *c, const char *name);
/* It is done.  Thread: loop. */
void guts_call_done(struct guts_call *c, int err, const struct guts_errinfo *ei);
/* Has its client closed the connection, and asked for no answer to be kept (Idempotency-Key)?  Under h->lock. */
bool guts_req_has_left(const struct guts_req *r);
/* Does its client still wait for it, as far as the connection tells now?  Thread: any. */
bool guts_call_is_waited(struct guts_call *c);
/* For a request that was woken: true if its call was done and the answer queued. */
bool guts_call_answered(struct guts_req *r);
/* The request goes away. */
void guts_call_abandon(struct guts_req *r);
/* Wait `ms` (≤ 1 s steps of the watch), then answer with a problem: slows down guessing. */
void guts_call_delayed_problem(struct guts_req *r, unsigned ms, int status, const char *text);

/* -- the repository a request names (repos.c) -------------------------------------------- */

/* The repository of parameters 0 and 1 as the asker may see it: a reference to release, or NULL (an answer was queued). */
struct guts_repo_info *guts_req_repo(struct guts_req *r);
/* Whose path it is: a peer id, or an alias on this node; false: neither. */
bool guts_req_owner(struct guts_req *r, struct guts_slice owner, struct guts_peerid *id);
/* As guts_req_repo without an answer; *moved: it is known under another path now. */
struct guts_repo_info *guts_find_repo(struct guts_req *r, struct guts_slice owner, struct guts_slice name, bool *moved);

#endif
