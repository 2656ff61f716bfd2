/* tests/unit/record_samples.h - one signed record per shape, made from fixed seeds.
 *
 * The same samples make tests/vectors/records.json (known answers, never to change), the
 * seeds of fuzz_record and the victims of the mutation test. */
#ifndef TESTS_RECORD_SAMPLES_H
#define TESTS_RECORD_SAMPLES_H

#include "proto/identity.h"
#include "proto/signedrefs.h"
#include "proto/status.h"
#include "proto/usermsg.h"

struct record_sample {
	const char *name;
	enum guts_record_kind kind;
	struct guts_buf envelope;
	uint8_t hash[GUTS_HASH_SIZE];
};

#define RECORD_SAMPLES 9

/* Key number `n`: its seed is 32 times the byte n. */
void sample_key(struct guts_key *k, uint8_t n);

/* Time used in all samples. */
#define SAMPLE_MS UINT64_C(1700000000000)

/* A minimal genesis by key 1: not signed yet. */
void sample_genesis(struct guts_identity *id);

/* Make all samples; free each envelope with guts_buf_deinit. */
void samples_make(struct record_sample s[RECORD_SAMPLES]);

/* Open an envelope as a record of `kind`, with all its rules; 0 or the error. */
int sample_open(enum guts_record_kind kind, struct guts_slice envelope, uint64_t now_wall_ms);

#endif
