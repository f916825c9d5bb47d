/* SPDX-License-Identifier: ISC */
/* What the machine counts, told by name. */
#ifndef VMSUP_VMPROC_KVM_COUNTERS_H
#define VMSUP_VMPROC_KVM_COUNTERS_H

#include "vmproc/kvm/machine.h"

/* Sends COUNTERS: exits by kind, the console's, those of all devices. */
void counters_tell(struct vmproc *vm, struct machine *machine);

#endif
