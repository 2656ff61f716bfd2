/* conf/options.c - the table of options: the one place that knows their names, defaults and ranges. */
#include "conf/conf.h"

#include <assert.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)

static const struct guts_conf_option options[GUTS_CONF_N] = {
	[GUTS_CONF_NODE_NETWORK] = { "node.network", GUTS_CONF_TEXT, false, "main", 1, 64, NULL, false,
	    "Name of the network; nodes of another one are refused." },
	[GUTS_CONF_P2P_LISTEN] = { "p2p.listen", GUTS_CONF_MULTIADDR, true, "/ip4/0.0.0.0/tcp/9000", 0, 0, NULL, false,
	    "Addresses on which other nodes reach this one; port 0 takes a free one." },
	[GUTS_CONF_P2P_ANNOUNCE] = { "p2p.announce", GUTS_CONF_MULTIADDR, true, NULL, 0, 0, NULL, false,
	    "Further addresses to tell other nodes, e.g. those of a port mapping." },
	[GUTS_CONF_P2P_BOOTSTRAP_NODES] = { "p2p.bootstrap_nodes", GUTS_CONF_MULTIADDR, true, NULL, 0, 0, NULL, false,
	    "Nodes to connect to first, with their peer ids." },
	[GUTS_CONF_P2P_MDNS] = { "p2p.mdns", GUTS_CONF_BOOL, false, "true", 0, 0, NULL, false,
	    "Find nodes of the local network, and be found by them, by multicast DNS." },
	[GUTS_CONF_P2P_PORTMAP] = { "p2p.portmap", GUTS_CONF_BOOL, false, "true", 0, 0, NULL, false,
	    "Ask the home router by NAT-PMP or UPnP to let others in, if a listen address is not of this machine alone." },
	[GUTS_CONF_P2P_MAX_CONNECTIONS] = { "p2p.max_connections", GUTS_CONF_NUMBER, false, "50", 1, 10000, NULL, false,
	    "Most links to other nodes at once." },
	[GUTS_CONF_P2P_CONNECTION_TIMEOUT] = { "p2p.connection_timeout", GUTS_CONF_DURATION, false, "10s", 100, 600000,
	    NULL, false, "Time in which a link must be up, from the first packet on." },
	[GUTS_CONF_P2P_KEEPALIVE_INTERVAL] = { "p2p.keepalive_interval", GUTS_CONF_DURATION, false, "30s", 100, 3600000,
	    NULL, false, "Time between two pings of a quiet link." },
	[GUTS_CONF_P2P_INVENTORY_INTERVAL] = { "p2p.inventory_interval", GUTS_CONF_DURATION, false, "30s", 100, 3600000,
	    NULL, false, "Time between two comparisons of repositories with each neighbour." },
	[GUTS_CONF_KAD_MODE] = { "kad.mode", GUTS_CONF_CHOICE, false, "auto", 0, 0, "auto client server off", false,
	    "Part in the DHT: serve others (auto: once one has reached this node), only ask, or none." },
	[GUTS_CONF_KAD_PROTOCOL] = { "kad.protocol", GUTS_CONF_TEXT, false, NULL, 1, 127, NULL, false,
	    "Protocol id of the DHT instead of the network's own, /guts/kad/1.0.0 on main." },
	[GUTS_CONF_KAD_PRIVATE_ADDRESSES] = { "kad.private_addresses", GUTS_CONF_BOOL, false, "false", 0, 0, NULL, false,
	    "Tell and take loopback and private addresses in the DHT even where the other end is a public one." },
	[GUTS_CONF_HTTP_LISTEN] = { "http.listen", GUTS_CONF_LISTEN, true, "127.0.0.1:8080", 0, 0, NULL, false,
	    "Addresses of the gateway and the dashboard; with https:// before it encrypted, unix:/PATH for a socket of this user alone; "
	    "port 0 takes a free one." },
	[GUTS_CONF_HTTP_PUBLIC_LISTEN] = { "http.public_listen", GUTS_CONF_LISTEN, true, NULL, 0, 0, NULL, false,
	    "Further addresses on which everybody may read and clone what is public, and nobody can do more, whatever token is shown." },
	[GUTS_CONF_HTTP_PUBLIC_URL] = { "http.public_url", GUTS_CONF_TEXT, false, NULL, 0, GUTS_CONF_TEXT_MAX, NULL, true,
	    "Address of the gateway as its users see it; used in links." },
	[GUTS_CONF_HTTP_PUBLIC_READ] = { "http.public_read", GUTS_CONF_BOOL, false, "false", 0, 0, NULL, true,
	    "Let everybody read public repositories without a token, on every listener." },
	[GUTS_CONF_HTTP_LOCAL_READ] = { "http.local_read", GUTS_CONF_BOOL, false, "true", 0, 0, NULL, true,
	    "Let everybody on this machine read public repositories without a token; false: a private node." },
	[GUTS_CONF_HTTP_TLS_CERT] = { "http.tls_cert", GUTS_CONF_TEXT, false, NULL, 1, GUTS_CONF_TEXT_MAX, NULL, false,
	    "Certificate of the https:// addresses and those that vouch for it, in PEM; read again when it changes, and at SIGHUP." },
	[GUTS_CONF_HTTP_TLS_KEY] = { "http.tls_key", GUTS_CONF_TEXT, false, NULL, 1, GUTS_CONF_TEXT_MAX, NULL, false,
	    "Its key, in PEM; read together with it." },
	[GUTS_CONF_HTTP_ALLOWED_HOSTS] = { "http.allowed_hosts", GUTS_CONF_TEXT, true, NULL, 1, 255, NULL, true,
	    "Further host names under which the gateway may be asked." },
	[GUTS_CONF_HTTP_CORS_ORIGINS] = { "http.cors_origins", GUTS_CONF_TEXT, true, NULL, 1, 255, NULL, true,
	    "Origins like https://app.example whose pages may use the API in a browser, with a token but never with a cookie; *: any." },
	[GUTS_CONF_HTTP_TRUSTED_PROXIES] = { "http.trusted_proxies", GUTS_CONF_TEXT, true, NULL, 1, 64, NULL, true,
	    "Addresses or networks of reverse proxies, or unix for whoever uses a Unix socket: their X-Forwarded-For and "
	    "X-Forwarded-Proto are believed." },
	[GUTS_CONF_HTTP_TOKEN_RATE] = { "http.token_rate", GUTS_CONF_NUMBER, false, "6000", 0, 1000000, NULL, true,
	    "Most requests per minute of one token or session; 0: no limit." },
	[GUTS_CONF_HTTP_ADDRESS_RATE] = { "http.address_rate", GUTS_CONF_NUMBER, false, "1200", 0, 1000000, NULL, true,
	    "Most requests per minute without a token from one address (one /64 of IPv6); 0: no limit." },
	[GUTS_CONF_HTTP_LIMIT_LOOPBACK] = { "http.limit_loopback", GUTS_CONF_BOOL, false, "false", 0, 0, NULL, true,
	    "Hold clients on this machine to these rates too." },
	[GUTS_CONF_HTTP_MAX_CONNECTIONS] = { "http.max_connections", GUTS_CONF_NUMBER, false, "8000", 16, 100000, NULL,
	    false, "Most HTTP connections at once." },
	[GUTS_CONF_HTTP_MAX_STREAMS] = { "http.max_streams", GUTS_CONF_NUMBER, false, "5000", 1, 100000, NULL, true,
	    "Most event streams at once." },
	[GUTS_CONF_HTTP_CLIENT_STREAMS] = { "http.client_streams", GUTS_CONF_NUMBER, false, "100", 1, 100000, NULL, true,
	    "Most event streams at once of one token or session, or without a token of one address; see http.limit_loopback." },
	[GUTS_CONF_SEED_DEFAULT] = { "seed.default", GUTS_CONF_CHOICE, false, "all", 0, 0, "none followed all", true,
	    "Which announced repositories this node keeps by itself, within the quotas." },
	[GUTS_CONF_QUOTA_TOTAL] = { "quota.total", GUTS_CONF_BYTES, false, "10G", 0, KIB * KIB * GIB, NULL, true,
	    "Most disk space of all repositories that were not explicitly seeded." },
	[GUTS_CONF_QUOTA_CREATOR] = { "quota.creator", GUTS_CONF_BYTES, false, "1G", 0, KIB * KIB * GIB, NULL, true,
	    "Most disk space of one creator's repositories." },
	[GUTS_CONF_QUOTA_REPOSITORY] = { "quota.repository", GUTS_CONF_BYTES, false, "1G", 0, KIB * KIB * GIB, NULL, true,
	    "Most disk space of one repository." },
	[GUTS_CONF_QUOTA_CREATOR_REPOSITORIES] = { "quota.creator_repositories", GUTS_CONF_NUMBER, false, "20", 0, 10000,
	    NULL, true, "Most repositories of one creator." },
	[GUTS_CONF_QUOTA_NEW_PER_HOUR] = { "quota.new_per_hour", GUTS_CONF_NUMBER, false, "10", 0, 10000, NULL, true,
	    "Most new repositories that one peer may offer in an hour." },
	[GUTS_CONF_LIMITS_PACK] = { "limits.pack", GUTS_CONF_BYTES, false, "512M", 1024 * 1024, 64 * GIB, NULL, true,
	    "Largest pack that is taken from a push or a peer." },
	[GUTS_CONF_GOSSIP_KEEP] = { "gossip.keep", GUTS_CONF_BOOL, false, "true", 0, 0, NULL, true,
	    "Keep the newest users' gossip messages for the API." },
	[GUTS_CONF_GOSSIP_EXPECT] = { "gossip.expect", GUTS_CONF_NUMBER, false, "0", 0, 1000, NULL, true,
	    "Messages that a peer in the mesh of a user's topic has to bring, in a count that halves in 34 seconds, to keep its "
	    "score; 0: silence is normal." },
	[GUTS_CONF_BRIDGE_ALLOW] = { "bridge.allow", GUTS_CONF_TEXT, true, NULL, 1, 64, NULL, true,
	    "Where webhooks may go beside public addresses: loopback, private, or networks like 10.1.0.0/16." },
	[GUTS_CONF_BRIDGE_TIMEOUT] = { "bridge.timeout", GUTS_CONF_DURATION, false, "10s", 100, 120000, NULL, true,
	    "Time that a webhook's receiver has for its answer." },
	[GUTS_CONF_BRIDGE_RETRY] = { "bridge.retry", GUTS_CONF_DURATION, false, "5s", 10, 3600000, NULL, true,
	    "Time before a failed delivery is tried again; doubled each time, up to an hour." },
	[GUTS_CONF_BRIDGE_GIVE_UP] = { "bridge.give_up", GUTS_CONF_DURATION, false, "24h", 1000, 604800000, NULL, true,
	    "Time after which a delivery that never went well is given up." },
	[GUTS_CONF_CI_LEASE] = { "ci.lease", GUTS_CONF_DURATION, false, "60s", 1000, 3600000, NULL, true,
	    "Time after which a runner that was not heard of loses its job to another." },
	[GUTS_CONF_CI_MAX_AGE] = { "ci.max_age", GUTS_CONF_DURATION, false, "24h", 1000, 604800000, NULL, true,
	    "Time after which a CI job that no runner took ends with an error." },
	[GUTS_CONF_CI_COPIES] = { "ci.copies", GUTS_CONF_BYTES, false, "256M", 0, 64 * GIB, NULL, true,
	    "Most bytes of logs and files of other nodes' CI jobs that are kept; the least recently read go first." },
	[GUTS_CONF_SINK_URL] = { "sink.url", GUTS_CONF_TEXT, true, NULL, 1, 300, NULL, false,
	    "Message brokers that get this node's events: mqtt://HOST, mqtts://HOST (MQTT 5), nats://HOST, tls://HOST (NATS JetStream, "
	    "in TLS), with :PORT if it is not the usual one; at most 8." },
	[GUTS_CONF_SINK_PREFIX] = { "sink.prefix", GUTS_CONF_TEXT, false, "guts", 1, 64, NULL, false,
	    "What subjects begin with: guts.repo.ref.updated in NATS, guts/repo/ref/updated in MQTT." },
	[GUTS_CONF_SINK_EVENTS] = { "sink.events", GUTS_CONF_TEXT, true, NULL, 1, 47, NULL, false,
	    "Types of events that are published, like repo.* status.created; empty: all." },
	[GUTS_CONF_SINK_REPOSITORIES] = { "sink.repositories", GUTS_CONF_TEXT, true, NULL, 1, 80, NULL, false,
	    "Ids of the repositories whose events are published; empty: those of all, and events of no repository." },
	[GUTS_CONF_SINK_PRIVATE] = { "sink.private", GUTS_CONF_BOOL, false, "false", 0, 0, NULL, false,
	    "Publish also what not everybody may read: events of private repositories, and those for administrators (token, hook, "
	    "config, audit)." },
	[GUTS_CONF_SINK_CREDENTIALS] = { "sink.credentials", GUTS_CONF_TEXT, false, NULL, 1, GUTS_CONF_TEXT_MAX, NULL, false,
	    "File of mode 0600 with a line per broker: its address with USER:PASSWORD@ before the host, or TOKEN@ for NATS; read "
	    "for each connection." },
	[GUTS_CONF_SINK_NATS_CREDS] = { "sink.nats_creds", GUTS_CONF_TEXT, false, NULL, 1, GUTS_CONF_TEXT_MAX, NULL, false,
	    "File of mode 0600 by which NATS servers know this node: an NKey's seed, or a user's JWT with its seed (.creds); for those "
	    "without a line in sink.credentials; read for each connection." },
	[GUTS_CONF_SINK_CA_FILE] = { "sink.ca_file", GUTS_CONF_TEXT, false, NULL, 1, GUTS_CONF_TEXT_MAX, NULL, false,
	    "Certificates that vouch for brokers, in PEM; empty: the system's." },
	[GUTS_CONF_SINK_TLS_CERT] = { "sink.tls_cert", GUTS_CONF_TEXT, false, NULL, 1, GUTS_CONF_TEXT_MAX, NULL, false,
	    "This node's certificate (and those between it and its authority), in PEM, for brokers that ask for one." },
	[GUTS_CONF_SINK_TLS_KEY] = { "sink.tls_key", GUTS_CONF_TEXT, false, NULL, 1, GUTS_CONF_TEXT_MAX, NULL, false,
	    "Its private key, in PEM, without a password, in a file of mode 0600." },
	[GUTS_CONF_EVENTS_KEEP] = { "events.keep", GUTS_CONF_NUMBER, false, "100000", 1000, 100000000, NULL, true,
	    "Most events kept in the log; the oldest go first." },
	[GUTS_CONF_EVENTS_MAX_AGE] = { "events.max_age", GUTS_CONF_DURATION, false, "0s", 0, UINT64_C(315360000000), NULL, true,
	    "Age at which an event leaves the log, counted from the newest; 0: only by their number." },
	[GUTS_CONF_LOG_LEVEL] = { "log.level", GUTS_CONF_CHOICE, false, "notice", 0, 0, "error warn notice info debug", true,
	    "How much is logged on standard error." },
};

const struct guts_conf_option *
guts_conf_option(enum guts_conf_id id)
{
	assert(id < GUTS_CONF_N);
	return &options[id];
}

int
guts_conf_lookup(const char *name, enum guts_conf_id *id)
{
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		if (strcmp(options[i].name, name) == 0) {
			*id = (enum guts_conf_id)i;
			return GUTS_OK;
		}
	}
	return GUTS_ENOTFOUND;
}
