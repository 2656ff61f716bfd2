/* tests/unit/test_record.c - signed records: known answers, rules, and what must not pass. */
#include "record_samples.h"

#include "base/rng.h"
#include "base/text.h"
#include "unit.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct record_sample samples[RECORD_SAMPLES];

static int
set_up(void **state)
{
	(void)state;
	if (guts_crypto_init())
		return -1;
	samples_make(samples);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECORD_SAMPLES; i++)
		guts_buf_deinit(&samples[i].envelope);
	return 0;
}

static void
assert_hex(const char *want, const void *p, size_t n)
{
	char *hex = malloc(2 * n + 1);

	assert_non_null(hex);
	guts_hex_encode(hex, p, n);
	assert_string_equal(want, hex);
	free(hex);
}

static const char *
text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	assert_true(json_object_object_get_ex(o, key, &v));
	return json_object_get_string(v);
}

static void
records_equal_the_known_answers(void **state)
{
	struct json_object *doc, *list;
	char path[4096];

	(void)state;
	snprintf(path, sizeof path, "%s/tests/vectors/records.json", getenv("GUTS_SRCDIR"));
	doc = json_object_from_file(path);
	assert_non_null(doc);
	assert_true(json_object_object_get_ex(doc, "records", &list));
	assert_int_equal(json_object_array_length(list), RECORD_SAMPLES);
	for (size_t i = 0; i < RECORD_SAMPLES; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct record_sample *s = &samples[i];
		struct guts_record r;

		assert_string_equal(text_of(o, "name"), s->name);
		assert_string_equal(text_of(o, "kind"), guts_record_kind_name(s->kind));
		assert_int_equal(guts_record_open(&r, s->kind, guts_buf_slice(&s->envelope)), 0);
		assert_hex(text_of(o, "payload"), r.payload.p, r.payload.n);
		assert_hex(text_of(o, "hash"), r.hash, sizeof r.hash);
		assert_hex(text_of(o, "envelope"), guts_buf_slice(&s->envelope).p, s->envelope.len);
		assert_memory_equal(r.hash, s->hash, sizeof r.hash);
	}
	json_object_put(doc);
}

static void
samples_open_and_peek(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECORD_SAMPLES; i++) {
		struct guts_slice e = guts_buf_slice(&samples[i].envelope);
		struct guts_record r, p;

		assert_int_equal(sample_open(samples[i].kind, e, SAMPLE_MS), 0);
		assert_int_equal(guts_record_open(&r, samples[i].kind, e), 0);
		assert_int_equal(guts_record_peek(&p, samples[i].kind, e), 0);
		assert_memory_equal(r.hash, p.hash, sizeof r.hash);
		assert_true(guts_peerid_eq(&r.signer, &p.signer));
	}
}

static void
no_record_passes_as_another_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECORD_SAMPLES; i++)
		for (int k = 0; k < GUTS_RECORD_KINDS; k++)
			if ((enum guts_record_kind)k != samples[i].kind)
				assert_int_not_equal(sample_open((enum guts_record_kind)k,
								 guts_buf_slice(&samples[i].envelope),
								 SAMPLE_MS),
						     0);
}

/* -- mutations -------------------------------------------------------------------------- */

static size_t
mutate(struct guts_rng *rng, uint8_t *p, size_t n, size_t max)
{
	size_t at = guts_rng_below(rng, n), len;

	switch (guts_rng_below(rng, 6)) {
	case 0: /* one bit */
		p[at] ^= (uint8_t)(1u << guts_rng_below(rng, 8));
		return n;
	case 1: /* some bytes */
		for (size_t i = 0; i < 1 + guts_rng_below(rng, 8); i++)
			p[guts_rng_below(rng, n)] = (uint8_t)guts_rng_u64(rng);
		return n;
	case 2: /* cut */
		return at;
	case 3: /* bytes more, in the middle or at the end: unknown fields among them */
		len = 1 + guts_rng_below(rng, 6);
		if (guts_rng_below(rng, 2))
			at = n;
		if (n + len > max)
			return n - 1;
		memmove(p + at + len, p + at, n - at);
		guts_rng_bytes(rng, p + at, len);
		if (len >= 2) {
			p[at] = 6 << 3;
			p[at + 1] &= 0x7f;
		}
		return n + len;
	case 4: /* bytes less */
		len = 1 + guts_rng_below(rng, n - at);
		memmove(p + at, p + at + len, n - at - len);
		return n - len;
	default: /* two pieces change places */
		if (at == 0 || at == n)
			return n - 1;
		for (size_t i = 0, j = at; j < n && i < at; i++, j++) {
			uint8_t c = p[i];

			p[i] = p[j];
			p[j] = c;
		}
		return n;
	}
}

/* Every mutated record must be refused: a bit in the payload breaks the signature, and around it
 * only one form of envelope is taken. */
static void
mutated_records_are_refused(void **state)
{
	size_t rounds = getenv("GUTS_LONG") ? 10000 : 1000, changed = 0;
	uint8_t bytes[8192];
	struct guts_rng rng;

	(void)state;
	guts_rng_seed(&rng, strtoull(getenv("GUTS_SEED") ? getenv("GUTS_SEED") : "1", NULL, 10));
	for (size_t i = 0; i < RECORD_SAMPLES; i++) {
		struct guts_slice e = guts_buf_slice(&samples[i].envelope);

		for (size_t k = 0; k < rounds; k++) {
			size_t n;

			memcpy(bytes, e.p, e.n);
			n = mutate(&rng, bytes, e.n, sizeof bytes);
			if (guts_slice_eq(e, guts_slice(bytes, n)))
				continue;
			changed++;
			assert_int_not_equal(sample_open(samples[i].kind, guts_slice(bytes, n), 0), 0);
		}
	}
	assert_true(changed > rounds * RECORD_SAMPLES * 9 / 10);
}

/* The parts are right, but not in the one order; and unknown fields around them. */
static void
other_forms_of_an_envelope_are_refused(void **state)
{
	struct guts_slice e = guts_buf_slice(&samples[1].envelope);
	uint8_t bytes[GUTS_RECORD_MAX];
	size_t head = 2 + GUTS_PUBKEY_PB_SIZE, sig = 2 + GUTS_SIG_SIZE;

	(void)state;
	memcpy(bytes, e.p + e.n - sig, sig);
	memcpy(bytes + sig, e.p, e.n - sig);
	assert_int_equal(sample_open(samples[1].kind, guts_slice(bytes, e.n), 0), GUTS_EPROTO);

	memcpy(bytes, e.p, e.n);
	memcpy(bytes + e.n, "\x30\x01", 2);
	assert_int_equal(sample_open(samples[1].kind, guts_slice(bytes, e.n + 2), 0), GUTS_EPROTO);

	memcpy(bytes, e.p, head); /* the key twice: the last one wins in protobuf */
	memcpy(bytes + head, e.p, e.n);
	assert_int_equal(sample_open(samples[1].kind, guts_slice(bytes, e.n + head), 0),
			 GUTS_EPROTO);
}

/* -- majors and unknown fields ---------------------------------------------------------- */

static struct guts_slice
payload_of(size_t sample)
{
	struct guts_record r;

	assert_int_equal(guts_record_open(&r, samples[sample].kind,
					  guts_buf_slice(&samples[sample].envelope)),
			 0);
	return r.payload;
}

static void
an_unknown_major_is_unsupported(void **state)
{
	static const char *const types[] = { "guts/identity/2", "guts/identity/10",
					     "guts/identity/x" };
	struct guts_buf b;
	struct guts_key k;

	(void)state;
	sample_key(&k, 1);
	guts_buf_init(&b, GUTS_RECORD_MAX);
	for (size_t i = 0; i < 3; i++) {
		guts_buf_clear(&b);
		assert_int_equal(guts_envelope_seal(&b, &k, "guts-identity",
						    guts_slice_str(types[i]), payload_of(1)),
				 0);
		assert_int_equal(sample_open(GUTS_RECORD_IDENTITY, guts_buf_slice(&b), 0),
				 GUTS_EUNSUPPORTED);
	}
	guts_buf_clear(&b);
	assert_int_equal(guts_envelope_seal(&b, &k, "guts-identity", guts_slice_str("other/1"),
					    payload_of(1)),
			 0);
	assert_int_equal(sample_open(GUTS_RECORD_IDENTITY, guts_buf_slice(&b), 0), GUTS_EPROTO);
	guts_buf_deinit(&b);
}

static void
unknown_fields_are_kept_and_counted_in_the_hash(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECORD_SAMPLES; i++) {
		uint8_t payload[GUTS_RECORD_MAX], hash[GUTS_HASH_SIZE];
		struct guts_slice p = payload_of(i);
		struct guts_record r;
		struct guts_buf b;
		struct guts_key k;

		sample_key(&k, samples[i].kind >= GUTS_RECORD_STATUS ? 2 : 1);
		memcpy(payload, p.p, p.n);
		memcpy(payload + p.n, "\xfa\x06\x03new", 6); /* field 111 */
		guts_buf_init(&b, GUTS_RECORD_MAX);
		assert_int_equal(guts_record_seal(&b, samples[i].kind, &k,
						  guts_slice(payload, p.n + 6), hash),
				 0);
		assert_int_equal(sample_open(samples[i].kind, guts_buf_slice(&b), 0), 0);
		assert_int_equal(guts_record_open(&r, samples[i].kind, guts_buf_slice(&b)), 0);
		assert_int_equal(r.payload.n, p.n + 6);
		assert_memory_equal(r.hash, hash, sizeof hash);
		assert_memory_not_equal(r.hash, samples[i].hash, sizeof hash);
		guts_buf_deinit(&b);
	}
}

static void
too_long_is_refused_before_anything_else(void **state)
{
	static uint8_t zeros[GUTS_USERMSG_MAX + 1];
	struct guts_record r;

	(void)state;
	for (int k = 0; k < GUTS_RECORD_KINDS; k++) {
		enum guts_record_kind kind = (enum guts_record_kind)k;
		struct guts_slice in = guts_slice(zeros, guts_record_max(kind) + 1);

		assert_int_equal(guts_record_open(&r, kind, in), GUTS_ELIMIT);
		assert_int_equal(guts_record_peek(&r, kind, in), GUTS_ELIMIT);
	}
}

static void
another_signer_is_refused(void **state)
{
	struct guts_buf b;
	struct guts_key k;

	(void)state;
	sample_key(&k, 9);
	guts_buf_init(&b, GUTS_RECORD_MAX);
	for (size_t i = 0; i < RECORD_SAMPLES; i++) {
		if (strcmp(samples[i].name, "identity-successor") == 0)
			continue; /* the proposer is checked against the version before */
		guts_buf_clear(&b);
		assert_int_equal(guts_record_seal(&b, samples[i].kind, &k, payload_of(i), NULL), 0);
		assert_int_equal(sample_open(samples[i].kind, guts_buf_slice(&b), 0), GUTS_EPROTO);
	}
	guts_buf_deinit(&b);
}

static void
the_future_is_refused(void **state)
{
	const uint64_t hour = UINT64_C(1000) * GUTS_FUTURE_MAX_S;

	(void)state;
	for (size_t i = 0; i < RECORD_SAMPLES; i++) {
		struct guts_slice e = guts_buf_slice(&samples[i].envelope);

		assert_int_equal(sample_open(samples[i].kind, e, SAMPLE_MS - hour - 1),
				 GUTS_EFUTURE);
		assert_int_equal(sample_open(samples[i].kind, e, SAMPLE_MS - hour + 1001), 0);
		assert_int_equal(sample_open(samples[i].kind, e, SAMPLE_MS * 2), 0);
	}
	assert_int_equal(guts_record_check_time(5 + hour, 5), 0);
	assert_int_equal(guts_record_check_time(6 + hour, 5), GUTS_EFUTURE);
	assert_int_equal(guts_record_check_time(UINT64_MAX, 0), 0);
}

/* -- rules of each kind ----------------------------------------------------------------- */

static int
try_refs(struct guts_signedrefs *r)
{
	struct guts_buf b;
	struct guts_key k;
	int err;

	sample_key(&k, 1);
	guts_buf_init(&b, GUTS_SIGNEDREFS_MAX);
	err = guts_signedrefs_make(&b, &k, r);
	if (!err)
		err = guts_signedrefs_open(r, guts_buf_slice(&b), 0);
	guts_buf_deinit(&b);
	return err;
}

static void
signed_refs_keep_their_rules(void **state)
{
	struct guts_signedrefs a = { .sequence = 1 }, b, c;

	(void)state;
	assert_int_equal(try_refs(&a), 0);
	assert_int_equal(a.format, GUTS_SIGNEDREFS_FORMAT);

	b = (struct guts_signedrefs){ .sequence = 0 };
	assert_int_equal(try_refs(&b), GUTS_EINVAL);
	b.sequence = UINT64_MAX;
	assert_int_equal(try_refs(&b), GUTS_EINVAL);
	b = (struct guts_signedrefs){ .sequence = 2, .ref_count = GUTS_REFS_PER_AUTHOR_MAX + 1 };
	assert_int_equal(try_refs(&b), GUTS_EINVAL);
	b = (struct guts_signedrefs){ .sequence = 2, .nprevious = GUTS_PREVIOUS_MAX + 1 };
	assert_int_equal(try_refs(&b), GUTS_EINVAL);
	b = (struct guts_signedrefs){ .sequence = 2, .nprevious = 2 }; /* the same hash twice */
	assert_int_equal(try_refs(&b), GUTS_EINVAL);

	b = (struct guts_signedrefs){ .sequence = 2, .nprevious = 1 };
	memcpy(b.previous[0], a.hash, sizeof a.hash);
	assert_int_equal(try_refs(&b), 0);
	assert_int_equal(guts_signedrefs_check_after(&b, &a), 0);
	assert_true(guts_signedrefs_cmp(&b, &a) < 0);
	assert_true(guts_signedrefs_cmp(&a, &b) > 0);
	assert_int_equal(guts_signedrefs_cmp(&a, &a), 0);

	c = b;
	c.sequence = 1;
	assert_int_equal(guts_signedrefs_check_after(&c, &a), GUTS_ESTALE);
	c = b;
	c.repository[0] ^= 1;
	assert_int_equal(guts_signedrefs_check_after(&c, &a), GUTS_EPROTO);
	c = b;
	c.previous[0][0] ^= 1;
	assert_int_equal(guts_signedrefs_check_after(&c, &a), GUTS_EPROTO);
	a.format = 2;
	assert_int_equal(guts_signedrefs_check_after(&b, &a), GUTS_ESTALE);
	a.format = 1;
	a.identity_version = 1;
	assert_int_equal(guts_signedrefs_check_after(&b, &a), GUTS_ESTALE);
}

static void
equal_sequences_are_settled_by_the_smaller_hash(void **state)
{
	struct guts_signedrefs a = { .sequence = 7, .ref_count = 1 }, b = { .sequence = 7 };

	(void)state;
	assert_int_equal(try_refs(&a), 0);
	assert_int_equal(try_refs(&b), 0);
	assert_int_equal(guts_signedrefs_cmp(&a, &b) < 0,
			 memcmp(a.hash, b.hash, sizeof a.hash) < 0);
	assert_int_equal(guts_signedrefs_cmp(&a, &b) < 0, guts_signedrefs_cmp(&b, &a) > 0);
}

static void
a_signed_refs_envelope_stays_below_1_kib(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECORD_SAMPLES; i++)
		if (samples[i].kind == GUTS_RECORD_SIGNEDREFS)
			assert_true(samples[i].envelope.len <= 600);
}

static int
try_status(const char *context, const char *url, const char *description, uint64_t sequence)
{
	struct guts_status s = { .state = GUTS_STATUS_ERROR, .sequence = sequence }, back, peeked;
	struct guts_buf b;
	struct guts_key k;
	int err;

	sample_key(&k, 1);
	s.commit.n = 20;
	s.commit.b[0] = sequence < 1000; /* all zeros is no commit */
	snprintf(s.context, sizeof s.context, "%s", context);
	snprintf(s.target_url, sizeof s.target_url, "%s", url);
	snprintf(s.description, sizeof s.description, "%s", description);
	guts_buf_init(&b, GUTS_RECORD_MAX);
	err = guts_status_make(&b, &k, &s);
	if (!err) {
		err = guts_status_open(&back, guts_buf_slice(&b), 0);
		assert_string_equal(back.context, context);
		assert_string_equal(back.target_url, url);
		assert_string_equal(back.description, description);
		assert_int_equal(guts_status_cmp(&s, &back), 0);
		guts_buf_truncate(&b, b.len - 1);
		guts_buf_add_u8(&b, 0xff); /* the signature's last byte is small */
		assert_int_equal(guts_status_open(&peeked, guts_buf_slice(&b), 0), GUTS_ESIG);
		assert_int_equal(guts_status_peek(&peeked, guts_buf_slice(&b)), 0);
		assert_memory_equal(&peeked, &back, sizeof back);
	}
	guts_buf_deinit(&b);
	return err;
}

static void
statuses_keep_their_rules(void **state)
{
	enum guts_status_state s;

	(void)state;
	assert_int_equal(try_status("ci", "", "", 1), 0);
	assert_int_equal(try_status("ci", "https://x.example/", "fine", 1), 0);
	assert_int_equal(try_status("", "", "", 1), GUTS_EINVAL);
	assert_int_equal(try_status("ci", "", "", 0), GUTS_EINVAL);
	assert_int_equal(try_status("ci", "", "", 1000), GUTS_EINVAL);
	assert_int_equal(try_status("ci", "javascript:alert(1)", "", 1), GUTS_EINVAL);
	assert_int_equal(try_status("ci", "https://x/\"onclick=", "", 1), GUTS_EINVAL);
	assert_int_equal(try_status("ci", "", "two\nlines", 1), GUTS_EINVAL);
	assert_int_equal(try_status("c\x1b[2Ji", "", "", 1), GUTS_EINVAL);

	for (int i = GUTS_STATUS_PENDING; i <= GUTS_STATUS_ERROR; i++) {
		const char *name = guts_status_state_name((enum guts_status_state)i);

		assert_int_equal(guts_status_state_parse(&s, guts_slice_str(name)), 0);
		assert_int_equal(s, i);
	}
	assert_int_equal(guts_status_state_parse(&s, guts_slice_str("")), GUTS_EINVAL);
	assert_string_equal(guts_status_state_name((enum guts_status_state)9), "");
}

static void
a_message_holds_on_its_own_topic_only(void **state)
{
	struct guts_slice e = guts_buf_slice(&samples[RECORD_SAMPLES - 1].envelope);
	struct guts_usermsg m;

	(void)state;
	assert_int_equal(guts_usermsg_open(&m, e, guts_slice_str("chat/general"), 0), 0);
	assert_true(guts_slice_eq(m.data, guts_slice_str("hello guts")));
	assert_int_equal(guts_usermsg_open(&m, e, guts_slice_str("chat/other"), 0), GUTS_EPROTO);
}

static void
the_largest_message_fits(void **state)
{
	static uint8_t data[GUTS_USERMSG_DATA_MAX + 1];
	struct guts_usermsg m = { .sequence = 1, .data = { data, GUTS_USERMSG_DATA_MAX } }, back;
	char topic[GUTS_TOPIC_MAX];
	struct guts_buf b;
	struct guts_key k;

	(void)state;
	sample_key(&k, 1);
	memset(topic, 't', sizeof topic);
	m.topic = guts_slice(topic, sizeof topic);
	guts_buf_init(&b, GUTS_USERMSG_MAX);
	assert_int_equal(guts_usermsg_make(&b, &k, &m), 0);
	assert_int_equal(guts_usermsg_open(&back, guts_buf_slice(&b), m.topic, 0), 0);
	assert_int_equal(back.data.n, GUTS_USERMSG_DATA_MAX);
	m.data.n++;
	assert_int_equal(guts_usermsg_make(&b, &k, &m), GUTS_EINVAL);
	guts_buf_deinit(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_equal_the_known_answers),
		cmocka_unit_test(samples_open_and_peek),
		cmocka_unit_test(no_record_passes_as_another_kind),
		cmocka_unit_test(mutated_records_are_refused),
		cmocka_unit_test(other_forms_of_an_envelope_are_refused),
		cmocka_unit_test(an_unknown_major_is_unsupported),
		cmocka_unit_test(unknown_fields_are_kept_and_counted_in_the_hash),
		cmocka_unit_test(too_long_is_refused_before_anything_else),
		cmocka_unit_test(another_signer_is_refused),
		cmocka_unit_test(the_future_is_refused),
		cmocka_unit_test(signed_refs_keep_their_rules),
		cmocka_unit_test(equal_sequences_are_settled_by_the_smaller_hash),
		cmocka_unit_test(a_signed_refs_envelope_stays_below_1_kib),
		cmocka_unit_test(statuses_keep_their_rules),
		cmocka_unit_test(a_message_holds_on_its_own_topic_only),
		cmocka_unit_test(the_largest_message_fits),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
