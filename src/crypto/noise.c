/* crypto/noise.c - what libp2p puts around Noise XX: frames, an identity payload, early muxers.
 *
 * Messages 2 and 3 carry a payload: the sender's PublicKey, its signature over the Noise
 * static key, and the muxers it speaks.  A link is authenticated once the peer's payload
 * was checked, which is before the object says it is done.  Any error ends the object:
 * its keys are wiped and it says GUTS_ECLOSED from then on.
 */
#include "crypto/noise.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "crypto/noisexx.h"
#include "wire/pb.h"

#include <sodium.h>
#include <stdlib.h>

#define LENGTH_SIZE 2u
#define PIECES_MAX 64u      /* pieces of one frame */
#define ARENA_MAX 4096u     /* [bytes] lists of a payload */
#define CERTHASHES_MAX 8u
#define KEY_PB_MAX 512u     /* [bytes] so that an RSA key gets its own error */

static const char signature_prefix[] = "noise-libp2p-static-key:";
#define SIGNED_SIZE (sizeof(signature_prefix) - 1 + GUTS_X25519_SIZE)

struct extensions {
	struct guts_pb_bytes_list webtransport_certhashes;
	struct guts_pb_bytes_list stream_muxers;
};

struct payload {
	struct guts_slice identity_key;
	struct guts_slice identity_sig;
	struct extensions extensions;
	bool has_extensions;
};

static const struct guts_pb_field extensions_fields[] = {
	GUTS_PB_REPEATED(struct extensions, webtransport_certhashes, 1, GUTS_PB_BYTES, 64, CERTHASHES_MAX, NULL),
	GUTS_PB_REPEATED(struct extensions, stream_muxers, 2, GUTS_PB_STRING, GUTS_NOISE_MUXER_SIZE_MAX,
	    GUTS_NOISE_MUXERS_MAX, NULL),
};
static const struct guts_pb_desc extensions_desc =
    GUTS_PB_DESC("NoiseExtensions", struct extensions, extensions_fields);

static const struct guts_pb_field payload_fields[] = {
	GUTS_PB_FIELD(struct payload, identity_key, 1, GUTS_PB_BYTES, KEY_PB_MAX),
	GUTS_PB_FIELD(struct payload, identity_sig, 2, GUTS_PB_BYTES, KEY_PB_MAX),
	GUTS_PB_INNER(struct payload, extensions, 4, GUTS_NOISE_PAYLOAD_MAX, &extensions_desc),
};
static const struct guts_pb_desc payload_desc =
    GUTS_PB_DESC("NoiseHandshakePayload", struct payload, payload_fields);

struct guts_noise {
	bool is_dialer, is_dead, is_done;
	const struct guts_noise_identity *id;
	struct guts_peerid expected; /* n = 0: anybody */
	struct guts_peerid peer;
	const char *const *muxers; /* NULL = none */
	const char *muxer;
	struct guts_noisexx xx;
	struct guts_noisexx_cipher tx, rx;
	uint8_t hash[32];
};

static void
signed_bytes(uint8_t out[SIGNED_SIZE], const uint8_t static_public[GUTS_X25519_SIZE])
{
	memcpy(out, signature_prefix, sizeof(signature_prefix) - 1);
	memcpy(out + sizeof(signature_prefix) - 1, static_public, GUTS_X25519_SIZE);
}

void
guts_noise_identity_init(struct guts_noise_identity *id, const struct guts_key *k, const uint8_t static_seed[32])
{
	uint8_t bytes[SIGNED_SIZE];

	id->id = k->id;
	memcpy(id->static_secret, static_seed, sizeof(id->static_secret));
	guts_x25519_public(id->static_public, id->static_secret);
	guts_pubkey_encode(id->identity_key, k->pub);
	signed_bytes(bytes, id->static_public);
	guts_sign(id->identity_sig, k, guts_slice(bytes, sizeof(bytes)));
}

void
guts_noise_identity_wipe(struct guts_noise_identity *id)
{
	sodium_memzero(id, sizeof(*id));
}

struct guts_noise *
guts_noise_new(enum guts_noise_role role, const struct guts_noise_identity *id, const uint8_t ephemeral[32],
    const struct guts_peerid *expected, const char *const *muxers)
{
	struct guts_noise *n = guts_alloc(sizeof(*n));
	struct guts_noisexx_pair s;

	n->is_dialer = role == GUTS_NOISE_DIALER;
	n->id = id;
	n->muxers = muxers;
	if (expected != NULL)
		n->expected = *expected;
	memcpy(s.secret, id->static_secret, sizeof(s.secret));
	memcpy(s.public, id->static_public, sizeof(s.public));
	guts_noisexx_init(&n->xx, n->is_dialer, guts_slice(NULL, 0), &s, ephemeral);
	sodium_memzero(&s, sizeof(s));
	return n;
}

void
guts_noise_free(struct guts_noise *n)
{
	if (n == NULL)
		return;
	guts_noisexx_cipher_deinit(&n->tx);
	guts_noisexx_cipher_deinit(&n->rx);
	sodium_memzero(n, sizeof(*n));
	free(n);
}

/* End the object for `err`. */
static int
die(struct guts_noise *n, int err)
{
	n->is_dead = true;
	n->is_done = false;
	guts_noisexx_wipe(&n->xx);
	guts_noisexx_cipher_deinit(&n->tx);
	guts_noisexx_cipher_deinit(&n->rx);
	return err;
}

/* --- frames -------------------------------------------------------------- */

/* What the next frame from the peer may measure [bytes]. */
static void
frame_bounds(const struct guts_noise *n, size_t *min, size_t *max)
{
	static const size_t heads[] = {
		[0] = GUTS_X25519_SIZE,
		[1] = 2 * GUTS_X25519_SIZE + 2 * GUTS_AEAD_TAG_SIZE,
		[2] = GUTS_X25519_SIZE + 2 * GUTS_AEAD_TAG_SIZE,
	};

	*min = GUTS_AEAD_TAG_SIZE;
	*max = GUTS_NOISE_FRAME_MAX;
	if (n->xx.step < GUTS_NOISEXX_MESSAGES && !n->is_done) {
		*min = heads[n->xx.step];
		*max = *min + (n->xx.step ? GUTS_NOISE_PAYLOAD_MAX : 0);
	}
}

int
guts_noise_frame(const struct guts_noise *n, struct guts_slice in, struct guts_slice *body, size_t *used)
{
	size_t size, min, max;

	if (in.n < LENGTH_SIZE)
		return GUTS_EAGAIN;
	size = (size_t)in.p[0] << 8 | in.p[1];
	frame_bounds(n, &min, &max);
	if (size < min)
		return GUTS_EPROTO;
	if (size > max)
		return GUTS_ELIMIT;
	if (size > in.n - LENGTH_SIZE)
		return GUTS_EAGAIN;
	*body = guts_slice(in.p + LENGTH_SIZE, size);
	*used = LENGTH_SIZE + size;
	return GUTS_OK;
}

/* --- handshake ----------------------------------------------------------- */

static int
make_payload(const struct guts_noise *n, struct guts_buf *out)
{
	struct guts_slice names[GUTS_NOISE_MUXERS_MAX];
	struct payload p = {
		.identity_key = guts_slice(n->id->identity_key, sizeof(n->id->identity_key)),
		.identity_sig = guts_slice(n->id->identity_sig, sizeof(n->id->identity_sig)),
		.has_extensions = n->muxers != NULL && n->muxers[0] != NULL,
	};
	struct guts_pb_bytes_list *list = &p.extensions.stream_muxers;

	list->v = names;
	for (size_t i = 0; p.has_extensions && n->muxers[i] != NULL && i < GUTS_NOISE_MUXERS_MAX; i++)
		names[list->n++] = guts_slice_str(n->muxers[i]);
	return guts_pb_encode(&payload_desc, &p, out);
}

static const char *
own_muxer(const struct guts_noise *n, struct guts_slice name)
{
	for (size_t i = 0; n->muxers[i] != NULL && i < GUTS_NOISE_MUXERS_MAX; i++)
		if (guts_slice_eq(guts_slice_str(n->muxers[i]), name))
			return n->muxers[i];
	return NULL;
}

static bool
has_name(const struct guts_pb_bytes_list *list, struct guts_slice name)
{
	for (size_t i = 0; i < list->n; i++)
		if (guts_slice_eq(list->v[i], name))
			return true;
	return false;
}

/* The first of the dialer's muxers that the listener has too. */
static int
choose_muxer(struct guts_noise *n, const struct guts_pb_bytes_list *theirs)
{
	if (n->muxers == NULL || n->muxers[0] == NULL || theirs->n == 0)
		return GUTS_OK;
	if (n->is_dialer) {
		for (size_t i = 0; n->muxers[i] != NULL && n->muxer == NULL && i < GUTS_NOISE_MUXERS_MAX; i++)
			if (has_name(theirs, guts_slice_str(n->muxers[i])))
				n->muxer = n->muxers[i];
	} else {
		for (size_t i = 0; i < theirs->n && n->muxer == NULL; i++)
			n->muxer = own_muxer(n, theirs->v[i]);
	}
	return n->muxer ? GUTS_OK : GUTS_EUNSUPPORTED;
}

static int
check_payload(struct guts_noise *n, const struct payload *p)
{
	uint8_t pub[GUTS_PUBKEY_SIZE], bytes[SIGNED_SIZE];
	int err = guts_pubkey_decode(pub, p->identity_key);

	if (err)
		return err;
	if (p->identity_sig.n != GUTS_SIG_SIZE)
		return GUTS_EPROTO;
	signed_bytes(bytes, n->xx.rs);
	err = guts_verify(p->identity_sig.p, pub, guts_slice(bytes, sizeof(bytes)));
	if (err)
		return err;
	guts_peerid_from_pubkey(&n->peer, pub);
	if (n->expected.n && !guts_peerid_eq(&n->expected, &n->peer))
		return GUTS_EDENIED;
	return choose_muxer(n, &p->extensions.stream_muxers);
}

/* The peer's identity out of the payload of message 2 or 3. */
static int
take_payload(struct guts_noise *n, struct guts_slice bytes)
{
	struct guts_arena arena;
	struct payload p;
	int err;

	guts_arena_init(&arena, ARENA_MAX);
	err = guts_pb_decode(&payload_desc, bytes, &p, &arena);
	if (!err)
		err = check_payload(n, &p);
	guts_arena_deinit(&arena);
	return err;
}

/* Both directions get their keys once the third message is through. */
static void
finish(struct guts_noise *n)
{
	uint8_t to_responder[GUTS_AEAD_KEY_SIZE], to_initiator[GUTS_AEAD_KEY_SIZE];

	if (n->xx.step < GUTS_NOISEXX_MESSAGES)
		return;
	guts_noisexx_split(&n->xx, to_responder, to_initiator);
	guts_noisexx_cipher_init(&n->tx, n->is_dialer ? to_responder : to_initiator, true);
	guts_noisexx_cipher_init(&n->rx, n->is_dialer ? to_initiator : to_responder, false);
	memcpy(n->hash, n->xx.h, sizeof(n->hash));
	sodium_memzero(to_responder, sizeof(to_responder));
	sodium_memzero(to_initiator, sizeof(to_initiator));
	guts_noisexx_wipe(&n->xx);
	n->is_done = true;
}

bool
guts_noise_wants_send(const struct guts_noise *n)
{
	return !n->is_dead && !n->is_done && guts_noisexx_writes(&n->xx);
}

int
guts_noise_handshake_send(struct guts_noise *n, struct guts_buf *out)
{
	struct guts_buf payload, message;
	int err = GUTS_OK;

	if (n->is_dead)
		return GUTS_ECLOSED;
	if (!guts_noise_wants_send(n))
		return GUTS_EINVAL;
	guts_buf_init(&payload, GUTS_NOISE_PAYLOAD_MAX);
	guts_buf_init(&message, GUTS_NOISE_FRAME_MAX);
	if (n->xx.step > 0)
		err = make_payload(n, &payload);
	if (!err)
		err = guts_noisexx_write(&n->xx, guts_buf_slice(&payload), &message);
	if (!err && LENGTH_SIZE + message.len > out->max - out->len)
		err = GUTS_ELIMIT;
	if (err) {
		err = die(n, err);
	} else {
		guts_buf_add_be16(out, (uint16_t)message.len);
		guts_buf_add_slice(out, guts_buf_slice(&message));
		finish(n);
	}
	guts_buf_deinit(&payload);
	guts_buf_deinit(&message);
	return err;
}

int
guts_noise_handshake_recv(struct guts_noise *n, struct guts_slice body)
{
	struct guts_buf payload;
	size_t min, max;
	bool is_first = n->xx.step == 0;
	int err;

	if (n->is_dead)
		return GUTS_ECLOSED;
	if (n->is_done || guts_noisexx_writes(&n->xx))
		return GUTS_EINVAL;
	frame_bounds(n, &min, &max);
	if (body.n < min || body.n > max)
		return die(n, body.n < min ? GUTS_EPROTO : GUTS_ELIMIT);
	guts_buf_init(&payload, max);
	err = guts_noisexx_read(&n->xx, body, &payload);
	if (!err && !is_first)
		err = take_payload(n, guts_buf_slice(&payload));
	guts_buf_deinit(&payload);
	if (err)
		return die(n, err);
	finish(n);
	return GUTS_OK;
}

bool
guts_noise_is_done(const struct guts_noise *n)
{
	return n->is_done;
}

const struct guts_peerid *
guts_noise_peer(const struct guts_noise *n)
{
	return &n->peer;
}

const char *
guts_noise_muxer(const struct guts_noise *n)
{
	return n->muxer;
}

const uint8_t *
guts_noise_hash(const struct guts_noise *n)
{
	return n->hash;
}

/* --- transport ----------------------------------------------------------- */

size_t
guts_noise_sealed_size(size_t n)
{
	return n + (n + GUTS_NOISE_PLAIN_MAX - 1) / GUTS_NOISE_PLAIN_MAX * GUTS_NOISE_FRAME_OVERHEAD;
}

/* Where a run over pieces stands. */
struct place {
	const struct guts_slice *piece;
	size_t left; /* pieces, this one included */
	size_t off;  /* bytes of it that are done */
};

/* Views of the next bytes, as many as one frame takes; returns their sum. */
static size_t
next_frame(struct place *at, struct guts_slice views[PIECES_MAX], size_t *count)
{
	size_t sum = 0;

	*count = 0;
	while (at->left > 0 && sum < GUTS_NOISE_PLAIN_MAX && *count < PIECES_MAX) {
		size_t n = at->piece->n - at->off, room = GUTS_NOISE_PLAIN_MAX - sum;

		if (n > room)
			n = room;
		if (n > 0)
			views[(*count)++] = guts_slice(at->piece->p + at->off, n);
		sum += n;
		at->off += n;
		if (at->off == at->piece->n) {
			at->piece++;
			at->left--;
			at->off = 0;
		}
	}
	return sum;
}

int
guts_noise_seal(struct guts_noise *n, const struct guts_slice *pieces, size_t count, struct guts_buf *out)
{
	struct guts_slice views[PIECES_MAX];
	struct place at = { pieces, count, 0 };
	size_t total = 0, need, size, used = 0, k;
	uint8_t *room;

	if (!n->is_done)
		return n->is_dead ? GUTS_ECLOSED : GUTS_EINVAL;
	for (size_t i = 0; i < count; i++)
		if (__builtin_add_overflow(total, pieces[i].n, &total))
			return GUTS_ELIMIT;
	if (total > out->max)
		return GUTS_ELIMIT;
	need = guts_noise_sealed_size(total) + count / PIECES_MAX * GUTS_NOISE_FRAME_OVERHEAD;
	if (need > out->max - out->len || need >= UINT64_MAX - n->tx.nonce)
		return GUTS_ELIMIT;
	room = guts_buf_reserve(out, need);
	if (room == NULL)
		return GUTS_ELIMIT;
	while ((size = next_frame(&at, views, &k)) > 0) {
		uint8_t *frame = room + used;
		size_t body = size + GUTS_AEAD_TAG_SIZE;

		frame[0] = (uint8_t)(body >> 8);
		frame[1] = (uint8_t)body;
		guts_noisexx_cipher_seal(&n->tx, views, k, frame + LENGTH_SIZE);
		used += LENGTH_SIZE + body;
	}
	guts_buf_commit(out, used);
	return GUTS_OK;
}

int
guts_noise_open(struct guts_noise *n, uint8_t *body, size_t size, struct guts_slice *plain)
{
	int err;

	if (!n->is_done)
		return n->is_dead ? GUTS_ECLOSED : GUTS_EINVAL;
	err = guts_noisexx_cipher_open(&n->rx, body, size);
	if (err)
		return die(n, err);
	*plain = guts_slice(body, size - GUTS_AEAD_TAG_SIZE);
	return GUTS_OK;
}
