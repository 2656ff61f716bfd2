/* peer/offence.c - the table.  doc/protocol.md shows it; a test holds the two together.
 *
 * Ten useless messages an hour are nobody's fault; twenty in a row are a ban, one that only a
 * forger can send is a ban at once.
 */
#include "peer/offence.h"

#define BAN_S 600

#define RULE(o, name, points, ends, text) [GUTS_OFFENCE_##o] = { name, text, points, GUTS_ENDS_##ends, BAN_S }

static const struct guts_offence_rule rules[GUTS_OFFENCE_COUNT] = {
	RULE(HANDSHAKE, "handshake", 0, LINK, "a handshake that failed or did not end"),
	RULE(LINK_PROTOCOL, "link_protocol", 20, LINK, "its link broke the protocol"),
	RULE(LINK_LIMIT, "link_limit", 10, LINK, "its link went over a limit"),
	RULE(LINK_SIGNATURE, "link_signature", 50, LINK, "its link carried a frame that does not authenticate"),
	RULE(IDENTIFY, "identify", 20, STREAM, "identify that is not well formed or names another key"),
	RULE(NODE_UNDECODABLE, "node_undecodable", 100, BAN, "a frame on /guts/node that is not well formed"),
	RULE(NODE_ORDER, "node_order", 20, MESSAGE, "message out of order on /guts/node"),
	RULE(NODE_ANNOUNCEMENT, "node_announcement", 20, MESSAGE, "an announcement that breaks a rule"),
	RULE(NODE_RATE, "node_rate", 0, MESSAGE, "messages on /guts/node over the rate"),
	RULE(SYNC_PROTOCOL, "sync_protocol", 20, STREAM, "a frame or record on /guts/sync that breaks the protocol"),
	RULE(SYNC_LIMIT, "sync_limit", 10, STREAM, "over a limit on /guts/sync"),
	RULE(SYNC_SIGNATURE, "sync_signature", 100, BAN, "a record on /guts/sync whose signature does not hold"),
	RULE(SYNC_DENIED, "sync_denied", 5, STREAM, "asked on /guts/sync for what it may not have"),
	RULE(SYNC_FUTURE, "sync_future", 5, STREAM, "a record on /guts/sync from too far in the future"),
	RULE(SYNC_TIMEOUT, "sync_timeout", 1, STREAM, "no answer on /guts/sync in time"),
	RULE(SYNC_RATE, "sync_rate", 0, MESSAGE, "requests on /guts/sync over the rate"),
	RULE(GOSSIP_UNDECODABLE, "gossip_undecodable", 100, BAN, "gossip that is not well formed"),
	RULE(GOSSIP_OVERSIZED, "gossip_oversized", 20, MESSAGE, "gossip over a size limit"),
	RULE(GOSSIP_SIGNATURE, "gossip_signature", 100, BAN, "a gossip message whose signature does not hold"),
	RULE(GOSSIP_REJECTED, "gossip_rejected", 10, MESSAGE, "a gossip message that breaks a rule of its topic"),
	RULE(GOSSIP_GRAFT, "gossip_graft", 10, MESSAGE, "grafts again and again inside the back-off"),
	RULE(GOSSIP_IHAVE, "gossip_ihave", 5, MESSAGE, "announces more gossip than the limits allow"),
	RULE(GOSSIP_IWANT, "gossip_iwant", 5, MESSAGE, "asks for more gossip than the limits allow"),
	RULE(GOSSIP_CONTROL, "gossip_control", 20, MESSAGE, "more gossip control entries than the limits allow"),
	RULE(GOSSIP_TOPICS, "gossip_topics", 10, MESSAGE, "subscribes to more topics than the limits allow"),
	RULE(GOSSIP_PROMISE, "gossip_promise", 5, MESSAGE, "announced gossip that it did not send"),
	RULE(GOSSIP_STALLED, "gossip_stalled", 0, STREAM, "does not read its gossip"),
	RULE(GOSSIP_RATE, "gossip_rate", 0, MESSAGE, "gossip over the rate"),
	RULE(DHT_PROTOCOL, "dht_protocol", 20, STREAM, "a message on the DHT that breaks the protocol"),
	RULE(DHT_LIMIT, "dht_limit", 10, STREAM, "over a limit on the DHT"),
	RULE(DHT_SIGNATURE, "dht_signature", 100, BAN, "a value on the DHT whose signature does not hold"),
	RULE(DHT_DENIED, "dht_denied", 5, STREAM, "a record on the DHT that is not its own"),
	RULE(DHT_FUTURE, "dht_future", 5, STREAM, "a value on the DHT from too far in the future"),
};

static const char *const ends[] = {
	[GUTS_ENDS_MESSAGE] = "message", [GUTS_ENDS_STREAM] = "stream", [GUTS_ENDS_LINK] = "link", [GUTS_ENDS_BAN] = "ban",
};

const struct guts_offence_rule *
guts_offence_rule(enum guts_offence what)
{
	return &rules[what];
}

const char *
guts_offence_end_name(enum guts_offence_end end)
{
	return ends[end];
}
