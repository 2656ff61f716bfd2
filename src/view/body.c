/* view/body.c - field tables over json-c, behind the strict check.
 *
 * json-c parses only what guts_json_check let through, so its laxness does not show, and
 * numbers are in range.
 */
#include "view/body.h"

#include "base/alloc.h"
#include "base/text.h"
#include "view/check.h"

#include <json-c/json.h>
#include <stdio.h>

int
guts_body_add_error(struct guts_body *b, const char *pointer, const char *detail)
{
	if (b->nerrors < GUTS_BODY_ERRORS_MAX) {
		struct guts_body_error *e = &b->errors[b->nerrors++];
		snprintf(e->pointer, sizeof e->pointer, "%s", pointer);
		snprintf(e->detail, sizeof e->detail, "%s", detail);
	}
	return GUTS_EINVAL;
}

int
guts_body_refuse(struct guts_body *b, const char *pointer, const char *detail, struct guts_errinfo *ei)
{
	return guts_err_set(ei, guts_body_add_error(b, pointer, detail), "%s %s", pointer, detail);
}

static void
complain(struct guts_body *b, const char *name, const char *detail)
{
	char pointer[80], *to = pointer;

	*to++ = '/';
	for (const char *p = name; *p && to < pointer + sizeof pointer - 3; p++) {
		if (*p == '~' || *p == '/') {
			*to++ = '~';
			*to++ = *p == '~' ? '0' : '1';
		} else {
			*to++ = *p == '.' ? '/' : *p;
		}
	}
	*to = 0;
	guts_body_add_error(b, pointer, detail);
}

static bool
is_choice(const char *choices, const char *text, size_t n)
{
	for (const char *p = choices; *p;) {
		size_t len = strcspn(p, " ");
		if (len == n && memcmp(p, text, n) == 0)
			return true;
		p += len + (p[len] == ' ');
	}
	return false;
}

/* NULL, or what is wrong with a text. */
static const char *
text_fault(const struct guts_field *f, struct json_object *o, char detail[120])
{
	const char *s;
	size_t n;

	if (!json_object_is_type(o, json_type_string))
		return "must be a string";
	s = json_object_get_string(o);
	n = (size_t)json_object_get_string_len(o);
	if (f->choices && !is_choice(f->choices, s, n)) {
		snprintf(detail, 120, "must be one of: %s", f->choices);
		return detail;
	}
	if (f->type == GUTS_FIELD_TEXT && (n < f->min || n > f->max)) {
		snprintf(detail, 120, "must be %llu to %llu bytes long", (unsigned long long)f->min,
		    (unsigned long long)f->max);
		return detail;
	}
	if (!guts_text_is_clean(guts_slice(s, n), f->multiline))
		return "holds control characters";
	return NULL;
}

static const char *
list_fault(const struct guts_field *f, struct json_object *o, struct guts_value *v, char detail[120])
{
	const char *fault;

	if (!json_object_is_type(o, json_type_array))
		return "must be an array";
	size_t n = json_object_array_length(o);
	if (n < f->min || n > f->max || n > GUTS_BODY_LIST_MAX) {
		snprintf(detail, 120, "must have %llu to %llu entries", (unsigned long long)f->min,
		    (unsigned long long)f->max);
		return detail;
	}
	for (size_t i = 0; i < n; i++) {
		struct json_object *e = json_object_array_get_idx(o, i);
		if ((fault = text_fault(f, e, detail)))
			return fault;
		v->list[i] = json_object_get_string(e);
	}
	v->n = n;
	return NULL;
}

static const char *
number_fault(const struct guts_field *f, struct json_object *o, struct guts_value *v, char detail[120])
{
	if (!json_object_is_type(o, json_type_int))
		return "must be a whole number";
	int64_t i = json_object_get_int64(o);
	if (i < 0 || (uint64_t)i < f->min || (uint64_t)i > f->max) {
		snprintf(detail, 120, "must be %llu to %llu", (unsigned long long)f->min, (unsigned long long)f->max);
		return detail;
	}
	v->number = (uint64_t)i;
	return NULL;
}

static void
take_field(struct guts_body *b, const struct guts_field *f, struct json_object *o, struct guts_value *v)
{
	char detail[120];
	const char *fault = NULL;

	switch (f->type) {
	case GUTS_FIELD_TEXT:
		if (!(fault = text_fault(f, o, detail))) {
			v->text = json_object_get_string(o);
			v->n = (size_t)json_object_get_string_len(o);
		}
		break;
	case GUTS_FIELD_NUMBER:
		fault = number_fault(f, o, v, detail);
		break;
	case GUTS_FIELD_BOOL:
		if (!json_object_is_type(o, json_type_boolean))
			fault = "must be true or false";
		else
			v->flag = json_object_get_boolean(o);
		break;
	case GUTS_FIELD_LIST:
		fault = list_fault(f, o, v, detail);
		break;
	}
	if (fault)
		complain(b, f->name, fault);
	else
		v->is_set = true;
}

/* Is `key` the field's first name? */
static bool
begins_with(const char *name, const char *key)
{
	size_t n = strcspn(name, ".");

	return strlen(key) == n && memcmp(name, key, n) == 0;
}

/* The member of a field's name, in `root` or in the object that its first part names; false if it is not there. */
static bool
lookup(struct json_object *root, const char *name, struct json_object **o)
{
	size_t n = strcspn(name, ".");
	char first[GUTS_JSON_KEY_MAX + 1];

	if (name[n] == '\0')
		return json_object_object_get_ex(root, name, o);
	snprintf(first, sizeof first, "%.*s", (int)n, name);
	return json_object_object_get_ex(root, first, &root) && json_object_is_type(root, json_type_object) &&
	    json_object_object_get_ex(root, name + n + 1, o);
}

static void
refuse_unknown(struct guts_body *b, const struct guts_field *fields, size_t n)
{
	json_object_object_foreach(b->root, key, value)
	{
		bool known = false;
		(void)value;
		for (size_t i = 0; i < n && !known; i++)
			known = begins_with(fields[i].name, key);
		if (!known)
			complain(b, key, "unknown member");
	}
}

int
guts_body_parse(struct guts_body *b, struct guts_slice in, const struct guts_field *fields, size_t n, bool open,
    struct guts_value *values, struct guts_errinfo *ei)
{
	int err;

	memset(b, 0, sizeof *b);
	memset(values, 0, n * sizeof *values);
	if ((err = guts_json_check(in, ei)) < 0)
		return err;
	struct json_tokener *t = json_tokener_new_ex(GUTS_JSON_DEPTH_MAX + 1);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	b->root = json_tokener_parse_ex(t, (const char *)in.p, (int)in.n);
	json_tokener_free(t);
	if (!json_object_is_type(b->root, json_type_object))
		return guts_err_set(ei, GUTS_EPROTO, "the body must be a JSON object");
	if (!open)
		refuse_unknown(b, fields, n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = NULL;
		bool there = lookup(b->root, fields[i].name, &o);
		if (there && !o && fields[i].nullable)
			there = false;
		if (there)
			take_field(b, &fields[i], o, &values[i]);
		else if (fields[i].required)
			complain(b, fields[i].name, "is missing");
	}
	return b->nerrors ? guts_err_set(ei, GUTS_EINVAL, "%s %s", b->errors[0].pointer, b->errors[0].detail) : 0;
}

void
guts_body_deinit(struct guts_body *b)
{
	json_object_put(b->root);
	b->root = NULL;
}
