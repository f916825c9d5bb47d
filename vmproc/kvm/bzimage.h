/* SPDX-License-Identifier: ISC */
/* Kernels as bzImages, entered in 64-bit mode. */
#ifndef VMSUP_VMPROC_KVM_BZIMAGE_H
#define VMSUP_VMPROC_KVM_BZIMAGE_H

#include "vmproc/kvm/image.h"

extern const struct boot_format bzimage_format;

#endif
