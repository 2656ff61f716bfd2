/* tests/sim/sim_int.h - what the files of the simulator share. */
#ifndef GUTS_TESTS_SIM_INT_H
#define GUTS_TESTS_SIM_INT_H

#include "crypto/key.h"
#include "sim.h"
#include "simdisk.h"

#include <netinet/in.h>

#define NOBODY UINT32_MAX /* an event that belongs to no place */

enum sim_kind {
	SIM_SCENARIO,
	SIM_TIMER,
	SIM_POST,
	SIM_JOB_RUN,
	SIM_JOB_DONE,
	SIM_RESOLVED,
	SIM_WIRE,
	SIM_DELIVER,
	SIM_ACK,
	SIM_DIAL,
	SIM_LINGER,
	SIM_DISK,
	SIM_FACT,
	SIM_START,
	SIM_STOP,
	SIM_CRASH,
	SIM_DATAGRAM,
	SIM_KINDS
};

/* Something that is to come.  In the heap, and in the list of its place. */
struct sim_event {
	uint64_t at, order;
	size_t pos;               /* in the heap */
	uint32_t place;           /* whose crash drops it */
	uint32_t subject, length; /* for the digest */
	enum sim_kind kind;
	void (*fire)(struct sim *s, struct sim_event *ev); /* freed after it returns */
	void *a, *b;                                       /* its subject */
	void (*call)(void *arg);                           /* post, scenario */
	void (*drop)(
		struct sim_event *ev); /* called instead of fire when it is dropped; may be NULL */
	struct sim_event *prev, *next;
};

struct sim_slot {
	uint64_t at, order;
	struct sim_event *ev;
};

struct sim_place {
	struct guts_env env; /* first */
	struct sim *s;
	uint32_t index, group;
	uint8_t network; /* 0 = 10/8 */
	bool clogged, machine_on, stopping;
	const struct sim_program *program;
	void *arg, *owner; /* owner NULL = does not run */
	uint64_t starts;
	int64_t wall_skew_ns;
	int disk_error;
	struct guts_rng own;  /* the program's random bytes */
	struct guts_rng fate; /* what network, workers and disk do to it */
	struct sim_event *events;
	struct sim_disk *disk; /* under the next two */
	struct guts_store *store;
	struct guts_repos *repos;
	uint64_t disk_free_ns; /* operations of a disk end in order */

	/* network */
	struct guts_listener *listeners;
	struct guts_conn *conns;
	struct guts_udp *udps;
	uint64_t next_udp_id;
	uint16_t next_port;
	uint64_t send_free_ns, read_free_ns, read_rate;
};

struct sim {
	struct sim_config c;
	uint64_t now, order, events;
	struct sim_slot *heap;
	size_t n, cap;
	struct sim_event *free_events;
	struct sim_place *place;
	struct guts_rng rng;
	bool trace;
	struct guts_sha256_ctx sha;
	uint8_t pending[4096]; /* not hashed yet */
	size_t pending_n;
};

static inline struct sim_place *
sim_place_of(struct guts_env *e)
{
	return (struct sim_place *)(void *)e;
}

/* Add an event of `place` (or NOBODY); fill in the rest. */
struct sim_event *
sim_event_add(struct sim *s, uint32_t place, uint64_t at, enum sim_kind kind,
	      void (*fire)(struct sim *s, struct sim_event *ev), void *a, void *b);

/* Move it to another time; it comes after all that is set for that time already. */
void sim_event_move(struct sim *s, struct sim_event *ev, uint64_t at);

/* Take it out without firing or dropping it. */
void sim_event_cancel(struct sim *s, struct sim_event *ev);

/* Uniform in lo..hi. */
uint64_t sim_between(struct guts_rng *r, uint64_t lo, uint64_t hi);

/* When a disk operation of this place that starts now will be over. */
uint64_t sim_disk_time(struct sim_place *p);

/* Write a line into the digest and the trace. */
void sim_note(struct sim *s, uint32_t place, enum sim_kind kind, uint32_t length);
void sim_note_bytes(struct sim *s, struct guts_slice bytes);

/* --- simnet.c ------------------------------------------------------------- */
int
simnet_listen(struct guts_env *e, const struct sockaddr *at, const struct guts_listener_events *ev,
	      void *owner, struct guts_listener **out, struct sockaddr_storage *bound);
void simnet_unlisten(struct guts_env *e, struct guts_listener *l);
int simnet_dial(struct guts_env *e, const struct sockaddr *to, const struct guts_conn_events *ev,
		void *owner, struct guts_conn **out);
int simnet_write(struct guts_env *e, struct guts_conn *c, struct guts_slice data);
size_t simnet_queued(struct guts_env *e, const struct guts_conn *c);
void simnet_read_pause(struct guts_env *e, struct guts_conn *c, bool pause);
void simnet_close(struct guts_env *e, struct guts_conn *c);
void simnet_local(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out);
void simnet_remote(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out);
/* Can datagrams and pieces go from one to the other now? */
bool simnet_reaches(const struct sim_place *a, const struct sim_place *b);
/* Close all of a place: in order, with resets (its machine lives on), or silently. */
enum simnet_end { SIMNET_CLOSE, SIMNET_RESET, SIMNET_SILENT };
void simnet_end_place(struct sim_place *p, enum simnet_end how);

/* --- simudp.c ------------------------------------------------------------- */
int simudp_open(struct guts_env *e, const struct sockaddr *at, bool shared,
		const struct guts_udp_events *ev, void *owner, struct guts_udp **out,
		struct sockaddr_storage *bound);
int simudp_join(struct guts_env *e, struct guts_udp *u, const struct sockaddr *group,
		unsigned interface);
int simudp_send(struct guts_env *e, struct guts_udp *u, const struct guts_udp_path *path,
		struct guts_slice data);
void simudp_close(struct guts_env *e, struct guts_udp *u);
size_t simudp_interfaces(struct guts_env *e, struct guts_interface *out, size_t max);
/* Close all of a place. */
void simudp_end_place(struct sim_place *p);

#endif
