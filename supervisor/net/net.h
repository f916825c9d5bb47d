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

#include "supervisor/lib/problem.h"

struct nl_sock;

/* Links of ours have this alias, followed by the run directory. */
#define NET_ALIAS_PREFIX "vmsup:"

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

/* Deletes every TAP of ours and the bridge in one request. Call it while the
 * TAPs' descriptors are still open: closing them one by one costs 20 ms each.
 * 0 or -errno of the first failure; goes on after it. */
int net_destroy(struct net *net);

/* True for a name that the kernel takes as it is, without filling in a number
 * for "%d". */
bool net_valid_name(const char *name);
/* The index of a link, or -errno. */
int net_index_of(const struct net *net, const char *name);
/* True with name filled in if there is a link of that index. */
bool net_name_of(const struct net *net, int ifindex, char name[IFNAMSIZ]);
/* Deletes one link. 0, also if it is gone already, or -errno. */
int net_delete(struct net *net, int ifindex);
/* The link-local address that a MAC makes (RFC 4291, appendix A). */
struct in6_addr net_link_local(const uint8_t mac[6]);

#endif
