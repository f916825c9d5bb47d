/* SPDX-License-Identifier: ISC */
/* A TAP set anew, for the next VM process. */
#ifndef VMSUP_SUPERVISOR_NET_TAP_RENEW_H
#define VMSUP_SUPERVISOR_NET_TAP_RENEW_H

struct net;
struct net_tap;

/* Restores each property that a process with its descriptors can change, as
 * net_tap_create() made it. 0; or -errno: the TAP can't be trusted
 * (-EBADFD: the link is gone). */
int net_tap_renew(struct net *net, const struct net_tap *tap, const int *fds,
		  int ifindex);

#endif
