/* SPDX-License-Identifier: ISC */
/* Links on the host: start, end, and functions for single links. */
#include "supervisor/net/net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "supervisor/net/explain.h"
#include "supervisor/net/links.h"
#include "supervisor/net/netlink.h"

int net_init(struct net *net, const char *owner, struct problem *problem)
{
	int length, error;

	memset(net, 0, sizeof(*net));
	length = snprintf(net->alias, sizeof(net->alias), NET_ALIAS_PREFIX "%s",
			  owner);
	if (length < 0 || (size_t)length >= sizeof(net->alias))
		return problem_set(
			problem, -ENAMETOOLONG,
			"the run directory's name is too long for the alias "
			"of links (choose one of at most %zu characters)",
			sizeof(net->alias) - sizeof(NET_ALIAS_PREFIX));
	error = netlink_open(&net->sock);
	if (error)
		return explain_error(problem, error, NULL,
				     "cannot open rtnetlink");
	return 0;
}

int net_fd(const struct net *net)
{
	return nl_socket_get_fd(net->sock);
}

int net_attach(struct net *net, int fd)
{
	return netlink_attach(&net->sock, fd);
}

void net_uninit(struct net *net)
{
	nl_socket_free(net->sock);
	net->sock = NULL;
}

bool net_valid_name(const char *name)
{
	return name[0] && strnlen(name, IFNAMSIZ) < IFNAMSIZ &&
	       !strpbrk(name, "%/: \t\n");
}

int net_index_of(const struct net *net, const char *name)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	/* ioctls of devices work on any socket */
	if (ioctl(nl_socket_get_fd(net->sock), SIOCGIFINDEX, &request) < 0)
		return -errno;
	return request.ifr_ifindex;
}

bool net_name_of(const struct net *net, int ifindex, char name[IFNAMSIZ])
{
	struct ifreq request = { .ifr_ifindex = ifindex };

	if (ioctl(nl_socket_get_fd(net->sock), SIOCGIFNAME, &request) < 0)
		return false;
	memcpy(name, request.ifr_name, IFNAMSIZ);
	name[IFNAMSIZ - 1] = '\0';
	return true;
}

struct in6_addr net_link_local(const uint8_t mac[6])
{
	return (struct in6_addr){
		.s6_addr = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1],
			     mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5] },
	};
}

int net_delete(struct net *net, int ifindex)
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct netlink_batch batch = { 0 };
	int error;

	if (ifindex <= 0)
		return 0;
	netlink_add(&batch, RTM_DELLINK, 0, "deleting", &info, sizeof(info));
	error = netlink_send(net->sock, &batch);
	return error == -ENODEV ? 0 : error;
}

int net_destroy(struct net *net)
{
	struct links links = { .alias = net->alias };
	struct link *bridge;
	int error;

	error = links_read(net->sock, &links);
	if (!error) {
		/* this process made it: it is ours,
		 * whatever alias it has now */
		bridge = links_find(&links, net->bridge_ifindex);
		if (bridge && bridge->bridge)
			bridge->ours = true;
		error = links_delete_ours(net->sock, &links);
	}
	if (error) {
		/* the first failure is the one that is returned */
		(void)net_delete(net, net->bridge_ifindex);
	}
	links_uninit(&links);
	net->bridge_ifindex = 0;
	net->group = 0;
	return error;
}

/* ---- over an upgrade */

static const struct field net_fields_table[] = {
	{ FIELD_NUMBER_AS("net.bridge_ifindex", struct net, bridge_ifindex, 0,
			  INT_MAX) },
	{ FIELD_NUMBER_AS("net.group", struct net, group, 0, UINT32_MAX) },
	{ FIELD_BOOL_AS("net.multicast", struct net, multicast) },
	{ FIELD_TEXT_AS("net.alias", struct net, alias) },
};
const struct field_group net_fields = FIELD_GROUP_OF(net_fields_table);
