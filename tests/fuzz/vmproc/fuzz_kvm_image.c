/* SPDX-License-Identifier: ISC */
/*
 * Kernel images of any bytes: loaded or refused with a reason, and nothing
 * written but within the memory (AddressSanitizer watches its edges).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmproc/kvm/boot.h"
#include "vmproc/kvm/layout.h"

#define MEMORY_BYTES (4 * MIB)
#define FILE_MAX     (256 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int image_fd = -1, initrd_fd = -1;
static struct memory memory;

static void begin(void)
{
	image_fd = memfd_create("image", 0);
	initrd_fd = memfd_create("initrd", 0);
	/* heap, so that one byte too many is seen */
	memory.base = malloc(MEMORY_BYTES);
	if (image_fd < 0 || initrd_fd < 0 || !memory.base)
		abort();
	memory.bytes = MEMORY_BYTES;
	memory.region[0].bytes = MEMORY_BYTES;
	memory.region[0].base = memory.base;
	memory.region[1].gpa = LAYOUT_HOLE_END;
	memory.region[1].base = memory.base + MEMORY_BYTES;
}

/* The first byte says how long the initrd is (0: none), the rest is the image,
 * made longer by zeroes if its first bit says so. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct boot_problem problem;
	struct boot_entry entry;
	struct boot boot;
	off_t length;
	int error;

	if (bytes < 1 || bytes > FILE_MAX)
		return 0;
	if (image_fd < 0)
		begin();
	length = data[0] & 1 ? (off_t)FILE_MAX : (off_t)(bytes - 1);
	if (ftruncate(image_fd, 0) < 0 ||
	    pwrite(image_fd, data + 1, bytes - 1, 0) < 0 ||
	    ftruncate(image_fd, length) < 0 ||
	    ftruncate(initrd_fd, (off_t)(data[0] >> 1) * 8192) < 0)
		abort();
	boot = (struct boot){ image_fd, data[0] > 1 ? initrd_fd : -1, "quiet" };
	error = boot_load(&memory, &boot, &entry, &problem);
	if (error && problem.text[0] == '\0')
		abort();
	if (!error && !guest_ptr(&memory, entry.rip, 1))
		abort();
	return 0;
}
