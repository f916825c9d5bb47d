/* SPDX-License-Identifier: ISC */
/* The main loop's part of the machine: the host's side of the UART, and the end
 * of the process at a shutdown. */
#ifndef VMSUP_VMPROC_KVM_CONSOLE_H
#define VMSUP_VMPROC_KVM_CONSOLE_H

#include "vmproc/kvm/machine.h"

/* During set-up: watches wake_fd, and the descriptor of the console if there is
 * one. Ends the process on failure. */
void console_init(struct machine *machine);
/* After the cage has closed: starts to read from the console. */
void console_start(struct machine *machine);

#endif
