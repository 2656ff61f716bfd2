/* tests/unit/vectors.c - see vectors.h. */
#include "vectors.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define RING 64u

struct json_object *
vectors_load(const char *name)
{
	const char *top = getenv("GUTS_SRCDIR");
	char *path = guts_asprintf("%s/tests/vectors/%s", top ? top : ".", name);
	struct json_object *o = json_object_from_file(path);

	if (o == NULL) {
		printf("Bail out! cannot read %s\n", path);
		exit(99);
	}
	free(path);
	return o;
}

struct json_object *
vectors_get(struct json_object *o, const char *key)
{
	struct json_object *member;

	if (!json_object_object_get_ex(o, key, &member)) {
		printf("Bail out! no member %s\n", key);
		exit(99);
	}
	return member;
}

const char *
vectors_str(struct json_object *o, const char *key)
{
	return json_object_get_string(vectors_get(o, key));
}

int64_t
vectors_int(struct json_object *o, const char *key)
{
	return json_object_get_int64(vectors_get(o, key));
}

struct guts_slice
vectors_unhex(const char *hex)
{
	static uint8_t *ring[RING];
	static unsigned at;
	size_t n = strlen(hex) / 2;
	uint8_t *out = guts_alloc(n);

	free(ring[at]);
	ring[at] = out;
	at = (at + 1) % RING;
	if (guts_hex_decode(out, n, guts_slice_str(hex))) {
		printf("Bail out! no hex: %s\n", hex);
		exit(99);
	}
	return guts_slice(out, n);
}

struct guts_slice
vectors_hex(struct json_object *o, const char *key)
{
	struct json_object *member;

	return vectors_unhex(json_object_object_get_ex(o, key, &member) ? json_object_get_string(member) : "");
}
