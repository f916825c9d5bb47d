/* SPDX-License-Identifier: ISC */
/*
 * Where a guest lives, as the bridge and the host are told.
 *
 * Theory of operation: one forwarding entry, pinned, says behind which port a
 * guest's MAC lives, and no unicast frame needs to be flooded to a thousand
 * ports to find its VM. The host is told each VM's addresses and never asks.
 * Permanent neighbours don't count against gc_thresh3.
 *
 * All that is true only while the VM is wanted up here. The bridge may have a
 * port to an Ethernet with other hosts, and the VM may run on one of them
 * before or after: then the bridge has learned the guest's MAC from that port,
 * and such an entry gives way. One that somebody made on purpose doesn't.
 */
#include "supervisor/net/tap_place.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/net/explain.h"
#include "supervisor/net/net.h"
#include "supervisor/net/netlink.h"

/* ---- the forwarding entry that there is */

static int take_entry(void *ctx, struct nlmsghdr *row)
{
	struct ndmsg *entry = ctx;

	if (row->nlmsg_type == RTM_NEWNEIGH &&
	    nlmsg_datalen(row) >= (int)sizeof(*entry))
		memcpy(entry, nlmsg_data(row), sizeof(*entry));
	return 0;
}

/* False: the bridge has none for that MAC. */
static bool read_entry(struct net *net, const uint8_t mac[6],
		       struct ndmsg *entry)
{
	struct ndmsg which = { .ndm_family = AF_BRIDGE };
	struct netlink_batch batch = { .row = take_entry, .ctx = entry };

	*entry = (struct ndmsg){ 0 };
	netlink_add(&batch, RTM_GETNEIGH, 0, "reading", &which, sizeof(which));
	netlink_put_u32(&batch, NDA_MASTER, (uint32_t)net->bridge_ifindex);
	netlink_put(&batch, NDA_LLADDR, mac, 6);
	return netlink_send(net->sock, &batch) == 0 && entry->ndm_ifindex > 0;
}

/* 0, or -EADDRINUSE: the MAC isn't free to be had behind that port. */
static int check_entry(struct net *net, const struct net_tap *tap, int ifindex,
		       struct problem *problem)
{
	const uint8_t *mac = tap->guest_mac;
	char port[IFNAMSIZ] = "?", text[18];
	struct ndmsg entry;

	if (!read_entry(net, mac, &entry) || entry.ndm_ifindex == ifindex)
		return 0;
	/* learned, and not made to stay */
	if (!(entry.ndm_state & (NUD_NOARP | NUD_PERMANENT)) &&
	    !(entry.ndm_flags & NTF_STICKY))
		return 0;
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5]);
	(void)net_name_of(net, entry.ndm_ifindex, port);
	/* short: where it is the reason of a failure, 79 characters count */
	if (entry.ndm_state & NUD_PERMANENT)
		return problem_set(problem, -EADDRINUSE,
				   "its MAC is that of %s (mac = gives it "
				   "another)",
				   port);
	return problem_set(problem, -EADDRINUSE,
			   "its MAC is pinned elsewhere: bridge fdb del %s dev "
			   "%s master",
			   text, port);
}

/* ---- told and taken back */

/* Adds the forwarding entry (RTM_NEWNEIGH) or deletes it (RTM_DELNEIGH).
 * NUD_NOARP makes it static; NUD_PERMANENT would make the MAC the host's own.
 * It is sticky, because a port that another process adds does learn. */
static void put_forwarding(struct netlink_batch *batch, int type,
			   const struct net_tap *tap, int ifindex)
{
	struct ndmsg entry = {
		.ndm_family = AF_BRIDGE,
		.ndm_ifindex = ifindex,
		.ndm_state = NUD_NOARP,
		.ndm_flags = NTF_MASTER | NTF_STICKY,
	};

	bool needed = type == RTM_NEWNEIGH;

	netlink_add(batch, type, needed ? NLM_F_CREATE | NLM_F_REPLACE : 0,
		    needed ? "telling the bridge its guest's MAC" : NULL,
		    &entry, sizeof(entry));
	netlink_put(batch, NDA_LLADDR, tap->guest_mac, sizeof(tap->guest_mac));
}

static void put_neighbour(struct netlink_batch *batch, int type,
			  const struct net *net, const struct net_tap *tap,
			  int family, const void *address)
{
	struct ndmsg entry = {
		.ndm_family = (uint8_t)family,
		.ndm_ifindex = net->bridge_ifindex,
		.ndm_state = NUD_PERMANENT,
	};
	bool needed = type == RTM_NEWNEIGH && family == AF_INET;
	int flags = type == RTM_NEWNEIGH ? NLM_F_CREATE | NLM_F_REPLACE : 0;

	/* the host may have no IPv6: then it needs no IPv6 neighbours */
	netlink_add(batch, type, flags,
		    needed ? "telling the host its guest's address" : NULL,
		    &entry, sizeof(entry));
	netlink_put(batch, NDA_DST, address,
		    family == AF_INET ? sizeof(struct in_addr)
				      : sizeof(struct in6_addr));
	netlink_put(batch, NDA_LLADDR, tap->guest_mac, sizeof(tap->guest_mac));
}

/* Adds (RTM_NEWNEIGH) or removes (RTM_DELNEIGH) them. */
static void put_neighbours(struct netlink_batch *batch, int type,
			   const struct net *net, const struct net_tap *tap)
{
	struct in6_addr link_local = net_link_local(tap->guest_mac);

	if (tap->guest_ipv4.s_addr)
		put_neighbour(batch, type, net, tap, AF_INET, &tap->guest_ipv4);
	if (!IN6_IS_ADDR_UNSPECIFIED(&tap->guest_ipv6))
		put_neighbour(batch, type, net, tap, AF_INET6,
			      &tap->guest_ipv6);
	put_neighbour(batch, type, net, tap, AF_INET6, &link_local);
}

int net_tap_introduce(struct net *net, const struct net_tap *tap, int ifindex,
		      struct problem *problem)
{
	struct netlink_batch batch = { 0 };
	int error = check_entry(net, tap, ifindex, problem);

	if (error)
		return error;
	put_forwarding(&batch, RTM_NEWNEIGH, tap, ifindex);
	put_neighbours(&batch, RTM_NEWNEIGH, net, tap);
	error = netlink_send(net->sock, &batch);
	if (!error)
		return 0;
	net_tap_withdraw(net, tap, ifindex);
	return explain_error(problem, error, &batch,
			     "cannot tell where the guest of %s is", tap->name);
}

void net_tap_withdraw(struct net *net, const struct net_tap *tap, int ifindex)
{
	struct netlink_batch batch = { 0 };

	put_forwarding(&batch, RTM_DELNEIGH, tap, ifindex);
	put_neighbours(&batch, RTM_DELNEIGH, net, tap);
	(void)netlink_send(net->sock, &batch);
}

int net_tap_forward(struct net *net, const struct net_tap *tap, int ifindex)
{
	struct netlink_batch batch = { 0 };

	put_forwarding(&batch, RTM_NEWNEIGH, tap, ifindex);
	return netlink_send(net->sock, &batch);
}
