/* SPDX-License-Identifier: ISC */
/* Frames from the guest to the TAP. */
#ifndef VMSUP_VMPROC_VIRTIO_NET_TRANSMIT_H
#define VMSUP_VMPROC_VIRTIO_NET_TRANSMIT_H

#include "vmproc/virtio/net.h"

/* Moves frames of pair's transmit queue to its TAP. */
void net_transmit(struct net_pair *pair);

#endif
