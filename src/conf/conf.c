/* conf/conf.c - values of the options: checked on the way in, kept as text and number.
 *
 * A value belongs to a layer (defaults, file, command line).  Setting an option from a higher
 * layer drops what lower layers said, so that a list on the command line replaces the file's
 * list instead of growing it.
 */
#include "conf/conf.h"

#include "base/alloc.h"
#include "base/text.h"
#include "wire/multiaddr.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct value {
	char *text;
	uint64_t number;
};

struct setting {
	struct value v[GUTS_CONF_LIST_MAX];
	size_t n;
	int layer;
};

struct guts_conf {
	struct setting s[GUTS_CONF_N];
};

/* A number with one of the suffixes in `units` ("K" = 1024, …); *out = number × factor. */
struct unit {
	const char *suffix;
	uint64_t factor;
};
static const struct unit byte_units[] = {
	{ "", 1 }, { "K", 1024 }, { "M", 1024 * 1024 }, { "G", UINT64_C(1) << 30 }, { NULL, 0 }
};
static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 }
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static int
parse_number(const struct guts_conf_option *o, const struct unit *units, const char *text, uint64_t *out,
    struct guts_errinfo *ei)
{
	size_t digits = strspn(text, "0123456789");
	const struct unit *u = units;
	uint64_t n;

	while (u->suffix && strcasecmp(u->suffix, text + digits) != 0)
		u++;
	if (!u->suffix || guts_text_u64(guts_slice(text, digits), UINT64_MAX / u->factor, &n))
		return guts_err_set(ei, GUTS_EINVAL, "%s: \"%.40s\" is not a number%s", o->name, text,
		    units == byte_units ? " of bytes (K, M, G may follow)" :
		    units == time_units ? " with ms, s, m or h" : "");
	n *= u->factor;
	if (n < o->min || n > o->max)
		return guts_err_set(ei, GUTS_EINVAL, "%s: %.40s is not between %llu and %llu%s", o->name, text,
		    (unsigned long long)o->min, (unsigned long long)o->max, units == time_units ? " ms" : "");
	*out = n;
	return GUTS_OK;
}

static int
check_choice(const struct guts_conf_option *o, const char *text, uint64_t *index, struct guts_errinfo *ei)
{
	size_t len = strlen(text);
	const char *p = o->choices;

	*index = 0;
	while (*p) {
		size_t n = strcspn(p, " ");

		if (n == len && memcmp(p, text, n) == 0)
			return GUTS_OK;
		p += n;
		p += *p == ' ';
		++*index;
	}
	return guts_err_set(ei, GUTS_EINVAL, "%s: \"%.40s\" is not one of: %s", o->name, text, o->choices);
}

static int
check_listen(const struct guts_conf_option *o, const char *text, struct guts_errinfo *ei)
{
	const char *colon = strrchr(text, ':'), *given = text;
	uint64_t port;

	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] == '/' && strlen(text) <= 5 + GUTS_CONF_SOCKET_MAX && guts_text_is_clean(guts_slice_str(text), false))
			return GUTS_OK;
		return guts_err_set(ei, GUTS_EINVAL, "%s: \"%.120s\" is not unix: and an absolute path of at most %d bytes", o->name,
		    text, GUTS_CONF_SOCKET_MAX);
	}
	text += strncmp(text, "https://", 8) == 0 ? 8 : 0;
	if (!colon || colon <= text || guts_text_u64(guts_slice_str(colon + 1), 65535, &port) ||
	    (text[0] == '[') != (colon[-1] == ']') || (text[0] != '[' && strchr(text, ':') != colon))
		return guts_err_set(ei, GUTS_EINVAL, "%s: \"%.80s\" is not ADDRESS:PORT, e.g. 127.0.0.1:8080 or [::1]:0, nor unix:/PATH",
		    o->name, given);
	return GUTS_OK;
}

/* Check one value; *number gets what guts_conf_number will say. */
static int
check_value(const struct guts_conf_option *o, const char *text, uint64_t *number, struct guts_errinfo *ei)
{
	struct guts_maddr m;
	size_t len = strlen(text);

	*number = 0;
	switch (o->type) {
	case GUTS_CONF_TEXT:
		if (!guts_text_is_clean(guts_slice_str(text), false) || len < o->min || len > o->max)
			return guts_err_set(ei, GUTS_EINVAL, "%s: must be %llu to %llu bytes of plain text", o->name,
			    (unsigned long long)o->min, (unsigned long long)o->max);
		return GUTS_OK;
	case GUTS_CONF_MULTIADDR:
		if (guts_maddr_parse(&m, guts_slice_str(text)))
			return guts_err_set(ei, GUTS_EINVAL,
			    "%s: \"%.120s\" is not a multiaddress such as /ip4/1.2.3.4/tcp/9000", o->name, text);
		return GUTS_OK;
	case GUTS_CONF_LISTEN:
		return check_listen(o, text, ei);
	case GUTS_CONF_BOOL:
		*number = strcmp(text, "true") == 0;
		if (!*number && strcmp(text, "false") != 0)
			return guts_err_set(ei, GUTS_EINVAL, "%s: \"%.40s\" is neither true nor false", o->name, text);
		return GUTS_OK;
	case GUTS_CONF_NUMBER:
		return parse_number(o, no_units, text, number, ei);
	case GUTS_CONF_BYTES:
		return parse_number(o, byte_units, text, number, ei);
	case GUTS_CONF_DURATION:
		return parse_number(o, time_units, text, number, ei);
	case GUTS_CONF_CHOICE:
		return check_choice(o, text, number, ei);
	}
	return GUTS_EINVAL;
}

static void
clear(struct setting *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].text);
	s->n = 0;
}

int
guts_conf_set(struct guts_conf *c, enum guts_conf_id id, const char *text, int layer, struct guts_errinfo *ei)
{
	const struct guts_conf_option *o = guts_conf_option(id);
	struct setting *s = &c->s[id];
	uint64_t number;
	int err = check_value(o, text, &number, ei);

	if (err)
		return err;
	if (!o->list || layer > s->layer)
		clear(s);
	if (s->n == GUTS_CONF_LIST_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "%s: more than %d values", o->name, GUTS_CONF_LIST_MAX);
	s->v[s->n].text = guts_strdup(text);
	s->v[s->n].number = number;
	s->n++;
	s->layer = layer;
	return GUTS_OK;
}

struct guts_conf *
guts_conf_new(void)
{
	struct guts_conf *c = guts_alloc(sizeof *c);

	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		const struct guts_conf_option *o = guts_conf_option((enum guts_conf_id)i);
		struct guts_errinfo ei;

		if (o->fallback && guts_conf_set(c, (enum guts_conf_id)i, o->fallback, 0, &ei))
			abort() /* a default breaks its own rule */;
	}
	return c;
}

struct guts_conf *
guts_conf_copy(const struct guts_conf *c)
{
	struct guts_conf *copy = guts_alloc(sizeof *copy);

	for (unsigned i = 0; i < GUTS_CONF_N; i++)
		guts_conf_take(copy, c, (enum guts_conf_id)i);
	return copy;
}

void
guts_conf_take(struct guts_conf *c, const struct guts_conf *from, enum guts_conf_id id)
{
	struct setting *to = &c->s[id];
	const struct setting *s = &from->s[id];

	clear(to);
	to->layer = s->layer;
	to->n = s->n;
	for (size_t i = 0; i < s->n; i++)
		to->v[i] = (struct value){ guts_strdup(s->v[i].text), s->v[i].number };
}

bool
guts_conf_is_same(const struct guts_conf *a, const struct guts_conf *b, enum guts_conf_id id)
{
	const struct setting *x = &a->s[id], *y = &b->s[id];
	bool by_number = guts_conf_option(id)->type >= GUTS_CONF_BOOL;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		if (by_number ? x->v[i].number != y->v[i].number : strcmp(x->v[i].text, y->v[i].text) != 0)
			return false;
	}
	return true;
}

void
guts_conf_free(struct guts_conf *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < GUTS_CONF_N; i++)
		clear(&c->s[i]);
	free(c);
}

struct load {
	struct guts_conf *c;
	struct guts_errinfo *ei;
	int err;
};

/* One "key = value" of the file; a list may hold several values separated by spaces.  After a fault nothing more is taken. */
static int
on_line(void *user, const char *section, const char *key, const char *value)
{
	struct load *l = user;
	struct guts_errinfo why = { 0 };
	char name[128], *copy, *save = NULL;
	enum guts_conf_id id;

	if (l->err)
		return 0;
	snprintf(name, sizeof name, "%s.%s", section, key);
	if (guts_conf_lookup(name, &id)) {
		l->err = guts_err_set(l->ei, GUTS_EINVAL, "unknown option \"%.80s\"", name);
		return 0;
	}
	if (!guts_conf_option(id)->list) {
		l->err = guts_conf_set(l->c, id, value, 1, &why);
	} else {
		copy = guts_strdup(value);
		for (char *w = strtok_r(copy, " \t,", &save); w && !l->err; w = strtok_r(NULL, " \t,", &save))
			l->err = guts_conf_set(l->c, id, w, 1, &why);
		free(copy);
	}
	if (l->err)
		guts_err_set(l->ei, l->err, "%s", why.text);
	return l->err == 0;
}

int
guts_conf_parse(struct guts_conf *c, struct guts_slice text, const char *path, struct guts_errinfo *ei)
{
	struct guts_errinfo why = { 0 };
	struct load l = { .c = c, .ei = &why };
	char *copy;
	int line;

	if (text.n > GUTS_CONF_FILE_MAX || memchr(text.p ? text.p : (const uint8_t *)"", 0, text.n))
		return guts_err_set(ei, GUTS_ELIMIT, "%s: not a text of at most %u KiB", path, GUTS_CONF_FILE_MAX >> 10);
	copy = guts_alloc(text.n + 1);
	if (text.n)
		memcpy(copy, text.p, text.n);
	line = ini_parse_string(copy, on_line, &l);
	free(copy);
	if (line == 0 && !l.err)
		return GUTS_OK;
	return guts_err_set(ei, GUTS_EINVAL, "%s:%d: %s", path, line, l.err ? why.text : "neither [section] nor key = value");
}

int
guts_conf_read(const char *path, struct guts_buf *out, struct guts_errinfo *ei)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *room;

	if (!f)
		return guts_err_set(ei, errno == ENOENT ? GUTS_ENOTFOUND : GUTS_EIO, "%s: %s", path, strerror(errno));
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode) || st.st_size > GUTS_CONF_FILE_MAX) {
		fclose(f);
		return guts_err_set(ei, GUTS_ELIMIT, "%s: not a file of at most %u KiB", path, GUTS_CONF_FILE_MAX >> 10);
	}
	room = guts_buf_reserve(out, (size_t)st.st_size);
	if (room)
		guts_buf_commit(out, fread(room, 1, (size_t)st.st_size, f));
	bool failed = !room || ferror(f);
	fclose(f);
	return failed ? guts_err_set(ei, GUTS_EIO, "%s: cannot be read", path) : GUTS_OK;
}

int
guts_conf_load(struct guts_conf *c, const char *path, struct guts_errinfo *ei)
{
	struct guts_buf text;
	int err;

	guts_buf_init(&text, GUTS_CONF_FILE_MAX);
	err = guts_conf_read(path, &text, ei);
	if (!err)
		err = guts_conf_parse(c, guts_buf_slice(&text), path, ei);
	guts_buf_deinit(&text);
	return err;
}

const char *
guts_conf_text(const struct guts_conf *c, enum guts_conf_id id)
{
	return c->s[id].n ? c->s[id].v[0].text : "";
}

uint64_t
guts_conf_number(const struct guts_conf *c, enum guts_conf_id id)
{
	return c->s[id].n ? c->s[id].v[0].number : 0;
}

bool
guts_conf_bool(const struct guts_conf *c, enum guts_conf_id id)
{
	return guts_conf_number(c, id) != 0;
}

size_t
guts_conf_count(const struct guts_conf *c, enum guts_conf_id id)
{
	return c->s[id].n;
}

const char *
guts_conf_item(const struct guts_conf *c, enum guts_conf_id id, size_t i)
{
	assert(i < c->s[id].n);
	return c->s[id].v[i].text;
}

int
guts_conf_layer(const struct guts_conf *c, enum guts_conf_id id)
{
	return c->s[id].layer;
}
