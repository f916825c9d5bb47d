/* SPDX-License-Identifier: ISC */
/* The guest's RAM, and the only way to it. */
#ifndef VMSUP_VMPROC_KVM_MEMORY_H
#define VMSUP_VMPROC_KVM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_REGIONS 2
/* A memory region of KVM has 2^31 - 1 pages at most. */
#define MEMORY_MAX (UINT64_C(8) << 40)

/* RAM at one place in the guest's physical address space. */
struct memory_region {
	uint64_t gpa, bytes; /* bytes 0: not there */
	uint8_t *base; /* its address in this process */
};

struct memory {
	struct memory_region region[MEMORY_REGIONS]; /* below, above the hole */
	uint8_t *base; /* of the whole mapping */
	uint64_t bytes; /* of the whole mapping */
};

/*
 * Maps so many bytes of guest RAM, a multiple of 4 KiB. The host allocates a
 * page when it is touched, as a huge page where it can. With hugepages, bytes
 * is a multiple of 2 MiB, and all pages are taken from the host's reserve at
 * once. 0, or -errno: -EINVAL for another size, -ENOMEM if the host has too
 * little.
 */
int memory_init(struct memory *memory, uint64_t bytes, bool hugepages);
void memory_uninit(struct memory *memory);

/*
 * The address of the bytes at guest physical address gpa. NULL if bytes is 0,
 * or if not all of them are RAM in one region. The guest may change the bytes
 * at any time: copy once, check the copy.
 */
static inline void *guest_ptr(const struct memory *memory, uint64_t gpa,
			      uint64_t bytes)
{
	for (int i = 0; i < MEMORY_REGIONS; i++) {
		const struct memory_region *region = &memory->region[i];
		uint64_t offset =
			gpa -
			region->gpa; /* below gpa it wraps, and is too large */

		if (offset < region->bytes && bytes != 0 &&
		    bytes <= region->bytes - offset)
			return region->base + offset;
	}
	return (void *)0;
}

#endif
