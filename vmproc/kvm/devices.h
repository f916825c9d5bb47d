/* SPDX-License-Identifier: ISC */
/* What the machine calls of its virtio devices: the room vmproc/virtio. */
#ifndef VMSUP_VMPROC_KVM_DEVICES_H
#define VMSUP_VMPROC_KVM_DEVICES_H

#include "vmproc/kvm/memory.h"
#include "vmproc/kvm/pci.h"
#include "vmproc/vmproc.h"

struct device_room {
	/*
	 * In setup, before the cage: makes the devices that vm's descriptors
	 * (vmproc_fd(vm, FD_ROLE_TAP, n), ..._DISK, ..._VHOST_NET) ask for, adds
	 * them to bus, makes their threads (machine_thread_begin() first in
	 * each) and buffers. bus and memory last as long as the process. The
	 * exit status with the reason logged, or VMPROC_EXIT_OK.
	 */
	enum vmproc_exit (*setup)(struct vmproc *vm, struct pci_bus *bus,
				  const struct memory *memory);
	/* The cage has closed, the vCPUs stand still: the room's own threads seal
	 * theirs (machine_thread_seal()), and begin their work. 0 or -errno. */
	int (*start)(struct vmproc *vm);
	/* All vCPUs stand still; no more guest memory may be touched once it
	 * returns, but by requests that are under way. */
	void (*pause)(struct vmproc *vm);
	void (*resume)(struct vmproc *vm); /* before the vCPUs go on */
	/* At each heartbeat: looks after what no event tells. Ends the process
	 * if it can't go on. */
	void (*check)(struct vmproc *vm);
	/* Tells each counter by name ([a-z0-9._]{1,31}, as net0.rx0.frames). */
	void (*counters)(struct vmproc *vm,
			 void (*tell)(void *ctx, const char *name,
				      uint64_t value),
			 void *ctx);
	/* Since when (CLOCK_MONOTONIC in milliseconds) the room's own threads
	 * have been at the work that they are at; 0: at none. */
	uint64_t (*busy_since_ms)(struct vmproc *vm);
};

extern const struct device_room virtio_room;

/* First thing in every thread that setup makes: its share of stage 2 that the
 * filter's loading can't do for it (Landlock is a thread's own). 0 or -errno. */
int machine_thread_begin(const char *name);
/* After the cage has closed, in every thread but the vCPUs', which have a
 * narrower filter: no filter can be stacked any more. 0 or -errno. */
int machine_thread_seal(void);

#endif
