/* SPDX-License-Identifier: ISC */
/* Multicast between VMs. */
#ifndef VMSUP_SUPERVISOR_NET_MULTICAST_H
#define VMSUP_SUPERVISOR_NET_MULTICAST_H

#include <stddef.h>

struct net;
struct net_tap;
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

#endif
