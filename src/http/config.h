/* http/config.h - the configuration of the running node: what is in force, what guts.conf says, and how both change.
 *
 *	store → read guts.conf, edit it, parse it, check the whole as at a start, write it     (worker)
 *	apply → options that are `reloadable` come into force                                  (loop)
 *
 * Storing without edits reads guts.conf again (SIGHUP).  What the command line says goes before guts.conf, now and after a
 * restart with the same words.
 */
#ifndef GUTS_HTTP_CONFIG_H
#define GUTS_HTTP_CONFIG_H

#include "conf/conf.h"

#define GUTS_CONFIG_ETAG_SIZE 35 /* [bytes] 32 hex digits, quotes, NUL */

struct guts_config;

/* One option to be changed. */
struct guts_config_edit {
	enum guts_conf_id id;
	size_t n;                               /* 0 = back to the default */
	const char *values[GUTS_CONF_LIST_MAX]; /* as text, each fit for guts_conf_set; lent */
};

/* `conf`: what the node starts with, copied.  `path`: its guts.conf, which need not be there.  `salt` makes ETags of two runs
 * differ.  A file that cannot be read any more is logged, and counts as empty. */
struct guts_config *guts_config_new(const struct guts_conf *conf, const char *path, uint64_t salt);
void guts_config_free(struct guts_config *c); /* NULL is fine */

/* Write the edits to guts.conf, whole or not at all; `if_match` (n = 0: none) has to name its ETag.  Blocks on the disk.  Thread: worker.
 * Errors, with text, and then nothing has changed: GUTS_EINVAL (*at: the option at fault), GUTS_ESTALE (if_match), GUTS_ECONFLICT
 * (guts.conf was changed by hand and is not valid), GUTS_EIO, GUTS_ENOSPC, GUTS_EDENIED. */
int guts_config_store(struct guts_config *c, const struct guts_config_edit *edits, size_t n, struct guts_slice if_match,
    enum guts_conf_id *at, struct guts_errinfo *ei);

/* What came into force. */
struct guts_config_change {
	bool changed[GUTS_CONF_N];   /* guts.conf says something else of it than at the last call */
	struct guts_conf *was;       /* in force until now; owner: caller, guts_conf_free */
	const struct guts_conf *now; /* in force; lent until the next call */
};
void guts_config_apply(struct guts_config *c, struct guts_config_change *out); /* Thread: loop. */

/* What there is now, lent for the call of `look`, which must not block.  Thread: any. */
struct guts_config_look {
	const struct guts_conf *in_force;
	const struct guts_conf *file; /* what guts.conf says, else the default */
	const char *etag;
};
void guts_config_look(struct guts_config *c, void (*look)(void *owner, const struct guts_config_look *l), void *owner);

/* Does only a restart bring what guts.conf says of the option? */
bool guts_config_needs_restart(const struct guts_config_look *l, enum guts_conf_id id);

#endif
