/* cli/args.c - GNU-style options against a table.
 *
 * Not getopt: the table also makes the help, the manual page and the completion, and a
 * message that names what was probably meant is worth more than "unrecognized option".
 */
#include "cli/args.h"

#include "base/slice.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct guts_opt *
find(const struct guts_opt *const *tables, const char *name, size_t n)
{
	for (; *tables != NULL; tables++)
		for (const struct guts_opt *o = *tables; o->name != NULL; o++)
			if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
				return o;
	return NULL;
}

static const struct guts_opt *
find_letter(const struct guts_opt *const *tables, char letter)
{
	for (; *tables != NULL; tables++)
		for (const struct guts_opt *o = *tables; o->name != NULL; o++)
			if (o->letter != 0 && o->letter == letter)
				return o;
	return NULL;
}

unsigned
guts_args_distance(const char *a, const char *b)
{
	unsigned row[32], corner, up;
	size_t n = strlen(b);

	if (n >= sizeof(row) / sizeof(row[0]) || strlen(a) >= sizeof(row) / sizeof(row[0]))
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		corner = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < n; j++) {
			up = row[j + 1];
			row[j + 1] = corner + (a[i] != b[j]);
			if (up + 1 < row[j + 1])
				row[j + 1] = up + 1;
			if (row[j] + 1 < row[j + 1])
				row[j + 1] = row[j] + 1;
			corner = up;
		}
	}
	return row[n];
}

static int
unknown(const struct guts_opt *const *tables, const char *given, struct guts_errinfo *ei)
{
	const char *near = NULL;
	unsigned best = 3, d;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(given, "="), given);
	for (; *tables != NULL; tables++) {
		for (const struct guts_opt *o = *tables; o->name != NULL; o++) {
			d = guts_args_distance(name, o->name);
			if (d < best) {
				best = d;
				near = o->name;
			}
		}
	}
	if (near != NULL)
		return guts_err_set(ei, GUTS_EINVAL, "there is no option --%s; did you mean --%s?", name, near);
	return guts_err_set(ei, GUTS_EINVAL, "there is no option --%s", name);
}

static int
keep(struct guts_args *a, const struct guts_opt *o, const char *value, struct guts_errinfo *ei)
{
	if (a->nset == GUTS_ARGS_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "more than %d options", GUTS_ARGS_MAX);
	a->set[a->nset].opt = o;
	a->set[a->nset].value = value;
	a->nset++;
	return GUTS_OK;
}

int
guts_args_parse(struct guts_args *a, int argc, char **argv, const struct guts_opt *const *tables,
    struct guts_errinfo *ei)
{
	bool options = true;
	int err = GUTS_OK;

	a->nset = a->npos = 0;
	for (int i = 0; i < argc && !err; i++) {
		const char *s = argv[i], *value = NULL;
		const struct guts_opt *o;
		bool is_long = s[0] == '-' && s[1] == '-';

		if (!options || s[0] != '-' || s[1] == '\0') {
			if (a->npos == GUTS_ARGS_MAX)
				return guts_err_set(ei, GUTS_ELIMIT, "more than %d arguments", GUTS_ARGS_MAX);
			a->pos[a->npos++] = s;
			continue;
		}
		if (strcmp(s, "--") == 0) {
			options = false;
			continue;
		}
		if (is_long) {
			o = find(tables, s + 2, strcspn(s + 2, "="));
			value = strchr(s, '=') != NULL ? strchr(s, '=') + 1 : NULL;
		} else {
			o = find_letter(tables, s[1]);
			value = s[2] != '\0' ? s + 2 : NULL;
		}
		if (o == NULL)
			return is_long ? unknown(tables, s + 2, ei) :
			    guts_err_set(ei, GUTS_EINVAL, "there is no option %.20s", s);
		if (o->arg == NULL && value != NULL)
			return guts_err_set(ei, GUTS_EINVAL, "--%s takes no value", o->name);
		if (o->arg != NULL && value == NULL && i + 1 < argc)
			value = argv[++i];
		else if (o->arg != NULL && value == NULL)
			return guts_err_set(ei, GUTS_EINVAL, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
		err = keep(a, o, value ? value : "", ei);
	}
	return err;
}

const char *
guts_args_get(const struct guts_args *a, const char *name)
{
	for (size_t i = a->nset; i > 0; i--)
		if (strcmp(a->set[i - 1].opt->name, name) == 0)
			return a->set[i - 1].value;
	return NULL;
}

const char *
guts_args_nth(const struct guts_args *a, const char *name, size_t n)
{
	for (size_t i = 0; i < a->nset; i++)
		if (strcmp(a->set[i].opt->name, name) == 0 && n-- == 0)
			return a->set[i].value;
	return NULL;
}

int
guts_args_number(const struct guts_args *a, const char *name, uint64_t min, uint64_t max, uint64_t *out,
    struct guts_errinfo *ei)
{
	const char *text = guts_args_get(a, name);
	uint64_t v;

	if (text == NULL)
		return GUTS_OK;
	if (guts_text_u64(guts_slice_str(text), max, &v) || v < min)
		return guts_err_set(ei, GUTS_EINVAL, "--%s: \"%.40s\" is not a whole number from %llu to %llu", name, text,
		    (unsigned long long)min, (unsigned long long)max);
	*out = v;
	return GUTS_OK;
}
