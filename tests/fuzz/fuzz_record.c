/* tests/fuzz/fuzz_record.c - signed records.
 *
 * First byte: the kind; with 0x80 the rest is a payload that is signed here before it is opened,
 * because no fuzzer guesses a signature.  A record that opens must be made again from its values
 * and open to the same values. */
#include "../unit/record_samples.h"
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>

static struct guts_key key;

static void
open_and_make(enum guts_record_kind kind, struct guts_slice in)
{
	static struct guts_identity id, id2;
	struct guts_signedrefs refs, refs2;
	struct guts_status status, status2;
	struct guts_buf b;
	bool made = false;

	guts_buf_init(&b, guts_record_max(kind));
	if (kind == GUTS_RECORD_IDENTITY && guts_identity_open(&id, in, 0) == 0 &&
	    guts_peerid_eq(&id.signer, &key.id)) {
		id2 = id;
		made = true;
		assert(guts_identity_make(&b, &key, &id2) == 0);
		assert(guts_identity_open(&id2, guts_buf_slice(&b), 0) == 0);
		assert(id2.ndelegates == id.ndelegates && strcmp(id2.name, id.name) == 0);
	} else if (kind == GUTS_RECORD_SIGNEDREFS && guts_signedrefs_open(&refs, in, 0) == 0 &&
		   guts_peerid_eq(&refs.author, &key.id)) {
		refs2 = refs;
		made = true;
		assert(guts_signedrefs_make(&b, &key, &refs2) == 0);
		assert(guts_signedrefs_open(&refs2, guts_buf_slice(&b), 0) == 0);
		assert(refs2.sequence == refs.sequence && refs2.nprevious == refs.nprevious);
	} else if (kind == GUTS_RECORD_STATUS && guts_status_open(&status, in, 0) == 0 &&
		   guts_peerid_eq(&status.signer, &key.id)) {
		status2 = status;
		made = true;
		assert(guts_status_make(&b, &key, &status2) == 0);
		assert(guts_status_open(&status2, guts_buf_slice(&b), 0) == 0);
		assert(guts_oid_eq(&status2.commit, &status.commit));
	}
	assert(!made || b.len <= in.n); /* the shortest form of the same values */
	guts_buf_deinit(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum guts_record_kind kind;
	struct guts_slice in;
	struct guts_buf b;

	if (size < 1 || guts_crypto_init())
		return 0;
	if (key.id.n == 0)
		sample_key(&key, 1);
	kind = (enum guts_record_kind)((data[0] & 0x7f) % GUTS_RECORD_KINDS);
	in = guts_slice(data + 1, size - 1);
	sample_open(kind, in, SAMPLE_MS);
	guts_buf_init(&b, guts_record_max(kind));
	if (data[0] & 0x80 && guts_record_seal(&b, kind, &key, in, NULL) == 0) {
		sample_open(kind, guts_buf_slice(&b), SAMPLE_MS);
		open_and_make(kind, guts_buf_slice(&b));
	} else {
		open_and_make(kind, in);
	}
	guts_buf_deinit(&b);
	return 0;
}
