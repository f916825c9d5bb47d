/* SPDX-License-Identifier: ISC */
/* What a vCPU is born with: features, tables, registers. */
#ifndef VMSUP_VMPROC_KVM_CPU_H
#define VMSUP_VMPROC_KVM_CPU_H

#include "vmproc/kvm/boot.h"
#include "vmproc/kvm/machine.h"
#include "vmproc/kvm/memory.h"

/* Asks KVM for the features that vCPUs get. kvm_fd is /dev/kvm. 0 or -errno. */
int cpu_init(int kvm_fd);
/* After that: how many bits of a physical address a guest's processor has. */
unsigned int cpu_address_bits(void);
/* Gives a new vCPU its features. 0 or -errno. */
int cpu_setup(const struct vcpu *vcpu);
/* Writes the page tables of a 64-bit entry. 0 or -errno. */
int cpu_tables(const struct memory *memory);
/* Gives the first vCPU its state, and the guest's memory the segments that go
 * with it. Makes no system call. 0 or -errno. */
int cpu_enter(const struct vcpu *vcpu, const struct boot_entry *entry);

#endif
