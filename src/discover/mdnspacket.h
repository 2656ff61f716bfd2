/* discover/mdnspacket.h - the few DNS messages that peers of a local network exchange.
 *
 *	question  _p2p._udp.local PTR                                who is here?
 *	answer    _p2p._udp.local PTR <name>._p2p._udp.local         I am
 *	          <name>._p2p._udp.local TXT "dnsaddr=/ip4/…/p2p/<id>" …   and this is where
 *	question  _services._dns-sd._udp.local PTR                   which services are here?
 *	answer    _services._dns-sd._udp.local PTR _p2p._udp.local
 *
 * Source: libp2p specs discovery/mdns.md; RFC 1035 section 4; RFC 6762 section 18.
 */
#ifndef GUTS_DISCOVER_MDNSPACKET_H
#define GUTS_DISCOVER_MDNSPACKET_H

#include "base/buf.h"
#include "wire/multiaddr.h"

#define GUTS_MDNS_PACKET_MAX 9000  /* [bytes] read; RFC 6762, section 17 */
#define GUTS_MDNS_SEND_MAX   1400  /* [bytes] written: one Ethernet frame, tunnels included */
#define GUTS_MDNS_RECORDS_MAX 64   /* questions and records of one packet */
#define GUTS_MDNS_ADDRS_MAX  16    /* addresses of one packet */
#define GUTS_MDNS_NAME_SIZE  33    /* a peer's name with its NUL: 32 characters by chance, no id */
#define GUTS_MDNS_TTL_S      120   /* [s] an answer holds */

/* What a packet says that concerns us. */
struct guts_mdns_packet {
	bool is_response;
	bool asks_peers, asks_services;
	size_t n;
	struct guts_maddr addrs[GUTS_MDNS_ADDRS_MAX]; /* as told, in order; anything may be wrong with them but their form */
};

/* Read a packet; questions and records about other things are passed over.  Errors: GUTS_EPROTO (malformed; a name
 * that points forward or at itself), GUTS_ELIMIT (too long, too many records), GUTS_EUNSUPPORTED (no query, or an
 * error code: RFC 6762 has these ignored). */
int guts_mdns_decode(struct guts_mdns_packet *out, struct guts_slice packet);

/* Write "who is here?" to the empty buffer (max ≥ GUTS_MDNS_SEND_MAX). */
void guts_mdns_encode_query(struct guts_buf *out);

/* Write "I am, and this is where" (addresses with /p2p); those that do not fit are left out, the first come first. */
void guts_mdns_encode_answer(struct guts_buf *out, const char name[GUTS_MDNS_NAME_SIZE],
    const struct guts_maddr *addrs, size_t n);

/* Write the answer to "which services are here?". */
void guts_mdns_encode_services(struct guts_buf *out);

#endif
