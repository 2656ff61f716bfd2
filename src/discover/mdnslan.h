/* discover/mdnslan.h - peers of the local network, found by multicast DNS and dialled.
 *
 * Asks and answers on 224.0.0.251 on every IPv4 interface, loopback too, so that nodes of one
 * machine find each other.  What is heard there is anybody's word: an address costs one row of a small
 * table and, while the peer manager wants more outbound links, one dial; a peer that was dialled in vain,
 * or does not stay (another network), is tried again ever more rarely.
 */
#ifndef GUTS_DISCOVER_MDNSLAN_H
#define GUTS_DISCOVER_MDNSLAN_H

#include "discover/mdns.h"
#include "peer/peers.h"

#define GUTS_MDNSLAN_PEERS_MAX 128 /* peers remembered; the one unheard for longest leaves first */
#define GUTS_MDNSLAN_ADDRS_MAX 4   /* addresses kept of one */

struct guts_mdnslan;

/* Open the socket (`port`: GUTS_MDNS_PORT, another one for a network of its own) and begin.  `peers` outlives it.
 * Errors: GUTS_EEXIST (another program has the port for itself), those of guts_env_udp_open. */
int guts_mdnslan_new(struct guts_mdnslan **out, struct guts_env *env, struct guts_peers *peers, uint16_t port);
void guts_mdnslan_free(struct guts_mdnslan *l);

/* Peers that are remembered. */
size_t guts_mdnslan_count(const struct guts_mdnslan *l);

#endif
