/* SPDX-License-Identifier: ISC */
/* The bridge that the TAPs are ports of, and its addresses. */
#ifndef VMSUP_SUPERVISOR_NET_BRIDGE_H
#define VMSUP_SUPERVISOR_NET_BRIDGE_H

#include <stdint.h>

struct net;
struct net_bridge;
struct problem;

/* The MAC of the bridge of that name, for this machine and run directory. */
void net_bridge_mac(const struct net *net, const struct net_bridge *bridge,
		    uint8_t mac[6]);

/* Makes the bridge, adds its addresses, and sets it up. 0; or -errno with
 * problem set: then it leaves nothing. */
int net_bridge_create(struct net *net, const struct net_bridge *bridge,
		      struct problem *problem);

#endif
