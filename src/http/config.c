/* http/config.c - guts.conf and the values in force.
 *
 * Who reads guts.conf writes it under `edit`, so that two changes follow one another; what both threads look at is behind `lock`.
 * After an edit the text is parsed, and every option has to say what was meant: so a value that the file's form cannot hold, or an edit
 * that would touch another option, is refused whatever its cause.
 */
#include "http/config.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/address.h"
#include "conf/edit.h"
#include "crypto/key.h"
#include "http/access.h"
#include "http/guard.h"
#include "http/internal.h"
#include "http/tls.h"
#include "sink/sink.h"
#include "store/home.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COMMAND_LINE 2 /* layer */

struct guts_config {
	pthread_mutex_t edit;
	pthread_mutex_t lock;
	struct guts_conf *in_force; /* changed by the loop alone */
	struct guts_conf *file;     /* defaults, and guts.conf over them */
	struct guts_conf *told;     /* `file` at the last guts_config_apply; loop */
	char etag[GUTS_CONFIG_ETAG_SIZE];
	uint64_t salt;
	char *path;
};

static void
make_etag(const struct guts_config *c, struct guts_slice text, char out[GUTS_CONFIG_ETAG_SIZE])
{
	struct guts_buf b;
	uint8_t hash[32];

	guts_buf_init(&b, GUTS_CONF_FILE_MAX + 8);
	guts_buf_add_be64(&b, c->salt);
	guts_buf_add_slice(&b, text);
	guts_sha256(hash, guts_buf_slice(&b));
	guts_buf_deinit(&b);
	out[0] = '"';
	guts_hex_encode(out + 1, hash, 16);
	memcpy(out + 33, "\"", 2);
}

struct guts_config *
guts_config_new(const struct guts_conf *conf, const char *path, uint64_t salt)
{
	struct guts_config *c = guts_alloc(sizeof *c);
	struct guts_errinfo ei;
	struct guts_buf text;

	c->salt = salt;
	c->path = guts_strdup(path);
	c->in_force = guts_conf_copy(conf);
	c->file = guts_conf_new();
	pthread_mutex_init(&c->edit, NULL);
	pthread_mutex_init(&c->lock, NULL);
	guts_buf_init(&text, GUTS_CONF_FILE_MAX);
	int err = guts_conf_read(path, &text, &ei);
	if (!err)
		err = guts_conf_parse(c->file, guts_buf_slice(&text), path, &ei);
	if (err && err != GUTS_ENOTFOUND)
		guts_log(GUTS_LOG_WARN, "config", "%s", ei.text);
	make_etag(c, guts_buf_slice(&text), c->etag);
	c->told = guts_conf_copy(c->file);
	guts_buf_deinit(&text);
	return c;
}

void
guts_config_free(struct guts_config *c)
{
	if (!c)
		return;
	guts_conf_free(c->in_force);
	guts_conf_free(c->file);
	guts_conf_free(c->told);
	pthread_mutex_destroy(&c->edit);
	pthread_mutex_destroy(&c->lock);
	free(c->path);
	free(c);
}

/* -- checks -------------------------------------------------------------------------------- */

/* Will the gateway be able to listen there, as far as words tell? */
static int
check_listen(const struct guts_conf *conf, enum guts_conf_id id, struct guts_errinfo *ei)
{
	const char *cert = guts_conf_text(conf, GUTS_CONF_HTTP_TLS_CERT), *key = guts_conf_text(conf, GUTS_CONF_HTTP_TLS_KEY);
	struct guts_errinfo why;
	int err = 0;

	for (size_t i = 0; i < guts_conf_count(conf, id) && !err; i++) {
		const char *at = guts_conf_item(conf, id, i);
		err = guts_listen_check(guts_conf_option(id)->name, at, ei);
		if (err || strncmp(at, "https:", 6) != 0)
			continue;
		if (!cert[0] || !key[0])
			err = guts_err_set(ei, GUTS_EINVAL, "%s %s: needs http.tls_cert and http.tls_key", guts_conf_option(id)->name, at);
		else if (guts_tls_check(cert, key, &why) < 0)
			err = guts_err_set(ei, GUTS_EINVAL, "http.tls_cert: %s", why.text);
	}
	return err;
}

/* What a start with these values would say before it listens. */
static int
check(const struct guts_conf *conf, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	static const enum guts_conf_id addresses[] = { GUTS_CONF_P2P_LISTEN, GUTS_CONF_P2P_ANNOUNCE };
	struct guts_access *access;
	struct guts_allow allow = { 0 };
	struct guts_errinfo why;
	int err;

	for (size_t i = 0; i < 2; i++) {
		*at = addresses[i];
		if (guts_conf_count(conf, *at) > GUTS_NODE_ADDRESSES_MAX)
			return guts_err_set(ei, GUTS_EINVAL, "%s: at most %d addresses", guts_conf_option(*at)->name, GUTS_NODE_ADDRESSES_MAX);
	}
	if ((err = guts_access_new(&access, conf, at, ei)) < 0)
		return err;
	guts_access_unref(access);
	*at = GUTS_CONF_BRIDGE_ALLOW;
	for (size_t i = 0; i < guts_conf_count(conf, *at); i++) {
		if (guts_allow_add(&allow, guts_conf_item(conf, *at, i), &why) < 0)
			return guts_err_set(ei, GUTS_EINVAL, "bridge.allow: %s", why.text);
	}
	if ((err = guts_sinks_check(conf, at, ei)) < 0)
		return err;
	*at = GUTS_CONF_HTTP_LISTEN;
	if ((err = check_listen(conf, *at, ei)) < 0)
		return err;
	*at = GUTS_CONF_HTTP_PUBLIC_LISTEN;
	return check_listen(conf, *at, ei);
}

/* Does `now` say of each option what `was` said, or the edits? */
static int
check_edits(const struct guts_conf *was, const struct guts_conf *now, const struct guts_config_edit *edits, size_t n,
    enum guts_conf_id *at, struct guts_errinfo *ei)
{
	struct guts_conf *want = guts_conf_copy(was), *defaults = guts_conf_new();
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		guts_conf_take(want, defaults, edits[i].id);
		for (size_t k = 0; k < edits[i].n && !err; k++)
			err = guts_conf_set(want, edits[i].id, edits[i].values[k], 1, ei);
		*at = edits[i].id;
		if (err)
			break;
	}
	for (unsigned i = 0; i < GUTS_CONF_N && !err; i++) {
		*at = (enum guts_conf_id)i;
		if (!guts_conf_is_same(want, now, *at))
			err = guts_err_set(ei, GUTS_EINVAL, "%s: guts.conf cannot hold this value", guts_conf_option(*at)->name);
	}
	guts_conf_free(want);
	guts_conf_free(defaults);
	return err;
}

/* -- store --------------------------------------------------------------------------------- */

/* One change under way. */
struct change {
	struct guts_buf old, text;         /* of guts.conf, before and after */
	struct guts_conf *was, *now;       /* what they say */
};

static int
edit_text(struct change *ch, const struct guts_config_edit *edits, size_t n, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	guts_buf_add_slice(&ch->text, guts_buf_slice(&ch->old));
	for (size_t i = 0; i < n; i++) {
		struct guts_buf next;
		*at = edits[i].id;
		guts_buf_init(&next, GUTS_CONF_FILE_MAX);
		int err = guts_conf_edit(&next, guts_buf_slice(&ch->text), *at, edits[i].values, edits[i].n);
		guts_buf_deinit(&ch->text);
		ch->text = next;
		if (err)
			return guts_err_set(ei, GUTS_EINVAL, "%s: guts.conf cannot hold this value", guts_conf_option(*at)->name);
	}
	return 0;
}

/* guts.conf as a whole would be there after the next start. */
static int
check_start(struct guts_config *c, const struct guts_conf *file, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	struct guts_conf *next = guts_conf_copy(file);

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		if (guts_conf_layer(c->in_force, (enum guts_conf_id)i) == COMMAND_LINE)
			guts_conf_take(next, c->in_force, (enum guts_conf_id)i);
	}
	pthread_mutex_unlock(&c->lock);
	int err = check(next, at, ei);
	guts_conf_free(next);
	return err ? GUTS_EINVAL : 0;
}

static int
write_file(struct guts_config *c, struct guts_slice text, struct guts_errinfo *ei)
{
	char *real = realpath(c->path, NULL); /* a link stays one */
	const char *path = real ? real : c->path;
	struct stat st;
	unsigned mode = stat(path, &st) == 0 ? st.st_mode & 0777 : 0644;
	int err = guts_file_write(path, text.p, text.n, mode);

	if (err)
		guts_err_set(ei, err, "%s cannot be written, so nothing has changed: %s", path, guts_err_text(err));
	free(real);
	return err;
}

static int
store_locked(struct guts_config *c, struct change *ch, const struct guts_config_edit *edits, size_t n, struct guts_slice if_match,
    enum guts_conf_id *at, struct guts_errinfo *ei)
{
	char etag[GUTS_CONFIG_ETAG_SIZE];
	struct guts_errinfo why;
	int err = guts_conf_read(c->path, &ch->old, ei);

	if (err && err != GUTS_ENOTFOUND)
		return err == GUTS_ELIMIT ? GUTS_ECONFLICT : err;
	if (guts_conf_parse(ch->was, guts_buf_slice(&ch->old), c->path, ei))
		return GUTS_ECONFLICT;
	make_etag(c, guts_buf_slice(&ch->old), etag);
	if (if_match.n && !guts_guard_matches(if_match, etag))
		return guts_err_set(ei, GUTS_ESTALE, "guts.conf has changed since: its ETag is %s", etag);
	if ((err = edit_text(ch, edits, n, at, ei)) < 0)
		return err;
	if (guts_conf_parse(ch->now, guts_buf_slice(&ch->text), c->path, &why))
		return guts_err_set(ei, GUTS_EINVAL, "guts.conf cannot hold this: %s", why.text);
	if ((err = check_edits(ch->was, ch->now, edits, n, at, ei)) < 0 || (err = check_start(c, ch->now, at, ei)) < 0)
		return err;
	if (!guts_slice_eq(guts_buf_slice(&ch->old), guts_buf_slice(&ch->text)))
		err = write_file(c, guts_buf_slice(&ch->text), ei);
	if (err)
		return err;
	make_etag(c, guts_buf_slice(&ch->text), etag);
	pthread_mutex_lock(&c->lock);
	guts_conf_free(c->file);
	c->file = ch->now;
	ch->now = NULL;
	memcpy(c->etag, etag, sizeof c->etag);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

int
guts_config_store(struct guts_config *c, const struct guts_config_edit *edits, size_t n, struct guts_slice if_match,
    enum guts_conf_id *at, struct guts_errinfo *ei)
{
	struct change ch = { .was = guts_conf_new(), .now = guts_conf_new() };

	*at = GUTS_CONF_N;
	guts_buf_init(&ch.old, GUTS_CONF_FILE_MAX);
	guts_buf_init(&ch.text, GUTS_CONF_FILE_MAX);
	pthread_mutex_lock(&c->edit);
	int err = store_locked(c, &ch, edits, n, if_match, at, ei);
	pthread_mutex_unlock(&c->edit);
	guts_buf_deinit(&ch.old);
	guts_buf_deinit(&ch.text);
	guts_conf_free(ch.was);
	guts_conf_free(ch.now);
	return err;
}

/* -- apply and look --------------------------------------------------------------------------- */

void
guts_config_apply(struct guts_config *c, struct guts_config_change *out)
{
	struct guts_conf *next = guts_conf_copy(c->in_force);

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		enum guts_conf_id id = (enum guts_conf_id)i;
		out->changed[i] = !guts_conf_is_same(c->told, c->file, id);
		if (guts_conf_layer(next, id) == COMMAND_LINE)
			continue;
		if (guts_conf_option(id)->reloadable || guts_conf_is_same(next, c->file, id))
			guts_conf_take(next, c->file, id);
	}
	guts_conf_free(c->told);
	c->told = guts_conf_copy(c->file);
	out->was = c->in_force;
	out->now = c->in_force = next;
	pthread_mutex_unlock(&c->lock);
}

void
guts_config_look(struct guts_config *c, void (*look)(void *owner, const struct guts_config_look *l), void *owner)
{
	pthread_mutex_lock(&c->lock);
	look(owner, &(struct guts_config_look){ .in_force = c->in_force, .file = c->file, .etag = c->etag });
	pthread_mutex_unlock(&c->lock);
}

bool
guts_config_needs_restart(const struct guts_config_look *l, enum guts_conf_id id)
{
	return guts_conf_layer(l->in_force, id) != COMMAND_LINE && !guts_conf_is_same(l->in_force, l->file, id);
}
