/* SPDX-License-Identifier: ISC */
/*
 * Before links are made: finds conflicts, and deletes
 * links of a dead supervisor.
 */
#ifndef VMSUP_SUPERVISOR_NET_PREPARE_H
#define VMSUP_SUPERVISOR_NET_PREPARE_H

#include <stddef.h>

struct net;
struct net_bridge;
struct net_adopted;
struct net_tap;
struct problem;

/*
 * Refuses a configuration that can't work: another's link (by its alias) has
 * the name of the bridge or of a TAP, or a link has the address or subnet of
 * the bridge. Deletes a bridge and TAPs that a dead supervisor of this
 * instance left. TAPs of adopted that are there stay, and then so does the
 * bridge: net->bridge_ifindex is set. taps: count TAPs that will be made. 0;
 * or -errno with problem set.
 */
int net_prepare(struct net *net, const struct net_bridge *bridge,
		const struct net_tap *taps, size_t count,
		struct net_adopted *adopted, size_t adopted_count,
		struct problem *problem);

#endif
