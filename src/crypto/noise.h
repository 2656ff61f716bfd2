/* crypto/noise.h - the libp2p secure channel: Noise_XX_25519_ChaChaPoly_SHA256, without I/O.
 *
 * Both sides make one object per link and exchange three messages; each side then knows
 * the other's peer id and, if both offered some, the muxer.  Every message, in the
 * handshake and after it, is a frame: length (2 bytes, big endian), then that many bytes.
 *
 *	dialer                                listener
 *	send  -> e
 *	                                      recv, send  <- e, ee, s, es + payload
 *	recv, send -> s, se + payload
 *	done                                  recv, done
 *
 * Source: libp2p specs, noise/README.md, connections/inlined-muxer-negotiation.md;
 * The Noise Protocol Framework, revision 34.
 */
#ifndef GUTS_CRYPTO_NOISE_H
#define GUTS_CRYPTO_NOISE_H

#include "base/buf.h"
#include "crypto/key.h"

#define GUTS_NOISE_PLAIN_MAX 65519 /* [bytes] plaintext of one frame: GUTS_NOISE_FRAME_MAX less the tag */
#define GUTS_NOISE_FRAME_OVERHEAD 18 /* [bytes] length prefix and tag */
#define GUTS_NOISE_MUXERS_MAX 8    /* entries of our own list, and of the peer's */
#define GUTS_NOISE_MUXER_SIZE_MAX 64 /* [bytes] one entry */

enum guts_noise_role {
	GUTS_NOISE_DIALER,
	GUTS_NOISE_LISTENER,
};

/* Who we are on every link: a Noise static key and the node key's signature over it, made once
 * per process and shared by all links.  Wipe at the end. */
struct guts_noise_identity {
	struct guts_peerid id;
	uint8_t static_secret[32];
	uint8_t static_public[32];
	uint8_t identity_key[GUTS_PUBKEY_PB_SIZE];
	uint8_t identity_sig[GUTS_SIG_SIZE];
};

/* Make *id of the node key and 32 random bytes for the static key. */
void guts_noise_identity_init(struct guts_noise_identity *id, const struct guts_key *k,
    const uint8_t static_seed[32]);
void guts_noise_identity_wipe(struct guts_noise_identity *id);

struct guts_noise;

/* A new handshake.  `id` is borrowed until guts_noise_free.  `ephemeral`: 32 fresh random bytes, copied.
 * `expected`: the peer id that was dialled, copied; NULL = anybody.  `muxers`: NULL-ended list of protocol
 * names in order of preference, borrowed; NULL = offer none.  Owner: caller, guts_noise_free. */
struct guts_noise *guts_noise_new(enum guts_noise_role role, const struct guts_noise_identity *id,
    const uint8_t ephemeral[32], const struct guts_peerid *expected, const char *const *muxers);

/* Wipes all keys; NULL is fine. */
void guts_noise_free(struct guts_noise *n);

/* The frame at the front of `in`: *body = its bytes without the length, *used = all it takes.
 * Errors: GUTS_EAGAIN not whole yet; GUTS_ELIMIT longer than this state of the handshake allows
 * (told before the bytes came); GUTS_EPROTO shorter than a tag. */
int guts_noise_frame(const struct guts_noise *n, struct guts_slice in, struct guts_slice *body, size_t *used);

/* It is our turn in the handshake: call guts_noise_handshake_send. */
bool guts_noise_wants_send(const struct guts_noise *n);

/* Append our next handshake message as a frame.  After an error the object is dead, as below.  Errors: GUTS_ELIMIT
 * (`out` full), GUTS_EPROTO (the peer's key is of low order), GUTS_EINVAL (not our turn; harmless). */
int guts_noise_handshake_send(struct guts_noise *n, struct guts_buf *out);

/* Take the peer's next handshake message (a frame's body).  After an error the object is dead: every later
 * call gives GUTS_ECLOSED.  Errors: GUTS_EPROTO, GUTS_ELIMIT, GUTS_ESIG (tag or identity signature),
 * GUTS_EUNSUPPORTED (peer's key is no Ed25519 key; no muxer in common), GUTS_EDENIED (not the expected peer). */
int guts_noise_handshake_recv(struct guts_noise *n, struct guts_slice body);

/* The handshake is complete: the functions below may be used. */
bool guts_noise_is_done(const struct guts_noise *n);

/* The authenticated peer; lent. */
const struct guts_peerid *guts_noise_peer(const struct guts_noise *n);

/* The muxer both agreed on inside the handshake, an entry of our list; NULL: negotiate by multistream. */
const char *guts_noise_muxer(const struct guts_noise *n);

/* SHA-256 of the whole handshake, equal on both ends: a channel binding; lent, 32 bytes. */
const uint8_t *guts_noise_hash(const struct guts_noise *n);

/* Encrypt the pieces, one after the other, as frames filled as far as they go, and append them to `out`.
 * No bytes = no frame.  Errors: GUTS_ELIMIT (`out` has no room: nothing was encrypted; or 2^64 - 1 frames
 * were sent), GUTS_EINVAL (handshake not done), GUTS_ECLOSED. */
int guts_noise_seal(struct guts_noise *n, const struct guts_slice *pieces, size_t count, struct guts_buf *out);

/* Bytes guts_noise_seal appends for `n` bytes of plaintext, if the pieces are no more than 64. */
size_t guts_noise_sealed_size(size_t n);

/* Decrypt one frame's body in place: *plain is a view into it.  Errors: GUTS_ESIG (the object is dead then),
 * GUTS_ELIMIT, GUTS_EINVAL, GUTS_ECLOSED. */
int guts_noise_open(struct guts_noise *n, uint8_t *body, size_t size, struct guts_slice *plain);

#endif
