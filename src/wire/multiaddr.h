/* wire/multiaddr.h - self-describing addresses, e.g. /ip4/127.0.0.1/tcp/9000/p2p/12D3KooW…
 *
 * Kept in binary form; `struct guts_maddr` is a plain value.
 * Source: multiformats/multiaddr protocols.csv. */
#ifndef GUTS_WIRE_MULTIADDR_H
#define GUTS_WIRE_MULTIADDR_H

#include "base/limits.h"
#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>

#define GUTS_MADDR_MAX 320      /* [bytes] binary */
#define GUTS_MADDR_TEXT_MAX 640 /* [bytes] text with NUL */

enum guts_maddr_code {
	GUTS_MADDR_IP4 = 4, GUTS_MADDR_TCP = 6, GUTS_MADDR_IP6 = 41, GUTS_MADDR_IP6ZONE = 42,
	GUTS_MADDR_DNS = 53, GUTS_MADDR_DNS4 = 54, GUTS_MADDR_DNS6 = 55, GUTS_MADDR_DNSADDR = 56,
	GUTS_MADDR_UDP = 273, GUTS_MADDR_P2P_CIRCUIT = 290, GUTS_MADDR_P2P = 421, GUTS_MADDR_TLS = 448,
	GUTS_MADDR_NOISE = 454, GUTS_MADDR_QUIC_V1 = 461, GUTS_MADDR_CERTHASH = 466, GUTS_MADDR_WS = 477,
};

struct guts_maddr {
	uint16_t n; /* [bytes] */
	uint8_t b[GUTS_MADDR_MAX];
};

/* Parse text (≤ GUTS_MADDR_TEXT_MAX).  Errors: GUTS_EINVAL. */
int guts_maddr_parse(struct guts_maddr *m, struct guts_slice text);

/* Check binary bytes and copy them.  Errors: GUTS_EPROTO, GUTS_ELIMIT. */
int guts_maddr_decode(struct guts_maddr *m, struct guts_slice bin);

/* Text form; always fits GUTS_MADDR_TEXT_MAX for a value made by parse or decode. */
void guts_maddr_text(char out[GUTS_MADDR_TEXT_MAX], const struct guts_maddr *m);

/* Its bytes, lent by `m`; the same bytes? */
struct guts_slice guts_maddr_slice(const struct guts_maddr *m);
bool guts_maddr_eq(const struct guts_maddr *a, const struct guts_maddr *b);

/* Walk components: *pos starts at 0; false at the end. */
bool guts_maddr_next(const struct guts_maddr *m, size_t *pos, uint32_t *code, struct guts_slice *value);

/* What a dialer needs of an address. */
struct guts_maddr_target {
	bool is_tcp, is_quic;
	bool is_dns;                    /* host is a name: 4, 6 or 0 = any in dns_family */
	int dns_family;
	char host[256];                 /* DNS name, NUL-ended */
	struct sockaddr_storage addr;   /* ip forms: address and port; dns forms: port only */
	uint16_t port;
	bool has_peer;
	uint8_t peer[GUTS_PEERID_MAX];
	size_t peer_n;
};

/* Split /ip|dns/…/tcp|udp+quic-v1[/p2p/id].  Errors: GUTS_EUNSUPPORTED for any other shape. */
int guts_maddr_target(const struct guts_maddr *m, struct guts_maddr_target *t);

/* /ip4|ip6/…/tcp/port of a socket address. */
void guts_maddr_from_tcp(struct guts_maddr *m, const struct sockaddr *sa);

/* Append /p2p/<peer>; GUTS_ELIMIT if it does not fit. */
int guts_maddr_add_peer(struct guts_maddr *m, struct guts_slice peer);

/* Remove a trailing /p2p/<peer>, if there is one. */
void guts_maddr_strip_peer(struct guts_maddr *m);

/* The host is a loopback address. */
bool guts_maddr_is_loopback(const struct guts_maddr *m);

/* The host is an address that means nothing outside its network: loopback, RFC 1918, 100.64/10,
 * link-local, fc00::/7. */
bool guts_maddr_is_private(const struct guts_maddr *m);

#endif
