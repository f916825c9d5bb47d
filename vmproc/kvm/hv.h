/* SPDX-License-Identifier: ISC */
/*
 * What device models need of the hypervisor, as a table of operations: KVM in a
 * VM process, a stand-in in unit tests and fuzz harnesses.
 */
#ifndef VMSUP_VMPROC_KVM_HV_H
#define VMSUP_VMPROC_KVM_HV_H

#include <stdbool.h>
#include <stdint.h>

/* The two address spaces of a guest. */
enum space {
	SPACE_MEMORY,
	SPACE_PORTS
};

/* All return 0 or -errno. */
struct hv_ops {
	/* With add, writes to the eventfd fd raise the global system interrupt
	 * gsi from now on; if the eventfd isn't 0, the interrupt is raised at
	 * once. Without add, they no longer do. */
	int (*irqfd)(void *ctx, int fd, uint32_t gsi, bool add);
	/* Routes gsi to the message (address, data), or removes the route. */
	int (*route)(void *ctx, uint32_t gsi, uint64_t address, uint32_t data);
	int (*unroute)(void *ctx, uint32_t gsi);
	/* With add, a write of so many bytes (0: any width) at address of space
	 * signals the eventfd fd, and there is no exit. Without add, it no
	 * longer does. */
	int (*ioeventfd)(void *ctx, enum space space, uint64_t address,
			 uint32_t bytes, int fd, bool add);
};

struct hv {
	const struct hv_ops *ops;
	void *ctx;
};

#endif
