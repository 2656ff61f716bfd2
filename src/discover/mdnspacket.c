/* discover/mdnspacket.c - DNS messages read with a position that only grows, names with a limit.
 *
 * A compressed name jumps; every jump must go to an earlier byte than all of the name so far, so
 * a name ends whatever a stranger wrote.  Names are kept uncompressed and in lower case, as on
 * the wire ("\4_p2p\4_udp\5local\0"), which makes them comparable byte by byte.
 */
#include "discover/mdnspacket.h"

#include "base/cursor.h"
#include "base/err.h"

#include <string.h>

#define HEADER_BYTES 12
#define NAME_MAX_BYTES 255
#define LABEL_MAX 63

#define FLAG_RESPONSE 0x8000u
#define FLAG_AUTHORITATIVE 0x0400u
#define FLAGS_OPCODE 0x7800u
#define FLAGS_RCODE 0x000fu

#define TYPE_PTR 12
#define TYPE_TXT 16
#define TYPE_ANY 255
#define CLASS_IN 1
#define CLASS_ANY 255
#define CLASS_TOP_BIT 0x8000u /* "answer me alone" in a question, "forget older ones" in a record */

#define POINTER 0xc000u
#define PEERS_AT HEADER_BYTES /* where our messages have the name they begin with */

static const char peers_name[] = "\4_p2p\4_udp\5local";                     /* with its NUL: the root label */
static const char services_name[] = "\11_services\7_dns-sd\4_udp\5local";
static const char addr_key[] = "dnsaddr=";

struct name {
	size_t n;
	uint8_t b[NAME_MAX_BYTES];
};

/* --- reading -------------------------------------------------------------- */

static void
add_label(struct name *name, struct guts_slice label)
{
	name->b[name->n++] = (uint8_t)label.n;
	for (size_t i = 0; i < label.n; i++) {
		uint8_t c = label.p[i];

		name->b[name->n++] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
	}
}

/* The name at *c, which then stands behind it. */
static void
read_name(struct guts_slice packet, struct guts_cursor *c, struct name *name)
{
	struct guts_cursor walk = *c;
	size_t lowest = (size_t)(c->p - packet.p);
	bool jumped = false;

	for (name->n = 0;;) {
		unsigned n = guts_cursor_u8(&walk);

		if (n >= POINTER >> 8) {
			size_t to = (n << 8 | guts_cursor_u8(&walk)) & ~POINTER;

			if (!jumped)
				*c = walk;
			jumped = true;
			if (to >= lowest || to < HEADER_BYTES) {
				guts_cursor_fail(c);
				return;
			}
			lowest = to;
			guts_cursor_init(&walk, guts_slice(packet.p + to, packet.n - to));
			continue;
		}
		struct guts_slice label = guts_cursor_bytes(&walk, n);
		if (!guts_cursor_ok(&walk) || n > LABEL_MAX || name->n + 1 + n > NAME_MAX_BYTES) {
			guts_cursor_fail(c);
			return;
		}
		add_label(name, label);
		if (n == 0)
			break;
	}
	if (!jumped)
		*c = walk;
}

static bool
is_name(const struct name *name, const char *other, size_t n)
{
	return name->n == n && memcmp(name->b, other, n) == 0;
}

/* One label in front of the peers' name. */
static bool
is_peer_name(const struct name *name)
{
	size_t label = (size_t)1 + name->b[0];

	return name->n == label + sizeof(peers_name) && memcmp(name->b + label, peers_name, sizeof(peers_name)) == 0;
}

static void
read_question(struct guts_slice packet, struct guts_cursor *c, struct guts_mdns_packet *out)
{
	struct name name;
	unsigned type, class;

	read_name(packet, c, &name);
	type = guts_cursor_be16(c);
	class = guts_cursor_be16(c) & ~CLASS_TOP_BIT;
	if (!guts_cursor_ok(c) || (type != TYPE_PTR && type != TYPE_ANY) || (class != CLASS_IN && class != CLASS_ANY))
		return;
	out->asks_peers |= is_name(&name, peers_name, sizeof(peers_name));
	out->asks_services |= is_name(&name, services_name, sizeof(services_name));
}

/* The strings of a TXT record. */
static void
read_txt(struct guts_slice data, struct guts_mdns_packet *out)
{
	const size_t key = sizeof(addr_key) - 1;
	struct guts_cursor c;

	guts_cursor_init(&c, data);
	while (guts_cursor_left(&c) > 0) {
		struct guts_slice s = guts_cursor_bytes(&c, guts_cursor_u8(&c));

		if (!guts_cursor_ok(&c) || out->n == GUTS_MDNS_ADDRS_MAX)
			return;
		if (s.n > key && memcmp(s.p, addr_key, key) == 0
		    && guts_maddr_parse(&out->addrs[out->n], guts_slice(s.p + key, s.n - key)) == 0)
			out->n++;
	}
}

static void
read_record(struct guts_slice packet, struct guts_cursor *c, struct guts_mdns_packet *out)
{
	struct name name;
	unsigned type, class;
	uint32_t ttl;
	struct guts_slice data;

	read_name(packet, c, &name);
	type = guts_cursor_be16(c);
	class = guts_cursor_be16(c) & ~CLASS_TOP_BIT;
	ttl = guts_cursor_be32(c);
	data = guts_cursor_bytes(c, guts_cursor_be16(c));
	if (guts_cursor_ok(c) && type == TYPE_TXT && class == CLASS_IN && ttl > 0 && is_peer_name(&name))
		read_txt(data, out);
}

int
guts_mdns_decode(struct guts_mdns_packet *out, struct guts_slice packet)
{
	struct guts_cursor c;
	unsigned flags, questions, records;

	*out = (struct guts_mdns_packet){ 0 };
	if (packet.n > GUTS_MDNS_PACKET_MAX)
		return GUTS_ELIMIT;
	guts_cursor_init(&c, packet);
	guts_cursor_be16(&c); /* id: not used */
	flags = guts_cursor_be16(&c);
	questions = guts_cursor_be16(&c);
	records = guts_cursor_be16(&c);
	records += guts_cursor_be16(&c);
	records += guts_cursor_be16(&c);
	if (!guts_cursor_ok(&c))
		return GUTS_EPROTO;
	if (flags & (FLAGS_OPCODE | FLAGS_RCODE))
		return GUTS_EUNSUPPORTED;
	if (questions + records > GUTS_MDNS_RECORDS_MAX)
		return GUTS_ELIMIT;
	out->is_response = flags & FLAG_RESPONSE;
	while (questions-- > 0 && guts_cursor_ok(&c))
		read_question(packet, &c, out);
	while (records-- > 0 && guts_cursor_ok(&c))
		read_record(packet, &c, out);
	return guts_cursor_ok(&c) ? GUTS_OK : GUTS_EPROTO;
}

/* --- writing -------------------------------------------------------------- */

static void
add_header(struct guts_buf *out, unsigned flags, unsigned questions, unsigned answers, unsigned additional)
{
	const unsigned fields[] = { 0, flags, questions, answers, 0, additional };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		guts_buf_add_be16(out, (uint16_t)fields[i]);
}

/* What follows a record's name, up to its data. */
static void
add_record(struct guts_buf *out, unsigned type, unsigned class, size_t data_n)
{
	guts_buf_add_be16(out, (uint16_t)type);
	guts_buf_add_be16(out, (uint16_t)class);
	guts_buf_add_be32(out, GUTS_MDNS_TTL_S);
	guts_buf_add_be16(out, (uint16_t)data_n);
}

void
guts_mdns_encode_query(struct guts_buf *out)
{
	add_header(out, 0, 1, 0, 0);
	guts_buf_add(out, peers_name, sizeof(peers_name));
	guts_buf_add_be16(out, TYPE_PTR);
	guts_buf_add_be16(out, CLASS_IN);
}

/* "dnsaddr=…" as a TXT string; nothing if it is too long for one, or for the packet. */
static void
add_addr(struct guts_buf *strings, const struct guts_maddr *addr, size_t room)
{
	char text[GUTS_MADDR_TEXT_MAX];
	size_t n;

	guts_maddr_text(text, addr);
	n = sizeof(addr_key) - 1 + strlen(text);
	if (n > UINT8_MAX || strings->len + 1 + n > room)
		return;
	guts_buf_add_u8(strings, (uint8_t)n);
	guts_buf_add_str(strings, addr_key);
	guts_buf_add_str(strings, text);
}

void
guts_mdns_encode_answer(struct guts_buf *out, const char name[GUTS_MDNS_NAME_SIZE], const struct guts_maddr *addrs,
    size_t n)
{
	const size_t label = GUTS_MDNS_NAME_SIZE - 1;
	struct guts_buf strings;
	size_t name_at;

	add_header(out, FLAG_RESPONSE | FLAG_AUTHORITATIVE, 0, 1, 1);
	guts_buf_add(out, peers_name, sizeof(peers_name));
	add_record(out, TYPE_PTR, CLASS_IN, 1 + label + 2);
	name_at = out->len;
	guts_buf_add_u8(out, (uint8_t)label);
	guts_buf_add(out, name, label);
	guts_buf_add_be16(out, POINTER | PEERS_AT);

	guts_buf_init(&strings, GUTS_MDNS_SEND_MAX);
	for (size_t i = 0; i < n; i++)
		add_addr(&strings, &addrs[i], GUTS_MDNS_SEND_MAX - out->len - 12);
	guts_buf_add_be16(out, (uint16_t)(POINTER | name_at));
	add_record(out, TYPE_TXT, CLASS_IN | CLASS_TOP_BIT, strings.len);
	guts_buf_add_slice(out, guts_buf_slice(&strings));
	guts_buf_deinit(&strings);
}

void
guts_mdns_encode_services(struct guts_buf *out)
{
	add_header(out, FLAG_RESPONSE | FLAG_AUTHORITATIVE, 0, 1, 0);
	guts_buf_add(out, services_name, sizeof(services_name));
	add_record(out, TYPE_PTR, CLASS_IN, sizeof(peers_name));
	guts_buf_add(out, peers_name, sizeof(peers_name));
}
