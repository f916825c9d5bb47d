/* SPDX-License-Identifier: ISC */
/* Kernels as ELF files (vmlinux), entered by PVH. */
#ifndef VMSUP_VMPROC_KVM_ELF_H
#define VMSUP_VMPROC_KVM_ELF_H

#include "vmproc/kvm/image.h"

extern const struct boot_format elf_format;

#endif
