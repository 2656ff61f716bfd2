/* tests/sim/sim.h - the seeded simulator: many nodes in one process, virtual time.
 *
 * Each place (0..n-1) is a machine with an environment table (loop/env.h), a store (simstore.h) and
 * repositories (simrepo.h) on a disk, which is a model or the real thing (simdisk.h).  A program is started on a place and gets
 * these three.  One heap of (time, sequence) holds all that is to come; chance comes from one
 * seed, with a stream of its own for each place and for what the network, disk and workers do to
 * it.  Same seed, same program: same events, same digest, whatever compiler and flags.  (No
 * floating point, no order of addresses, no real clock.)
 *
 * Network: place i is 10.x.y.z with i = x·65536 + y·256 + z, or a loopback address for itself; it
 * is also called "n<i>.sim".  A connection is an ordered byte stream as TCP makes it: each piece
 * arrives after transmission time, latency and, when it was lost, retransmission delays (200 ms,
 * doubling); a piece that cannot pass for `break_ns` breaks the connection for its sender; 256 KiB
 * may be under way or unread in each direction, then the sender's queue grows.
 *
 * Datagrams: each may be lost, and overtakes others as its latency has it; 208 KiB may wait for their turn to be
 * sent, then there is no room.  All places that can reach each other are one broadcast domain: what goes to a
 * multicast group comes to every socket that joined it, on the sender's place too (there without loss).
 *
 * Crash: the program's memory is let go without a word; its timers, jobs, posts, look-ups and
 * disk operations under way vanish, of the latter a random first part happened all the same.
 * SIM_CRASH_PROCESS: the machine stays, peers see a reset.  SIM_CRASH_POWER: it is silent until
 * the place is started again, then old connections are reset when bytes come for them.
 */
#ifndef GUTS_TESTS_SIM_H
#define GUTS_TESTS_SIM_H

#include "base/rng.h"
#include "git/repo.h"
#include "loop/env.h"
#include "store/store.h"

#define SIM_DIGEST_SIZE 32

struct sim;
struct sim_disk;

/* What runs on a place.  `stop` ends it in order (its environment still works), `crash_free` only
 * frees its memory and must not call the three tables.  `arg` is the caller's, the same for every
 * start. */
struct sim_program {
	void *(*start)(struct guts_env *e, struct guts_store *st, struct guts_repos *r,
		       unsigned place, void *arg);
	void (*stop)(void *owner);
	void (*crash_free)(void *owner);
};

/* Zero = the default in brackets, unless said otherwise. */
struct sim_config {
	uint64_t seed;
	unsigned places;
	uint64_t latency_min_ns, latency_max_ns; /* one way, per piece [10 ms, 50 ms] */
	uint64_t bytes_per_s;                    /* sending rate of one place [12,500,000] */
	uint32_t loss_ppm;                       /* lost pieces per million; 0 = none */
	uint64_t break_ns;                       /* [30 s] */
	uint64_t job_min_ns, job_max_ns;         /* [100 us, 10 ms] */
	uint64_t sync_min_ns, sync_max_ns;       /* disk [1 ms, 10 ms] */
	uint64_t start_wall_ns;                  /* wall clock at time 0 [2025-01-01] */
	bool digest_bytes; /* the digest covers the bytes that arrive, not only their number */
	/* Makes the disk of a place, from `disk_arg` (simdisk.h); NULL = the model. */
	struct sim_disk *(*disk)(void *arg, unsigned place);
	void *disk_arg;
};

struct sim *sim_new(const struct sim_config *c);

/* Crashes what still runs, frees all. */
void sim_free(struct sim *s);

/* --- places --------------------------------------------------------------- */

/* Run a program (later: again, after sim_stop or sim_crash). */
void sim_start(struct sim *s, unsigned place, const struct sim_program *p, void *arg);

/* End it in order.  Its connections that are still open are closed, what it forgot is dropped. */
void sim_stop(struct sim *s, unsigned place);

enum sim_crash { SIM_CRASH_PROCESS, SIM_CRASH_POWER };
void sim_crash(struct sim *s, unsigned place, enum sim_crash how);

/* sim_start with the program and argument it had before. */
void sim_restart(struct sim *s, unsigned place);

bool sim_runs(const struct sim *s, unsigned place);
void *sim_owner(const struct sim *s, unsigned place); /* what start returned; NULL = does not run */
struct guts_env *sim_env(struct sim *s, unsigned place);
struct guts_store *sim_store(struct sim *s, unsigned place);
struct guts_repos *sim_repos(struct sim *s, unsigned place);
struct sim_disk *sim_disk(struct sim *s, unsigned place);

/* --- faults --------------------------------------------------------------- */

/* Places in different groups (v[i] = group of place i) cannot reach each other. */
void sim_partition(struct sim *s, const unsigned *v);

/* One place is cut off, or back again. */
void sim_clog(struct sim *s, unsigned place, bool clogged);

/* No group borders, nothing clogged. */
void sim_heal(struct sim *s);

/* Loss from now on. */
void sim_set_loss(struct sim *s, uint32_t loss_ppm);

/* The place takes at most so many bytes per second off the network; 0 = as they come. */
void sim_set_read_rate(struct sim *s, unsigned place, uint64_t bytes_per_s);

/* Move the place's wall clock. */
void sim_set_wall_skew(struct sim *s, unsigned place, int64_t skew_ns);

/* Every commit of the place's store fails with this error from now on (0 = works). */
void sim_set_disk_error(struct sim *s, unsigned place, int err);

/* --- time ----------------------------------------------------------------- */

uint64_t sim_now(const struct sim *s);

/* Do the next thing; false if there is none. */
bool sim_step(struct sim *s);

/* Go on until `at_ns`; what comes at that time included. */
void sim_run_until(struct sim *s, uint64_t at_ns);
void sim_run_for(struct sim *s, uint64_t ns);

/* Call fn(arg) at that time: the scenario's own events. */
void sim_at(struct sim *s, uint64_t at_ns, void (*fn)(void *arg), void *arg);

/* The stream of chance for the scenario. */
struct guts_rng *sim_rng(struct sim *s);

/* --- what happened -------------------------------------------------------- */

/* Write a fact of the program or scenario into the digest. */
void sim_audit(struct sim *s, unsigned place, const char *what, struct guts_slice bytes);

/* SHA-256 over everything so far: (time, place, kind, length) of each event, audited facts,
 * commits. */
void sim_digest(struct sim *s, uint8_t out[SIM_DIGEST_SIZE]);

/* Number of events so far. */
uint64_t sim_events(const struct sim *s);

/* Address of a place that is in no network of its own. */
void sim_address(unsigned place, uint16_t port, struct sockaddr_storage *out);

/* Put a place (< 65,536) into a public network (1..127): it is (64 + network).0.x.y from now on, with x·256 + y its
 * number.  0 = none. */
void sim_set_network(struct sim *s, unsigned place, uint8_t network);

/* Address of a place, wherever it is. */
void sim_place_address(const struct sim *s, unsigned place, uint16_t port, struct sockaddr_storage *out);

#endif
