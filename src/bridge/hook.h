/* bridge/hook.h - one webhook: what its owner configured, and what it wants to hear.
 *
 * A plain value.  Its secret and authorization header are written, never shown; they lie in the database (mode 0600)
 * as they are, because they must sign and be sent.
 */
#ifndef GUTS_BRIDGE_HOOK_H
#define GUTS_BRIDGE_HOOK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#define GUTS_HOOKS_MAX 1000             /* of this node */
#define GUTS_HOOKS_PER_OWNER_MAX 20     /* of one repository, and node-wide ones */
#define GUTS_HOOK_URL_MAX 2048          /* [bytes] */
#define GUTS_HOOK_SECRET_MAX 255        /* [bytes] */
#define GUTS_HOOK_AUTHORIZATION_MAX 1024 /* [bytes] */
#define GUTS_HOOK_BRANCHES_MAX 255      /* [bytes] */
#define GUTS_HOOK_EVENTS_MAX 16
#define GUTS_HOOK_EVENT_SIZE 32         /* [bytes] with NUL */
#define GUTS_HOOK_KEY_SIZE (GUTS_REPOID_SIZE + 8)

enum guts_hook_format {
	GUTS_HOOK_GITHUB,
	GUTS_HOOK_GITEA,
	GUTS_HOOK_CLOUDEVENTS, /* GitHub's payload; CloudEvents 1.0 attributes as headers (binary content mode) */
};

struct guts_hook {
	uint64_t id;                     /* 1… */
	bool has_repo;                   /* else node-wide: every repository, and the node itself */
	uint8_t repo[GUTS_REPOID_SIZE];
	bool active;
	bool all_authors;                /* also other authors' own refs, and statuses that do not count */
	bool any_certificate;            /* the target's certificate is not checked */
	enum guts_hook_format format;
	char url[GUTS_HOOK_URL_MAX + 1];
	char secret[GUTS_HOOK_SECRET_MAX + 1];               /* empty = deliveries are not signed */
	char authorization[GUTS_HOOK_AUTHORIZATION_MAX + 1]; /* value of the Authorization header; empty = none */
	char branches[GUTS_HOOK_BRANCHES_MAX + 1];           /* glob, or {glob,glob}; empty = all */
	size_t nevents;
	char events[GUTS_HOOK_EVENTS_MAX][GUTS_HOOK_EVENT_SIZE];
	uint64_t created_ms, updated_ms;
	uint64_t since_fact;             /* it hears of what came after this fact, */
	uint64_t since_message;          /* and after this gossip message */
};

/* Something that may be delivered. */
struct guts_hook_event {
	const char *name;        /* "push", "peer.connected", … */
	const uint8_t *repo;     /* NULL = of no repository */
	const char *branch;      /* "main"; NULL = of no branch */
	bool is_other;           /* another author's own ref, or a status that does not count */
	bool is_signal;          /* fleeting: in no log, and not meant by "*" */
	uint64_t fact, message;  /* its number in one of the logs, the other 0 */
};

/* Does the hook want it?  Its being active is not looked at. */
bool guts_hook_wants(const struct guts_hook *h, const struct guts_hook_event *e);

/* Is there such an event, or pattern of events ("*", "peer.*"), for a hook of a repository or of the node? */
bool guts_hook_event_exists(const char *name, bool of_repo);

/* Does it want any event of this name? */
bool guts_hook_names(const struct guts_hook *h, const char *name);

/* By its name or its group ("peer.*"), not only by "*"? */
bool guts_hook_asks_for(const struct guts_hook *h, const char *name);

/* Is a branch meant by `globs`: one glob, or {glob,glob}, in which '*' goes over slashes; empty = all. */
bool guts_branch_fits(const char *globs, const char *branch);

/* "github", …  Errors of the way back: GUTS_EINVAL. */
const char *guts_hook_format_name(enum guts_hook_format f);
int guts_hook_format_parse(enum guts_hook_format *f, const char *name);

/* Is it an http or https URL with a host and without credentials?  Errors, with text: GUTS_EINVAL. */
int guts_hook_url_check(const char *url, struct guts_errinfo *ei);

/* As the row of table HOOK.  Errors of decode: GUTS_EPROTO, GUTS_EUNSUPPORTED (newer form). */
void guts_hook_key(uint8_t key[GUTS_HOOK_KEY_SIZE], const struct guts_hook *h);
void guts_hook_encode(struct guts_buf *out, const struct guts_hook *h);
int guts_hook_decode(struct guts_hook *h, struct guts_slice key, struct guts_slice value);

#endif
