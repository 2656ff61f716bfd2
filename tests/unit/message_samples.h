/* tests/unit/message_samples.h - one message of each kind, for round trips and fuzz seeds. */
#ifndef TESTS_MESSAGE_SAMPLES_H
#define TESTS_MESSAGE_SAMPLES_H

#include "proto/messages.h"
#include "proto/reftree.h"

#define MESSAGE_SAMPLES 32

/* Append the encoding (without a frame) of sample `i`; *target says what it is:
 * "node_message", "sync_request", "sync_response", "gossip_payload", "gossip_rpc", "identify", "kad",
 * "reftree". */
void message_sample(size_t i, struct guts_buf *out, const char **target, const char **name);

/* A tree of `n` entries refs/heads/b<i>; every tenth is a tombstone. */
struct guts_reftree *sample_tree(size_t n);

/* Entry `i` of it; name points into `mem`, 64 bytes. */
struct guts_refentry sample_entry(size_t i, char mem[64]);

#endif
