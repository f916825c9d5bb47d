/* SPDX-License-Identifier: ISC */
/*
 * What device models ask of the hypervisor, as a table: KVM in a VM process,
 * a stand-in in unit tests and fuzz harnesses.
 */
#ifndef VMSUP_VMPROC_KVM_HV_H
#define VMSUP_VMPROC_KVM_HV_H

#include <stdbool.h>
#include <stdint.h>

/* What an address of the guest is one of. */
enum space {
	SPACE_MEMORY,
	SPACE_PORTS
};

/* All return 0 or -errno. */
struct hv_ops {
	/* From now on (add) or no longer (!add), what is written to the eventfd
	 * fd raises global system interrupt gsi. What was in it before is
	 * raised at once. */
	int (*irqfd)(void *ctx, int fd, uint32_t gsi, bool add);
	/* Makes gsi the message (address, data); unroute: nothing any more. */
	int (*route)(void *ctx, uint32_t gsi, uint64_t address, uint32_t data);
	int (*unroute)(void *ctx, uint32_t gsi);
	/* From now on, or no longer, a write of bytes (0: any width) at address
	 * of space wakes the eventfd fd and nothing else. */
	int (*ioeventfd)(void *ctx, enum space space, uint64_t address,
			 uint32_t bytes, int fd, bool add);
};

struct hv {
	const struct hv_ops *ops;
	void *ctx;
};

#endif
