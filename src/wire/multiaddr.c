/* wire/multiaddr.c - one table of protocols drives text and binary form.
 *
 * Both forms are checked component by component with the same rules, so whatever parse
 * or decode lets in can be written in the other form and read back.  Because small binary
 * components can have long texts, the text's size is checked when a value is made.
 */
#include "wire/multiaddr.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "wire/multibase.h"
#include "wire/multihash.h"
#include "wire/varint.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

#define NAME_MAX_SIZE 253u /* [bytes] DNS */
#define CERTHASH_MAX 64u   /* [bytes] */
#define BASE64_MAX ((CERTHASH_MAX + 2) / 3 * 4 + 1)

enum value_kind {
	NONE,
	IP4,
	IP6,
	PORT,
	NAME,
	PEER,
	CERTHASH,
};

static const struct proto {
	uint32_t code;
	enum value_kind kind;
	const char *name;
} protos[] = {
	{ GUTS_MADDR_IP4, IP4, "ip4" },
	{ GUTS_MADDR_TCP, PORT, "tcp" },
	{ GUTS_MADDR_IP6, IP6, "ip6" },
	{ GUTS_MADDR_IP6ZONE, NAME, "ip6zone" },
	{ GUTS_MADDR_DNS, NAME, "dns" },
	{ GUTS_MADDR_DNS4, NAME, "dns4" },
	{ GUTS_MADDR_DNS6, NAME, "dns6" },
	{ GUTS_MADDR_DNSADDR, NAME, "dnsaddr" },
	{ GUTS_MADDR_UDP, PORT, "udp" },
	{ 280, NONE, "webrtc-direct" },
	{ 281, NONE, "webrtc" },
	{ GUTS_MADDR_P2P_CIRCUIT, NONE, "p2p-circuit" },
	{ GUTS_MADDR_P2P, PEER, "p2p" },
	{ 443, NONE, "https" },
	{ GUTS_MADDR_TLS, NONE, "tls" },
	{ 449, NAME, "sni" },
	{ GUTS_MADDR_NOISE, NONE, "noise" },
	{ 460, NONE, "quic" },
	{ GUTS_MADDR_QUIC_V1, NONE, "quic-v1" },
	{ 465, NONE, "webtransport" },
	{ GUTS_MADDR_CERTHASH, CERTHASH, "certhash" },
	{ GUTS_MADDR_WS, NONE, "ws" },
	{ 478, NONE, "wss" },
	{ 480, NONE, "http" },
};

#define PROTOS_N (sizeof(protos) / sizeof(protos[0]))

static const struct proto *
proto_by_code(uint64_t code)
{
	for (size_t i = 0; i < PROTOS_N; i++)
		if (protos[i].code == code)
			return &protos[i];
	return NULL;
}

static const struct proto *
proto_by_name(struct guts_slice name)
{
	if (guts_slice_eq(name, guts_slice_str("ipfs")))
		return proto_by_code(GUTS_MADDR_P2P);
	for (size_t i = 0; i < PROTOS_N; i++)
		if (guts_slice_eq(name, guts_slice_str(protos[i].name)))
			return &protos[i];
	return NULL;
}

/* Size of a value of fixed size; SIZE_MAX = a length goes before it. */
static size_t
fixed_size(enum value_kind kind)
{
	switch (kind) {
	case NONE: return 0;
	case IP4: return 4;
	case IP6: return 16;
	case PORT: return 2;
	case NAME:
	case PEER:
	case CERTHASH: break;
	}
	return SIZE_MAX;
}

/* A name that is one component of text: clean, no blank, no slash. */
static bool
name_is_valid(struct guts_slice s)
{
	if (s.n == 0 || s.n > NAME_MAX_SIZE || !guts_text_is_clean(s, false))
		return false;
	return memchr(s.p, '/', s.n) == NULL && memchr(s.p, ' ', s.n) == NULL;
}

static bool
value_is_valid(enum value_kind kind, struct guts_slice v)
{
	switch (kind) {
	case NAME: return name_is_valid(v);
	case PEER: return guts_multihash_is_peerid(v);
	case CERTHASH: return v.n <= CERTHASH_MAX && guts_multihash_is_valid(v);
	case NONE:
	case IP4:
	case IP6:
	case PORT: break;
	}
	return v.n == fixed_size(kind);
}

/* Read the component at *pos of `bin`. */
static int
component(struct guts_slice bin, size_t *pos, const struct proto **proto, struct guts_slice *value)
{
	struct guts_slice rest = guts_slice(bin.p + *pos, bin.n - *pos);
	uint64_t code, size;
	size_t n, len_n = 0;

	if (guts_uvarint_read(rest, &code, &n) || (*proto = proto_by_code(code)) == NULL)
		return GUTS_EPROTO;
	size = fixed_size((*proto)->kind);
	if (size == SIZE_MAX &&
	    guts_uvarint_read(guts_slice(rest.p + n, rest.n - n), &size, &len_n))
		return GUTS_EPROTO;
	if (size > rest.n - n - len_n)
		return GUTS_EPROTO;
	*value = guts_slice(rest.p + n + len_n, (size_t)size);
	if (!value_is_valid((*proto)->kind, *value))
		return GUTS_EPROTO;
	*pos += n + len_n + (size_t)size;
	return GUTS_OK;
}

/* Append a component whose value was checked. */
static int
add_component(struct guts_maddr *m, const struct proto *proto, struct guts_slice value)
{
	uint8_t head[2 * GUTS_UVARINT_MAX_SIZE];
	size_t n = guts_uvarint_write(head, proto->code);

	if (fixed_size(proto->kind) == SIZE_MAX)
		n += guts_uvarint_write(head + n, value.n);
	if (n + value.n > sizeof(m->b) - m->n)
		return GUTS_ELIMIT;
	memcpy(m->b + m->n, head, n);
	if (value.n)
		memcpy(m->b + m->n + n, value.p, value.n);
	m->n = (uint16_t)(m->n + n + value.n);
	return GUTS_OK;
}

/* --- text ---------------------------------------------------------------- */

/* Multibase base64url without padding, the form certhash is written in. */
static int
certhash_parse(uint8_t *out, struct guts_slice text, size_t *n)
{
	char plain[BASE64_MAX];

	if (text.n < 1 || text.n > sizeof(plain) || text.p[0] != 'u')
		return GUTS_EINVAL;
	for (size_t i = 1; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '+' || c == '/' || c == '=')
			return GUTS_EINVAL;
		plain[i - 1] = c == '-' ? '+' : c == '_' ? '/' : (char)c;
	}
	return guts_base64_decode(out, CERTHASH_MAX, guts_slice(plain, text.n - 1), n);
}

static void
certhash_text(char out[BASE64_MAX + 1], struct guts_slice v)
{
	out[0] = 'u';
	guts_base64_encode(out + 1, v.p, v.n);
	for (char *p = out + 1; *p != '\0'; p++) {
		if (*p == '=') {
			*p = '\0';
			break;
		}
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	}
}

/* Value of `kind` from text into `out` (GUTS_MADDR_MAX bytes). */
static int
value_parse(enum value_kind kind, struct guts_slice text, uint8_t *out, size_t *n)
{
	char cstr[INET6_ADDRSTRLEN];
	uint64_t port;

	switch (kind) {
	case IP4:
	case IP6:
		if (text.n >= sizeof(cstr) || memchr(text.p, '\0', text.n) != NULL)
			return GUTS_EINVAL;
		memcpy(cstr, text.p, text.n);
		cstr[text.n] = '\0';
		*n = fixed_size(kind);
		return inet_pton(kind == IP4 ? AF_INET : AF_INET6, cstr, out) == 1 ? GUTS_OK : GUTS_EINVAL;
	case PORT:
		if (guts_text_u64(text, 65535, &port))
			return GUTS_EINVAL;
		out[0] = (uint8_t)(port >> 8);
		out[1] = (uint8_t)port;
		*n = 2;
		return GUTS_OK;
	case NAME:
		if (!name_is_valid(text))
			return GUTS_EINVAL;
		memcpy(out, text.p, text.n);
		*n = text.n;
		return GUTS_OK;
	case PEER: return guts_multihash_parse_peerid(out, n, text);
	case CERTHASH:
		if (certhash_parse(out, text, n) || !guts_multihash_is_valid(guts_slice(out, *n)))
			return GUTS_EINVAL;
		return GUTS_OK;
	case NONE: break;
	}
	*n = 0;
	return GUTS_OK;
}

static void
value_print(struct guts_buf *out, enum value_kind kind, struct guts_slice v)
{
	char text[NAME_MAX_SIZE + 1] = "";

	_Static_assert(sizeof(text) > BASE64_MAX + 1 && sizeof(text) > INET6_ADDRSTRLEN, "room");
	switch (kind) {
	case NONE: return;
	case IP4: inet_ntop(AF_INET, v.p, text, sizeof(text)); break;
	case IP6: inet_ntop(AF_INET6, v.p, text, sizeof(text)); break;
	case PORT: snprintf(text, sizeof(text), "%u", (unsigned)(v.p[0] << 8 | v.p[1])); break;
	case NAME: memcpy(text, v.p, v.n); break;
	case PEER: guts_base58_encode(text, sizeof(text), v); break;
	case CERTHASH: certhash_text(text, v); break;
	}
	guts_buf_add_str(out, "/");
	guts_buf_add_str(out, text);
}

/* Write all components as text.  Errors: GUTS_EPROTO, GUTS_ELIMIT (text too long). */
static int
print(struct guts_buf *out, struct guts_slice bin)
{
	const struct proto *proto;
	struct guts_slice value;
	int err;

	for (size_t pos = 0; pos < bin.n;) {
		err = component(bin, &pos, &proto, &value);
		if (err)
			return err;
		guts_buf_add_str(out, "/");
		guts_buf_add_str(out, proto->name);
		value_print(out, proto->kind, value);
	}
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}

/* All components are valid and the text fits. */
static int
check(struct guts_slice bin)
{
	struct guts_buf out;
	int err;

	guts_buf_init(&out, GUTS_MADDR_TEXT_MAX - 1);
	err = print(&out, bin);
	guts_buf_deinit(&out);
	return err;
}

/* The next part of a text up to a slash. */
static bool
next_part(struct guts_slice *text, struct guts_slice *part)
{
	const uint8_t *slash;

	if (text->n < 2 || text->p[0] != '/')
		return false;
	slash = memchr(text->p + 1, '/', text->n - 1);
	part->p = text->p + 1;
	part->n = slash ? (size_t)(slash - part->p) : text->n - 1;
	*text = guts_slice(part->p + part->n, text->n - 1 - part->n);
	return part->n > 0;
}

int
guts_maddr_parse(struct guts_maddr *m, struct guts_slice text)
{
	struct guts_slice name, part = { NULL, 0 };
	uint8_t value[GUTS_MADDR_MAX];
	const struct proto *proto;
	size_t n;

	memset(m, 0, sizeof(*m));
	if (text.n == 0 || text.n >= GUTS_MADDR_TEXT_MAX)
		return GUTS_EINVAL;
	while (text.n > 0) {
		if (!next_part(&text, &name) || (proto = proto_by_name(name)) == NULL)
			return GUTS_EINVAL;
		if (proto->kind != NONE && !next_part(&text, &part))
			return GUTS_EINVAL;
		if (value_parse(proto->kind, part, value, &n) ||
		    add_component(m, proto, guts_slice(value, n)))
			return GUTS_EINVAL;
	}
	/* A short form of the text may have a longer one: ip6, /ipfs/ of a CID. */
	return check(guts_maddr_slice(m)) ? GUTS_EINVAL : GUTS_OK;
}

int
guts_maddr_decode(struct guts_maddr *m, struct guts_slice bin)
{
	int err;

	memset(m, 0, sizeof(*m));
	if (bin.n > GUTS_MADDR_MAX)
		return GUTS_ELIMIT;
	err = bin.n ? check(bin) : GUTS_EPROTO;
	if (err)
		return err;
	memcpy(m->b, bin.p, bin.n);
	m->n = (uint16_t)bin.n;
	return GUTS_OK;
}

void
guts_maddr_text(char out[GUTS_MADDR_TEXT_MAX], const struct guts_maddr *m)
{
	struct guts_buf text;

	guts_buf_init(&text, GUTS_MADDR_TEXT_MAX - 1);
	print(&text, guts_maddr_slice(m));
	memcpy(out, guts_buf_cstr(&text), text.len + 1);
	guts_buf_deinit(&text);
}

/* --- values -------------------------------------------------------------- */

struct guts_slice
guts_maddr_slice(const struct guts_maddr *m)
{
	return guts_slice(m->b, m->n);
}

bool
guts_maddr_eq(const struct guts_maddr *a, const struct guts_maddr *b)
{
	return guts_slice_eq(guts_maddr_slice(a), guts_maddr_slice(b));
}

bool
guts_maddr_next(const struct guts_maddr *m, size_t *pos, uint32_t *code, struct guts_slice *value)
{
	const struct proto *proto;

	if (*pos >= m->n || component(guts_maddr_slice(m), pos, &proto, value))
		return false;
	*code = proto->code;
	return true;
}

static void
target_set_port(struct guts_maddr_target *t, struct guts_slice v)
{
	uint16_t be;

	memcpy(&be, v.p, sizeof(be));
	t->port = ntohs(be);
	if (t->addr.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&t->addr)->sin6_port = be;
	else
		((struct sockaddr_in *)&t->addr)->sin_port = be;
}

/* The first component: whom to reach. */
static int
target_set_host(struct guts_maddr_target *t, uint32_t code, struct guts_slice v)
{
	switch (code) {
	case GUTS_MADDR_IP4:
		t->addr.ss_family = AF_INET;
		memcpy(&((struct sockaddr_in *)&t->addr)->sin_addr, v.p, 4);
		return GUTS_OK;
	case GUTS_MADDR_IP6:
		t->addr.ss_family = AF_INET6;
		memcpy(&((struct sockaddr_in6 *)&t->addr)->sin6_addr, v.p, 16);
		return GUTS_OK;
	case GUTS_MADDR_DNS:
	case GUTS_MADDR_DNS4:
	case GUTS_MADDR_DNS6:
		t->is_dns = true;
		t->dns_family = code == GUTS_MADDR_DNS4 ? 4 : code == GUTS_MADDR_DNS6 ? 6 : 0;
		memcpy(t->host, v.p, v.n);
		return GUTS_OK;
	default: return GUTS_EUNSUPPORTED;
	}
}

int
guts_maddr_target(const struct guts_maddr *m, struct guts_maddr_target *t)
{
	struct guts_slice v;
	uint32_t code;
	size_t pos = 0;

	memset(t, 0, sizeof(*t));
	if (!guts_maddr_next(m, &pos, &code, &v) || target_set_host(t, code, v))
		return GUTS_EUNSUPPORTED;
	if (!guts_maddr_next(m, &pos, &code, &v) || (code != GUTS_MADDR_TCP && code != GUTS_MADDR_UDP))
		return GUTS_EUNSUPPORTED;
	target_set_port(t, v);
	t->is_tcp = code == GUTS_MADDR_TCP;
	if (!t->is_tcp) {
		if (!guts_maddr_next(m, &pos, &code, &v) || code != GUTS_MADDR_QUIC_V1)
			return GUTS_EUNSUPPORTED;
		t->is_quic = true;
	}
	if (!guts_maddr_next(m, &pos, &code, &v))
		return GUTS_OK;
	if (code != GUTS_MADDR_P2P || pos < m->n)
		return GUTS_EUNSUPPORTED;
	t->has_peer = true;
	memcpy(t->peer, v.p, v.n);
	t->peer_n = v.n;
	return GUTS_OK;
}

void
guts_maddr_from_tcp(struct guts_maddr *m, const struct sockaddr *sa)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const uint8_t *ip6 = in6->sin6_addr.s6_addr;

	assert(sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
	memset(m, 0, sizeof(*m));
	if (sa->sa_family == AF_INET)
		add_component(m, proto_by_code(GUTS_MADDR_IP4), guts_slice(&in->sin_addr, 4));
	else if (memcmp(ip6, mapped, sizeof(mapped)) == 0)
		add_component(m, proto_by_code(GUTS_MADDR_IP4), guts_slice(ip6 + 12, 4));
	else
		add_component(m, proto_by_code(GUTS_MADDR_IP6), guts_slice(ip6, 16));
	add_component(m, proto_by_code(GUTS_MADDR_TCP),
	    guts_slice(sa->sa_family == AF_INET ? &in->sin_port : &in6->sin6_port, 2));
}

int
guts_maddr_add_peer(struct guts_maddr *m, struct guts_slice peer)
{
	struct guts_maddr longer = *m;

	assert(guts_multihash_is_peerid(peer));
	if (add_component(&longer, proto_by_code(GUTS_MADDR_P2P), peer) || check(guts_maddr_slice(&longer)))
		return GUTS_ELIMIT;
	*m = longer;
	return GUTS_OK;
}

void
guts_maddr_strip_peer(struct guts_maddr *m)
{
	struct guts_slice v;
	uint32_t code = 0;
	size_t pos = 0, last = 0;

	while (last = pos, guts_maddr_next(m, &pos, &code, &v) && pos < m->n)
		;
	if (m->n > 0 && code == GUTS_MADDR_P2P) {
		memset(m->b + last, 0, m->n - last);
		m->n = (uint16_t)last;
	}
}

/* The first ip component behind an optional zone. */
static bool
host(const struct guts_maddr *m, uint32_t *code, struct guts_slice *v)
{
	size_t pos = 0;

	while (guts_maddr_next(m, &pos, code, v))
		if (*code != GUTS_MADDR_IP6ZONE)
			return *code == GUTS_MADDR_IP4 || *code == GUTS_MADDR_IP6;
	return false;
}

static bool
ip6_is_loopback(const uint8_t *p)
{
	struct in6_addr a;

	memcpy(&a, p, sizeof(a));
	return IN6_IS_ADDR_LOOPBACK(&a);
}

bool
guts_maddr_is_loopback(const struct guts_maddr *m)
{
	struct guts_slice v;
	uint32_t code;

	if (!host(m, &code, &v))
		return false;
	return code == GUTS_MADDR_IP4 ? v.p[0] == 127 : ip6_is_loopback(v.p);
}

bool
guts_maddr_is_private(const struct guts_maddr *m)
{
	struct guts_slice v;
	uint32_t code;
	const uint8_t *p;

	if (!host(m, &code, &v))
		return false;
	p = v.p;
	if (code == GUTS_MADDR_IP6)
		return ip6_is_loopback(p) || (p[0] & 0xfe) == 0xfc || (p[0] == 0xfe && (p[1] & 0xc0) == 0x80);
	return p[0] == 127 || p[0] == 10 || (p[0] == 172 && (p[1] & 0xf0) == 16) ||
	    (p[0] == 192 && p[1] == 168) || (p[0] == 169 && p[1] == 254) ||
	    (p[0] == 100 && (p[1] & 0xc0) == 64);
}
