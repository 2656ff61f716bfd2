/* node/reach.c - how this node and its surroundings find each other: mDNS on the local network, a port of the router. */
#include "node/internal.h"

#include "base/log.h"

/* A node does without it if it must: another program may hold the port for itself. */
static void
start_mdns(struct guts_node *n)
{
	int err = n->s.mdns ? guts_mdnslan_new(&n->mdns, n->env, n->peers, GUTS_MDNS_PORT) : GUTS_OK;

	if (err)
		guts_log(GUTS_LOG_WARN, "node", "no discovery on the local network: port %d: %s", GUTS_MDNS_PORT,
		    guts_err_text(err));
}

static void
on_changed(void *owner, enum guts_portmap_state s, const struct guts_maddr *addr)
{
	struct guts_node *n = owner;

	(void)s;
	guts_peers_set_external(n->peers, addr);
	guts_snapshot_dirty(n);
}

static void
on_unmapped(void *owner)
{
	struct guts_node *n = owner;

	guts_portmap_free(n->portmap);
	n->portmap = NULL;
}

static const struct guts_portmap_events portmap_events = { on_changed, on_unmapped };

/* The port of the first listener that others can reach. */
static bool
port_to_map(struct guts_node *n, uint16_t *port)
{
	struct guts_maddr bound[GUTS_PEERS_LISTEN_MAX];
	struct guts_maddr_target t;
	size_t count = guts_peers_listening(n->peers, bound, GUTS_PEERS_LISTEN_MAX);

	for (size_t i = 0; i < count; i++) {
		if (guts_maddr_target(&bound[i], &t) != 0 || t.addr.ss_family != AF_INET || guts_maddr_is_loopback(&bound[i]))
			continue;
		*port = t.port;
		return true;
	}
	return false;
}

void
guts_reach_start(struct guts_node *n)
{
	const struct guts_portmap_router *router = guts_portmap_router();
	uint16_t port;

	start_mdns(n);
	if (n->s.portmap && router && port_to_map(n, &port))
		n->portmap = guts_portmap_new(n->env, router, port, &portmap_events, n);
}

void
guts_reach_stop(struct guts_node *n)
{
	guts_mdnslan_free(n->mdns);
	n->mdns = NULL;
	if (n->portmap)
		guts_portmap_stop(n->portmap);
}

bool
guts_reach_is_busy(const struct guts_node *n)
{
	return n->portmap != NULL;
}

void
guts_reach_free(struct guts_node *n)
{
	guts_mdnslan_free(n->mdns);
	guts_portmap_free(n->portmap);
}
