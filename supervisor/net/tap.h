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

/* The MAC of the TAP itself: the guest's, but for the first byte. It is derived
 * so that a change by another process can be undone. */
void net_tap_mac(const struct net_tap *tap, uint8_t mac[6]);
/* Lets root alone attach to the TAP. 0 or -errno. */
int net_tap_own(int fd);
/* Opens /dev/net/tun; *fd is the caller's. 0; or -errno with problem set. */
int net_open_tun(int *fd, struct problem *problem);

/*
 * Makes a TAP on the bridge and sets it up. Only broadcast and multicast pass
 * there until net_tap_introduce() tells whose it is. 0: fds has a descriptor
 * for each queue (the caller's; close-on-exec, non-blocking,
 * IFF_TAP|IFF_NO_PI), and *ifindex is set. -errno with problem set: it leaves
 * nothing.
 */
int net_tap_create(struct net *net, const struct net_tap *tap, int *fds,
		   int *ifindex, struct problem *problem);
/* Deletes a TAP, also while processes hold it. 0, also
 * if it is gone; or -errno. */
int net_tap_delete(struct net *net, int ifindex);
/* True: tap_fd is still attached to a link (TUNGETIFF). */
bool net_tap_alive(int tap_fd);
/* True: fd is a TAP of that name, in the network namespace of that inode. */
bool net_tap_is(int fd, const char *name, uint64_t network_inode);
/* The inode of this process's network namespace; 0: it can't be read. */
uint64_t net_namespace_inode(void);
/* Reads the counters of a TAP. 0 or -errno (-ENODEV: no such link). */
int net_tap_counters(struct net *net, int ifindex,
		     struct net_counters *counters);
/* Sets the bridge port of a TAP that was taken over as net_tap_create() does:
 * an older vmsup may have made it. 0 or -errno. */
int net_tap_update(struct net *net, const struct net_tap *tap, int ifindex);

#endif
