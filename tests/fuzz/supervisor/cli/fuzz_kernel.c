/* SPDX-License-Identifier: ISC */
/*
 * Kernel images as "start" and "run" look at them, with root's rights and no
 * cage: taken or refused with a reason, and nothing read but what is there
 * (AddressSanitizer watches). What is taken with some memory is taken with
 * more; what is refused for want of memory is taken with as much as the reason
 * says.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "supervisor/cli/kernel.h"
#include "tests/fuzz/kernel_image.h"

#define MIB 0x100000ULL
/* Where the memory ends that a kernel may lie in. */
#define MEMORY_MOST (3072 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int image_fd = -1, initrd_fd = -1;

static void begin(void)
{
	image_fd = memfd_create("image", MFD_CLOEXEC);
	initrd_fd = memfd_create("initrd", MFD_CLOEXEC);
	if (image_fd < 0 || initrd_fd < 0)
		abort();
}

/* What is said is said if and only if it is refused. */
static int check(const struct machine_config *machine, struct problem *problem)
{
	int error;

	problem->text[0] = '\0';
	error = kernel_check(machine, "vm0", problem);
	if (!error != !problem->text[0])
		abort();
	return error;
}

/* The MiB that a refusal asks for; 0: it asks for none. */
static unsigned long long asked_mib(const struct problem *problem)
{
	const char *at = strstr(problem->text, "it alone needs ");
	unsigned long long mib = 0;

	if (at && (sscanf(at, "it alone needs %llu", &mib) != 1 || mib == 0))
		abort();
	return mib;
}

/* More of anything does a kernel no harm. */
static void with_more(struct machine_config *machine, off_t length)
{
	struct problem problem;

	machine->memory_bytes = MEMORY_MOST;
	if (check(machine, &problem) < 0)
		abort();
	if (ftruncate(image_fd, length + 4096) < 0 ||
	    check(machine, &problem) < 0)
		abort();
}

static void with_what_it_asks_for(struct machine_config *machine,
				  unsigned long long mib)
{
	struct problem problem;

	if (mib * MIB <= machine->memory_bytes || mib * MIB > MEMORY_MOST)
		abort();
	machine->memory_bytes = mib * MIB;
	if (check(machine, &problem) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input input = { data, bytes };
	unsigned int kind = (unsigned int)take(&input, 1);
	struct machine_config machine = {
		.kernel = "/kernel",
		.initrd = "/initrd",
		.initrd_fd = -1,
		.memory_bytes = (take(&input, 2) % 4096 + 1) * MIB,
	};
	off_t initrd = (off_t)(take(&input, 2) * 0x10000);
	/* cut, as it is, or far larger on its disk than it looks */
	off_t length = kind & 0x80 ? (off_t)(take_number(&input) >> 1)
				   : (off_t)FILE_MAX;
	struct problem problem;
	int error;

	if (image_fd < 0)
		begin();
	machine.kernel_fd = image_fd;
	make_image(&input, kind);
	write_image(image_fd, length);
	error = check(&machine, &problem);
	if (error && asked_mib(&problem))
		with_what_it_asks_for(&machine, asked_mib(&problem));
	else if (!error && machine.memory_bytes <= MEMORY_MOST &&
		 length < INT64_MAX - 4096)
		with_more(&machine, length);
	machine.initrd_fd = initrd_fd;
	if (ftruncate(initrd_fd, initrd) < 0)
		abort();
	(void)check(&machine, &problem);
	return 0;
}
