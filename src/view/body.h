/* view/body.h - reading a request's JSON body against a table of fields.
 *
 * The strict check comes first, then json-c; each field has a type, and limits.  What is wrong is
 * collected with JSON pointers for a 422 answer.
 */
#ifndef GUTS_VIEW_BODY_H
#define GUTS_VIEW_BODY_H

#include "base/err.h"
#include "base/slice.h"

#define GUTS_BODY_ERRORS_MAX 16
#define GUTS_BODY_LIST_MAX 64

enum guts_field_type {
	GUTS_FIELD_TEXT,   /* min..max bytes */
	GUTS_FIELD_NUMBER, /* whole, min..max */
	GUTS_FIELD_BOOL,
	GUTS_FIELD_LIST,   /* of texts, min..max of them */
};

struct guts_field {
	const char *name;      /* "config.url": member `url` of the object `config` */
	enum guts_field_type type;
	bool required;
	bool nullable;         /* null is as if it were not there */
	uint64_t min, max;
	const char *choices;   /* of a text or each of a list: "read write"; NULL = any */
	bool multiline;        /* newlines and tabs may be in it; other controls never */
};

/* What was found for a field; views into the body. */
struct guts_value {
	bool is_set;
	bool flag;
	uint64_t number;
	const char *text;      /* NUL behind it */
	size_t n;              /* [bytes] of text; entries of a list */
	const char *list[GUTS_BODY_LIST_MAX];
};

struct guts_body_error {
	char pointer[80];
	char detail[120];
};

struct guts_body {
	void *root;            /* private */
	size_t nerrors;
	struct guts_body_error errors[GUTS_BODY_ERRORS_MAX];
};

/* Read `in` into values[n], one per field.  `open`: members not in the table are ignored, else errors.
 * Errors: GUTS_EPROTO, GUTS_ELIMIT not JSON as we want it (text in *ei); GUTS_EINVAL see b->errors.
 * Owner: caller, guts_body_deinit in any case, after the values were used. */
int guts_body_parse(struct guts_body *b, struct guts_slice in, const struct guts_field *fields, size_t n, bool open,
    struct guts_value *values, struct guts_errinfo *ei);
void guts_body_deinit(struct guts_body *b);

/* Add an error that a handler found; returns GUTS_EINVAL. */
int guts_body_add_error(struct guts_body *b, const char *pointer, const char *detail);

/* The same, when that is all there is to say: "pointer detail" is in *ei too. */
int guts_body_refuse(struct guts_body *b, const char *pointer, const char *detail, struct guts_errinfo *ei);

#endif
