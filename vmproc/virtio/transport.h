/* SPDX-License-Identifier: ISC */
/* The registers of a virtio device over PCI, modern (virtio 1.2 §4.1). */
#ifndef VMSUP_VMPROC_VIRTIO_TRANSPORT_H
#define VMSUP_VMPROC_VIRTIO_TRANSPORT_H

#include "vmproc/virtio/device.h"

/* Where the structures lie in BAR 0 (memory), each in a page of its own. */
#define TRANSPORT_BAR     0
#define TRANSPORT_COMMON  0x0000
#define TRANSPORT_ISR     0x1000
#define TRANSPORT_CONFIG  0x2000
#define TRANSPORT_VECTORS 0x3000
#define TRANSPORT_PENDING 0x4000
#define TRANSPORT_BYTES   0x8000
/*
 * Queues are notified by ports (BAR 2): the host would have to decode an
 * instruction that writes to memory, while the exit of a port's instruction
 * says what was written. TRANSPORT_NOTIFY_STEP: bytes from one queue's port to
 * the next one's.
 */
#define TRANSPORT_NOTIFY_BAR  2
#define TRANSPORT_NOTIFY_STEP 4

/* Puts an otherwise complete device on bus, with its identity, capabilities,
 * BARs, vectors (one for the configuration and one for each queue) and
 * notifiers. Called by device_init(). 0 or -errno. */
int transport_init(struct device *device, struct pci_bus *bus);

#endif
