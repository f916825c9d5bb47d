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
#include "supervisor/lib/fields.h"

struct nl_sock;

/* The alias of our links: this, followed by the run directory. */
#define NET_ALIAS_PREFIX "vmsup:"

/* Of a domain of MACs, with its NUL. */
#define NET_MAC_DOMAIN 64

struct net_bridge {
	char name[IFNAMSIZ];
	struct in_addr ipv4;
	uint32_t ipv4_prefix;
	bool has_ipv6;
	struct in6_addr ipv6;
	uint32_t ipv6_prefix;
	uint16_t mtu;
	char mac_domain[NET_MAC_DOMAIN]; /* "": nothing */
};

struct net_tap {
	char name[IFNAMSIZ];
	uint16_t mtu;
	uint8_t guest_mac[6]; /* the MAC of the VM, not of the TAP */
	struct in_addr guest_ipv4; /* 0: none */
	struct in6_addr guest_ipv6; /* unspecified: none */
	/* how many descriptors, at most NET_QUEUES_MAX; 0 means 1 */
	uint32_t queues;
	bool vnet_header; /* a struct virtio_net_hdr precedes each frame */
};
#define NET_QUEUES_MAX 8

/* The kernel's counters of a TAP, from the view of the VM. */
struct net_counters {
	uint64_t rx_frames, rx_bytes; /* frames that the VM process read */
	uint64_t tx_frames, tx_bytes; /* frames that it wrote */
	uint64_t rx_dropped; /* frames that came while its queue was full */
	/* frames that the kernel refused: malformed or too long */
	uint64_t tx_dropped;
	/* frames that tc dropped under a vmsup without guard */
	uint32_t tx_foreign;
};

struct net {
	struct nl_sock *sock; /* requests and answers */
	int bridge_ifindex; /* 0: none made */
	/* multicast is open between VMs: net_multicast_open() */
	bool multicast;
	/* the link group of our links: one request deletes them */
	uint32_t group;
	char alias[128]; /* "vmsup:" and the run directory */
};

/* Opens the socket. owner: the run directory. 0; or -errno with problem set. */
int net_init(struct net *net, const char *owner, struct problem *problem);
/* Closes the socket; the links stay. */
void net_uninit(struct net *net);
/* The descriptor of the socket; and net_init() with one that is open, fd, which
 * is taken over in any case. 0 or -errno. */
int net_fd(const struct net *net);
int net_attach(struct net *net, int fd);

/* A TAP of an earlier supervisor, which a VM process still holds. */
struct net_adopted {
	char name[IFNAMSIZ];
	int ifindex;
	/* the TAP is there, is ours, and is on our bridge: it is kept */
	bool found;
};

/* Deletes all of our TAPs and the bridge in one request. Call it while the
 * descriptors of the TAPs are open: to close them one by one takes 20 ms each.
 * 0; or -errno of the first failure, after which it goes on. */
int net_destroy(struct net *net);

/* True: the kernel takes the name as it is. It replaces "%d" by a number. */
bool net_valid_name(const char *name);
/* Finds the index of a link; or -errno. */
int net_index_of(const struct net *net, const char *name);
/* Finds the name of a link. False: no link has that index. */
bool net_name_of(const struct net *net, int ifindex, char name[IFNAMSIZ]);
/* Deletes one link. 0, also if it is gone already, or -errno. */
int net_delete(struct net *net, int ifindex);
/* The link-local address that a MAC makes (RFC 4291, appendix A). */
struct in6_addr net_link_local(const uint8_t mac[6]);

/* What the next image must know of it, in the upgrade's document. */
extern const struct field_group net_fields;

#endif
