/* SPDX-License-Identifier: ISC */
/* Power-off, reboot and panic, as the guest tells them: six ports. */
#include "vmproc/kvm/power.h"

#include <errno.h>
#include <string.h>

#include "vmproc/kvm/layout.h"

/* ACPI 6.4 §4.8.3.7.1: sleep control register */
#define SLEEP_TYPE(value) ((value) >> 2 & 7)
#define SLEEP_ENABLE      0x20
/* the kernel panicked; a crash kernel was loaded and takes over */
#define PANIC_PANICKED     0x01
#define PANIC_CRASH_LOADED 0x02

/* 8042: the commands that pulse lines of its output port, those whose bits are
 * 0; the first line is the processor's reset */
#define KEYBOARD_PULSES(value) (((value)&0xf1) == 0xf0)
/* Intel ICH: resets the processor, or all */
#define RESET_CONTROL_RESET 0x04

int power_reset_vector(const struct memory *memory)
{
	static const uint8_t code[] = {
		0xba,
		PORT_RESET & 0xff,
		PORT_RESET >> 8, /* mov dx, port */
		0xb0,
		POWER_RESET_VALUE, /* mov al, value */
		0xee, /* out dx, al */
		0xf4, /* hlt */
		0xeb,
		0xfd, /* jmp to hlt */
	};
	void *at = guest_ptr(memory, LAYOUT_RESET, sizeof(code));

	if (!at)
		return -ENOSPC;
	memcpy(at, code, sizeof(code));
	return 0;
}

bool power_owns(uint16_t port)
{
	return port == PORT_KEYBOARD || port == PORT_PANIC ||
	       port == PORT_RESET_CONTROL ||
	       (port >= PORT_SLEEP_CONTROL && port <= PORT_RESET);
}

uint8_t power_read(uint16_t port)
{
	switch (port) {
	case PORT_PANIC: /* what it understands */
		return PANIC_PANICKED | PANIC_CRASH_LOADED;
	case PORT_SLEEP_CONTROL:
	case PORT_SLEEP_STATUS: /* it never slept */
	case PORT_RESET:
	case PORT_RESET_CONTROL:
	case PORT_KEYBOARD: /* nothing came, and it takes commands: drivers
			     * wait for that, 65,536 reads each time */
		return 0;
	default:
		return 0xff;
	}
}

enum shutdown power_write(uint16_t port, uint8_t value)
{
	if (port == PORT_PANIC && value & PANIC_PANICKED)
		return SHUTDOWN_PANIC;
	if (port == PORT_SLEEP_CONTROL && value & SLEEP_ENABLE &&
	    SLEEP_TYPE(value) == POWER_SLEEP_S5)
		return SHUTDOWN_POWEROFF;
	if ((port == PORT_RESET && value == POWER_RESET_VALUE) ||
	    (port == PORT_KEYBOARD && KEYBOARD_PULSES(value)) ||
	    (port == PORT_RESET_CONTROL && value & RESET_CONTROL_RESET))
		return SHUTDOWN_REBOOT;
	return SHUTDOWN_NONE;
}
