/* SPDX-License-Identifier: ISC */
/* The kvm guest. */
#ifndef VMSUP_VMPROC_KVM_KVM_H
#define VMSUP_VMPROC_KVM_KVM_H

#include "vmproc/vmproc.h"

extern const struct guest kvm_guest;

#endif
