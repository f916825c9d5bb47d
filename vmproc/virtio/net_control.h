/* SPDX-License-Identifier: ISC */
/* The control queue of the network device. */
#ifndef VMSUP_VMPROC_VIRTIO_NET_CONTROL_H
#define VMSUP_VMPROC_VIRTIO_NET_CONTROL_H

#include "vmproc/virtio/net.h"

/* Obeys what is in the control queue (§5.1.6.5). */
void net_control(struct net *net, struct device_queue *queue);

#endif
