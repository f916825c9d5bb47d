/* SPDX-License-Identifier: ISC */
/* All devices that the guest's accesses to ports and memory reach, without the
 * hypervisor: tests use them as a guest does. */
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
 * One access of the guest: bytes is 1, 2 or 4 for a port, 1 to 8 for memory. A
 * read fills data; where no device answers, with ones. Returns the shutdown
 * that a write asks for, which only the ports of power.h do. May be called by
 * any thread.
 */
enum shutdown board_port(struct board *board, uint16_t port, uint8_t *data,
			 unsigned int bytes, bool write);
void board_mmio(struct board *board, uint64_t gpa, uint8_t *data,
		unsigned int bytes, bool write);

#endif
