/* SPDX-License-Identifier: ISC */
/* Loads a kernel and its initrd into guest memory, with what the boot protocol
 * passes to the kernel. */
#ifndef VMSUP_VMPROC_KVM_BOOT_H
#define VMSUP_VMPROC_KVM_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/kvm/memory.h"

struct boot {
	int kernel_fd, initrd_fd; /* not owned; initrd_fd -1: none */
	const char *cmdline;
	uint64_t kernel_bytes, initrd_bytes; /* by boot_measure() */
};

/* Where the first processor starts, and in which state. */
struct boot_entry {
	uint64_t rip;
	uint64_t info; /* gpa of boot_params, or of hvm_start_info */
	bool pvh; /* 32-bit, paging off; else 64-bit, identity-mapped */
};

/* Why a kernel can't be loaded, for the user: what, why, what to do. */
struct boot_problem {
	char text[200];
};

/*
 * To be called before the cage closes: stores the sizes of both files in boot,
 * and reads nothing of them. 0, or -EINVAL with problem set.
 */
int boot_measure(struct boot *boot, struct boot_problem *problem);

/*
 * To be called before the cage closes, while the memory is still zero: touches
 * the pages that the kernel and the initrd will probably occupy, so that the
 * host allocates them now. The place is a guess from the sizes of the files. A
 * wrong guess costs time in boot_load(), and nothing else.
 */
void boot_warm(const struct memory *memory, const struct boot *boot);

/*
 * To be called after the cage has closed: loads a bzImage (by its 64-bit entry:
 * Linux x86 boot protocol 2.12) or an ELF kernel with a PVH entry note, and
 * sets entry. The image is not trusted: each size and offset in it is checked
 * against the file and the memory. The only system call that is needed is
 * pread(2). 0, or -errno with problem set: -EINVAL if the image or the initrd
 * can't be loaded, another one if reading failed.
 */
int boot_load(const struct memory *memory, const struct boot *boot,
	      struct boot_entry *entry, struct boot_problem *problem);

#endif
