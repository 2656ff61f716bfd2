/* tests/unit/pb_sample.h - a message with every kind of field; pb_sample.proto says the same to protoc. */
#ifndef GUTS_TESTS_PB_SAMPLE_H
#define GUTS_TESTS_PB_SAMPLE_H

#include "wire/pb.h"

#include <stdbool.h>

#define SAMPLE_BYTES_MAX 300
#define SAMPLE_COUNT_MAX 20
#define SAMPLE_SMALL_MAX 1000

struct sample_inner {
	uint64_t number;
	struct guts_slice name;
	uint32_t more;
};

struct sample {
	uint64_t u64;
	uint32_t u32;
	bool flag;
	uint64_t fixed;
	struct guts_slice bytes;
	struct guts_slice string;
	struct sample_inner inner;
	bool has_inner;
	struct guts_pb_bytes_list blobs;
	struct guts_pb_u64_list unpacked; /* read unpacked too; written packed */
	struct guts_pb_u64_list packed;
	struct guts_pb_bytes_list names;
	struct {
		struct sample_inner *v;
		size_t n;
	} inners;
	uint32_t maybe;
	bool has_maybe;
	uint32_t small;
};

extern const struct guts_pb_desc sample_desc;

#endif
