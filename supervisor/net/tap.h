/* SPDX-License-Identifier: ISC */
/* TAPs: made, put on the bridge, counted, deleted. */
#ifndef VMSUP_SUPERVISOR_NET_TAP_H
#define VMSUP_SUPERVISOR_NET_TAP_H

#include <stdbool.h>
#include <stdint.h>

struct net;
struct net_counters;
struct net_tap;
struct problem;

/* The MAC of a TAP itself: its guest's but for the first byte, so that whoever
 * has changed it can be undone. */
void net_tap_mac(const struct net_tap *tap, uint8_t mac[6]);
/* Nobody but root may attach to the TAP. 0 or -errno. */
int net_tap_own(int fd);
/* /dev/net/tun, opened: *fd is the caller's. 0 or -errno with problem set. */
int net_open_tun(int *fd, struct problem *problem);

/*
 * Makes a TAP on the bridge and sets it up. Only the guest's own MAC goes in
 * and out there, besides broadcast and multicast, and the host needs to ask
 * nobody for it. 0 with fds, one per queue (the caller's, close-on-exec,
 * non-blocking, IFF_TAP|IFF_NO_PI), and *ifindex; or -errno with problem set, and nothing left
 * behind.
 */
int net_tap_create(struct net *net, const struct net_tap *tap, int *fds,
		   int *ifindex, struct problem *problem);
/* Tells the bridge once more which MAC lives behind a TAP: one that was given
 * that MAC itself, if only for a moment, has taken the entry. 0 or -errno. */
int net_tap_forward(struct net *net, const struct net_tap *tap, int ifindex);
/* Deletes a TAP, whoever holds it. 0, also if it is gone, or -errno. */
int net_tap_delete(struct net *net, int ifindex);
/* True if tap_fd is still attached to a link (TUNGETIFF). */
bool net_tap_alive(int tap_fd);
/* True if fd is a TAP of that name in the network namespace of that inode. */
bool net_tap_is(int fd, const char *name, uint64_t network_inode);
/* The inode of the network namespace of this process; 0 if it can't be told. */
uint64_t net_namespace_inode(void);
/* 0 or -errno (-ENODEV: no such link). */
int net_tap_counters(struct net *net, int ifindex,
		     struct net_counters *counters);
/* Makes of a TAP that is taken over, on the bridge, what net_tap_create() would
 * make of it: an older vmsup may have made it. 0 or -errno. */
int net_tap_update(struct net *net, const struct net_tap *tap, int ifindex);

#endif
