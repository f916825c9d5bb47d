/* SPDX-License-Identifier: ISC */
/* The counters of the machine, by name. */
#ifndef VMSUP_VMPROC_KVM_COUNTERS_H
#define VMSUP_VMPROC_KVM_COUNTERS_H

#include "vmproc/kvm/machine.h"

/* Sends COUNTERS messages: exits by kind, the console, and all devices. */
void counters_tell(struct vmproc *vm, struct machine *machine);

#endif
