/* base/limits.h - every cap of the program: value, unit, reason. */
#ifndef GUTS_BASE_LIMITS_H
#define GUTS_BASE_LIMITS_H

#include <stdint.h>

/* Sizes everyone shares. */
#define GUTS_PEERID_SIZE 38    /* [bytes] identity multihash of an Ed25519 key; other peers' ids are ≤ 42 */
#define GUTS_PEERID_MAX 42     /* [bytes] */
#define GUTS_REPOID_SIZE 32    /* [bytes] SHA-256 of the genesis payload; text form is its CIDv1 (raw) */
#define GUTS_OID_MAX 32        /* [bytes] SHA-256 object id; SHA-1 uses the first 20 */

/* Before a peer is authenticated. */
#define GUTS_HANDSHAKE_DEADLINE_S 10      /* [s] total, from accept to open muxer */
#define GUTS_PENDING_PER_NODE_MAX 32      /* half-open inbound links */
#define GUTS_LINKS_PER_IP_MAX 8           /* inbound links of one address; loopback is free */
#define GUTS_NOISE_PAYLOAD_MAX 1024       /* [bytes] handshake payload protobuf */
#define GUTS_MULTISTREAM_LINE_MAX 1024    /* [bytes] js and go refuse more too */

/* Frames and messages. */
#define GUTS_NOISE_FRAME_MAX 65535        /* [bytes] Noise message with tag */
#define GUTS_YAMUX_FRAME_MAX 65507        /* [bytes] payload that fills one Noise message with its header */
#define GUTS_YAMUX_WINDOW_START (256u << 10) /* [bytes] per stream, as the spec has it */
#define GUTS_YAMUX_WINDOW_MAX (16u << 20) /* [bytes] per stream */
#define GUTS_LINK_RECV_MAX (16u << 20)    /* [bytes] unread data of one link */
#define GUTS_NODE_RECV_MAX (64u << 20)    /* [bytes] unread data of all links */
#define GUTS_LINK_BULK_AHEAD (128u << 10) /* [bytes] bulk framed ahead of the socket */
#define GUTS_STREAMS_PER_LINK_MAX 256     /* inbound streams open at once */
#define GUTS_MESSAGE_MAX (1u << 20)       /* [bytes] one length-prefixed protobuf message */
#define GUTS_GOSSIP_RPC_MAX (64u << 10)   /* [bytes] rust-libp2p refuses more */
#define GUTS_GOSSIP_DATA_MAX (32u << 10)  /* [bytes] data of one gossip message */
#define GUTS_IDENTIFY_SEND_MAX 4096       /* [bytes] rust refuses more */
#define GUTS_IDENTIFY_RECV_MAX 8192       /* [bytes] */

/* Records. */
#define GUTS_RECORD_MAX 4096              /* [bytes] envelope of any record */
#define GUTS_SIGNEDREFS_MAX 1024          /* [bytes] envelope of a signed-refs record */
#define GUTS_DELEGATES_MAX 16
#define GUTS_SIGNERS_MAX 16
#define GUTS_READERS_MAX 16
#define GUTS_NAME_MAX 100                 /* [bytes] repository name */
#define GUTS_DESCRIPTION_MAX 1024         /* [bytes] */
#define GUTS_REFNAME_MAX 1024             /* [bytes] whole; 255 per component */
#define GUTS_REFS_PER_AUTHOR_MAX 200000
#define GUTS_REFS_PER_PUSH_MAX 20000      /* commands of one push */
#define GUTS_AUTHORS_PER_REPO_MAX 64
#define GUTS_RECORD_CHAIN_KEPT 1000       /* records of one author and repository that are kept */
#define GUTS_FUTURE_MAX_S 3600            /* [s] records further ahead of our clock are refused */

/* Repositories. */
#define GUTS_PACK_MAX (512u << 20)        /* [bytes] */
#define GUTS_OBJECT_MAX (64u << 20)       /* [bytes] inflated */
#define GUTS_OBJECTS_PER_PACK_MAX 4000000
#define GUTS_REPOS_MAX 10000

#endif
