/* tests/interop/probe_gossip.h - gossipsub for the probe: its streams, and what to tell. */
#ifndef TESTS_INTEROP_PROBE_GOSSIP_H
#define TESTS_INTEROP_PROBE_GOSSIP_H

#include "gossip/gossip.h"
#include "peer/peers.h"

/* `heard` is called for each message that was accepted. */
void probe_gossip_start(struct guts_env *env, struct guts_peers *peers, const struct guts_key *key,
    void (*heard)(const struct guts_peerid *author, struct guts_slice topic, struct guts_slice data));
void probe_gossip_stop(void);

/* What the manager tells. */
void probe_gossip_identified(const struct guts_peerid *id);
void probe_gossip_gone(const struct guts_peerid *id);

int probe_gossip_subscribe(const char *topic);
int probe_gossip_unsubscribe(const char *topic);
void probe_gossip_stats(struct guts_gossip_stats *out);
int probe_gossip_publish(const char *topic, const char *text);

/* Peers in our mesh of the topic. */
size_t probe_gossip_mesh(const char *topic);

#endif
