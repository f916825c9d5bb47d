/* SPDX-License-Identifier: ISC */
/*
 * The links of this network namespace: which are ours, and their end.
 *
 * Theory of operation: deleting a link waits for a grace period of RCU, 20 ms
 * and more; deleting a whole link group waits once. A group number is only a
 * number, though, that anybody may have put on any link. So all links are read
 * first, and the group is deleted only if it holds what is ours and nothing
 * else; otherwise ours are moved to a number that nobody uses.
 */
#include "supervisor/net/links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/netlink.h"

/* A dump during which links changed is read again, at most so many times. */
#define READ_TRIES 8

/* ---- one link */

static const char *text_of(struct nlattr *attribute)
{
	size_t bytes = attribute ? (size_t)nla_len(attribute) : 0;

	if (!bytes || strnlen(nla_data(attribute), bytes) == bytes)
		return "";
	return nla_data(attribute);
}

static uint32_t u32_of(const struct nlattr *attribute)
{
	if (!attribute || nla_len(attribute) < (int)sizeof(uint32_t))
		return 0;
	return nla_get_u32(attribute);
}

static const uint8_t *mac_of(const struct nlattr *attribute)
{
	return attribute && nla_len(attribute) == 6 ? nla_data(attribute)
						    : NULL;
}

bool links_parse(struct nlmsghdr *message, struct link_news *link)
{
	const struct ifinfomsg *info = nlmsg_data(message);
	struct nlattr *attributes[IFLA_MAX + 1];
	struct nlattr *kind = NULL;

	if (message->nlmsg_type != RTM_NEWLINK &&
	    message->nlmsg_type != RTM_DELLINK)
		return false;
	/* AF_BRIDGE is news of a bridge port: its RTM_DELLINK doesn't
	 * mean that the link is gone */
	if (nlmsg_datalen(message) < (int)sizeof(*info) ||
	    info->ifi_family != AF_UNSPEC)
		return false;
	if (nlmsg_parse(message, sizeof(*info), attributes, IFLA_MAX, NULL) < 0)
		return false;
	if (attributes[IFLA_LINKINFO])
		kind = nla_find(nla_data(attributes[IFLA_LINKINFO]),
				nla_len(attributes[IFLA_LINKINFO]),
				IFLA_INFO_KIND);
	*link = (struct link_news){
		.ifindex = info->ifi_index,
		.master = (int)u32_of(attributes[IFLA_MASTER]),
		.mtu = u32_of(attributes[IFLA_MTU]),
		.group = u32_of(attributes[IFLA_GROUP]),
		.up = info->ifi_flags & IFF_UP,
		.name = text_of(attributes[IFLA_IFNAME]),
		.alias = text_of(attributes[IFLA_IFALIAS]),
		.kind = text_of(kind),
		.mac = mac_of(attributes[IFLA_ADDRESS]),
		.alternatives = attributes[IFLA_PROP_LIST],
	};
	return true;
}

/* ---- all links */

static int compare_names(const void *left, const void *right)
{
	return strcmp(left, *(const char *const *)right);
}

static void check_name(struct links *links, const char *name, const char *alias)
{
	if (links->taken[0] || !links->wanted_count)
		return;
	if (!bsearch(name, links->wanted, links->wanted_count,
		     sizeof(*links->wanted), compare_names))
		return;
	strncpy(links->taken, name, sizeof(links->taken) - 1);
	strncpy(links->taker, alias, sizeof(links->taker) - 1);
}

/* Looks for names that must be free. Alternative names of a
 * link count as taken, too. */
static void check_names(struct links *links, const struct link_news *news)
{
	struct nlattr *name;
	int left;

	check_name(links, news->name, news->alias);
	if (!news->alternatives)
		return;
	left = nla_len(news->alternatives);
	for (name = nla_data(news->alternatives); nla_ok(name, left);
	     name = nla_next(name, &left))
		check_name(links, text_of(name), news->alias);
}

static bool is_half_made(const struct links *links,
			 const struct link_news *news)
{
	return links->bridge_mac && news->mac && !*news->alias &&
	       strcmp(news->kind, "bridge") == 0 &&
	       memcmp(news->mac, links->bridge_mac, 6) == 0;
}

static int add_link(void *ctx, struct nlmsghdr *row)
{
	struct links *links = ctx;
	struct link_news news;
	struct link *link;

	if (!links_parse(row, &news))
		return 0;
	if (links->count == links->size) {
		size_t size = links->size ? 2 * links->size : 64;
		struct link *list =
			reallocarray(links->list, size, sizeof(*list));

		if (!list)
			return -ENOMEM;
		links->list = list;
		links->size = size;
	}
	link = &links->list[links->count++];
	*link = (struct link){
		.ifindex = news.ifindex,
		.master = news.master,
		.group = news.group,
		.bridge = strcmp(news.kind, "bridge") == 0,
	};
	strncpy(link->name, news.name, sizeof(link->name) - 1);
	link->ours = (strcmp(news.alias, links->alias) == 0 &&
		      (link->bridge || strcmp(news.kind, "tun") == 0)) ||
		     is_half_made(links, &news);
	if (!link->ours)
		check_names(links, &news);
	return 0;
}

int links_read(struct nl_sock *sock, struct links *links)
{
	static const struct ifinfomsg all = { .ifi_family = AF_UNSPEC };
	int error = -EINTR;

	for (int i = 0; i < READ_TRIES && error == -EINTR; i++) {
		links->count = 0;
		links->taken[0] = links->taker[0] = '\0';
		error = netlink_dump(sock, RTM_GETLINK, &all, sizeof(all),
				     add_link, links);
	}
	return error;
}

void links_uninit(struct links *links)
{
	free(links->list);
	links->list = NULL;
	links->count = links->size = 0;
}

struct link *links_find(const struct links *links, int ifindex)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->list[i].ifindex == ifindex)
			return &links->list[i];
	return NULL;
}

/* ---- the end */

static bool group_in_use(const struct links *links, uint32_t group)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->list[i].group == group)
			return true;
	return false;
}

/* Finds the group that has all of our links and no others; 0: there is none. */
static uint32_t group_of_ours(const struct links *links)
{
	uint32_t group = 0;

	for (size_t i = 0; i < links->count; i++)
		if (links->list[i].ours)
			group = links->list[i].group;
	for (size_t i = 0; i < links->count; i++)
		if ((links->list[i].group == group) != links->list[i].ours)
			return 0;
	return group;
}

/* Moves our links to a group that nobody uses. 0 with *group, or -errno. */
static int regroup(struct nl_sock *sock, const struct links *links,
		   uint32_t *group)
{
	struct netlink_batch batch = { 0 };
	int error = 0;

	for (*group = 0x3fffffff; group_in_use(links, *group);)
		--*group;
	for (size_t i = 0; i < links->count && !error; i++) {
		struct ifinfomsg info = { .ifi_index = links->list[i].ifindex };

		if (!links->list[i].ours)
			continue;
		/* may fail: the link may be gone by now */
		netlink_add(&batch, RTM_SETLINK, 0, NULL, &info, sizeof(info));
		netlink_put_u32(&batch, IFLA_GROUP, *group);
		if (batch.count == NETLINK_BATCH_MAX)
			error = netlink_send(sock, &batch);
	}
	if (!error)
		error = netlink_send(sock, &batch);
	return error;
}

int links_delete_ours(struct nl_sock *sock, const struct links *links)
{
	static const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	struct netlink_batch batch = { 0 };
	uint32_t group = group_of_ours(links);
	bool none = true;
	int error;

	for (size_t i = 0; i < links->count && none; i++)
		none = !links->list[i].ours;
	if (none)
		return 0;
	if (!group) {
		error = regroup(sock, links, &group);
		if (error)
			return error;
	}
	netlink_add(&batch, RTM_DELLINK, 0, "deleting", &any, sizeof(any));
	netlink_put_u32(&batch, IFLA_GROUP, group);
	error = netlink_send(sock, &batch);
	return error == -ENODEV ? 0 : error;
}
