/* discover/mdnslan.c - mDNS on real interfaces, and what is made of the answers.
 *
 * One socket for all interfaces; each packet names the one it goes out on.  Interfaces are looked at
 * again with each question, so that a network that comes later is joined, and asked at once.
 *
 * An answer's addresses are tried in this order: the one the packet itself came from, then as told.
 * Only those of a peer that is dialled come into the address book: what a neighbour invents should not fill it.
 */
#include "discover/mdnslan.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "discover/mdns.h"
#include "loop/env.h"

#include <stdlib.h>
#include <uthash.h>

#define OURS_MAX GUTS_MDNS_ADDRS_MAX
#define RETRY_MIN_NS (60 * GUTS_SECOND_NS) /* after the first dial; twice as long after each further one … */
#define RETRY_DOUBLINGS 6                  /* … up to an hour and four minutes */
#define DIAL_RATE 1                        /* per second … */
#define DIAL_BURST 8                       /* … and at once */

/* A peer that was heard. */
struct heard {
	struct guts_peerid id;
	struct guts_maddr addrs[GUTS_MDNSLAN_ADDRS_MAX]; /* with /p2p */
	size_t n;
	uint64_t packet;          /* number of the packet they are from */
	unsigned dials;           /* since it was last seen linked */
	uint64_t next_dial_ns;
	UT_hash_handle hh;        /* in order of hearing: the first was not heard for longest */
};

struct guts_mdnslan {
	struct guts_env *env;
	struct guts_peers *peers;
	struct guts_mdns *mdns;
	struct guts_udp *udp;
	struct sockaddr_storage group;
	struct guts_timer timer;
	struct guts_interface here[GUTS_INTERFACES_MAX];
	size_t n_here;
	struct heard *heard;
	uint64_t packets;
	struct guts_ratelimit dials;
	struct guts_buf out;
};

static void
set_ip4(struct sockaddr_storage *sa, uint32_t host, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)sa;

	memset(sa, 0, sizeof(*sa));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(host);
	in->sin_port = htons(port);
}

/* Are two socket addresses of one host? */
static bool
same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr == ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)a)->sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr);
}

static bool
is_loopback(const struct sockaddr_storage *sa)
{
	struct guts_maddr m;

	guts_maddr_from_tcp(&m, (const struct sockaddr *)sa);
	return guts_maddr_is_loopback(&m);
}

static bool
is_ours(const struct guts_mdnslan *l, const struct sockaddr_storage *sa)
{
	for (size_t i = 0; i < l->n_here; i++)
		if (same_host(&l->here[i].addr, sa))
			return true;
	return false;
}

/* --- our addresses -------------------------------------------------------- */

static void
add_ours(const struct guts_mdnslan *l, struct guts_maddr *list, size_t *n, struct guts_maddr addr)
{
	if (*n == OURS_MAX || guts_maddr_add_peer(&addr, guts_peerid_slice(guts_peers_self(l->peers))) != 0)
		return;
	for (size_t i = 0; i < *n; i++)
		if (guts_maddr_eq(&list[i], &addr))
			return;
	list[(*n)++] = addr;
}

/* What a listener on all addresses means here: loopback only if there is nothing else, no address that needs a zone. */
static void
add_wildcard(const struct guts_mdnslan *l, struct guts_maddr *list, size_t *n, const struct guts_maddr_target *t)
{
	struct guts_maddr addr;
	size_t before = *n;

	for (int loopback = 0; loopback < 2 && *n == before; loopback++)
		for (size_t i = 0; i < l->n_here; i++) {
			struct sockaddr_storage sa = l->here[i].addr;

			if (sa.ss_family != t->addr.ss_family || is_loopback(&sa) != loopback)
				continue;
			if (sa.ss_family == AF_INET)
				((struct sockaddr_in *)&sa)->sin_port = htons(t->port);
			else if (IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)&sa)->sin6_addr))
				continue;
			else
				((struct sockaddr_in6 *)&sa)->sin6_port = htons(t->port);
			guts_maddr_from_tcp(&addr, (const struct sockaddr *)&sa);
			add_ours(l, list, n, addr);
		}
}

/* Where we can be reached from here, with our peer id. */
static size_t
our_addresses(const struct guts_mdnslan *l, struct guts_maddr list[OURS_MAX])
{
	static const struct sockaddr_storage any4 = { .ss_family = AF_INET }, any6 = { .ss_family = AF_INET6 };
	struct guts_maddr bound[GUTS_PEERS_LISTEN_MAX], told[OURS_MAX];
	struct guts_maddr_target t;
	size_t n = 0, n_bound = guts_peers_listening(l->peers, bound, GUTS_PEERS_LISTEN_MAX);
	size_t n_told = guts_peers_addresses(l->peers, told, OURS_MAX);

	for (size_t i = 0; i < n_bound; i++)
		if (guts_maddr_target(&bound[i], &t) == 0 && (same_host(&t.addr, &any4) || same_host(&t.addr, &any6)))
			add_wildcard(l, list, &n, &t);
	for (size_t i = 0; i < n_told; i++)
		add_ours(l, list, &n, told[i]);
	return n;
}

/* --- asking and answering ------------------------------------------------- */

static bool
has_index(const struct guts_interface *list, size_t n, unsigned index)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].addr.ss_family == AF_INET && list[i].index == index)
			return true;
	return false;
}

/* Look at the interfaces; join the group where that was not done.  True if there are new ones. */
static bool
look_around(struct guts_mdnslan *l)
{
	bool found = false;

	l->n_here = guts_env_interfaces(l->env, l->here, GUTS_INTERFACES_MAX);
	for (size_t i = 0; i < l->n_here; i++)
		if (l->here[i].addr.ss_family == AF_INET && !has_index(l->here, i, l->here[i].index))
			found |= guts_env_udp_join(l->env, l->udp, (struct sockaddr *)&l->group, l->here[i].index) == 0;
	return found;
}

/* One packet on every interface.  What cannot be sent now is lost, like any datagram. */
static void
send_all(struct guts_mdnslan *l, struct guts_slice packet)
{
	struct guts_udp_path path = { .remote = l->group };

	for (size_t i = 0; i < l->n_here; i++) {
		if (l->here[i].addr.ss_family != AF_INET || has_index(l->here, i, l->here[i].index))
			continue;
		path.interface = l->here[i].index;
		path.local = l->here[i].addr;
		(void)guts_env_udp_send(l->env, l->udp, &path, packet);
	}
}

static void
arm(struct guts_mdnslan *l)
{
	guts_env_timer_set(l->env, &l->timer, guts_mdns_deadline(l->mdns));
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct guts_mdnslan *l = owner;
	struct guts_maddr ours[OURS_MAX];
	uint64_t now = guts_env_now(l->env);
	size_t n;

	(void)t;
	if (look_around(l))
		guts_mdns_restart(l->mdns, now);
	n = our_addresses(l, ours);
	while (guts_mdns_produce(l->mdns, now, ours, n, &l->out))
		send_all(l, guts_buf_slice(&l->out));
	arm(l);
}

/* --- hearing -------------------------------------------------------------- */

/* The row of a peer, now the last in order; made if need be. */
static struct heard *
row_of(struct guts_mdnslan *l, const struct guts_peerid *id)
{
	struct heard *h;

	HASH_FIND(hh, l->heard, id, sizeof(*id), h);
	if (h) {
		HASH_DEL(l->heard, h);
	} else {
		if (HASH_COUNT(l->heard) >= GUTS_MDNSLAN_PEERS_MAX) {
			h = l->heard;
			HASH_DEL(l->heard, h);
			memset(h, 0, sizeof(*h));
		} else {
			h = guts_alloc(sizeof(*h));
		}
		h->id = *id;
	}
	HASH_ADD(hh, l->heard, id, sizeof(h->id), h);
	return h;
}

/* One address out of a packet; what cannot be dialled is passed over. */
static void
hear(struct guts_mdnslan *l, const struct guts_maddr *addr, const struct sockaddr_storage *from)
{
	struct guts_maddr_target t;
	struct guts_peerid id;
	struct heard *h;

	if (guts_maddr_target(addr, &t) != 0 || !t.is_tcp || t.is_dns || !t.has_peer || t.port == 0
	    || guts_peerid_decode(&id, guts_slice(t.peer, t.peer_n)) != 0
	    || guts_peerid_eq(&id, guts_peers_self(l->peers)) || (is_loopback(&t.addr) && !is_ours(l, from)))
		return;
	h = row_of(l, &id);
	if (h->packet != l->packets) {
		h->packet = l->packets;
		h->n = 0;
	}
	if (h->n == GUTS_MDNSLAN_ADDRS_MAX)
		return;
	h->addrs[h->n] = *addr;
	if (same_host(&t.addr, from)) {
		h->addrs[h->n] = h->addrs[0];
		h->addrs[0] = *addr;
	}
	h->n++;
}

static void
consider(struct guts_mdnslan *l, struct heard *h, uint64_t now)
{
	const struct guts_maddr *addr = &h->addrs[h->dials % h->n];
	char text[GUTS_MADDR_TEXT_MAX];
	unsigned doublings;

	if (guts_peers_is_connected(l->peers, &h->id)) {
		h->dials = 0;
		h->next_dial_ns = now + RETRY_MIN_NS;
		return;
	}
	if (now < h->next_dial_ns || !guts_peers_wants_outbound(l->peers) || !guts_ratelimit_take(&l->dials, 1, now))
		return;
	for (size_t i = 0; i < h->n; i++)
		(void)guts_peers_learn(l->peers, &h->id, &h->addrs[i], GUTS_BOOK_MDNS, NULL);
	if (guts_peers_connect(l->peers, addr) != 0)
		return;
	guts_maddr_text(text, addr);
	guts_log_limited(GUTS_LOG_INFO, "discover", "a peer of the local network is dialled: %s", text);
	doublings = h->dials < RETRY_DOUBLINGS ? h->dials : RETRY_DOUBLINGS;
	h->next_dial_ns = now + (RETRY_MIN_NS << doublings);
	h->dials++;
}

static void
on_datagram(void *owner, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice data)
{
	struct guts_mdnslan *l = owner;
	const struct sockaddr_in *from = (const struct sockaddr_in *)&path->remote;
	struct guts_mdns_packet packet;
	uint64_t now = guts_env_now(l->env);
	struct heard *h, *before;

	(void)u;
	if (!same_host(&path->local, &l->group)) /* RFC 6762, section 11: it may come from far away */
		return;
	if (guts_mdns_receive(l->mdns, data, now, &packet) != 0)
		return;
	if (packet.is_response && from->sin_port != ((const struct sockaddr_in *)&l->group)->sin_port)
		packet.n = 0; /* RFC 6762, section 6 */
	l->packets++;
	for (size_t i = 0; i < packet.n; i++)
		hear(l, &packet.addrs[i], &path->remote);
	/* Those that were heard stand last. */
	for (h = l->heard ? ELMT_FROM_HH(l->heard->hh.tbl, l->heard->hh.tbl->tail) : NULL; h && h->packet == l->packets;
	     h = before) {
		before = h->hh.prev;
		consider(l, h, now);
	}
	arm(l);
}

static const struct guts_udp_events udp_events = { .datagram = on_datagram };

/* --- life ----------------------------------------------------------------- */

int
guts_mdnslan_new(struct guts_mdnslan **out, struct guts_env *env, struct guts_peers *peers, uint16_t port)
{
	struct guts_mdnslan *l = guts_alloc(sizeof(*l));
	struct sockaddr_storage any;
	uint64_t seed;
	int err;

	set_ip4(&any, INADDR_ANY, port);
	set_ip4(&l->group, GUTS_MDNS_GROUP4, port);
	l->env = env;
	l->peers = peers;
	err = guts_env_udp_open(env, (struct sockaddr *)&any, true, &udp_events, l, &l->udp, NULL);
	if (err) {
		free(l);
		return err;
	}
	guts_env_random(env, &seed, sizeof(seed));
	l->mdns = guts_mdns_new(seed, guts_env_now(env));
	l->timer = (struct guts_timer){ .fire = on_timer, .owner = l };
	guts_ratelimit_init(&l->dials, DIAL_RATE, DIAL_BURST);
	guts_buf_init(&l->out, GUTS_MDNS_SEND_MAX);
	look_around(l);
	arm(l);
	*out = l;
	return GUTS_OK;
}

void
guts_mdnslan_free(struct guts_mdnslan *l)
{
	struct heard *h, *tmp;

	if (!l)
		return;
	guts_env_timer_clear(l->env, &l->timer);
	guts_env_udp_close(l->env, l->udp);
	HASH_ITER(hh, l->heard, h, tmp) {
		HASH_DEL(l->heard, h);
		free(h);
	}
	guts_mdns_free(l->mdns);
	guts_buf_deinit(&l->out);
	free(l);
}

size_t
guts_mdnslan_count(const struct guts_mdnslan *l)
{
	return HASH_COUNT(l->heard);
}
