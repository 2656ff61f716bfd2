/* view/doc.c - json-c's tree behind a handle that cannot be misused: none answers every question. */
#include "view/doc.h"

#include "base/alloc.h"

#include <json-c/json.h>
#include <stdlib.h>

struct guts_doc {
	struct json_object *root;
};

int
guts_doc_parse(struct guts_doc **out, struct guts_slice text, struct guts_errinfo *ei)
{
	struct json_tokener *tok;
	struct json_object *root;
	enum json_tokener_error why;
	size_t end;

	if (text.n > GUTS_DOC_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "more than %u MiB of JSON", GUTS_DOC_MAX >> 20);
	tok = json_tokener_new_ex(GUTS_DOC_DEPTH_MAX);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	root = json_tokener_parse_ex(tok, (const char *)text.p, (int)text.n);
	why = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	if (why == json_tokener_continue) { /* a number may end with the text */
		root = json_tokener_parse_ex(tok, "\n", 1);
		why = json_tokener_get_error(tok);
		end = text.n;
	}
	json_tokener_free(tok);
	while (end < text.n && strchr(" \t\r\n", text.p[end]) != NULL)
		end++;
	if (why != json_tokener_success || end != text.n) {
		json_object_put(root);
		return guts_err_set(ei, GUTS_EPROTO, "not JSON: %s",
		    why != json_tokener_success ? json_tokener_error_desc(why) : "more than one value");
	}
	*out = guts_alloc(sizeof(**out));
	(*out)->root = root;
	return GUTS_OK;
}

void
guts_doc_free(struct guts_doc *d)
{
	if (d == NULL)
		return;
	json_object_put(d->root);
	free(d);
}

struct guts_jv
guts_doc_root(const struct guts_doc *d)
{
	return (struct guts_jv){ d != NULL ? d->root : NULL };
}

struct guts_jv
guts_jv_get(struct guts_jv v, const char *path)
{
	char name[128];

	while (v.o != NULL) {
		size_t n = strcspn(path, ".");
		struct json_object *o = NULL;

		if (n >= sizeof(name) || !json_object_is_type(v.o, json_type_object))
			return (struct guts_jv){ NULL };
		memcpy(name, path, n);
		name[n] = '\0';
		json_object_object_get_ex(v.o, name, &o);
		v.o = o;
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	return v;
}

bool
guts_jv_is_object(struct guts_jv v)
{
	return v.o && json_object_is_type(v.o, json_type_object);
}

bool
guts_jv_is_array(struct guts_jv v)
{
	return v.o && json_object_is_type(v.o, json_type_array);
}

size_t
guts_jv_count(struct guts_jv v)
{
	return json_object_is_type(v.o, json_type_array) ? json_object_array_length(v.o) : 0;
}

struct guts_jv
guts_jv_at(struct guts_jv v, size_t i)
{
	return (struct guts_jv){ i < guts_jv_count(v) ? json_object_array_get_idx(v.o, i) : NULL };
}

const char *
guts_jv_next(struct guts_jv v, void **pos, struct guts_jv *member)
{
	struct lh_entry *e;

	if (!json_object_is_type(v.o, json_type_object))
		return NULL;
	e = *pos == NULL ? json_object_get_object(v.o)->head : ((struct lh_entry *)*pos)->next;
	if (e == NULL)
		return NULL;
	*pos = e;
	member->o = (void *)lh_entry_v(e);
	return lh_entry_k(e);
}

const char *
guts_jv_str(struct guts_jv v, const char *fallback)
{
	return json_object_is_type(v.o, json_type_string) ? json_object_get_string(v.o) : fallback;
}

int64_t
guts_jv_i64(struct guts_jv v, int64_t fallback)
{
	return json_object_is_type(v.o, json_type_int) ? json_object_get_int64(v.o) : fallback;
}

uint64_t
guts_jv_u64(struct guts_jv v, uint64_t fallback)
{
	if (!json_object_is_type(v.o, json_type_int) || json_object_get_int64(v.o) < 0)
		return fallback;
	return json_object_get_uint64(v.o);
}

bool
guts_jv_bool(struct guts_jv v, bool fallback)
{
	return json_object_is_type(v.o, json_type_boolean) ? json_object_get_boolean(v.o) : fallback;
}

const char *
guts_jv_str_of(struct guts_jv v, const char *path)
{
	return guts_jv_str(guts_jv_get(v, path), "");
}

uint64_t
guts_jv_u64_of(struct guts_jv v, const char *path)
{
	return guts_jv_u64(guts_jv_get(v, path), 0);
}

bool
guts_jv_bool_of(struct guts_jv v, const char *path)
{
	return guts_jv_bool(guts_jv_get(v, path), false);
}

void
guts_jv_print(struct guts_jv v, struct guts_buf *out)
{
	guts_buf_add_str(out, json_object_to_json_string_ext(v.o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
