/* SPDX-License-Identifier: ISC */
/*
 * Kernel images of any bytes, or with headers that are nearly right: loaded or
 * refused with a reason, and nothing written but within the memory
 * (AddressSanitizer watches its edges).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fuzz/kernel_image.h"
#include "vmproc/kvm/boot.h"
#include "vmproc/kvm/layout.h"

#define MEMORY_BYTES (4 * MIB)
#define CMDLINE_MAX  4095

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static char cmdline[CMDLINE_MAX + 1];
	struct input input = { data, bytes };
	uint64_t kind = take(&input, 1), initrd = take(&input, 1);
	off_t length = kind & 0x80 ? (off_t)(take(&input, 3) % MEMORY_BYTES)
				   : (off_t)FILE_MAX;
	size_t words = kind & 0x40 ? take(&input, 2) % CMDLINE_MAX : 5;
	struct boot_problem problem;
	struct boot_entry entry;
	struct boot boot;
	int error;

	if (image_fd < 0)
		begin();
	memset(cmdline, 0, sizeof(cmdline));
	memset(cmdline, 'x', words);
	make_image(&input, (unsigned int)kind);
	write_image(image_fd, length);
	if (ftruncate(initrd_fd, (off_t)initrd * 8192) < 0)
		abort();
	boot = (struct boot){ image_fd, initrd ? initrd_fd : -1, cmdline, 0,
			      0 };
	error = boot_measure(&boot, &problem);
	/* the files may change after that */
	if (kind & 0x20 && (ftruncate(image_fd, length / 2) < 0 ||
			    ftruncate(initrd_fd, 0) < 0))
		abort();
	if (!error)
		error = boot_load(&memory, &boot, &entry, &problem);
	if (error && problem.text[0] == '\0')
		abort();
	if (!error && !guest_ptr(&memory, entry.rip, 1))
		abort();
	return 0;
}
