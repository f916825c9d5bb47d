/* SPDX-License-Identifier: ISC */
/*
 * The guest's RAM: one anonymous mapping, cut in two by the hole below 4 GiB.
 *
 * Anonymous rather than a memfd: nobody shares it with another process (vhost
 * works in this one's memory), the host gives transparent huge pages to shared
 * memory only where shmem_enabled was changed by hand, and a memfd can't grow
 * under RLIMIT_FSIZE 0.
 */
#include "vmproc/kvm/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmproc/kvm/layout.h"

#define HUGE_PAGE (2 * MIB)

/* The mapping begins at a multiple of 2 MiB, so that each huge page of the
 * guest is one of the host as well. For that, 2 MiB more are mapped first. */
static uint8_t *map_aligned(uint64_t bytes)
{
	uint64_t reserved = bytes + HUGE_PAGE;
	uint8_t *start, *base;
	uint64_t before;

	start = mmap(NULL, reserved, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	before = -(uint64_t)(uintptr_t)start & (HUGE_PAGE - 1);
	base = start + before;
	if (before)
		munmap(start, before);
	if (HUGE_PAGE - before)
		munmap(base + bytes, HUGE_PAGE - before);
	return base;
}

/* Maps huge pages from the host's reserve, and takes all of them now: if none
 * were left later, SIGBUS would kill the process while the guest works. */
static uint8_t *map_reserved(uint64_t bytes)
{
	uint8_t *base =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE,
		     -1, 0);

	return base == MAP_FAILED ? NULL : base;
}

int memory_init(struct memory *memory, uint64_t bytes, bool hugepages)
{
	uint64_t low = bytes < LAYOUT_HOLE ? bytes : LAYOUT_HOLE;

	memset(memory, 0, sizeof(*memory));
	if (bytes == 0 || bytes % (hugepages ? HUGE_PAGE : 4096) != 0)
		return -EINVAL;
	memory->base = hugepages ? map_reserved(bytes) : map_aligned(bytes);
	if (!memory->base)
		return -errno;
	memory->bytes = bytes;
	if (!hugepages) /* no failure if the host refuses */
		madvise(memory->base, bytes, MADV_HUGEPAGE);
	/* guest memory stays out of core dumps */
	madvise(memory->base, bytes, MADV_DONTDUMP);
	memory->region[0] = (struct memory_region){
		.gpa = 0,
		.bytes = low,
		.base = memory->base,
	};
	memory->region[1] = (struct memory_region){
		.gpa = LAYOUT_HOLE_END,
		.bytes = bytes - low,
		.base = memory->base + low,
	};
	return 0;
}

void memory_uninit(struct memory *memory)
{
	if (memory->base)
		munmap(memory->base, memory->bytes);
	memset(memory, 0, sizeof(*memory));
}
