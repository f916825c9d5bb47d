/* SPDX-License-Identifier: ISC */
/*
 * Multicast between VMs.
 *
 * Every VM asks at its start, by multicast, whether its IPv6 address is taken
 * (RFC 4862 §5.4), and so does every IPv6 host for each neighbour. Flooded to
 * all ports, the start of 1,000 VMs would wake 1,000 processes a thousand
 * times. Therefore the bridge snoops, with itself as querier: such a question
 * goes to those only who joined its group, and a group that nobody joined is
 * flooded as without snooping, so that a guest which speaks no MLD is found.
 *
 * A querier asks on all ports whenever one port comes, and is not relied upon
 * until the answers are in. So while the configured VMs come, the querier is
 * silent, and ports take no unknown multicast from each other (from the host
 * they do; that no two VMs have one address, the supervisor has seen to). Then
 * the querier begins, and when it is relied upon, the ports are opened.
 */
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "supervisor/net/internal.h"
#include "supervisor/net/netlink.h"

/* The first query needs the bridge's link-local address. A kernel without
 * snooping floods, which is only slower. */
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

	/* may fail: a TAP that was just deleted is made anew, with it */
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
