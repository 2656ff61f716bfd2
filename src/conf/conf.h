/* conf/conf.h - the node's configuration: one table of options, one parser, one dump.
 *
 * A file is INI, at most 64 KiB, without includes; an unknown section or key, or a bad value, is
 * an error with file and line.  conf/edit.h changes one.  The same table makes `guts config`, the manual page and
 * GET /api/v1/config.  Command line flags overwrite what the file says.
 */
#ifndef GUTS_CONF_CONF_H
#define GUTS_CONF_CONF_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUTS_CONF_FILE_MAX (64u << 10) /* [bytes] */
#define GUTS_CONF_LIST_MAX 32          /* values of one list option */
#define GUTS_CONF_TEXT_MAX 1024        /* [bytes] one value */
#define GUTS_CONF_SOCKET_MAX 107       /* [bytes] path of a Unix socket: sockaddr_un holds no more */

enum guts_conf_id {
	GUTS_CONF_NODE_NETWORK,
	GUTS_CONF_P2P_LISTEN,
	GUTS_CONF_P2P_ANNOUNCE,
	GUTS_CONF_P2P_BOOTSTRAP_NODES,
	GUTS_CONF_P2P_MDNS,
	GUTS_CONF_P2P_PORTMAP,
	GUTS_CONF_P2P_MAX_CONNECTIONS,
	GUTS_CONF_P2P_CONNECTION_TIMEOUT,
	GUTS_CONF_P2P_KEEPALIVE_INTERVAL,
	GUTS_CONF_P2P_INVENTORY_INTERVAL,
	GUTS_CONF_KAD_MODE,
	GUTS_CONF_KAD_PROTOCOL,
	GUTS_CONF_KAD_PRIVATE_ADDRESSES,
	GUTS_CONF_HTTP_LISTEN,
	GUTS_CONF_HTTP_PUBLIC_LISTEN,
	GUTS_CONF_HTTP_PUBLIC_URL,
	GUTS_CONF_HTTP_PUBLIC_READ,
	GUTS_CONF_HTTP_LOCAL_READ,
	GUTS_CONF_HTTP_TLS_CERT,
	GUTS_CONF_HTTP_TLS_KEY,
	GUTS_CONF_HTTP_ALLOWED_HOSTS,
	GUTS_CONF_HTTP_CORS_ORIGINS,
	GUTS_CONF_HTTP_TRUSTED_PROXIES,
	GUTS_CONF_HTTP_TOKEN_RATE,
	GUTS_CONF_HTTP_ADDRESS_RATE,
	GUTS_CONF_HTTP_LIMIT_LOOPBACK,
	GUTS_CONF_HTTP_MAX_CONNECTIONS,
	GUTS_CONF_HTTP_MAX_STREAMS,
	GUTS_CONF_HTTP_CLIENT_STREAMS,
	GUTS_CONF_SEED_DEFAULT,
	GUTS_CONF_QUOTA_TOTAL,
	GUTS_CONF_QUOTA_CREATOR,
	GUTS_CONF_QUOTA_REPOSITORY,
	GUTS_CONF_QUOTA_CREATOR_REPOSITORIES,
	GUTS_CONF_QUOTA_NEW_PER_HOUR,
	GUTS_CONF_LIMITS_PACK,
	GUTS_CONF_GOSSIP_KEEP,
	GUTS_CONF_GOSSIP_EXPECT,
	GUTS_CONF_BRIDGE_ALLOW,
	GUTS_CONF_BRIDGE_TIMEOUT,
	GUTS_CONF_BRIDGE_RETRY,
	GUTS_CONF_BRIDGE_GIVE_UP,
	GUTS_CONF_CI_LEASE,
	GUTS_CONF_CI_MAX_AGE,
	GUTS_CONF_CI_COPIES,
	GUTS_CONF_SINK_URL,
	GUTS_CONF_SINK_PREFIX,
	GUTS_CONF_SINK_EVENTS,
	GUTS_CONF_SINK_REPOSITORIES,
	GUTS_CONF_SINK_PRIVATE,
	GUTS_CONF_SINK_CREDENTIALS,
	GUTS_CONF_SINK_NATS_CREDS,
	GUTS_CONF_SINK_CA_FILE,
	GUTS_CONF_SINK_TLS_CERT,
	GUTS_CONF_SINK_TLS_KEY,
	GUTS_CONF_EVENTS_KEEP,
	GUTS_CONF_EVENTS_MAX_AGE,
	GUTS_CONF_LOG_LEVEL,
	GUTS_CONF_N
};

enum guts_conf_type {
	GUTS_CONF_TEXT,
	GUTS_CONF_MULTIADDR, /* text that wire/multiaddr takes */
	GUTS_CONF_LISTEN,    /* 127.0.0.1:8080, https://[::1]:0, unix:/run/guts/http.sock */
	GUTS_CONF_BOOL,      /* true, false */
	GUTS_CONF_NUMBER,
	GUTS_CONF_BYTES,     /* number with optional K, M, G (powers of 1024) */
	GUTS_CONF_DURATION,  /* number with ms, s, m or h; kept in ms */
	GUTS_CONF_CHOICE,    /* one of `choices` */
};

/* One row of the table. */
struct guts_conf_option {
	const char *name;     /* "p2p.max_connections": section, dot, key */
	enum guts_conf_type type;
	bool list;            /* several values: the key repeated, or separated by spaces */
	const char *fallback; /* default as text; NULL = empty */
	uint64_t min, max;    /* numbers, bytes, durations [ms] */
	const char *choices;  /* "none followed all" */
	bool reloadable;      /* takes effect without a restart */
	const char *help;     /* one sentence */
};

/* Row of an option. */
const struct guts_conf_option *guts_conf_option(enum guts_conf_id id);

/* Row by name.  Errors: GUTS_ENOTFOUND. */
int guts_conf_lookup(const char *name, enum guts_conf_id *id);

struct guts_conf;

/* All defaults.  Owner: caller, guts_conf_free. */
struct guts_conf *guts_conf_new(void);
void guts_conf_free(struct guts_conf *c);

/* A copy of all values with their layers.  Owner: caller, guts_conf_free. */
struct guts_conf *guts_conf_copy(const struct guts_conf *c);
/* Take one option's values and layer from another configuration. */
void guts_conf_take(struct guts_conf *c, const struct guts_conf *from, enum guts_conf_id id);
/* Do both say the same of an option, whatever their layers and however it is written ("1s", "1000ms")? */
bool guts_conf_is_same(const struct guts_conf *a, const struct guts_conf *b, enum guts_conf_id id);

/* Read a file's text, appended to `out` (room for GUTS_CONF_FILE_MAX).  Errors, with text: GUTS_ENOTFOUND, GUTS_ELIMIT, GUTS_EIO. */
int guts_conf_read(const char *path, struct guts_buf *out, struct guts_errinfo *ei);
/* Parse a file's text over the present values; `path` names it.  Errors: GUTS_ELIMIT, GUTS_EINVAL with path, line and reason. */
int guts_conf_parse(struct guts_conf *c, struct guts_slice text, const char *path, struct guts_errinfo *ei);
/* Both at once. */
int guts_conf_load(struct guts_conf *c, const char *path, struct guts_errinfo *ei);

/* Set one option from text; a list gets one more value, the first one replacing those of an earlier layer
 * (`layer` = 0 defaults, 1 file, 2 command line).  Errors: GUTS_EINVAL, GUTS_ELIMIT with reason. */
int guts_conf_set(struct guts_conf *c, enum guts_conf_id id, const char *text, int layer, struct guts_errinfo *ei);

/* Values.  Text of a single option (never NULL), number of values of a list, one of them. */
const char *guts_conf_text(const struct guts_conf *c, enum guts_conf_id id);
uint64_t guts_conf_number(const struct guts_conf *c, enum guts_conf_id id);
bool guts_conf_bool(const struct guts_conf *c, enum guts_conf_id id);
size_t guts_conf_count(const struct guts_conf *c, enum guts_conf_id id);
const char *guts_conf_item(const struct guts_conf *c, enum guts_conf_id id, size_t i);

/* 0 default, 1 file, 2 command line. */
int guts_conf_layer(const struct guts_conf *c, enum guts_conf_id id);

#endif
