/* SPDX-License-Identifier: ISC */
/* Loads a kernel and its initrd into guest memory, with what the boot protocol
 * passes to the kernel. */
#include "vmproc/kvm/boot.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "vmproc/kvm/bzimage.h"
#include "vmproc/kvm/elf.h"
#include "vmproc/kvm/layout.h"

#define PAGE 4096ULL
/* For boot_warm(): most kernels are smaller than this, unless most of the file
 * isn't loaded (debugging symbols), and most initrds end below this address. */
#define WARM_KERNEL     (64 * MIB)
#define WARM_INITRD_END (2 * GIB)

/* Stores the size of a regular file. 0, or -EINVAL with the problem set. */
static int measure_file(struct boot_state *state, int fd, const char *what,
			uint64_t *bytes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return image_refuse(state, "the %s: %s", what,
				    error_name(errno));
	if (!S_ISREG(status.st_mode))
		return image_refuse(state, "the %s is not a regular file",
				    what);
	if (status.st_size <= 0)
		return image_refuse(state, "the %s is empty", what);
	*bytes = (uint64_t)status.st_size;
	return 0;
}

int boot_measure(struct boot *boot, struct boot_problem *problem)
{
	struct boot_state state = { .problem = problem };
	int error = measure_file(&state, boot->kernel_fd, "kernel",
				 &boot->kernel_bytes);

	boot->initrd_bytes = 0;
	if (!error && boot->initrd_fd >= 0)
		error = measure_file(&state, boot->initrd_fd, "initrd",
				     &boot->initrd_bytes);
	return error;
}

/* Writes a zero to each page, which holds only zeroes so far. */
static void touch_pages(const struct memory *memory, uint64_t gpa,
			uint64_t bytes)
{
	volatile uint8_t *at =
		gpa >= LAYOUT_HIGH ? guest_ptr(memory, gpa, bytes) : NULL;

	for (uint64_t offset = 0; at && offset < bytes; offset += PAGE)
		at[offset] = 0;
}

void boot_warm(const struct memory *memory, const struct boot *boot)
{
	uint64_t end = memory->region[0].bytes;

	if (boot->kernel_bytes <= WARM_KERNEL)
		touch_pages(memory, LAYOUT_KERNEL, boot->kernel_bytes);
	if (end > WARM_INITRD_END)
		end = WARM_INITRD_END;
	if (boot->initrd_bytes < end)
		touch_pages(memory, (end - boot->initrd_bytes) & ~(PAGE - 1),
			    boot->initrd_bytes);
}

/* Reads the part that has the headers of all formats. */
static int read_head(struct boot_state *state)
{
	uint64_t head = state->boot->kernel_bytes;

	if (head > sizeof(state->head))
		head = sizeof(state->head);
	return image_read_kernel(state, state->head, head, 0);
}

/* The format of the image; NULL: it has none that is known. */
static const struct boot_format *find_format(const struct boot_state *state)
{
	static const struct boot_format *const formats[] = { &bzimage_format,
							     &elf_format };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i]->is(state))
			return formats[i];
	return NULL;
}

/* The initrd goes as high as it may: kernels unpack themselves below it. */
static int load_initrd(struct boot_state *state)
{
	uint64_t limit = state->memory->region[0].bytes;
	uint64_t bytes = state->boot->initrd_bytes, gpa;
	void *at;

	if (state->boot->initrd_fd < 0)
		return 0;
	if (limit > state->initrd_max)
		limit = state->initrd_max;
	if (bytes > limit)
		gpa = 0;
	else
		gpa = (limit - bytes) & ~(PAGE - 1);
	at = gpa >= state->kernel_end ? guest_ptr(state->memory, gpa, bytes)
				      : NULL;
	if (!at)
		return image_refuse(
			state,
			"the initrd of %llu KiB doesn't fit into %llu MiB of "
			"memory beside the kernel (give the VM more memory)",
			(unsigned long long)(bytes / KIB),
			(unsigned long long)(state->memory->bytes / MIB));
	state->initrd = gpa;
	state->initrd_bytes = bytes;
	return image_read(state, state->boot->initrd_fd, "initrd", at, bytes,
			  0);
}

static int load_cmdline(struct boot_state *state)
{
	size_t bytes = strlen(state->boot->cmdline);
	void *at = guest_ptr(state->memory, LAYOUT_CMDLINE, bytes + 1);

	if (bytes > state->cmdline_max || !at)
		return image_refuse(state,
				    "the command line of %zu bytes is longer "
				    "than this kernel takes (%llu)",
				    bytes,
				    (unsigned long long)state->cmdline_max);
	memcpy(at, state->boot->cmdline, bytes + 1);
	return 0;
}

static void add_map(struct boot_state *state, uint64_t gpa, uint64_t end,
		    uint32_t type)
{
	if (gpa < end)
		state->map[state->map_count++] =
			(struct map_entry){ gpa, end - gpa, type };
}

static void make_map(struct boot_state *state)
{
	const struct memory_region *region = state->memory->region;

	add_map(state, 0, LAYOUT_LOW_END, MAP_RAM);
	add_map(state, LAYOUT_LOW_END, LAYOUT_HIGH, MAP_RESERVED);
	add_map(state, LAYOUT_HIGH, region[0].bytes, MAP_RAM);
	add_map(state, LAYOUT_ECAM, LAYOUT_ECAM_END, MAP_RESERVED);
	add_map(state, region[1].gpa, region[1].gpa + region[1].bytes, MAP_RAM);
}

int boot_load(const struct memory *memory, const struct boot *boot,
	      struct boot_entry *entry, struct boot_problem *problem)
{
	struct boot_state state = {
		.memory = memory,
		.boot = boot,
		.problem = problem,
	};
	const struct boot_format *format;
	int error;

	memset(problem, 0, sizeof(*problem));
	memset(entry, 0, sizeof(*entry));
	if (memory->region[0].bytes < 2 * MIB)
		return image_refuse(&state, "too little memory for any kernel");
	error = read_head(&state);
	if (error)
		return error;
	format = find_format(&state);
	if (!format)
		return image_refuse(&state,
				    "the kernel is not a kernel (a bzImage or "
				    "an ELF file with a PVH note is needed)");
	error = format->load(&state, entry);
	if (!error)
		error = load_initrd(&state);
	if (!error)
		error = load_cmdline(&state);
	if (error)
		return error;
	make_map(&state);
	entry->info = LAYOUT_BOOT_INFO;
	return format->inform(&state);
}
