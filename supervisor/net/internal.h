/* SPDX-License-Identifier: ISC */
/* What the files of this folder share, beside net.h. */
#ifndef VMSUP_SUPERVISOR_NET_INTERNAL_H
#define VMSUP_SUPERVISOR_NET_INTERNAL_H

#include <stdbool.h>

#include "supervisor/net/net.h"

#define NET_ALIAS_PREFIX "vmsup:"

/* True for a name that the kernel takes as it is, without filling in a number
 * for "%d". */
bool net_valid_name(const char *name);

/* The MAC of our bridge of that name, on this machine, in this run directory. */
void net_bridge_mac(const struct net *net, const char *name, uint8_t mac[6]);

/* The index of a link, or -errno. */
int net_index_of(const struct net *net, const char *name);

/* True with name filled in if there is a link of that index. */
bool net_name_of(const struct net *net, int ifindex, char name[IFNAMSIZ]);

/* The MAC of a TAP itself: its guest's but for the first byte, so that whoever
 * has changed it can be undone. */
void net_tap_mac(const struct net_tap *tap, uint8_t mac[6]);
/* Nobody but root may attach to the TAP. 0 or -errno. */
int net_tap_own(int fd);

/* Deletes one link. 0, also if it is gone already, or -errno. */
int net_delete(struct net *net, int ifindex);

/* /dev/net/tun, opened: *fd is the caller's. 0 or -errno with problem set. */
int net_open_tun(int *fd, struct problem *problem);

/* The link-local address that a MAC makes (RFC 4291, appendix A). */
struct in6_addr net_link_local(const uint8_t mac[6]);

struct netlink_batch;

/* Groups that one VM may join: a share of the bridge's table. */
#define NET_GROUPS_PER_PORT 64
/* Adds a request for that. */
void net_multicast_put_share(struct netlink_batch *batch, int ifindex);
/* Adds requests for the permanent entries of the VM's groups: RTM_NEWMDB, once
 * the port is up, or RTM_DELMDB. */
void net_multicast_put_groups(struct netlink_batch *batch, int type,
			      const struct net *net, const struct net_tap *tap,
			      int ifindex);

#endif
