/* SPDX-License-Identifier: ISC */
/* vCPU threads, as the main loop sees them. */
#ifndef VMSUP_VMPROC_KVM_VCPU_H
#define VMSUP_VMPROC_KVM_VCPU_H

#include "vmproc/kvm/machine.h"

/* Makes the threads; the first one furnishes the guest's memory. 0 or -errno. */
int vcpu_threads(struct machine *machine);
/* Waits until all of them stand at the gate. 0 or -errno. */
int vcpu_await(struct machine *machine);
/* Opens the gate. */
void vcpu_release(struct machine *machine);
/* Brings all vCPUs back to the gate, and waits until they are there. */
void vcpu_hold(struct machine *machine);
/* False if a vCPU thread has been in user space too long. */
bool vcpu_healthy(struct machine *machine);

#endif
