/* SPDX-License-Identifier: ISC */
/* Frames from the TAP to the guest. */
#ifndef VMSUP_VMPROC_VIRTIO_NET_RECEIVE_H
#define VMSUP_VMPROC_VIRTIO_NET_RECEIVE_H

#include "vmproc/virtio/net.h"

/* Moves frames of every TAP that belongs to pair's receive queue, until there
 * are no more frames, no more buffers, or others must have their turn. */
void net_receive(struct net_pair *pair);
/* Drops what was taken from the receive queue: it is stopping. */
void net_receive_stop(struct net_pair *pair);

#endif
