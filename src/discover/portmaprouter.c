/* discover/portmaprouter.c - the router's side of a port mapping: libnatpmp, then libminiupnpc.
 *
 * NAT-PMP is one datagram each way with the default gateway, so it goes first; who does not answer within three
 * quarters of a second does not speak it.  UPnP looks for a gateway device by multicast, reads its description over
 * HTTP, and may know permanent leases only.  Everything here blocks, for a few seconds at worst.
 */
#include "discover/portmap.h"

#include "base/err.h"

#ifdef GUTS_PORTMAP

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <natpmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NATPMP_TRIES 2                /* datagrams: 250 ms, then 500 ms are waited */
#define SSDP_WAIT_MS 1500             /* for devices to answer */
#define PORTS_TRIED 4                 /* outside, if ours is taken */
#define UPNP_CONFLICT 718             /* another machine has the port */
#define UPNP_ONLY_PERMANENT_LEASES 725
#define DESCRIPTION "guts"

/* --- NAT-PMP -------------------------------------------------------------- */

/* The answer to what was sent; < 0 as libnatpmp has it. */
static int
natpmp_answer(natpmp_t *n, natpmpresp_t *answer)
{
	struct timeval wait;
	struct pollfd fd = { .fd = n->s, .events = POLLIN };
	int rc = NATPMP_TRYAGAIN;

	while (rc == NATPMP_TRYAGAIN && n->try_number <= NATPMP_TRIES) {
		if (getnatpmprequesttimeout(n, &wait) < 0)
			return NATPMP_ERR_GETTIMEOFDAYERR;
		(void)poll(&fd, 1, (int)(wait.tv_sec * 1000 + wait.tv_usec / 1000 + 1));
		rc = readnatpmpresponseorretry(n, answer);
	}
	return rc;
}

static int
natpmp_exchange(natpmp_t *n, struct guts_portmap_mapping *m)
{
	natpmpresp_t answer;
	int rc = sendpublicaddressrequest(n);

	rc = rc < 0 ? rc : natpmp_answer(n, &answer);
	if (rc < 0)
		return rc;
	m->address = answer.pnu.publicaddress.addr;
	rc = sendnewportmappingrequest(n, NATPMP_PROTOCOL_TCP, m->internal, m->external, GUTS_PORTMAP_LEASE_S);
	rc = rc < 0 ? rc : natpmp_answer(n, &answer);
	if (rc < 0)
		return rc;
	m->external = answer.pnu.newportmapping.mappedpublicport;
	m->lease_s = answer.pnu.newportmapping.lifetime;
	return m->lease_s > 0 ? 0 : NATPMP_ERR_UNDEFINEDERROR;
}

static int
natpmp_map(struct guts_portmap_mapping *m)
{
	natpmp_t n;
	int rc;

	if (initnatpmp(&n, 0, 0) < 0)
		return GUTS_EUNAVAILABLE;
	rc = natpmp_exchange(&n, m);
	closenatpmp(&n);
	m->method = "NAT-PMP";
	if (rc == NATPMP_ERR_NOTAUTHORIZED || rc == NATPMP_ERR_OUTOFRESOURCES)
		return GUTS_EDENIED;
	return rc < 0 ? GUTS_EUNAVAILABLE : GUTS_OK;
}

static void
natpmp_unmap(const struct guts_portmap_mapping *m)
{
	natpmpresp_t answer;
	natpmp_t n;

	if (initnatpmp(&n, 0, 0) < 0)
		return;
	if (sendnewportmappingrequest(&n, NATPMP_PROTOCOL_TCP, m->internal, 0, 0) >= 0)
		(void)natpmp_answer(&n, &answer);
	closenatpmp(&n);
}

/* --- UPnP ----------------------------------------------------------------- */

struct igd {
	struct UPNPUrls urls;
	struct IGDdatas data;
	char lan[64]; /* our address on its network */
};

/* Is there a way to the devices' group?  libminiupnpc writes to standard error if there is none. */
static bool
has_multicast(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1900), .sin_addr.s_addr = htonl(0xeffffffa) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_there = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;

	if (fd >= 0)
		close(fd);
	return is_there;
}

/* Find a gateway that is connected; its `urls` are to be freed. */
static bool
igd_find(struct igd *g)
{
	int err, found;
	struct UPNPDev *devices = has_multicast() ? upnpDiscover(SSDP_WAIT_MS, NULL, NULL, 0, 0, 2, &err) : NULL;

	if (!devices)
		return false;
	memset(g, 0, sizeof(*g));
#if MINIUPNPC_API_VERSION >= 18
	found = UPNP_GetValidIGD(devices, &g->urls, &g->data, g->lan, sizeof(g->lan), NULL, 0);
#else
	found = UPNP_GetValidIGD(devices, &g->urls, &g->data, g->lan, sizeof(g->lan));
#endif
	freeUPNPDevlist(devices);
	if (found > 1)
		FreeUPNPUrls(&g->urls);
	return found == 1;
}

static int
igd_add(const struct igd *g, const struct guts_portmap_mapping *m, uint32_t lease_s)
{
	char external[8], internal[8], lease[16];

	snprintf(external, sizeof(external), "%u", m->external);
	snprintf(internal, sizeof(internal), "%u", m->internal);
	snprintf(lease, sizeof(lease), "%u", lease_s);
	return UPNP_AddPortMapping(g->urls.controlURL, g->data.first.servicetype, external, internal, g->lan, DESCRIPTION,
	    "TCP", NULL, lease);
}

static int
igd_map(const struct igd *g, struct guts_portmap_mapping *m)
{
	char address[64] = "";
	int rc = UPNP_GetExternalIPAddress(g->urls.controlURL, g->data.first.servicetype, address);

	if (rc != UPNPCOMMAND_SUCCESS || inet_pton(AF_INET, address, &m->address) != 1)
		return UPNPCOMMAND_UNKNOWN_ERROR;
	if (m->external == 0)
		m->external = m->internal;
	m->lease_s = GUTS_PORTMAP_LEASE_S;
	for (int i = 0; i < PORTS_TRIED; i++) {
		rc = igd_add(g, m, m->lease_s);
		if (rc == UPNP_ONLY_PERMANENT_LEASES)
			rc = igd_add(g, m, m->lease_s = 0);
		if (rc != UPNP_CONFLICT)
			break;
		m->external = m->external < UINT16_MAX ? m->external + 1 : 1024;
	}
	return rc;
}

/* What unmap needs, in one text: the service's type, a space, the control URL. */
static bool
remember(struct guts_portmap_mapping *m, const struct igd *g)
{
	int n = snprintf(m->router, sizeof(m->router), "%s %s", g->data.first.servicetype, g->urls.controlURL);

	return n > 0 && (size_t)n < sizeof(m->router);
}

static int
upnp_map(struct guts_portmap_mapping *m, char error[GUTS_PORTMAP_ERROR_SIZE])
{
	struct igd g;
	int rc;

	if (!igd_find(&g)) {
		snprintf(error, GUTS_PORTMAP_ERROR_SIZE, "no router answers NAT-PMP or UPnP");
		return GUTS_EUNAVAILABLE;
	}
	m->method = "UPnP";
	rc = remember(m, &g) ? igd_map(&g, m) : UPNPCOMMAND_INVALID_ARGS;
	FreeUPNPUrls(&g.urls);
	if (rc == UPNPCOMMAND_SUCCESS)
		return GUTS_OK;
	snprintf(error, GUTS_PORTMAP_ERROR_SIZE, "the router refuses by UPnP: error %d", rc);
	return GUTS_EDENIED;
}

static void
upnp_unmap(const struct guts_portmap_mapping *m)
{
	char type[GUTS_PORTMAP_ROUTER_SIZE], external[8];
	const char *url = strchr(m->router, ' ');

	if (!url)
		return;
	snprintf(type, sizeof(type), "%.*s", (int)(url - m->router), m->router);
	snprintf(external, sizeof(external), "%u", m->external);
	(void)UPNP_DeletePortMapping(url + 1, type, external, "TCP", NULL);
}

/* --- the table ------------------------------------------------------------ */

static int
map(struct guts_portmap_mapping *m, char error[GUTS_PORTMAP_ERROR_SIZE])
{
	int err = natpmp_map(m);

	if (err == GUTS_EDENIED)
		snprintf(error, GUTS_PORTMAP_ERROR_SIZE, "the router refuses by NAT-PMP");
	return err == GUTS_EUNAVAILABLE ? upnp_map(m, error) : err;
}

static void
unmap(const struct guts_portmap_mapping *m)
{
	if (strcmp(m->method, "UPnP") == 0)
		upnp_unmap(m);
	else
		natpmp_unmap(m);
}

const struct guts_portmap_router *
guts_portmap_router(void)
{
	static const struct guts_portmap_router router = { map, unmap };

	return &router;
}

#else

const struct guts_portmap_router *
guts_portmap_router(void)
{
	return NULL;
}

#endif
