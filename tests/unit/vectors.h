/* tests/unit/vectors.h - test vectors from JSON files of tests/vectors. */
#ifndef GUTS_TESTS_VECTORS_H
#define GUTS_TESTS_VECTORS_H

#include "base/slice.h"

#include <json-c/json.h>

/* Read $GUTS_SRCDIR/tests/vectors/`name`; ends the test program if that fails.  Owner: caller, json_object_put. */
struct json_object *vectors_load(const char *name);

/* Member `key` of an object; ends the program if it is not there. */
struct json_object *vectors_get(struct json_object *o, const char *key);
const char *vectors_str(struct json_object *o, const char *key);
int64_t vectors_int(struct json_object *o, const char *key);

/* Bytes of a hex string member, "" if it is not there.  Valid until the 64th next call. */
struct guts_slice vectors_hex(struct json_object *o, const char *key);

/* Bytes of hex text, in the same way. */
struct guts_slice vectors_unhex(const char *hex);

#endif
