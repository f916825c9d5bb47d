/* SPDX-License-Identifier: ISC */
/* Before links are made: finds conflicts, and deletes
 * links of a dead supervisor. */
#include "supervisor/net/prepare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/bridge.h"
#include "supervisor/net/explain.h"
#include "supervisor/net/links.h"
#include "supervisor/net/netlink.h"
#include "supervisor/net/tap.h"

/* BR_MAX_PORTS, without port 0 */
#define BRIDGE_PORTS 1023

#define READ_TRIES 8

/* ---- names */

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int refuse_name(const struct links *links, struct problem *problem)
{
	const char *owner = links->taker;

	if (strncmp(owner, NET_ALIAS_PREFIX, strlen(NET_ALIAS_PREFIX)) == 0)
		return problem_set(problem, -EEXIST,
				   "cannot use the name %s: the vmsup with run "
				   "directory %s has a link of that name "
				   "(choose other bridge and TAP names)",
				   links->taken,
				   owner + strlen(NET_ALIAS_PREFIX));
	return problem_set(problem, -EEXIST,
			   "cannot use the name %s: a link that isn't ours has "
			   "it (choose another name, or delete it: ip link "
			   "delete %s)",
			   links->taken, links->taken);
}

/* ---- addresses */

struct address_check {
	const struct links *links;
	int family;
	const void *address;
	uint32_t prefix;
	int conflict; /* the index of the other link; 0: no conflict */
	char text[INET6_ADDRSTRLEN];
	unsigned int text_prefix;
};

static bool same_subnet(const void *left, const void *right, uint32_t bits)
{
	const uint8_t *a = left, *b = right;
	uint32_t bytes = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));

	return memcmp(a, b, bytes) == 0 &&
	       (bits % 8 == 0 || ((a[bytes] ^ b[bytes]) & mask) == 0);
}

static int check_address(void *ctx, struct nlmsghdr *row)
{
	struct address_check *check = ctx;
	const struct ifaddrmsg *info = nlmsg_data(row);
	int bytes = check->family == AF_INET ? 4 : 16;
	const struct nlattr *found[2];
	const struct link *link;

	if (row->nlmsg_type != RTM_NEWADDR ||
	    nlmsg_datalen(row) < (int)sizeof(*info) ||
	    info->ifa_family != check->family || check->conflict)
		return 0;
	link = links_find(check->links, (int)info->ifa_index);
	if (link && link->ours)
		return 0;
	/* on point-to-point links, they differ: own
	 * address, subnet of the peer */
	found[0] = nlmsg_find_attr(row, sizeof(*info), IFA_LOCAL);
	found[1] = nlmsg_find_attr(row, sizeof(*info), IFA_ADDRESS);
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		uint32_t bits = info->ifa_prefixlen;

		if (!found[i] || nla_len(found[i]) != bytes)
			continue;
		if (bits > check->prefix)
			bits = check->prefix;
		if (!same_subnet(nla_data(found[i]), check->address, bits))
			continue;
		check->conflict = (int)info->ifa_index;
		check->text_prefix = info->ifa_prefixlen;
		inet_ntop(check->family, nla_data(found[i]), check->text,
			  sizeof(check->text));
		break;
	}
	return 0;
}

static int check_subnet(const struct net *net, const struct links *links,
			int family, const void *address, uint32_t prefix,
			struct problem *problem)
{
	struct ifaddrmsg all = { .ifa_family = (uint8_t)family };
	struct address_check check = {
		.links = links,
		.family = family,
		.address = address,
		.prefix = prefix,
	};
	char ours[INET6_ADDRSTRLEN], name[IFNAMSIZ] = "?";
	int error = -EINTR;

	for (int i = 0; i < READ_TRIES && error == -EINTR; i++)
		error = netlink_dump(net->sock, RTM_GETADDR, &all, sizeof(all),
				     check_address, &check);
	/* a kernel without the family has no such address */
	if (error == -EOPNOTSUPP || error == -EAFNOSUPPORT)
		error = 0;
	if (error)
		return explain_error(problem, error, NULL,
				     "cannot read this host's addresses");
	if (!check.conflict)
		return 0;
	net_name_of(net, check.conflict, name);
	inet_ntop(family, address, ours, sizeof(ours));
	return problem_set(problem, -EADDRINUSE,
			   "cannot give the bridge %s/%u: %s has %s/%u already "
			   "(choose another subnet for the bridge)",
			   ours, prefix, name, check.text, check.text_prefix);
}

/* ---- links that are kept */

static struct link *find_bridge(const struct links *links, const char *name)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->list[i].ours && links->list[i].bridge &&
		    strcmp(links->list[i].name, name) == 0)
			return &links->list[i];
	return NULL;
}

/* Clears the mark of links that are kept: marked links are deleted. */
static void spare(struct net *net, const struct links *links,
		  const struct net_bridge *bridge, struct net_adopted *adopted,
		  size_t count)
{
	struct link *home = find_bridge(links, bridge->name);
	bool any = false;

	for (size_t i = 0; home && i < count; i++) {
		struct link *link = links_find(links, adopted[i].ifindex);

		if (!link || !link->ours || link->master != home->ifindex ||
		    strcmp(link->name, adopted[i].name) != 0)
			continue;
		link->ours = false;
		adopted[i].found = any = true;
	}
	if (!any)
		return;
	home->ours = false;
	net->bridge_ifindex = home->ifindex;
	net->group = home->group;
}

/* ---- all checks */

static int check_all(struct net *net, const struct net_bridge *bridge,
		     struct links *links, struct problem *problem)
{
	int error = links_read(net->sock, links);

	if (error)
		return explain_error(problem, error, NULL,
				     "cannot read this host's links");
	if (links->taken[0])
		return refuse_name(links, problem);
	error = check_subnet(net, links, AF_INET, &bridge->ipv4,
			     bridge->ipv4_prefix, problem);
	if (!error && bridge->has_ipv6)
		error = check_subnet(net, links, AF_INET6, &bridge->ipv6,
				     bridge->ipv6_prefix, problem);
	return error;
}

int net_prepare(struct net *net, const struct net_bridge *bridge,
		const struct net_tap *taps, size_t count,
		struct net_adopted *adopted, size_t adopted_count,
		struct problem *problem)
{
	cleanup_free const char **names = NULL;
	cleanup_fd int tun_fd = -1;
	struct links links = { .alias = net->alias };
	uint8_t mac[6];
	int error;

	if (count > BRIDGE_PORTS)
		return explain_error(problem, -EXFULL, NULL,
				     "cannot make %zu TAPs", count);
	error = net_open_tun(&tun_fd, problem);
	if (error)
		return error;
	names = calloc(count + 1, sizeof(*names));
	if (!names)
		return explain_error(problem, -ENOMEM, NULL,
				     "cannot make %zu TAPs", count);
	names[0] = bridge->name;
	for (size_t i = 0; i < count; i++)
		names[i + 1] = taps[i].name;
	qsort(names, count + 1, sizeof(*names), compare_names);
	net_bridge_mac(net, bridge, mac);
	links.bridge_mac = mac;
	links.wanted = names;
	links.wanted_count = count + 1;

	error = check_all(net, bridge, &links, problem);
	if (!error) {
		spare(net, &links, bridge, adopted, adopted_count);
		error = links_delete_ours(net->sock, &links);
		if (error)
			explain_error(
				problem, error, NULL,
				"cannot delete the links that an earlier vmsup "
				"left behind");
	}
	links_uninit(&links);
	return error;
}
