/* tests/unit/pb_sample.c - see pb_sample.h. */
#include "pb_sample.h"

static const struct guts_pb_field inner_fields[] = {
	GUTS_PB_FIELD(struct sample_inner, number, 1, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct sample_inner, more, 2, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct sample_inner, name, 3, GUTS_PB_STRING, 20),
};
static const struct guts_pb_desc inner_desc = GUTS_PB_DESC("Inner", struct sample_inner, inner_fields);

static const struct guts_pb_field sample_fields[] = {
	GUTS_PB_FIELD(struct sample, u64, 1, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct sample, u32, 2, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct sample, flag, 3, GUTS_PB_BOOL, 0),
	GUTS_PB_FIELD(struct sample, fixed, 4, GUTS_PB_FIXED64, 0),
	GUTS_PB_FIELD(struct sample, bytes, 5, GUTS_PB_BYTES, SAMPLE_BYTES_MAX),
	GUTS_PB_FIELD(struct sample, string, 6, GUTS_PB_STRING, 100),
	GUTS_PB_INNER(struct sample, inner, 7, 200, &inner_desc),
	GUTS_PB_REPEATED(struct sample, blobs, 8, GUTS_PB_BYTES, 50, SAMPLE_COUNT_MAX, NULL),
	GUTS_PB_REPEATED(struct sample, unpacked, 9, GUTS_PB_U64, 0, SAMPLE_COUNT_MAX, NULL),
	GUTS_PB_REPEATED(struct sample, packed, 10, GUTS_PB_U64, 0, SAMPLE_COUNT_MAX, NULL),
	GUTS_PB_REPEATED(struct sample, names, 11, GUTS_PB_STRING, 50, SAMPLE_COUNT_MAX, NULL),
	GUTS_PB_REPEATED(struct sample, inners, 12, GUTS_PB_MSG, 200, SAMPLE_COUNT_MAX, &inner_desc),
	GUTS_PB_OPTIONAL(struct sample, maybe, 13, GUTS_PB_U32, 0, NULL),
	GUTS_PB_FIELD(struct sample, small, 14, GUTS_PB_U32, SAMPLE_SMALL_MAX),
};
const struct guts_pb_desc sample_desc = GUTS_PB_DESC("Sample", struct sample, sample_fields);
