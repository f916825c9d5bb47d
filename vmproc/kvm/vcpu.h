/* SPDX-License-Identifier: ISC */
/* vCPU threads. The main loop calls all of these. */
#ifndef VMSUP_VMPROC_KVM_VCPU_H
#define VMSUP_VMPROC_KVM_VCPU_H

#include "vmproc/kvm/machine.h"

/* Makes the threads. The first one writes the tables in guest memory
 * (machine_furnish()). 0 or -errno. */
int vcpu_threads(struct machine *machine);
/* Waits until all threads are at the gate. 0, or -errno of a thread that
 * couldn't start. */
int vcpu_await(struct machine *machine);
/* Opens the gate: the vCPUs run. */
void vcpu_release(struct machine *machine);
/* Takes all vCPUs out of the guest and waits until they are at the gate.
 * Doesn't wait if the machine has been shut down. */
void vcpu_hold(struct machine *machine);
/* False if a vCPU thread has been in user space for more than 3 s. Time that it
 * waits for the PCI bus, while others get on there, isn't counted. */
bool vcpu_healthy(struct machine *machine);

#endif
