/* SPDX-License-Identifier: ISC */
/* Puts a kernel, its initrd and what it is told into the guest's memory. */
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

/* Where the first processor begins, and in which state. */
struct boot_entry {
	uint64_t rip;
	uint64_t info; /* gpa of boot_params, or of hvm_start_info */
	bool pvh; /* 32-bit, paging off; else 64-bit, identity-mapped */
};

/* Why it can't be, for the user: what, why, what to do. */
struct boot_problem {
	char text[200];
};

/*
 * Before the cage closes: takes the sizes of both files, and reads nothing of
 * them. 0, or -EINVAL with the problem told.
 */
int boot_measure(struct boot *boot, struct boot_problem *problem);

/*
 * Before it closes as well: has the host give the memory, which is all zero, that
 * kernel and initrd will take if they are as most are. It is a guess from their
 * sizes, and only saves boot_load() that time.
 */
void boot_warm(const struct memory *memory, const struct boot *boot);

/*
 * After it has closed: loads a bzImage (by its 64-bit entry: Linux x86 boot protocol 2.12) or an
 * ELF kernel with a PVH entry note. The image is checked, not believed: all
 * that it says is bounded by the file and by the memory. Of the host it needs
 * pread(2) alone. 0; -EINVAL with the
 * problem told, or another -errno of reading, told as well.
 */
int boot_load(const struct memory *memory, const struct boot *boot,
	      struct boot_entry *entry, struct boot_problem *problem);

#endif
