/* loop/uvudp.c - datagram sockets of the libuv end.
 *
 * libuv's own UDP handle tells not where a datagram came to and chooses not where it leaves from;
 * QUIC and mDNS need both.  So the socket is ours, libuv polls it, and IP_PKTINFO carries the local
 * address and the interface in both directions.  A datagram costs one system call and no memory.
 */
#include "loop/uvenv_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define DATAGRAMS_PER_TURN 64 /* then others get their turn */
#define GROUP_HOPS 255        /* what mDNS asks for (RFC 6762, section 11) */

struct guts_udp {
	uv_poll_t poll;
	int fd;
	sa_family_t family;
	in_port_t port; /* network order */
	struct guts_uvenv *u;
	const struct guts_udp_events *ev;
	void *owner;
	bool wants_room, closed;
	struct guts_udp *prev, *next;
};

/* Room for one control message with a local address. */
union control {
	struct cmsghdr align;
	uint8_t room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static int
err_of(int number)
{
	return number == EMSGSIZE ? GUTS_ELIMIT : guts_uvconn_err(uv_translate_sys_error(number));
}

static void on_poll(uv_poll_t *h, int status, int events);

static void
watch(struct guts_udp *d)
{
	uv_poll_start(&d->poll, UV_READABLE | (d->wants_room ? UV_WRITABLE : 0), on_poll);
}

/* --- receiving ------------------------------------------------------------ */

/* Where it came to, out of the control message. */
static void
read_local(const struct guts_udp *d, struct msghdr *msg, struct guts_udp_path *path)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&path->local;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&path->local;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			*in = (struct sockaddr_in){.sin_family = AF_INET,
						   .sin_port = d->port,
						   .sin_addr = info.ipi_addr};
			path->interface = (unsigned)info.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
						     .sin6_port = d->port,
						     .sin6_addr = info.ipi6_addr};
			path->interface = info.ipi6_ifindex;
		}
	}
}

/* Take one datagram; false if there is none. */
static bool
receive(struct guts_udp *d)
{
	struct guts_udp_path path;
	union control control;
	struct iovec iov = {d->u->read_mem, GUTS_UVENV_READ_BYTES};
	struct msghdr msg = {.msg_name = &path.remote,
			     .msg_namelen = sizeof path.remote,
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof control};
	ssize_t n;

	memset(&path, 0, sizeof path);
	n = recvmsg(d->fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR;
	read_local(d, &msg, &path);
	d->ev->datagram(d->owner, d, &path, guts_slice(d->u->read_mem, (size_t)n));
	return true;
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct guts_udp *d = h->data;

	guts_uvenv_turn(d->u);
	if (status < 0) { /* libuv stopped; what is wrong is read off the socket, and it goes on */
		events = UV_READABLE;
		watch(d);
	}
	for (int i = 0; (events & UV_READABLE) && i < DATAGRAMS_PER_TURN && !d->closed; i++)
		if (!receive(d))
			break;
	if ((events & UV_WRITABLE) && d->wants_room && !d->closed) {
		d->wants_room = false;
		watch(d);
		if (d->ev->writable)
			d->ev->writable(d->owner, d);
	}
}

/* --- sending -------------------------------------------------------------- */

/* Where it leaves from, as the control message. */
static void
write_local(const struct guts_udp *d, const struct guts_udp_path *path, union control *control,
	    struct msghdr *msg)
{
	bool has_local = path->local.ss_family == d->family;
	struct in_pktinfo info = {.ipi_ifindex = (int)path->interface};
	struct in6_pktinfo info6 = {.ipi6_ifindex = path->interface};
	bool is6 = d->family == AF_INET6;
	size_t n = is6 ? sizeof info6 : sizeof info;

	if (!has_local && !path->interface)
		return;
	if (has_local && is6)
		info6.ipi6_addr = ((const struct sockaddr_in6 *)&path->local)->sin6_addr;
	else if (has_local)
		info.ipi_spec_dst = ((const struct sockaddr_in *)&path->local)->sin_addr;
	memset(control, 0, sizeof *control);
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(n);

	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = is6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = is6 ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), is6 ? (const void *)&info6 : (const void *)&info, n);
}

int
guts_uvudp_send(struct guts_env *e, struct guts_udp *d, const struct guts_udp_path *path,
		struct guts_slice data)
{
	union control control;
	struct sockaddr_storage to = path->remote;
	struct iovec iov = {(void *)(uintptr_t)data.p, data.n};
	struct msghdr msg = {.msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	(void)e;
	if (to.ss_family != d->family)
		return GUTS_EINVAL;
	msg.msg_namelen = d->family == AF_INET6 ? sizeof(struct sockaddr_in6)
						: sizeof(struct sockaddr_in);
	write_local(d, path, &control, &msg);
	do
		n = sendmsg(d->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno != EAGAIN && errno != ENOBUFS)
		return err_of(errno);
	d->wants_room = true;
	watch(d);
	return GUTS_EAGAIN;
}

/* --- life ----------------------------------------------------------------- */

/* Set an option; false if the system refuses it. */
static bool
set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* Addresses with each datagram, and of groups only what this socket joined. */
static bool
set_up(int fd, bool is6)
{
	if (is6)
		return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
		       set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
		       set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0) &&
		       set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, GROUP_HOPS);
	return set(fd, IPPROTO_IP, IP_PKTINFO, 1) && set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) &&
	       set(fd, IPPROTO_IP, IP_MULTICAST_TTL, GROUP_HOPS);
}

/* A bound socket, or < 0 with errno. */
static int
socket_at(const struct sockaddr *at, bool shared)
{
	bool is6 = at->sa_family == AF_INET6;
	int fd = socket(at->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	if (set_up(fd, is6) && (!shared || set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
	    bind(fd, at, is6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)) == 0)
		return fd;

	int number = errno;
	close(fd);
	errno = number;
	return -1;
}

int
guts_uvudp_open(struct guts_env *e, const struct sockaddr *at, bool shared,
		const struct guts_udp_events *ev, void *owner, struct guts_udp **out,
		struct sockaddr_storage *bound)
{
	struct guts_uvenv *u = (struct guts_uvenv *)(void *)e;
	struct sockaddr_storage real = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof real;
	struct guts_udp *d;
	int fd, rc;

	if (at->sa_family != AF_INET && at->sa_family != AF_INET6)
		return GUTS_EINVAL;
	fd = socket_at(at, shared);
	if (fd < 0)
		return err_of(errno);

	d = guts_alloc(sizeof *d);
	rc = uv_poll_init(&u->loop, &d->poll, fd);
	if (rc != 0) {
		free(d);
		close(fd);
		return guts_uvconn_err(rc);
	}
	getsockname(fd, (struct sockaddr *)&real, &n);
	d->poll.data = d;
	d->fd = fd;
	d->family = at->sa_family;
	d->port = d->family == AF_INET6 ? ((struct sockaddr_in6 *)&real)->sin6_port
					: ((struct sockaddr_in *)&real)->sin_port;
	d->u = u;
	d->ev = ev;
	d->owner = owner;
	DL_APPEND(u->udps, d);
	watch(d);
	if (bound)
		*bound = real;
	*out = d;
	return 0;
}

int
guts_uvudp_join(struct guts_env *e, struct guts_udp *d, const struct sockaddr *group,
		unsigned interface)
{
	struct group_req req = {.gr_interface = interface};
	bool is6 = d->family == AF_INET6;
	int level = is6 ? IPPROTO_IPV6 : IPPROTO_IP;

	(void)e;
	if (group->sa_family != d->family)
		return GUTS_EINVAL;
	memcpy(&req.gr_group, group,
	       is6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	if (setsockopt(d->fd, level, MCAST_JOIN_GROUP, &req, sizeof req) == 0)
		return 0;
	if (errno == EADDRINUSE)
		return GUTS_EEXIST;
	return errno == ENOBUFS ? GUTS_ELIMIT : err_of(errno);
}

static void
on_closed(uv_handle_t *h)
{
	struct guts_udp *d = h->data;

	free(d);
}

void
guts_uvudp_close(struct guts_env *e, struct guts_udp *d)
{
	(void)e;
	d->closed = true;
	DL_DELETE(d->u->udps, d);
	uv_close((uv_handle_t *)&d->poll, on_closed);
	close(d->fd);
}

void
guts_uvudp_close_all(struct guts_uvenv *u)
{
	while (u->udps)
		guts_uvudp_close(&u->env, u->udps);
}

/* --- interfaces ----------------------------------------------------------- */

size_t
guts_uvudp_interfaces(struct guts_env *e, struct guts_interface *out, size_t max)
{
	struct ifaddrs *all, *i;
	size_t n = 0;

	(void)e;
	if (getifaddrs(&all) != 0)
		return 0;
	for (i = all; i && n < max; i = i->ifa_next) {
		int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;

		if (!(i->ifa_flags & IFF_UP) || (family != AF_INET && family != AF_INET6))
			continue;
		memset(&out[n], 0, sizeof out[n]);
		out[n].index = if_nametoindex(i->ifa_name);
		memcpy(&out[n].addr, i->ifa_addr,
		       family == AF_INET6 ? sizeof(struct sockaddr_in6)
					  : sizeof(struct sockaddr_in));
		n += out[n].index != 0;
	}
	freeifaddrs(all);
	return n;
}
