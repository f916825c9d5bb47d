/* SPDX-License-Identifier: ISC */
/*
 * The bridge that the TAPs are ports of, and its addresses.
 *
 * Spanning tree is off and ports forward at once: VMs make no loops here.
 *
 * Multicast snooping is on: see multicast.c.
 */
#include "supervisor/net/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/lib/siphash.h"
#include "supervisor/net/explain.h"
#include "supervisor/net/net.h"
#include "supervisor/net/netlink.h"

/* Multicast groups that all VMs together may join:
 * each of 1,023 VMs has a few. */
#define MAX_GROUPS 65536

/* Link groups above the numbers that people use; the index of the
 * bridge makes the group unique. */
#define GROUP_BASE 0x40000000U

static const char adding_ipv6[] = "giving it its IPv6 address";

/*
 * Derives the MAC of the bridge, so that it stays the same while ports come and
 * go, and from one start to the next. It depends on the machine and the run
 * directory, because bridges of several machines may be on one Ethernet; and on
 * the domain, because the machine ids of cloned machines are the same.
 */
void net_bridge_mac(const struct net *net, const struct net_bridge *bridge,
		    uint8_t mac[6])
{
	static const uint8_t key[16] = "bridge";
	char from[64 + sizeof(net->alias) + IFNAMSIZ + NET_MAC_DOMAIN] = { 0 };
	size_t length = 64 + sizeof(net->alias);
	cleanup_fd int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	uint64_t hash;

	if (fd >= 0 && read(fd, from, 64) < 0)
		from[0] = '\0'; /* then run directory and name must suffice */
	memcpy(from + 64, net->alias, strnlen(net->alias, sizeof(net->alias)));
	memcpy(from + length, bridge->name, strnlen(bridge->name, IFNAMSIZ));
	length += IFNAMSIZ;
	/* without a domain, the MAC is what it was before there were any */
	if (bridge->mac_domain[0]) {
		memcpy(from + length, bridge->mac_domain, NET_MAC_DOMAIN);
		length += NET_MAC_DOMAIN;
	}
	hash = siphash(key, from, length);
	memcpy(mac, &hash, 6);
	/* locally administered, unicast */
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

static int create(struct net *net, const struct net_bridge *bridge,
		  const uint8_t mac[6], struct problem *problem)
{
	static const struct ifinfomsg new = { .ifi_family = AF_UNSPEC };
	static const uint64_t query_response_cs = 10;
	struct netlink_batch batch = { 0 };
	struct nlattr *info, *data;
	int error;

	netlink_add(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "making it",
		    &new, sizeof(new));
	netlink_put_text(&batch, IFLA_IFNAME, bridge->name);
	netlink_put_u32(&batch, IFLA_MTU, bridge->mtu);
	netlink_put(&batch, IFLA_ADDRESS, mac, 6);
	info = netlink_nest(&batch, IFLA_LINKINFO);
	netlink_put_text(&batch, IFLA_INFO_KIND, "bridge");
	data = netlink_nest(&batch, IFLA_INFO_DATA);
	netlink_put_u32(&batch, IFLA_BR_STP_STATE, 0);
	netlink_put_u32(&batch, IFLA_BR_FORWARD_DELAY, 0);
	netlink_put_u8(&batch, IFLA_BR_MCAST_SNOOPING, 1);
	/* with more groups, the kernel stops snooping and floods */
	netlink_put_u32(&batch, IFLA_BR_MCAST_HASH_MAX, MAX_GROUPS);
	/* the bridge relies on itself as querier after this time, so
	 * before the first VM is there */
	netlink_put(&batch, IFLA_BR_MCAST_QUERY_RESPONSE_INTVL,
		    &query_response_cs, sizeof(query_response_cs));
	netlink_nest_end(&batch, data);
	netlink_nest_end(&batch, info);
	error = netlink_send(net->sock, &batch);
	if (error)
		return explain_error(problem, error, &batch,
				     "cannot create bridge %s", bridge->name);
	return 0;
}

/*
 * VMs aren't trusted: nothing that they send may change the routes of the host,
 * with or without a guard. There is no netlink request for these settings. IPv4
 * accepts redirects if either this setting or that of all interfaces is on.
 */
static const struct {
	const char *family, *setting, *danger;
} untrusted[] = {
	{ "ipv6", "accept_ra", "use them as its IPv6 router" },
	{ "ipv6", "accept_redirects", "send by way of them, by IPv6" },
	{ "ipv4", "accept_redirects", "send by way of them, by IPv4" },
};

static void trust_nobody(const struct net_bridge *bridge)
{
	for (size_t i = 0; i < ARRAY_SIZE(untrusted); i++) {
		cleanup_fd int fd = -1;
		char path[80];

		snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s",
			 untrusted[i].family, bridge->name,
			 untrusted[i].setting);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* this host has no IPv6 */
		if (fd < 0 || write(fd, "0", 1) != 1)
			log_warn("cannot turn off %s: %s (VMs could tell the "
				 "host to %s; turn it off with sysctl)",
				 path, strerror(errno), untrusted[i].danger);
	}
}

static void put_link(struct netlink_batch *batch, const struct net *net)
{
	struct ifinfomsg info = { .ifi_index = net->bridge_ifindex };
	struct nlattr *families, *inet6;

	netlink_add(batch, RTM_SETLINK, 0, "marking it as ours", &info,
		    sizeof(info));
	netlink_put_text(batch, IFLA_IFALIAS, net->alias);
	netlink_put_u32(batch, IFLA_GROUP, net->group);
	netlink_add(batch, RTM_SETLINK, 0, NULL, &info, sizeof(info));
	families = netlink_nest(batch, IFLA_AF_SPEC);
	inet6 = netlink_nest(batch, AF_INET6);
	netlink_put_u8(batch, IFLA_INET6_ADDR_GEN_MODE,
		       IN6_ADDR_GEN_MODE_EUI64);
	netlink_nest_end(batch, inet6);
	netlink_nest_end(batch, families);
	info.ifi_flags = info.ifi_change = IFF_UP;
	netlink_add(batch, RTM_SETLINK, 0, "setting it up", &info,
		    sizeof(info));
}

static void put_ipv4(struct netlink_batch *batch, const struct net *net,
		     const struct net_bridge *bridge)
{
	struct ifaddrmsg info = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = (uint8_t)bridge->ipv4_prefix,
		.ifa_index = (uint32_t)net->bridge_ifindex,
	};
	uint32_t hosts =
		(uint32_t)(UINT64_C(0xffffffff) >> (bridge->ipv4_prefix & 31));
	struct in_addr broadcast = { bridge->ipv4.s_addr | htonl(hosts) };

	netlink_add(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
		    "giving it its IPv4 address", &info, sizeof(info));
	netlink_put(batch, IFA_LOCAL, &bridge->ipv4, sizeof(bridge->ipv4));
	netlink_put(batch, IFA_ADDRESS, &bridge->ipv4, sizeof(bridge->ipv4));
	if (bridge->ipv4_prefix < 31)
		netlink_put(batch, IFA_BROADCAST, &broadcast,
			    sizeof(broadcast));
}

/* Adds an address without duplicate address detection, which would delay it
 * until a second after the first port is there. */
static void put_ipv6(struct netlink_batch *batch, const struct net *net,
		     const struct in6_addr *address, uint32_t prefix,
		     const char *doing)
{
	struct ifaddrmsg info = {
		.ifa_family = AF_INET6,
		.ifa_prefixlen = (uint8_t)prefix,
		.ifa_flags = IFA_F_NODAD,
		.ifa_index = (uint32_t)net->bridge_ifindex,
	};

	netlink_add(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, doing, &info,
		    sizeof(info));
	netlink_put(batch, IFA_LOCAL, address, sizeof(*address));
}

static int refuse_bridge(int error, const struct netlink_batch *batch,
			 const struct net_bridge *bridge,
			 struct problem *problem)
{
	if (batch->failed == adding_ipv6 && error != -EPERM)
		return problem_set(problem, error,
				   "cannot create bridge %s: %s: %s (is IPv6 "
				   "off here? sysctl net.ipv6.conf.all."
				   "disable_ipv6=0, or configure no IPv6 "
				   "address)",
				   bridge->name, adding_ipv6, strerror(-error));
	return explain_error(problem, error, batch, "cannot create bridge %s",
			     bridge->name);
}

static int set_up(struct net *net, const struct net_bridge *bridge,
		  const uint8_t mac[6], struct problem *problem)
{
	struct in6_addr link_local = net_link_local(mac);
	struct netlink_batch batch = { 0 };
	int error;

	trust_nobody(bridge);
	put_link(&batch, net);
	put_ipv4(&batch, net, bridge);
	if (bridge->has_ipv6)
		put_ipv6(&batch, net, &bridge->ipv6, bridge->ipv6_prefix,
			 adding_ipv6);
	/* optional: the host may have no IPv6 */
	put_ipv6(&batch, net, &link_local, 64, NULL);
	error = netlink_send(net->sock, &batch);
	if (error)
		return refuse_bridge(error, &batch, bridge, problem);
	return 0;
}

int net_bridge_create(struct net *net, const struct net_bridge *bridge,
		      struct problem *problem)
{
	uint8_t mac[6];
	int error;

	if (!net_valid_name(bridge->name))
		return explain_error(problem, -EINVAL, NULL,
				     "cannot create bridge \"%.15s\"",
				     bridge->name);
	net_bridge_mac(net, bridge, mac);
	error = create(net, bridge, mac, problem);
	if (error)
		return error;
	error = net_index_of(net, bridge->name);
	if (error < 0)
		return explain_error(problem, error, NULL,
				     "cannot find bridge %s again",
				     bridge->name);
	net->bridge_ifindex = error;
	net->group = GROUP_BASE | (uint32_t)error;
	error = set_up(net, bridge, mac, problem);
	if (error) {
		(void)net_delete(net, net->bridge_ifindex);
		net->bridge_ifindex = 0;
		net->group = 0;
	}
	return error;
}
