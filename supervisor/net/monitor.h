/* SPDX-License-Identifier: ISC */
/* News of links, which the kernel multicasts (RTNLGRP_LINK). */
#ifndef VMSUP_SUPERVISOR_NET_MONITOR_H
#define VMSUP_SUPERVISOR_NET_MONITOR_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct nl_sock;

struct net_news {
	int ifindex;
	char name[IFNAMSIZ];
	uint8_t mac[6]; /* all 0: the message has none */
	uint32_t mtu;
	bool up;
	bool deleted; /* or it moved to another network namespace */
};
typedef void net_news_fn(void *ctx, const struct net_news *news);

struct net_monitor {
	struct nl_sock *sock; /* non-blocking */
	net_news_fn *news;
	void *ctx;
	/* how often news was lost, and all links were read anew */
	unsigned int resyncs;
	bool resync_due, resyncing; /* for the monitor alone */
};

/* Subscribes to link news. 0 or -errno. */
int net_monitor_init(struct net_monitor *monitor, net_news_fn *news, void *ctx);
/* The same with a socket that is open, fd, which is taken over in any case.
 * Reads all links anew. 0 or -errno. */
int net_monitor_attach(struct net_monitor *monitor, int fd, net_news_fn *news,
		       void *ctx);
void net_monitor_uninit(struct net_monitor *monitor);
int net_monitor_fd(const struct net_monitor *monitor);
/* Reads messages and calls news for each; may leave some for the next call.
 * After a loss of messages (ENOBUFS), asks for all links, and resyncs grows:
 * links that are gone are not reported then. news must not end the monitor. 0
 * or -errno. */
int net_monitor_read(struct net_monitor *monitor);

#endif
