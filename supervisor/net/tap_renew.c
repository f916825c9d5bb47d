/* SPDX-License-Identifier: ISC */
/*
 * A TAP set anew, for the next VM process.
 *
 * Theory of operation: a TAP and its open files outlive VM processes, and each
 * of these holds them while its sandbox isn't closed yet. What such a process
 * can do to them by any request of the driver (drivers/net/tun.c) would stay
 * for all later ones: persistence, an owner who may attach, a filter that drops
 * all, no carrier. So every property is set again before each generation,
 * whether or not it was touched. Queues come first, for the driver applies
 * filters and buffer sizes to those that are attached, and answers on no other.
 */
#include "supervisor/net/tap_renew.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if_arp.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ipc/fd.h"
#include "supervisor/net/net.h"
#include "supervisor/net/netlink.h"
#include "supervisor/net/tap.h"

/* Attaches all queues. The filter is removed first: for each queue that is
 * attached, the driver would load it anew, from the memory of this process. */
static int attach_queues(const int *fds, uint32_t count)
{
	struct ifreq request = { .ifr_flags = IFF_ATTACH_QUEUE };

	for (uint32_t i = 0; i < count; i++)
		(void)ioctl(fds[i], TUNDETACHFILTER, NULL);
	for (uint32_t i = 0; i < count; i++) {
		/* fails if the queue is attached; check_properties()
		 * notices one that isn't */
		(void)ioctl(fds[i], TUNSETQUEUE, &request);
		/* clears O_ASYNC, too */
		if (fcntl(fds[i], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
			return -errno;
	}
	return 0;
}

struct owners {
	uint32_t owner, group;
};

static int take_owners(void *ctx, struct nlmsghdr *row)
{
	struct owners *owners = ctx;
	const struct nlattr *info, *data, *owner, *group;

	if (row->nlmsg_type != RTM_NEWLINK)
		return 0;
	info = nlmsg_find_attr(row, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	data = info ? nla_find(nla_data(info), nla_len(info), IFLA_INFO_DATA)
		    : NULL;
	if (!data)
		return 0;
	owner = nla_find(nla_data(data), nla_len(data), IFLA_TUN_OWNER);
	group = nla_find(nla_data(data), nla_len(data), IFLA_TUN_GROUP);
	/* without an owner, any process may attach */
	if (owner)
		owners->owner = nla_get_u32(owner);
	if (group)
		owners->group = nla_get_u32(group);
	return 0;
}

/* Sets the owner only if it was changed: the driver sends
 * news of the link each time. */
static int restore_owner(struct net *net, int fd, int ifindex)
{
	struct owners owners = { UINT32_MAX, UINT32_MAX };
	struct ifinfomsg which = { .ifi_index = ifindex };
	struct netlink_batch batch = { .row = take_owners, .ctx = &owners };

	netlink_add(&batch, RTM_GETLINK, 0, "reading", &which, sizeof(which));
	netlink_put_u32(&batch, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (netlink_send(net->sock, &batch) == 0 && owners.owner == 0 &&
	    owners.group == 0)
		return 0;
	return net_tap_own(fd);
}

/* Sets the properties that apply to each frame. */
static int set_frames(int fd)
{
	const struct tun_filter any = { 0 };
	int none = -1, endless = INT_MAX, native = 0, up = 1;
	int header = sizeof(struct virtio_net_hdr);

	if (ioctl(fd, TUNDETACHFILTER, NULL) < 0 ||
	    ioctl(fd, TUNSETTXFILTER, &any) < 0 ||
	    ioctl(fd, TUNSETSNDBUF, &endless) < 0 ||
	    ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(fd, TUNSETVNETLE, &native) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, 0UL) < 0 ||
	    ioctl(fd, TUNSETSTEERINGEBPF, &none) < 0 ||
	    ioctl(fd, TUNSETFILTEREBPF, &none) < 0 ||
	    ioctl(fd, TUNSETCARRIER, &up) < 0)
		return -errno;
	/* EINVAL: this kernel has no other byte order */
	if (ioctl(fd, TUNSETVNETBE, &native) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

static int set_mac(int fd, const struct net_tap *tap)
{
	struct ifreq request = { 0 };
	uint8_t mac[6];

	net_tap_mac(tap, mac);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	if (memcmp(request.ifr_hwaddr.sa_data, mac, sizeof(mac)) == 0)
		/* no change: the kernel would send news of the link */
		return 0;
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, sizeof(mac));
	return ioctl(fd, SIOCSIFHWADDR, &request) < 0 ? -errno : 0;
}

/* Checks that the driver shows the properties that were made. */
static int check_properties(const struct net_tap *tap, int fd)
{
	short wanted = IFF_TAP | IFF_NO_PI;
	struct ifreq request = { 0 };

	if (tap->vnet_header)
		wanted |= IFF_VNET_HDR;
	if (tap->queues > 1)
		wanted |= IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNGETIFF, &request) < 0)
		return -errno;
	return request.ifr_flags == wanted ? 0 : -EINVAL;
}

int net_tap_renew(struct net *net, const struct net_tap *tap, const int *fds,
		  int ifindex)
{
	uint32_t queues = tap->queues ? tap->queues : 1;
	int error = attach_queues(fds, queues);

	if (!error && ioctl(fds[0], TUNSETPERSIST, 0UL) < 0)
		error = -errno;
	if (!error)
		error = restore_owner(net, fds[0], ifindex);
	if (!error)
		error = set_frames(fds[0]);
	if (!error)
		error = set_mac(fds[0], tap);
	for (uint32_t i = 0; i < queues && !error; i++)
		error = check_properties(tap, fds[i]);
	return error;
}
