/* SPDX-License-Identifier: ISC */
/* Interrupts and wake-ups, as KVM gives them. */
#ifndef VMSUP_VMPROC_KVM_KVM_IRQ_H
#define VMSUP_VMPROC_KVM_KVM_IRQ_H

#include "vmproc/kvm/hv.h"

/* What hv.h asks of a hypervisor; ctx is the struct machine. */
extern const struct hv_ops kvm_irq_ops;

/* Routes the IOAPIC's pins of the VM vm_fd. 0 or -errno. */
int kvm_irq_init(int vm_fd);

#endif
