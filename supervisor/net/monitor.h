/* SPDX-License-Identifier: ISC */
/* News of links, as the kernel tells everybody (RTNLGRP_LINK). */
#ifndef VMSUP_SUPERVISOR_NET_MONITOR_H
#define VMSUP_SUPERVISOR_NET_MONITOR_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct nl_sock;

struct net_news {
	int ifindex;
	char name[IFNAMSIZ];
	uint8_t mac[6]; /* 0: not told */
	uint32_t mtu;
	bool up;
	bool deleted; /* or moved to another network namespace */
};
typedef void net_news_fn(void *ctx, const struct net_news *news);

struct net_monitor {
	struct nl_sock *sock; /* non-blocking */
	net_news_fn *news;
	void *ctx;
	unsigned int resyncs; /* how often news was lost and all read anew */
	bool resync_due, resyncing; /* the monitor's own */
};

/* Subscribes to link news. 0 or -errno. */
int net_monitor_init(struct net_monitor *monitor, net_news_fn *news, void *ctx);
/* In place of net_monitor_init(): goes on with a descriptor, and reads all links
 * anew. 0 or -errno; fd is taken over either way. */
int net_monitor_attach(struct net_monitor *monitor, int fd, net_news_fn *news,
		       void *ctx);
void net_monitor_uninit(struct net_monitor *monitor);
int net_monitor_fd(const struct net_monitor *monitor);
/* Reads what is there, calling news for each; if the kernel had to drop some
 * (ENOBUFS), asks for a full dump instead, so that nothing stays unknown; links
 * that are gone are then not reported, but resyncs has grown. Call it again
 * when the descriptor is readable: it may leave some for later. news mustn't
 * end the monitor. 0 or -errno. */
int net_monitor_read(struct net_monitor *monitor);

#endif
