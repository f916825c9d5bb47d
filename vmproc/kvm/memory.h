/* SPDX-License-Identifier: ISC */
/* The guest's RAM, and the only way to it. */
#ifndef VMSUP_VMPROC_KVM_MEMORY_H
#define VMSUP_VMPROC_KVM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_REGIONS 2
/* KVM takes 2^31 - 1 pages as one region. */
#define MEMORY_MAX (UINT64_C(8) << 40)

/* RAM at one place in the guest's physical address space. */
struct memory_region {
	uint64_t gpa, bytes; /* bytes 0: not there */
	uint8_t *base; /* where this process has it */
};

struct memory {
	struct memory_region region[MEMORY_REGIONS]; /* below, above the hole */
	uint8_t *base; /* of the whole mapping */
	uint64_t bytes; /* of the whole mapping */
};

/*
 * Maps bytes (a multiple of 4 KiB; of 2 MiB with hugepages) of guest RAM: none
 * of it is there before it is touched, and it is in huge pages where the host
 * gives them; with hugepages it is made of the host's reserved huge pages, all
 * of them at once. 0 or -errno: -ENOMEM if the host hasn't got it.
 */
int memory_init(struct memory *memory, uint64_t bytes, bool hugepages);
void memory_uninit(struct memory *memory);

/*
 * The bytes at guest physical address gpa, all of which are RAM and lie in one
 * piece; else NULL. Bytes 0 gives NULL too. The guest may change what is there
 * at any time: copy once, check the copy.
 */
static inline void *guest_ptr(const struct memory *memory, uint64_t gpa,
			      uint64_t bytes)
{
	for (int i = 0; i < MEMORY_REGIONS; i++) {
		const struct memory_region *region = &memory->region[i];
		uint64_t offset = gpa - region->gpa; /* wraps: too large then */

		if (offset < region->bytes && bytes != 0 &&
		    bytes <= region->bytes - offset)
			return region->base + offset;
	}
	return (void *)0;
}

#endif
