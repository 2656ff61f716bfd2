/* tests/sim/simudp.c - datagrams of the simulator.
 *
 * A datagram waits for its turn at the sender's line, then each receiver's copy is an event of its
 * own, with its own loss and latency.  Who listens there is looked up when it arrives.  While a
 * datagram is handed out, a program may close any of its sockets: they are found again by number.
 */
#include "sim_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <utlist.h>

#define WAITING_MAX   (208u << 10) /* [bytes] like a kernel's send buffer */
#define DATAGRAM_MAX  65507       /* [bytes] over IPv4 */
#define OVERHEAD      28          /* [bytes] of IP and UDP */
#define GROUPS_MAX    4
#define THE_INTERFACE 1

struct guts_udp {
	struct sim_place *p;
	const struct guts_udp_events *ev;
	void *owner;
	uint64_t id; /* in order of opening */
	uint16_t port;
	bool shared;
	uint32_t group[GROUPS_MAX];
	unsigned n_groups;
	struct sim_event *room_event;
	struct guts_udp *prev, *next;
};

struct datagram {
	struct sockaddr_in from, to;
	size_t n;
	uint8_t data[];
};

static bool
is_group(uint32_t host)
{
	return host >> 28 == 14;
}

static const struct sockaddr_in *
in_of(const struct sockaddr_storage *sa)
{
	return (const struct sockaddr_in *)sa;
}

static bool
hears(const struct guts_udp *u, const struct datagram *x)
{
	uint32_t to = ntohl(x->to.sin_addr.s_addr);

	if (u->port != ntohs(x->to.sin_port))
		return false;
	for (unsigned i = 0; i < u->n_groups; i++)
		if (u->group[i] == to)
			return true;
	return !is_group(to);
}

/* --- arrival -------------------------------------------------------------- */

static void
drop_datagram(struct sim_event *ev)
{
	free(ev->a);
}

static void
fire_datagram(struct sim *s, struct sim_event *ev)
{
	struct datagram *x = ev->a;
	struct sim_place *p = &s->place[ev->place];
	struct guts_udp_path path = {.interface = THE_INTERFACE};
	struct guts_udp *u;
	uint64_t after = 0;

	memcpy(&path.local, &x->to, sizeof x->to);
	memcpy(&path.remote, &x->from, sizeof x->from);
	for (;;) {
		DL_FOREACH (p->udps, u)
			if (u->id > after && hears(u, x))
				break;
		if (!u)
			break;
		after = u->id;
		u->ev->datagram(u->owner, u, &path, guts_slice(x->data, x->n));
		if (!is_group(ntohl(x->to.sin_addr.s_addr)))
			break;
	}
	free(x);
}

/* --- sending -------------------------------------------------------------- */

static void
send_copy(struct sim_place *p, struct sim_place *to, uint64_t at, const struct datagram *x)
{
	struct sim *s = p->s;
	struct datagram *copy;
	struct sim_event *ev;

	if (!simnet_reaches(p, to))
		return;
	if (p != to) {
		if (s->c.loss_ppm && guts_rng_below(&p->fate, 1000000) < s->c.loss_ppm)
			return;
		at += sim_between(&p->fate, s->c.latency_min_ns, s->c.latency_max_ns);
	}
	copy = guts_memdup(x, sizeof *x + x->n);
	ev = sim_event_add(s, to->index, at, SIM_DATAGRAM, fire_datagram, copy, NULL);
	ev->drop = drop_datagram;
	ev->length = (uint32_t)x->n;
}

static void
fire_room(struct sim *s, struct sim_event *ev)
{
	struct guts_udp *u = ev->a;

	(void)s;
	u->room_event = NULL;
	if (u->ev->writable)
		u->ev->writable(u->owner, u);
}

int
simudp_send(struct guts_env *e, struct guts_udp *u, const struct guts_udp_path *path,
	    struct guts_slice data)
{
	struct sim_place *p = sim_place_of(e);
	struct sim *s = p->s;
	uint64_t at = p->send_free_ns > s->now ? p->send_free_ns : s->now;
	uint32_t to = ntohl(in_of(&path->remote)->sin_addr.s_addr);

	if (path->remote.ss_family != AF_INET)
		return GUTS_EINVAL;
	if (data.n > DATAGRAM_MAX)
		return GUTS_ELIMIT;
	if (!is_group(to) && to >> 24 != 127 && (to >> 24 != 10 || (to & 0xffffff) >= s->c.places))
		return GUTS_EIO;
	if ((at - s->now) * s->c.bytes_per_s / GUTS_SECOND_NS + data.n > WAITING_MAX) {
		if (!u->room_event)
			u->room_event = sim_event_add(s, p->index, s->now + (at - s->now) / 2,
						      SIM_DATAGRAM, fire_room, u, NULL);
		return GUTS_EAGAIN;
	}
	at += (data.n + OVERHEAD) * GUTS_SECOND_NS / s->c.bytes_per_s;
	p->send_free_ns = at;

	struct datagram *x = guts_alloc(sizeof *x + data.n);
	struct sockaddr_storage self;
	sim_address(p->index, u->port, &self);
	x->from = *in_of(&self);
	if (to >> 24 == 127)
		x->from.sin_addr = in_of(&path->remote)->sin_addr;
	x->to = *in_of(&path->remote);
	x->n = data.n;
	if (data.n)
		memcpy(x->data, data.p, data.n);
	if (is_group(to))
		for (unsigned i = 0; i < s->c.places; i++)
			send_copy(p, &s->place[i], at, x);
	else
		send_copy(p, to >> 24 == 127 ? p : &s->place[to & 0xffffff], at, x);
	free(x);
	return 0;
}

/* --- life ----------------------------------------------------------------- */

static bool
port_taken(const struct sim_place *p, uint16_t port, bool shared)
{
	const struct guts_udp *u;

	DL_FOREACH (p->udps, u)
		if (u->port == port && !(shared && u->shared))
			return true;
	return false;
}

int
simudp_open(struct guts_env *e, const struct sockaddr *at, bool shared,
	    const struct guts_udp_events *ev, void *owner, struct guts_udp **out,
	    struct sockaddr_storage *bound)
{
	struct sim_place *p = sim_place_of(e);
	uint16_t port;

	if (at->sa_family != AF_INET)
		return GUTS_EINVAL;
	port = ntohs(((const struct sockaddr_in *)(const void *)at)->sin_port);
	if (port == 0)
		for (port = 49152; port_taken(p, port, false);)
			port++;
	else if (port_taken(p, port, shared))
		return GUTS_EEXIST;

	struct guts_udp *u = guts_alloc(sizeof *u);
	u->p = p;
	u->ev = ev;
	u->owner = owner;
	u->id = ++p->next_udp_id;
	u->port = port;
	u->shared = shared;
	DL_APPEND(p->udps, u);
	if (bound)
		sim_address(p->index, port, bound);
	*out = u;
	return 0;
}

int
simudp_join(struct guts_env *e, struct guts_udp *u, const struct sockaddr *group,
	    unsigned interface)
{
	uint32_t host = ntohl(((const struct sockaddr_in *)(const void *)group)->sin_addr.s_addr);

	(void)e;
	if (group->sa_family != AF_INET || !is_group(host) || interface > THE_INTERFACE)
		return GUTS_EINVAL;
	for (unsigned i = 0; i < u->n_groups; i++)
		if (u->group[i] == host)
			return GUTS_EEXIST;
	if (u->n_groups == GROUPS_MAX)
		return GUTS_ELIMIT;
	u->group[u->n_groups++] = host;
	return 0;
}

void
simudp_close(struct guts_env *e, struct guts_udp *u)
{
	struct sim_place *p = sim_place_of(e);

	if (u->room_event)
		sim_event_cancel(p->s, u->room_event);
	DL_DELETE(p->udps, u);
	free(u);
}

void
simudp_end_place(struct sim_place *p)
{
	while (p->udps)
		simudp_close(&p->env, p->udps);
}

size_t
simudp_interfaces(struct guts_env *e, struct guts_interface *out, size_t max)
{
	if (max == 0)
		return 0;
	out[0].index = THE_INTERFACE;
	sim_address(sim_place_of(e)->index, 0, &out[0].addr);
	return 1;
}
