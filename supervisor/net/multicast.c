/* SPDX-License-Identifier: ISC */
/*
 * Multicast between VMs.
 *
 * Every VM asks at its start, by multicast, whether its IPv6 address is taken
 * (RFC 4862 §5.4), and so does every IPv6 host for each neighbour. Flooded to
 * all ports, the start of 1,000 VMs would wake 1,000 processes a thousand
 * times. Therefore the bridge snoops, with itself as querier: such a question
 * goes to those only who joined its group.
 *
 * The groups of addresses that the supervisor knows are permanent entries, made
 * with the TAP: their VM is found whether it speaks MLD or not, and whatever
 * others say. Those of addresses that a kvm guest picks itself stay a matter of
 * snooping. A group that nobody at all joined is flooded, but one that a single
 * VM joined goes there alone: who speaks no MLD and shares such a group isn't
 * heard. So that no VM can fill the table, which ends snooping for all, each
 * port has its share (Linux 6.3; before, the table is anybody's).
 *
 * A querier asks on all ports whenever one port comes, and is not relied upon
 * until the answers are in. So while the configured VMs come, the querier is
 * silent, and ports take no unknown multicast from each other (from the host
 * they do; that no two VMs have one address, the supervisor has seen to). Then
 * the querier begins, and when it is relied upon, the ports are opened.
 */
#include "supervisor/net/multicast.h"

#include <arpa/inet.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "supervisor/net/net.h"
#include "supervisor/net/netlink.h"

/* IFLA_BRPORT_MCAST_MAX_GROUPS: headers before 6.3 lack it, and
 * kernels before 6.3 ignore it. */
#define PORT_MAX_GROUPS 42

void net_multicast_put_share(struct netlink_batch *batch, int ifindex)
{
	const struct ifinfomsg info = {
		.ifi_family = AF_BRIDGE,
		.ifi_index = ifindex,
	};
	struct nlattr *port;

	netlink_add(batch, RTM_SETLINK, 0, NULL, &info, sizeof(info));
	port = netlink_nest(batch, IFLA_PROTINFO);
	netlink_put_u32(batch, PORT_MAX_GROUPS, NET_GROUPS_PER_PORT);
	netlink_nest_end(batch, port);
}

/* Adds a request that makes (RTM_NEWMDB) or deletes the permanent entry for an
 * address's solicited-node group (RFC 4291 §2.7.1). It may fail: a kernel
 * without snooping has no entries, and needs none. */
static void put_group(struct netlink_batch *batch, int type,
		      const struct net *net, int ifindex,
		      const struct in6_addr *address)
{
	const struct br_port_msg bridge = {
		.family = AF_BRIDGE,
		.ifindex = (uint32_t)net->bridge_ifindex,
	};
	struct br_mdb_entry entry = {
		.ifindex = (uint32_t)ifindex,
		.state = MDB_PERMANENT,
		.addr = { .proto = htons(ETH_P_IPV6) },
	};
	struct in6_addr group = { .s6_addr = { 0xff, 2, [11] = 1, 0xff } };

	memcpy(&group.s6_addr[13], &address->s6_addr[13], 3);
	entry.addr.u.ip6 = group;
	netlink_add(batch, type, type == RTM_NEWMDB ? NLM_F_CREATE : 0, NULL,
		    &bridge, sizeof(bridge));
	netlink_put(batch, MDBA_SET_ENTRY, &entry, sizeof(entry));
}

void net_multicast_put_groups(struct netlink_batch *batch, int type,
			      const struct net *net, const struct net_tap *tap,
			      int ifindex)
{
	const struct in6_addr link_local = net_link_local(tap->guest_mac);

	put_group(batch, type, net, ifindex, &link_local);
	if (!IN6_IS_ADDR_UNSPECIFIED(&tap->guest_ipv6))
		put_group(batch, type, net, ifindex, &tap->guest_ipv6);
}

/* Adds requests for the querier. Its first query needs the link-local
 * address of the bridge. They may fail: a kernel without snooping
 * floods, which is only slower. */
static void put_querier(struct netlink_batch *batch, const struct net *net)
{
	struct ifinfomsg info = { .ifi_index = net->bridge_ifindex };
	struct nlattr *link, *data;

	netlink_add(batch, RTM_NEWLINK, 0, NULL, &info, sizeof(info));
	link = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_text(batch, IFLA_INFO_KIND, "bridge");
	data = netlink_nest(batch, IFLA_INFO_DATA);
	netlink_put_u8(batch, IFLA_BR_MCAST_QUERIER, 1);
	netlink_nest_end(batch, data);
	netlink_nest_end(batch, link);
}

static void put_flood(struct netlink_batch *batch, int ifindex)
{
	struct ifinfomsg info = {
		.ifi_family = AF_BRIDGE,
		.ifi_index = ifindex,
	};
	struct nlattr *port;

	/* may fail: a TAP that was just deleted is made
	 * anew, with this setting */
	netlink_add(batch, RTM_SETLINK, 0, NULL, &info, sizeof(info));
	port = netlink_nest(batch, IFLA_PROTINFO);
	netlink_put_u8(batch, IFLA_BRPORT_MCAST_FLOOD, 1);
	netlink_nest_end(batch, port);
}

int net_multicast_query(struct net *net)
{
	struct netlink_batch batch = { 0 };

	put_querier(&batch, net);
	return netlink_send(net->sock, &batch);
}

int net_multicast_open(struct net *net, const int *ifindexes, size_t count)
{
	struct netlink_batch batch = { 0 };
	int error = 0, failed;

	net->multicast = true;
	for (size_t i = 0; i < count; i++) {
		put_flood(&batch, ifindexes[i]);
		if (batch.count < NETLINK_BATCH_MAX && i + 1 < count)
			continue;
		failed = netlink_send(net->sock, &batch);
		error = error ? error : failed;
	}
	return error;
}
