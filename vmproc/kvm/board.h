/* SPDX-License-Identifier: ISC */
/* All that a guest's port and memory accesses reach: the machine's devices
 * without the hypervisor, so that tests drive them as a guest would. */
#ifndef VMSUP_VMPROC_KVM_BOARD_H
#define VMSUP_VMPROC_KVM_BOARD_H

#include "vmproc/kvm/pci.h"
#include "vmproc/kvm/power.h"
#include "vmproc/kvm/uart.h"

struct board {
	struct pci_bus bus;
	struct uart uart;
};

/*
 * One access of a guest; bytes is 1, 2 or 4 (port) and 1 to 8 (memory).
 * Reads fill data, with ones where nothing answers. Returns what a write asks
 * of the machine: SHUTDOWN_NONE but for the ports of power.h. Any thread.
 */
enum shutdown board_port(struct board *board, uint16_t port, uint8_t *data,
			 unsigned int bytes, bool write);
void board_mmio(struct board *board, uint64_t gpa, uint8_t *data,
		unsigned int bytes, bool write);

#endif
