/* An option of a configuration file is changed: whatever the file looks like, one that says an option again says all that it said before,
 * and one that no longer says it differs in this option alone.  The first byte chooses the option. */
#include "conf/edit.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* libinih takes 198 bytes a line, and the edit makes some longer by a few; a value that begins with ; is a comment behind a space. */
static bool
has_room(struct guts_slice text)
{
	size_t length = 0;

	for (size_t i = 0; i < text.n; i++) {
		length = text.p[i] == '\n' ? 0 : length + 1;
		if (length > 150 || text.p[i] == ';')
			return false;
	}
	return true;
}

/* The text after the edit is parsed, and means what `before` does but for `id`, which has the values of `meant`. */
static void
edit(const struct guts_conf *before, const struct guts_conf *meant, struct guts_slice text, enum guts_conf_id id, const char *const *values,
    size_t n)
{
	struct guts_conf *after = guts_conf_new();
	struct guts_errinfo ei = { 0 };
	struct guts_buf out;

	guts_buf_init(&out, 2 * GUTS_CONF_FILE_MAX);
	if (guts_conf_edit(&out, text, id, values, n) != GUTS_OK)
		abort();
	if (guts_conf_parse(after, guts_buf_slice(&out), "after", &ei) != GUTS_OK)
		abort();
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		if (!guts_conf_is_same(after, i == id ? meant : before, (enum guts_conf_id)i))
			abort();
	}
	guts_buf_deinit(&out);
	guts_conf_free(after);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum guts_conf_id id = n ? (enum guts_conf_id)(data[0] % GUTS_CONF_N) : GUTS_CONF_LOG_LEVEL;
	struct guts_slice text = n ? guts_slice(data + 1, n - 1) : guts_slice(NULL, 0);
	struct guts_conf *before = guts_conf_new(), *defaults = guts_conf_new();
	struct guts_errinfo ei = { 0 };
	const char *values[GUTS_CONF_LIST_MAX];
	size_t count;

	if (n <= GUTS_CONF_FILE_MAX / 2 && guts_conf_parse(before, text, "before", &ei) == GUTS_OK && has_room(text)) {
		count = guts_conf_count(before, id);
		for (size_t i = 0; i < count; i++)
			values[i] = guts_conf_item(before, id, i);
		edit(before, before, text, id, values, count);
		edit(before, defaults, text, id, NULL, 0);
	}
	guts_conf_free(before);
	guts_conf_free(defaults);
	return 0;
}
