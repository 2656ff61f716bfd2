/* peer/offence.h - every broken rule in one table: its name, what it costs, where it ends.
 *
 * Whoever sees a rule broken reports the offence (guts_peers_offend); nobody has points of his own.
 * What can happen to an honest peer on a bad day costs little or nothing, what only a broken or
 * hostile one does costs all.
 */
#ifndef GUTS_PEER_OFFENCE_H
#define GUTS_PEER_OFFENCE_H

#define GUTS_OFFENCE_BAN_AT 100        /* points at which a peer is banned */
#define GUTS_OFFENCE_FADE_S 6          /* [s] in which a point fades */
#define GUTS_OFFENCE_DOUBLINGS_MAX 7   /* each ban of a peer is twice as long as the last, so many times */

enum guts_offence {
	GUTS_OFFENCE_HANDSHAKE,
	GUTS_OFFENCE_LINK_PROTOCOL,
	GUTS_OFFENCE_LINK_LIMIT,
	GUTS_OFFENCE_LINK_SIGNATURE,
	GUTS_OFFENCE_IDENTIFY,
	GUTS_OFFENCE_NODE_UNDECODABLE,
	GUTS_OFFENCE_NODE_ORDER,
	GUTS_OFFENCE_NODE_ANNOUNCEMENT,
	GUTS_OFFENCE_NODE_RATE,
	GUTS_OFFENCE_SYNC_PROTOCOL,
	GUTS_OFFENCE_SYNC_LIMIT,
	GUTS_OFFENCE_SYNC_SIGNATURE,
	GUTS_OFFENCE_SYNC_DENIED,
	GUTS_OFFENCE_SYNC_FUTURE,
	GUTS_OFFENCE_SYNC_TIMEOUT,
	GUTS_OFFENCE_SYNC_RATE,
	GUTS_OFFENCE_GOSSIP_UNDECODABLE,
	GUTS_OFFENCE_GOSSIP_OVERSIZED,
	GUTS_OFFENCE_GOSSIP_SIGNATURE,
	GUTS_OFFENCE_GOSSIP_REJECTED,
	GUTS_OFFENCE_GOSSIP_GRAFT,
	GUTS_OFFENCE_GOSSIP_IHAVE,
	GUTS_OFFENCE_GOSSIP_IWANT,
	GUTS_OFFENCE_GOSSIP_CONTROL,
	GUTS_OFFENCE_GOSSIP_TOPICS,
	GUTS_OFFENCE_GOSSIP_PROMISE,
	GUTS_OFFENCE_GOSSIP_STALLED,
	GUTS_OFFENCE_GOSSIP_RATE,
	GUTS_OFFENCE_DHT_PROTOCOL,
	GUTS_OFFENCE_DHT_LIMIT,
	GUTS_OFFENCE_DHT_SIGNATURE,
	GUTS_OFFENCE_DHT_DENIED,
	GUTS_OFFENCE_DHT_FUTURE,
	GUTS_OFFENCE_COUNT,            /* as a value: none */
};

/* What ends with one offence: whoever reports it ends message, stream or link, the peer manager bans.  Points that add
 * up to GUTS_OFFENCE_BAN_AT are a ban all the same. */
enum guts_offence_end {
	GUTS_ENDS_MESSAGE,             /* it is dropped */
	GUTS_ENDS_STREAM,
	GUTS_ENDS_LINK,
	GUTS_ENDS_BAN,                 /* the link, and the peer is refused for ban_s (its points are enough for it) */
};

struct guts_offence_rule {
	const char *name;              /* "gossip_signature": stable, a metric's label */
	const char *text;              /* a fragment for a person: the reason of a ban */
	unsigned points;               /* 0 = only counted */
	enum guts_offence_end ends;
	unsigned ban_s;                /* [s] of the first ban that this offence completes */
};

/* The table's row; `what` < GUTS_OFFENCE_COUNT. */
const struct guts_offence_rule *guts_offence_rule(enum guts_offence what);

/* "message", "stream", "link", "ban". */
const char *guts_offence_end_name(enum guts_offence_end end);

#endif
