/* SPDX-License-Identifier: ISC */
/* Where a guest lives, as the bridge and the host are told. */
#ifndef VMSUP_SUPERVISOR_NET_TAP_PLACE_H
#define VMSUP_SUPERVISOR_NET_TAP_PLACE_H

struct net;
struct net_tap;
struct problem;

/*
 * Tells the bridge which MAC lives behind a TAP, and the host at which
 * addresses. An entry that the bridge has learned from another port gives way.
 * 0, also if all that is known; or -errno with problem set and nothing told
 * (-EADDRINUSE: somebody else has pinned that MAC to another port, or a link
 * has it).
 */
int net_tap_introduce(struct net *net, const struct net_tap *tap, int ifindex,
		      struct problem *problem);
/* Takes all that back: the VM is down, and may come up on another host. */
void net_tap_withdraw(struct net *net, const struct net_tap *tap, int ifindex);
/* Tells the bridge once more which MAC lives behind a TAP: one that was given
 * that MAC itself, if only for a moment, has taken the entry. 0 or -errno. */
int net_tap_forward(struct net *net, const struct net_tap *tap, int ifindex);

#endif
