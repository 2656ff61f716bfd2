/* discover/kadaddr.c - places in the key space; packed addresses and who may know them.
 *
 * An address is worth something only to who is as near as it: loopback to the same machine,
 * private ones to the same network.  So what a peer tells is taken only as far as the peer itself
 * is near, and each asker is told only what it can use.  That also keeps a stranger from making us
 * dial into our own network.
 */
#include "base/cursor.h"
#include "discover/kad_int.h"

void
kad_place_of(struct kad_place *out, struct guts_slice key)
{
	guts_sha256(out->b, key);
}

void
kad_distance(struct kad_place *out, const struct kad_place *a, const struct kad_place *b)
{
	for (size_t i = 0; i < sizeof out->b; i++)
		out->b[i] = a->b[i] ^ b->b[i];
}

int
kad_place_cmp(const struct kad_place *a, const struct kad_place *b)
{
	return memcmp(a->b, b->b, sizeof a->b);
}

unsigned
kad_shared_bits(const struct kad_place *a, const struct kad_place *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < sizeof a->b; i++, n += 8) {
		unsigned x = a->b[i] ^ b->b[i];

		if (x == 0)
			continue;
		for (; !(x & 0x80); x <<= 1)
			n++;
		break;
	}
	return n;
}

enum kad_reach
kad_reach_of(const struct guts_maddr *m)
{
	if (guts_maddr_is_loopback(m))
		return KAD_LOOPBACK;
	return guts_maddr_is_private(m) ? KAD_PRIVATE : KAD_PUBLIC;
}

/* --- packed addresses --- */

void
kad_addrs_free(struct kad_addrs *a)
{
	free(a->b);
	*a = (struct kad_addrs){0};
}

void
kad_addrs_copy(struct kad_addrs *to, const struct kad_addrs *from)
{
	uint8_t *b = from->n ? guts_memdup(from->b, from->n) : NULL;

	free(to->b);
	*to = (struct kad_addrs){from->n, b};
}

bool
kad_addrs_next(const struct kad_addrs *a, size_t *pos, struct guts_slice *out)
{
	struct guts_cursor c;

	if (*pos >= a->n)
		return false;
	guts_cursor_init(&c, guts_slice(a->b + *pos, a->n - *pos));
	*out = guts_cursor_bytes(&c, guts_cursor_be16(&c));
	*pos += 2 + out->n;
	return true;
}

/* One host that can be dialled: no name of all or many. */
static bool
is_unicast(const struct guts_maddr_target *t)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;
	const struct sockaddr_in6 *s6 = (const struct sockaddr_in6 *)&t->addr;
	const struct sockaddr_in *s4 = (const struct sockaddr_in *)&t->addr;
	uint32_t v4;

	if (t->port == 0 || !(t->is_tcp || t->is_quic))
		return false;
	if (t->is_dns)
		return true;
	if (t->addr.ss_family == AF_INET6)
		return s6->sin6_addr.s6_addr[0] != 0xff &&
		       memcmp(&s6->sin6_addr, &any, sizeof any) != 0;
	v4 = ntohl(s4->sin_addr.s_addr);
	return v4 >> 24 != 0 && v4 >> 24 < 224;
}

void
kad_addrs_add(struct guts_kad *k, struct kad_addrs *a, const struct guts_maddr *m,
	      enum kad_reach from)
{
	struct guts_maddr bare = *m;
	struct guts_maddr_target t;
	struct guts_slice known;
	size_t pos = 0, n = 0;

	guts_maddr_strip_peer(&bare);
	if (guts_maddr_target(&bare, &t) || !is_unicast(&t) ||
	    (!k->cfg.allow_private && kad_reach_of(&bare) > from)) {
		k->stats.addresses_refused++;
		return;
	}
	for (; kad_addrs_next(a, &pos, &known); n++)
		if (guts_slice_eq(known, guts_maddr_slice(&bare)))
			return;
	if (n == GUTS_KAD_CONTACT_ADDRS || a->n + 2u + bare.n > KAD_ADDRS_BYTES)
		return;
	a->b = guts_realloc(a->b, a->n + 2u + bare.n);
	a->b[a->n] = (uint8_t)(bare.n >> 8);
	a->b[a->n + 1] = (uint8_t)bare.n;
	memcpy(a->b + a->n + 2, bare.b, bare.n);
	a->n = (uint16_t)(a->n + 2 + bare.n);
}

void
kad_addrs_take(struct guts_kad *k, struct kad_addrs *a, const struct guts_pb_bytes_list *list,
	       enum kad_reach from)
{
	struct kad_addrs taken = {0};
	struct guts_maddr m;

	for (size_t i = 0; i < list->n; i++)
		if (guts_maddr_decode(&m, list->v[i]) == 0)
			kad_addrs_add(k, &taken, &m, from);
	if (taken.n == 0)
		return;
	kad_addrs_free(a);
	*a = taken;
}

struct guts_pb_bytes_list
kad_addrs_list(const struct guts_kad *k, const struct kad_addrs *a, enum kad_reach to,
	       struct guts_arena *arena)
{
	struct guts_pb_bytes_list list = {0};
	struct guts_slice s;
	struct guts_maddr m;
	size_t pos = 0;

	list.v = guts_arena_alloc(arena, GUTS_KAD_CONTACT_ADDRS * sizeof *list.v);
	while (list.v && kad_addrs_next(a, &pos, &s))
		if (guts_maddr_decode(&m, s) == 0 &&
		    (k->cfg.allow_private || kad_reach_of(&m) <= to))
			list.v[list.n++] = s;
	return list;
}

void
kad_contact_out(struct guts_kad_contact *out, const struct guts_peerid *id,
		const struct kad_addrs *a)
{
	struct guts_slice s;
	size_t pos = 0;

	out->id = *id;
	out->told_by.n = 0;
	out->n_addrs = 0;
	while (out->n_addrs < GUTS_KAD_CONTACT_ADDRS && kad_addrs_next(a, &pos, &s))
		if (guts_maddr_decode(&out->addrs[out->n_addrs], s) == 0)
			out->n_addrs++;
}
