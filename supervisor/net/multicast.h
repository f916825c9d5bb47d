/* SPDX-License-Identifier: ISC */
/* Multicast between VMs. */
#ifndef VMSUP_SUPERVISOR_NET_MULTICAST_H
#define VMSUP_SUPERVISOR_NET_MULTICAST_H

#include <stddef.h>

struct net;
struct net_tap;
struct netlink_batch;

/* Groups that one VM may join: its share of the bridge's table. */
#define NET_GROUPS_PER_PORT 64
/* Adds the request that sets this limit. */
void net_multicast_put_share(struct netlink_batch *batch, int ifindex);
/* Adds requests for the permanent entries of the VM's groups. type: RTM_NEWMDB,
 * when the port is up; RTM_DELMDB. */
void net_multicast_put_groups(struct netlink_batch *batch, int type,
			      const struct net *net, const struct net_tap *tap,
			      int ifindex);

/* Makes the bridge a multicast querier. Call it when the configured
 * TAPs are there. 0 or -errno. */
int net_multicast_query(struct net *net);
/* The bridge relies on the querier after this time. */
#define NET_MULTICAST_QUERY_MS 200
/*
 * Opens multicast between VMs, for count TAPs that are there and for
 * later ones. Call it NET_MULTICAST_QUERY_MS after the querier began:
 * until then, VMs receive the host's multicast only. 0; or -errno of a
 * failure, after which it goes on.
 */
int net_multicast_open(struct net *net, const int *ifindexes, size_t count);

#endif
