/* SPDX-License-Identifier: ISC */
/* The entropy device (virtio 1.2 §5.4): the host's getrandom(). */
#ifndef VMSUP_VMPROC_VIRTIO_RNG_H
#define VMSUP_VMPROC_VIRTIO_RNG_H

#include "vmproc/virtio/device.h"

struct rng {
	struct device device;
	uint64_t requests, bytes; /* counters */
};

/* Makes an entropy device on bus; loop is the main loop. 0 or -errno, logged;
 * rng_uninit() releases it in both cases. */
int rng_init(struct rng *rng, struct pci_bus *bus, struct loop *loop,
	     const struct memory *memory);
/* For tests. */
void rng_uninit(struct rng *rng);

#endif
