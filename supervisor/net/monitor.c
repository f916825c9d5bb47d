/* SPDX-License-Identifier: ISC */
/* News of links, which the kernel multicasts (RTNLGRP_LINK). */
#include "supervisor/net/monitor.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "supervisor/net/links.h"
#include "supervisor/net/net.h"
#include "supervisor/net/netlink.h"

/* 1,000 TAPs that are made cause some 10,000 messages. If more than this is
 * unread, messages are lost, and all links are read anew. */
#define RECEIVE_BYTES (4 << 20)

/* Datagrams read in one call: the loop has other work. */
#define READS_PER_CALL 256

int net_monitor_init(struct net_monitor *monitor, net_news_fn *news, void *ctx)
{
	static const int bytes = RECEIVE_BYTES;
	int error;

	*monitor = (struct net_monitor){ .news = news, .ctx = ctx };
	error = netlink_open(&monitor->sock);
	if (error)
		return error;
	/* above the limit for ordinary users, if that is allowed */
	if (setsockopt(net_monitor_fd(monitor), SOL_SOCKET, SO_RCVBUFFORCE,
		       &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(net_monitor_fd(monitor), SOL_SOCKET, SO_RCVBUF,
				 &bytes, sizeof(bytes));
	if (nl_socket_set_nonblocking(monitor->sock) < 0 ||
	    nl_socket_add_membership(monitor->sock, RTNLGRP_LINK) < 0) {
		net_monitor_uninit(monitor);
		return -EPROTO;
	}
	return 0;
}

int net_monitor_attach(struct net_monitor *monitor, int fd, net_news_fn *news,
		       void *ctx)
{
	*monitor = (struct net_monitor){
		.news = news,
		.ctx = ctx,
		.resync_due = true,
	};
	return netlink_attach(&monitor->sock, fd);
}

void net_monitor_uninit(struct net_monitor *monitor)
{
	nl_socket_free(monitor->sock);
	monitor->sock = NULL;
}

int net_monitor_fd(const struct net_monitor *monitor)
{
	return nl_socket_get_fd(monitor->sock);
}

/* Asks for all links; the answers come between the news. 0 or -errno. */
static int ask_for_all(struct net_monitor *monitor)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
		struct nlattr mask;
		uint32_t mask_value;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.info = { .ifi_family = AF_UNSPEC },
		.mask = {
			.nla_len = sizeof(request.mask) + sizeof(uint32_t),
			.nla_type = IFLA_EXT_MASK,
		},
		.mask_value = RTEXT_FILTER_SKIP_STATS,
	};

	if (send(net_monitor_fd(monitor), &request, sizeof(request), 0) < 0)
		return -errno;
	monitor->resync_due = false;
	monitor->resyncing = true;
	monitor->resyncs++;
	return 0;
}

static void deliver(struct net_monitor *monitor, struct nlmsghdr *message)
{
	struct net_news news = { 0 };
	struct link_news link;

	if (monitor->resyncing && (message->nlmsg_flags & NLM_F_DUMP_INTR))
		monitor->resync_due = true;
	if (message->nlmsg_type == NLMSG_DONE)
		monitor->resyncing = false;
	if (message->nlmsg_type == NLMSG_ERROR) {
		/* the dump was refused: ask again when
		 * nothing is left to read */
		monitor->resync_due |= monitor->resyncing;
		monitor->resyncing = false;
	}
	if (!links_parse(message, &link))
		return;
	news.ifindex = link.ifindex;
	strncpy(news.name, link.name, sizeof(news.name) - 1);
	news.mtu = link.mtu;
	if (link.mac)
		memcpy(news.mac, link.mac, sizeof(news.mac));
	news.deleted = message->nlmsg_type == RTM_DELLINK;
	news.up = link.up && !news.deleted;
	monitor->news(monitor->ctx, &news);
}

int net_monitor_read(struct net_monitor *monitor)
{
	_Alignas(struct nlmsghdr) char buffer[NETLINK_DATAGRAM_BYTES];
	struct nlmsghdr *message;
	int left, error;

	for (int i = 0; i < READS_PER_CALL; i++) {
		ssize_t got = netlink_receive(net_monitor_fd(monitor), buffer,
					      sizeof(buffer), MSG_DONTWAIT);

		if (got == -ENOBUFS) {
			monitor->resync_due = true;
			continue;
		}
		if (got == -EAGAIN) {
			/* nothing is left to read: so there is room for the
			 * answer */
			if (!monitor->resync_due || monitor->resyncing)
				return 0;
			error = ask_for_all(monitor);
			if (error)
				return error;
			continue;
		}
		if (got < 0)
			return (int)got;
		message = (void *)buffer;
		for (left = (int)got; nlmsg_ok(message, left);
		     message = nlmsg_next(message, &left))
			deliver(monitor, message);
	}
	return 0;
}
