/* SPDX-License-Identifier: ISC */
/* The main loop's part: the UART's other side, and the machine's end. */
#ifndef VMSUP_VMPROC_KVM_CONSOLE_H
#define VMSUP_VMPROC_KVM_CONSOLE_H

#include "vmproc/kvm/machine.h"

/* In setup: watches the wake-up and the console's descriptor (if one was
 * given). Ends the process if it can't. */
void console_init(struct machine *machine);
/* The cage has closed: reads from the console from now on. */
void console_start(struct machine *machine);

#endif
