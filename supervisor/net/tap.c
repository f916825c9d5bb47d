/* SPDX-License-Identifier: ISC */
/*
 * TAPs: made, put on the bridge, counted, deleted.
 *
 * Theory of operation: what is behind a TAP is hostile. Its port therefore
 * learns nothing from the frames it sends, and on kernels that can (5.18),
 * frames from any MAC but the one that tap_place.c tells the bridge are
 * dropped. So no VM can draw another's traffic to itself.
 */
#include "supervisor/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "supervisor/net/explain.h"
#include "supervisor/net/multicast.h"
#include "supervisor/net/net.h"
#include "supervisor/net/netlink.h"

/* IFLA_BRPORT_LOCKED: headers before 5.18 lack it, and
 * kernels before 5.18 ignore it. */
#define PORT_LOCKED 39

static const char joining[] = "putting it on the bridge";

/* ---- the device */

int net_open_tun(int *fd, struct problem *problem)
{
	int error;

	*fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (*fd >= 0)
		return 0;
	error = -errno;
	if (error == -ENOENT || error == -ENXIO || error == -ENODEV)
		return problem_set(problem, error,
				   "cannot open /dev/net/tun: %s (modprobe "
				   "tun; in a container, hand the device in)",
				   strerror(-error));
	return explain_error(problem, error, NULL, "cannot open /dev/net/tun");
}

int net_tap_own(int fd)
{
	/* any process that can open /dev/net/tun may attach a queue to a TAP
	 * with several queues and without owner; an owner can't be unset */
	if (ioctl(fd, TUNSETOWNER, 0UL) < 0 || ioctl(fd, TUNSETGROUP, 0UL) < 0)
		return -errno;
	return 0;
}

static int attach_queue(const struct net_tap *tap, short flags, int *queue_fd,
			struct problem *problem)
{
	struct ifreq request = { .ifr_flags = flags };
	cleanup_fd int fd = -1;
	int error = net_open_tun(&fd, problem);

	if (error)
		return error;
	memcpy(request.ifr_name, tap->name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &request) < 0 || net_tap_own(fd) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, 0UL) < 0)
		return explain_error(problem, -errno, NULL,
				     "cannot create TAP %s", tap->name);
	*queue_fd = steal_fd(&fd);
	return 0;
}

static void close_queues(int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		fd_close(&fds[i]);
}

static uint32_t queues_of(const struct net_tap *tap)
{
	return tap->queues ? tap->queues : 1;
}

/* Opens a descriptor for each queue; the first one makes the device. */
static int attach(const struct net_tap *tap, int *fds, struct problem *problem)
{
	uint32_t queues = queues_of(tap);
	int flags = IFF_TAP | IFF_NO_PI;
	int error = 0;

	if (!net_valid_name(tap->name) || queues > NET_QUEUES_MAX)
		return explain_error(problem, -EINVAL, NULL,
				     "cannot create TAP \"%.15s\"", tap->name);
	flags |= tap->vnet_header ? IFF_VNET_HDR : 0;
	flags |= queues > 1 ? IFF_MULTI_QUEUE : 0;
	for (uint32_t i = 0; i < queues && !error; i++) {
		error = attach_queue(
			tap, (short)(i == 0 ? flags | IFF_TUN_EXCL : flags),
			&fds[i], problem);
		if (error)
			close_queues(fds, i);
	}
	return error;
}

bool net_tap_alive(int tap_fd)
{
	struct ifreq request = { 0 };

	return ioctl(tap_fd, TUNGETIFF, &request) == 0;
}

bool net_tap_is(int fd, const char *name, uint64_t network_inode)
{
	struct ifreq request = { 0 };
	cleanup_fd int network_fd = -1;
	struct stat st;

	/* only a TAP takes the first request */
	if (ioctl(fd, TUNGETIFF, &request) < 0 ||
	    !(request.ifr_flags & IFF_TAP) ||
	    strncmp(request.ifr_name, name, IFNAMSIZ) != 0)
		return false;
	network_fd = ioctl(fd, TUNGETDEVNETNS);
	return network_fd >= 0 && fstat(network_fd, &st) == 0 &&
	       st.st_ino == network_inode;
}

uint64_t net_namespace_inode(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) < 0 ? 0 : st.st_ino;
}

/* ---- its place on the bridge */

static void put_port(struct netlink_batch *batch, const struct net *net,
		     int ifindex)
{
	struct ifinfomsg info = {
		.ifi_family = AF_BRIDGE,
		.ifi_index = ifindex,
	};
	struct nlattr *port;

	netlink_add(batch, RTM_SETLINK, 0, "restricting its port", &info,
		    sizeof(info));
	port = netlink_nest(batch, IFLA_PROTINFO);
	netlink_put_u8(batch, IFLA_BRPORT_LEARNING, 0);
	netlink_put_u8(batch, IFLA_BRPORT_UNICAST_FLOOD, 0);
	netlink_put_u8(batch, IFLA_BRPORT_MCAST_FLOOD, net->multicast);
	/* a VM that sends a query isn't taken for a router */
	netlink_put_u8(batch, IFLA_BRPORT_MULTICAST_ROUTER, 0);
	netlink_put_u8(batch, PORT_LOCKED, 1);
	netlink_nest_end(batch, port);
}

/*
 * Puts a TAP on the bridge. The order matters. IPv6 addresses are turned off
 * first: the host's side needs none, and would announce it to all. Then the MTU
 * is set, because the bridge takes its MTU from its ports. The port is
 * restricted before it is up.
 */
static int join(struct net *net, const struct net_tap *tap, int ifindex,
		struct problem *problem)
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct netlink_batch batch = { 0 };
	struct nlattr *families, *inet6;
	char bridge[IFNAMSIZ];
	uint8_t mac[6];
	int error;

	netlink_add(&batch, RTM_SETLINK, 0, NULL, &info, sizeof(info));
	families = netlink_nest(&batch, IFLA_AF_SPEC);
	inet6 = netlink_nest(&batch, AF_INET6);
	netlink_put_u8(&batch, IFLA_INET6_ADDR_GEN_MODE,
		       IN6_ADDR_GEN_MODE_NONE);
	netlink_nest_end(&batch, inet6);
	netlink_nest_end(&batch, families);

	netlink_add(&batch, RTM_SETLINK, 0,
		    "setting its MTU, MAC, alias and group", &info,
		    sizeof(info));
	net_tap_mac(tap, mac);
	netlink_put(&batch, IFLA_ADDRESS, mac, sizeof(mac));
	netlink_put_u32(&batch, IFLA_MTU, tap->mtu);
	netlink_put_u32(&batch, IFLA_GROUP, net->group);
	netlink_put_text(&batch, IFLA_IFALIAS, net->alias);

	netlink_add(&batch, RTM_SETLINK, 0, joining, &info, sizeof(info));
	netlink_put_u32(&batch, IFLA_MASTER, (uint32_t)net->bridge_ifindex);
	put_port(&batch, net, ifindex);

	info.ifi_flags = info.ifi_change = IFF_UP;
	netlink_add(&batch, RTM_SETLINK, 0, "setting it up", &info,
		    sizeof(info));
	net_multicast_put_share(&batch, ifindex);
	net_multicast_put_groups(&batch, RTM_NEWMDB, net, tap, ifindex);
	error = netlink_send(net->sock, &batch);
	if (!error)
		return 0;
	/* EINVAL means that the bridge is gone */
	if (batch.failed == joining &&
	    !net_name_of(net, net->bridge_ifindex, bridge)) {
		error = -ENODEV;
		batch.reason[0] = '\0';
	}
	return explain_error(problem, error, &batch, "cannot create TAP %s",
			     tap->name);
}

void net_tap_mac(const struct net_tap *tap, uint8_t mac[6])
{
	memcpy(mac, tap->guest_mac, sizeof(tap->guest_mac));
	mac[0] = mac[0] == 0xfe ? 0xfa : 0xfe; /* local, unicast */
}

int net_tap_delete(struct net *net, int ifindex)
{
	return net_delete(net, ifindex);
}

/* ---- one TAP */

int net_tap_create(struct net *net, const struct net_tap *tap, int *fds,
		   int *ifindex, struct problem *problem)
{
	int index, error;

	if (net->bridge_ifindex <= 0)
		return explain_error(problem, -ENODEV, NULL,
				     "cannot create TAP %s: no bridge",
				     tap->name);
	error = attach(tap, fds, problem);
	if (error)
		return error;
	index = net_index_of(net, tap->name);
	if (index < 0)
		error = explain_error(problem, index, NULL,
				      "cannot create TAP %s", tap->name);
	if (!error)
		error = join(net, tap, index, problem);
	/* this deletes the TAP, too: it lives as long
	 * as a descriptor is open */
	if (error)
		close_queues(fds, queues_of(tap));
	else
		*ifindex = index;
	return error;
}

/* ---- counters */

struct counting {
	struct net_counters *counters;
	bool found;
};

static int take_counters(void *ctx, struct nlmsghdr *row)
{
	struct counting *counting = ctx;
	struct rtnl_link_stats64 stats;
	const struct nlattr *attribute;

	if (row->nlmsg_type != RTM_NEWSTATS)
		return 0;
	attribute = nlmsg_find_attr(row, sizeof(struct if_stats_msg),
				    IFLA_STATS_LINK_64);
	if (!attribute)
		return 0;
	memset(&stats, 0, sizeof(stats));
	nla_memcpy(&stats, attribute, sizeof(stats));
	/* the VM receives what the host sends */
	*counting->counters = (struct net_counters){
		.rx_frames = stats.tx_packets,
		.rx_bytes = stats.tx_bytes,
		.rx_dropped = stats.tx_dropped,
		.tx_frames = stats.rx_packets,
		.tx_bytes = stats.rx_bytes,
		.tx_dropped = stats.rx_dropped + stats.rx_errors,
	};
	counting->found = true;
	return 0;
}

int net_tap_counters(struct net *net, int ifindex,
		     struct net_counters *counters)
{
	struct counting counting = { .counters = counters };
	struct if_stats_msg which = {
		.ifindex = (uint32_t)ifindex,
		.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64),
	};
	struct netlink_batch batch = { .row = take_counters, .ctx = &counting };
	int error;

	/* the answer is a tenth of RTM_GETLINK's */
	netlink_add(&batch, RTM_GETSTATS, 0, "reading", &which, sizeof(which));
	error = netlink_send(net->sock, &batch);
	if (!error && !counting.found)
		error = -ENODEV;
	return error;
}

/* Removes the tc filters of older versions, which drop frames before the
 * guard and don't count them. */
static void put_unfilter(struct netlink_batch *batch, int ifindex)
{
	struct tcmsg which = {
		.tcm_ifindex = ifindex,
		.tcm_parent = TC_H_INGRESS,
		.tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0),
	};

	netlink_add(batch, RTM_DELQDISC, 0, NULL, &which, sizeof(which));
	netlink_put_text(batch, TCA_KIND, "ingress");
}

int net_tap_update(struct net *net, const struct net_tap *tap, int ifindex)
{
	struct netlink_batch batch = { 0 };

	put_unfilter(&batch, ifindex);
	net_multicast_put_share(&batch, ifindex);
	/* an entry that the guest joined by itself isn't permanent */
	net_multicast_put_groups(&batch, RTM_DELMDB, net, tap, ifindex);
	net_multicast_put_groups(&batch, RTM_NEWMDB, net, tap, ifindex);
	return netlink_send(net->sock, &batch);
}
