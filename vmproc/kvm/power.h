/* SPDX-License-Identifier: ISC */
/* Where the guest says that it is done, and how: sleep and reset registers
 * (ACPI 6.4 §4.8.3.7, §4.8.3.6), the panic notification device, and the two
 * ways by which a PC is reset without ACPI: the keyboard controller and the
 * chipset. */
#ifndef VMSUP_VMPROC_KVM_POWER_H
#define VMSUP_VMPROC_KVM_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/kvm/memory.h"

/* Why the machine ends. */
enum shutdown {
	SHUTDOWN_NONE,
	SHUTDOWN_POWEROFF,
	SHUTDOWN_REBOOT,
	SHUTDOWN_PANIC,
	SHUTDOWN_TRIPLE_FAULT,
	SHUTDOWN_FAILED, /* KVM could not go on */
	SHUTDOWNS
};

/* SLP_TYP of S5 in the DSDT's \_S5, and what resets. */
#define POWER_SLEEP_S5    5
#define POWER_RESET_VALUE 1

/* Writes the code at the reset vector, which asks for a reboot. Linux goes
 * there on hardware-reduced machines that have no EFI; the first processor
 * begins there after an INIT, in the page at LAYOUT_TOP. 0 or -ENOSPC. */
int power_reset_vector(const struct memory *memory);

/* The byte at one of these ports; 0xff where nothing answers. */
uint8_t power_read(uint16_t port);
/* What a write of value to port asks for; SHUTDOWN_NONE: nothing. */
enum shutdown power_write(uint16_t port, uint8_t value);
/* True if the port is one of these. */
bool power_owns(uint16_t port);

#endif
