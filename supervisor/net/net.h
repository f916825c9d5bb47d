/* SPDX-License-Identifier: ISC */
/*
 * Links on the host: the bridge, the TAPs on it, their addresses and forwarding
 * entries, over rtnetlink. Needs CAP_NET_ADMIN. All of it lives in the network
 * namespace of the process; links carry the owner's alias, so that a later
 * supervisor can tell what is its own.
 */
#ifndef VMSUP_SUPERVISOR_NET_H
#define VMSUP_SUPERVISOR_NET_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/problem.h"

struct nl_sock;

struct net_bridge {
	char name[IFNAMSIZ];
	struct in_addr ipv4;
	uint32_t ipv4_prefix;
	bool has_ipv6;
	struct in6_addr ipv6;
	uint32_t ipv6_prefix;
	uint16_t mtu;
};

struct net_tap {
	char name[IFNAMSIZ];
	uint16_t mtu;
	uint8_t guest_mac[6]; /* of the VM behind it, not of the TAP */
	struct in_addr guest_ipv4; /* 0: none */
	struct in6_addr guest_ipv6; /* unspecified: none */
	uint32_t queues; /* descriptors, NET_QUEUES_MAX at most; 0 is 1 */
	bool vnet_header; /* a struct virtio_net_hdr before each frame */
};
#define NET_QUEUES_MAX 8

/* The kernel's own counters of a TAP, in the VM's view. */
struct net_counters {
	uint64_t rx_frames, rx_bytes; /* read by the VM process */
	uint64_t tx_frames, tx_bytes; /* written by it */
	uint64_t rx_dropped; /* came while its queue was full */
	uint64_t tx_dropped; /* refused: malformed, or too long */
	uint32_t tx_foreign; /* what a vmsup of before the guard counted: its */
};

struct net {
	struct nl_sock *sock; /* requests and answers */
	int bridge_ifindex; /* 0: none made */
	bool multicast; /* open between VMs: net_multicast_open() */
	uint32_t group; /* link group of ours: one request takes them down */
	char alias[128]; /* "vmsup:" and the run directory */
};

/* owner: the run directory. 0 or -errno with problem set. */
int net_init(struct net *net, const char *owner, struct problem *problem);
/* Frees the socket; leaves the links as they are. */
void net_uninit(struct net *net);
/* The socket's descriptor, and in place of net_init(): goes on with one. 0 or
 * -errno; fd is taken over either way. */
int net_fd(const struct net *net);
int net_attach(struct net *net, int fd);

/* A TAP that a process still holds, from before this supervisor. */
struct net_kept {
	char name[IFNAMSIZ];
	int ifindex;
	bool found; /* it is there, ours, and on our bridge: to be kept */
};

/*
 * Refuses, before anything is made, what can't work: the bridge's or a TAP's
 * name taken by a link that isn't ours (alias), the bridge's address or subnet
 * already on another link. A bridge or TAP of ours that a dead supervisor left
 * behind is deleted, but for those in kept that are found, and then the bridge:
 * net->bridge_ifindex is set. taps: count of them. 0 or -errno with problem
 * set.
 */
int net_prepare(struct net *net, const struct net_bridge *bridge,
		const struct net_tap *taps, size_t count, struct net_kept *kept,
		size_t kept_count, struct problem *problem);

/* Makes the bridge, gives it its addresses, sets it up. 0 or -errno with
 * problem set, and nothing left behind. */
int net_bridge_create(struct net *net, const struct net_bridge *bridge,
		      struct problem *problem);

/*
 * Makes a TAP on the bridge and sets it up. Only the guest's own MAC goes in
 * and out there, besides broadcast and multicast, and the host needs to ask
 * nobody for it. 0 with fds, one per queue (the caller's, close-on-exec,
 * non-blocking, IFF_TAP|IFF_NO_PI), and *ifindex; or -errno with problem set, and nothing left
 * behind.
 */
int net_tap_create(struct net *net, const struct net_tap *tap, int *fds,
		   int *ifindex, struct problem *problem);

/* Sets all of a TAP that a holder of its descriptors can change as
 * net_tap_create() made it. 0 or -errno: it can't be relied upon (-EBADFD: the
 * link is gone). */
int net_tap_renew(struct net *net, const struct net_tap *tap, const int *fds,
		  int ifindex);
/* Tells the bridge once more which MAC lives behind a TAP: one that was given
 * that MAC itself, if only for a moment, has taken the entry. 0 or -errno. */
int net_tap_forward(struct net *net, const struct net_tap *tap, int ifindex);
/* Deletes a TAP, whoever holds it. 0, also if it is gone, or -errno. */
int net_tap_delete(struct net *net, int ifindex);

/* Makes the bridge a multicast querier: to be called once the configured TAPs
 * are there. 0 or -errno. */
int net_multicast_query(struct net *net);
/* It is relied upon this much later. */
#define NET_MULTICAST_QUERY_MS 200

/*
 * Opens multicast between VMs: count TAPs that are there, and those to come.
 * Call it NET_MULTICAST_QUERY_MS after the querier began; until then VMs only
 * hear the host's. 0 or -errno; goes on after a failure.
 */
int net_multicast_open(struct net *net, const int *ifindexes, size_t count);

/* True if tap_fd is still attached to a link (TUNGETIFF). */
bool net_tap_alive(int tap_fd);
/* True if fd is a TAP of that name in the network namespace of that inode. */
bool net_tap_is(int fd, const char *name, uint64_t network_inode);
/* The inode of the network namespace of this process; 0 if it can't be told. */
uint64_t net_namespace_inode(void);

/* 0 or -errno (-ENODEV: no such link). */
int net_tap_counters(struct net *net, int ifindex,
		     struct net_counters *counters);

/* Makes of a TAP that is taken over, on the bridge, what net_tap_create() would
 * make of it: an older vmsup may have made it. 0 or -errno. */
int net_tap_update(struct net *net, const struct net_tap *tap, int ifindex);

/* Deletes every TAP of ours and the bridge in one request. Call it while the
 * TAPs' descriptors are still open: closing them one by one costs 20 ms each.
 * 0 or -errno of the first failure; goes on after it. */
int net_destroy(struct net *net);

/* ---- news of links */

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
