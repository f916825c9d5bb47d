/* SPDX-License-Identifier: ISC */
/* Queue pairs of the network device: which are in use, and who serves them. */
#ifndef VMSUP_VMPROC_VIRTIO_NET_PAIR_H
#define VMSUP_VMPROC_VIRTIO_NET_PAIR_H

#include "vmproc/virtio/net.h"

/* The driver uses the first pairs (1 to net->pairs) from now on. */
void net_pair_use(struct net *net, unsigned int pairs);

/* The device stops: takes the pair back from the kernel. */
void net_pair_stop(struct net_pair *pair);

/* The main loop waits for the pair's TAP, or doesn't. 0 or -errno. */
int net_pair_watch(struct net_pair *pair, bool watch);

/* Attaches the TAP's queue of a pair, or detaches it. With vhost, frames on a
 * queue whose pair isn't used would reach nobody: while it is detached, the
 * kernel gives them to the others. */
void net_pair_attach(struct net *net, unsigned int pair, bool attached);

/* True if the kernel moves the pair's frames. */
static inline bool net_pair_by_kernel(const struct net_pair *pair)
{
	return pair->net->vhost.pair[pair->index].running;
}

#endif
