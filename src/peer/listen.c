/* peer/listen.c - doors: listening, who may come in before any cryptography, our own addresses.
 *
 * An inbound connection costs nothing before these checks: half-open links per node, links
 * and new links per address of the network (IPv6: per /64).  Loopback is free, it is us.
 * The addresses we tell others are those configured, those bound, and for wildcards the local
 * end of links that exist and what peers on two hosts say they see.
 */
#include "base/alloc.h"
#include "peer/peers_int.h"

#include <stdlib.h>

#define IP_RATE 1  /* per second and address, on average … */
#define IP_COST 5            /* … of which a link takes five: 0.2 links per second */
#define IP_BURST 16          /* links at once */

/* 16 bytes that stand for an address; false for loopback. */
static bool
ip_key(const struct sockaddr *sa, uint8_t key[16])
{
	memset(key, 0, 16);
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		key[10] = key[11] = 0xff;
		memcpy(key + 12, &in->sin_addr, 4);
		return key[12] != 127;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

		if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
			return false;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			memcpy(key, &in6->sin6_addr, 16);
			return key[12] != 127;
		}
		memcpy(key, &in6->sin6_addr, 8);
		return true;
	}
	return true;
}

/* The row of an address, with one more link; NULL = refused. */
static struct peer_ip *
take_ip(struct guts_peers *p, const uint8_t key[16])
{
	struct peer_ip *ip = NULL;

	HASH_FIND(hh, p->ips, key, sizeof(ip->key), ip);
	if (!ip) {
		if (HASH_COUNT(p->ips) >= PEERS_IPS_MAX)
			listen_prune(p);
		if (HASH_COUNT(p->ips) >= PEERS_IPS_MAX)
			return NULL;
		ip = guts_alloc(sizeof(*ip));
		memcpy(ip->key, key, sizeof(ip->key));
		guts_ratelimit_init(&ip->rate, IP_RATE, IP_BURST * IP_COST);
		HASH_ADD(hh, p->ips, key, sizeof(ip->key), ip);
	}
	if (ip->links >= GUTS_LINKS_PER_IP_MAX || !guts_ratelimit_take(&ip->rate, IP_COST, guts_env_now(p->env)))
		return NULL;
	ip->links++;
	return ip;
}

void
listen_release_ip(struct plink *pl)
{
	if (pl->ip)
		pl->ip->links--;
	pl->ip = NULL;
}

/* Forget addresses without links whose bucket is full again. */
void
listen_prune(struct guts_peers *p)
{
	uint64_t now = guts_env_now(p->env);
	struct peer_ip *ip, *tmp;

	HASH_ITER(hh, p->ips, ip, tmp) {
		if (ip->links > 0 || guts_ratelimit_wait(&ip->rate, IP_BURST * IP_COST, now) > 0)
			continue;
		HASH_DEL(p->ips, ip);
		free(ip);
	}
}

/* Is there a slot, or somebody who would leave for it?  Asked before the cryptography. */
static bool
has_room(const struct guts_peers *p, const struct sockaddr *from)
{
	struct guts_netgroup g;

	if (p->n_inbound + p->n_outbound < p->cfg.max_connections)
		return true;
	g = guts_netgroup_of_sockaddr(from);
	return evict_choose(p, &g) != NULL;
}

static bool
on_accept(void *owner, struct guts_conn *c, const struct sockaddr *from,
    const struct guts_conn_events **events, void **conn_owner)
{
	struct guts_peers *p = owner;
	struct peer_ip *ip = NULL;
	struct plink *pl;
	uint8_t key[16];

	if (p->n_pending_in >= GUTS_PENDING_PER_NODE_MAX || !has_room(p, from)
	    || (ip_key(from, key) && (ip = take_ip(p, key)) == NULL)) {
		p->stats.accepted_refused++;
		return false;
	}
	pl = guts_alloc(sizeof(*pl));
	pl->p = p;
	pl->inbound = true;
	pl->ip = ip;
	pl->link = guts_link_accept_tcp(p->ctx, c, from, &peers_link_events, pl, events, conn_owner);
	p->n_pending_in++;
	DL_APPEND(p->plinks, pl);
	return true;
}

static const struct guts_listener_events listener_events = { on_accept };

static bool
is_wildcard(const struct guts_maddr_target *t)
{
	if (t->addr.ss_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)&t->addr)->sin_addr.s_addr == 0;
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)&t->addr)->sin6_addr);
}

int
guts_peers_listen(struct guts_peers *p, const struct guts_maddr *at, struct guts_maddr *bound,
    struct guts_errinfo *ei)
{
	char text[GUTS_MADDR_TEXT_MAX];
	struct sockaddr_storage sa;
	struct guts_maddr_target t;
	struct peer_listener *pl = &p->listeners[p->n_listeners];
	int err;

	guts_maddr_text(text, at);
	if (guts_maddr_target(at, &t) != 0 || !t.is_tcp || t.is_dns)
		return guts_err_set(ei, GUTS_EUNSUPPORTED, "%.200s: not an address to listen on (/ip4/…/tcp/…)", text);
	if (p->n_listeners == GUTS_PEERS_LISTEN_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d listen addresses", GUTS_PEERS_LISTEN_MAX);
	err = guts_env_listen(p->env, (const struct sockaddr *)&t.addr, &listener_events, p, &pl->l, &sa);
	if (err)
		return guts_err_set(ei, err, "%.200s: %s", text,
		    err == GUTS_EEXIST ? "the address is in use" : guts_err_text(err));
	guts_maddr_from_tcp(&pl->bound, (const struct sockaddr *)&sa);
	pl->wildcard = is_wildcard(&t);
	p->n_listeners++;
	if (bound)
		*bound = pl->bound;
	return 0;
}

void
listen_deinit(struct guts_peers *p)
{
	struct peer_ip *ip, *tmp;

	for (size_t i = 0; i < p->n_listeners; i++)
		guts_env_unlisten(p->env, p->listeners[i].l);
	p->n_listeners = 0;
	while (p->plinks)
		links_close(p->plinks, GUTS_GOAWAY_NORMAL);
	HASH_ITER(hh, p->ips, ip, tmp) {
		HASH_DEL(p->ips, ip);
		free(ip);
	}
}

/* --- our addresses --- */

static bool
add_once(struct guts_maddr *list, size_t *n, size_t max, const struct guts_maddr *m)
{
	for (size_t i = 0; i < *n; i++)
		if (guts_maddr_eq(&list[i], m))
			return false;
	if (*n == max)
		return false;
	list[(*n)++] = *m;
	return true;
}

/* `local` with the port of a wildcard listener of its family. */
static bool
with_our_port(const struct guts_peers *p, const struct guts_maddr *local, struct guts_maddr *out)
{
	struct guts_maddr_target t, b;

	if (guts_maddr_target(local, &t) != 0)
		return false;
	for (size_t i = 0; i < p->n_listeners; i++) {
		if (!p->listeners[i].wildcard || guts_maddr_target(&p->listeners[i].bound, &b) != 0
		    || b.addr.ss_family != t.addr.ss_family)
			continue;
		if (t.addr.ss_family == AF_INET)
			((struct sockaddr_in *)(void *)&t.addr)->sin_port = htons(b.port);
		else
			((struct sockaddr_in6 *)(void *)&t.addr)->sin6_port = htons(b.port);
		guts_maddr_from_tcp(out, (const struct sockaddr *)&t.addr);
		return true;
	}
	return false;
}

/* What we tell others is not what it was. */
static void
addresses_changed(struct guts_peers *p)
{
	if (p->entries) {
		p->push_due = true;
		peers_wake(p);
	}
	if (p->ev->addresses)
		p->ev->addresses(p->owner);
}

static void
note_found(struct guts_peers *p, const struct guts_maddr *ours)
{
	if (add_once(p->found, &p->n_found, PEERS_FOUND_MAX, ours))
		addresses_changed(p);
}

void
guts_peers_set_external(struct guts_peers *p, const struct guts_maddr *addr)
{
	static const struct guts_maddr none;

	if (guts_maddr_eq(&p->external, addr ? addr : &none))
		return;
	p->external = addr ? *addr : none;
	addresses_changed(p);
}

void
listen_note_local(struct guts_peers *p, struct guts_link *l)
{
	struct guts_maddr local, ours;

	guts_link_local(l, &local);
	if (with_our_port(p, &local, &ours))
		note_found(p, &ours);
}

/* `m` without its port: one voice per host. */
static bool
host_of(const struct guts_maddr *m, struct guts_maddr *host)
{
	struct guts_maddr_target t;

	if (guts_maddr_target(m, &t) != 0 || t.is_dns)
		return false;
	if (t.addr.ss_family == AF_INET)
		((struct sockaddr_in *)(void *)&t.addr)->sin_port = 0;
	else
		((struct sockaddr_in6 *)(void *)&t.addr)->sin6_port = 0;
	guts_maddr_from_tcp(host, (const struct sockaddr *)&t.addr);
	return true;
}

void
listen_note_seen(struct guts_peers *p, const struct guts_maddr *seen, const struct guts_maddr *by)
{
	struct guts_maddr ours, host;
	struct peer_seen *s = NULL;

	if (guts_maddr_is_loopback(seen) || !with_our_port(p, seen, &ours) || !host_of(by, &host))
		return;
	for (size_t i = 0; i < PEERS_SEEN_MAX && !s; i++)
		if (guts_maddr_eq(&p->seen[i].ours, &ours))
			s = &p->seen[i];
	if (!s) {
		s = &p->seen[p->seen_at++ % PEERS_SEEN_MAX];
		*s = (struct peer_seen){ .ours = ours };
	}
	if (add_once(s->by, &s->n, PEERS_SEEN_BY, &host) && s->n == PEERS_SEEN_BY)
		note_found(p, &ours);
}

size_t
guts_peers_listening(const struct guts_peers *p, struct guts_maddr *out, size_t max)
{
	size_t n = p->n_listeners < max ? p->n_listeners : max;

	for (size_t i = 0; i < n; i++)
		out[i] = p->listeners[i].bound;
	return n;
}

/* `loopback`: for a peer on this machine; others learn no loopback address. */
size_t
listen_addresses_for(const struct guts_peers *p, bool loopback, struct guts_maddr *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_announce; i++)
		add_once(out, &n, max, &p->announce[i]);
	if (p->external.n > 0)
		add_once(out, &n, max, &p->external);
	for (size_t i = 0; i < p->n_listeners; i++)
		if (!p->listeners[i].wildcard && (loopback || !guts_maddr_is_loopback(&p->listeners[i].bound)))
			add_once(out, &n, max, &p->listeners[i].bound);
	for (size_t i = 0; i < p->n_found; i++)
		if (loopback || !guts_maddr_is_loopback(&p->found[i]))
			add_once(out, &n, max, &p->found[i]);
	return n;
}

size_t
guts_peers_addresses(const struct guts_peers *p, struct guts_maddr *out, size_t max)
{
	return listen_addresses_for(p, true, out, max);
}
