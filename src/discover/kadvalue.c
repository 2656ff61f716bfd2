/* discover/kadvalue.c - keys of the DHT and what is valid under them.
 *
 * Every value proves itself: a peer record is signed by the peer whose id is the key, a
 * genesis record hashes to the id.  So a value that is taken from a stranger is as good as
 * one from a friend, and one that fails is neither kept nor given.  What a private repository is
 * about is refused by everyone.
 */
#include "discover/kad_int.h"
#include "proto/identity.h"

static const uint8_t sha256_code[2] = {0x12, 0x20};

struct guts_slice
guts_kad_provider_key(uint8_t out[GUTS_KAD_KEY_MAX], const uint8_t repo[GUTS_REPOID_SIZE])
{
	memcpy(out, sha256_code, sizeof sha256_code);
	memcpy(out + sizeof sha256_code, repo, GUTS_REPOID_SIZE);
	return guts_slice(out, sizeof sha256_code + GUTS_REPOID_SIZE);
}

struct guts_slice
guts_kad_value_key(uint8_t out[GUTS_KAD_KEY_MAX], const char *ns, struct guts_slice id)
{
	size_t n = strlen(ns);

	if (n + id.n > GUTS_KAD_KEY_MAX)
		return guts_slice(out, 0);
	memcpy(out, ns, n);
	memcpy(out + n, id.p, id.n);
	return guts_slice(out, n + id.n);
}

static bool
in_namespace(struct guts_slice key, const char *ns, struct guts_slice *id)
{
	size_t n = strlen(ns);

	if (key.n <= n || memcmp(key.p, ns, n) != 0)
		return false;
	*id = guts_slice(key.p + n, key.n - n);
	return true;
}

bool
kad_key_is_value(struct guts_slice key)
{
	return key.n > 0 && key.n <= GUTS_KAD_KEY_MAX && key.p[0] == '/';
}

bool
kad_key_is_provider(struct guts_slice key)
{
	return key.n == sizeof sha256_code + GUTS_REPOID_SIZE &&
	       memcmp(key.p, sha256_code, sizeof sha256_code) == 0;
}

bool
kad_key_is_fixed(struct guts_slice key)
{
	struct guts_slice id;

	return in_namespace(key, GUTS_KAD_NS_REPO, &id);
}

static int
check_peer(struct guts_slice id, struct guts_slice value, uint64_t *rank)
{
	struct guts_peerrecord *r = guts_alloc(sizeof *r);
	struct guts_peerid want;
	int err = guts_peerid_decode(&want, id);

	if (!err)
		err = guts_peerrecord_open(r, value);
	if (!err && !guts_peerid_eq(&r->peer, &want))
		err = GUTS_EDENIED;
	*rank = r->seq;
	free(r);
	return err;
}

static int
check_repo(struct guts_slice id, struct guts_slice value, uint64_t wall_ns, uint64_t *rank)
{
	struct guts_identity *r = guts_alloc(sizeof *r);
	int err = id.n == GUTS_REPOID_SIZE ? 0 : GUTS_EPROTO;

	if (!err)
		err = guts_identity_open(r, value, wall_ns / 1000000);
	if (!err && (r->version != 0 || memcmp(r->hash, id.p, id.n) != 0 || r->is_private))
		err = GUTS_EDENIED;
	*rank = 0;
	free(r);
	return err;
}

int
guts_kad_value_check(struct guts_slice key, struct guts_slice value, uint64_t wall_ns,
		     uint64_t *rank)
{
	struct guts_slice id;

	if (value.n > GUTS_KAD_VALUE_MAX)
		return GUTS_ELIMIT;
	if (in_namespace(key, GUTS_KAD_NS_PEER, &id))
		return check_peer(id, value, rank);
	if (in_namespace(key, GUTS_KAD_NS_REPO, &id))
		return check_repo(id, value, wall_ns, rank);
	return GUTS_EUNSUPPORTED;
}
