/* SPDX-License-Identifier: ISC */
/* The tables by which a guest finds its machine. */
#ifndef VMSUP_VMPROC_KVM_ACPI_H
#define VMSUP_VMPROC_KVM_ACPI_H

#include <stdint.h>

#include "vmproc/kvm/memory.h"

/* Writes all tables for so many processors (APIC ids from 0) to LAYOUT_ACPI,
 * where the root pointer then is. 0, or -ENOSPC. */
int acpi_write(const struct memory *memory, unsigned int vcpus);

#endif
