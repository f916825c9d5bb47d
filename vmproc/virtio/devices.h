/* SPDX-License-Identifier: ISC */
/* The virtio devices of one machine: network, disks, random numbers. */
#ifndef VMSUP_VMPROC_VIRTIO_DEVICES_H
#define VMSUP_VMPROC_VIRTIO_DEVICES_H

#include "vmproc/kvm/memory.h"
#include "vmproc/kvm/pci.h"
#include "vmproc/vmproc.h"

/*
 * In set-up, before the cage closes: makes the devices that vm's descriptors
 * (vmproc_fd(vm, FD_ROLE_TAP, n), ..._DISK, ..._VHOST_NET) ask for, adds them
 * to bus, and makes their thread and buffers. vm, bus and memory last as long
 * as the process. Returns VMPROC_EXIT_OK, or the exit status with the reason
 * logged.
 */
enum vmproc_exit devices_setup(struct vmproc *vm, struct pci_bus *bus,
			       const struct memory *memory);

/* The cage has closed and the vCPUs stand still: the disks' thread seals its
 * own part of the cage, and begins its work. 0 or -errno. */
int devices_start(void);

/* All vCPUs stand still. After the return, only requests that are under way
 * touch guest memory. */
void devices_pause(void);
/* Before the vCPUs go on. */
void devices_resume(void);

/* At each heartbeat: looks for failures that no event reports. Ends the process
 * if the devices can't go on. */
void devices_check(void);

/* Passes each counter to told, by name ([a-z0-9._]{1,31}: net0.0.rx_frames). */
void devices_counters(void (*told)(void *ctx, const char *name, uint64_t value),
		      void *ctx);

/* Since when (CLOCK_MONOTONIC in milliseconds) the disks' thread has been at
 * its present work; 0: it has none. */
uint64_t devices_busy_since_ms(void);

#endif
