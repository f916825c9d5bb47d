/* SPDX-License-Identifier: ISC */
/*
 * Before anything is made: what is in the way, and what a dead supervisor left
 * behind.
 */
#ifndef VMSUP_SUPERVISOR_NET_PREPARE_H
#define VMSUP_SUPERVISOR_NET_PREPARE_H

#include <stddef.h>

struct net;
struct net_bridge;
struct net_kept;
struct net_tap;
struct problem;

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

#endif
