/* SPDX-License-Identifier: ISC */
/* bzImage, entered in 64-bit mode (Linux, Documentation/arch/x86/boot.rst). */
#include "vmproc/kvm/bzimage.h"

#include <asm/bootparam.h>
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ipc/fd.h"
#include "vmproc/kvm/layout.h"

#define SECTOR          512ULL
#define PARAGRAPH       16ULL
#define SETUP_MAGIC     0x53726448U /* "HdrS" */
#define BOOT_FLAG       0xaa55U
#define VERSION_64      0x020cU /* the first that tells of a 64-bit entry */
#define ENTRY_64        0x200U
#define LOADER_UNKNOWN  0xffU
#define HEADER_OFFSET   offsetof(struct boot_params, hdr)
#define SETUP_SECTS_OLD 4U

static_assert(HEADER_OFFSET == 0x1f1, "boot protocol: the setup header");
static_assert(sizeof(struct boot_params) == 4096, "boot protocol: zero page");

static struct setup_header header_of(const struct boot_state *state)
{
	struct setup_header header;

	memcpy(&header, state->head + HEADER_OFFSET, sizeof(header));
	return header;
}

static bool is_bzimage(const struct boot_state *state)
{
	struct setup_header header = header_of(state);

	return header.boot_flag == BOOT_FLAG && header.header == SETUP_MAGIC;
}

/* Bytes of the real-mode part, which isn't loaded. */
static uint64_t setup_bytes(const struct setup_header *header)
{
	unsigned int sectors = header->setup_sects ? header->setup_sects
						   : SETUP_SECTS_OLD;

	return (sectors + 1) * SECTOR;
}

/* Bytes of the protected-mode part by the file; 0: it ends before. The header
 * counts them in paragraphs of 16 bytes, the last of which may be a part of
 * one. */
static uint64_t code_bytes(const struct boot_state *state,
			   const struct setup_header *header)
{
	uint64_t bytes = header->syssize * PARAGRAPH;
	uint64_t file = state->boot->kernel_bytes, setup = setup_bytes(header);

	if (file <= setup || file - setup + PARAGRAPH <= bytes)
		return 0;
	return file - setup < bytes ? file - setup : bytes;
}

static int check_header(struct boot_state *state,
			const struct setup_header *header)
{
	uint64_t bytes = header->syssize * PARAGRAPH;

	if (header->version < VERSION_64)
		return image_refuse(state,
				    "the kernel is too old: its boot protocol "
				    "is %u.%02u (2.12 is needed)",
				    header->version >> 8,
				    header->version & 0xffU);
	if (!(header->xloadflags & XLF_KERNEL_64))
		return image_refuse(state, "the kernel is none for x86-64: it "
					   "has no 64-bit entry");
	if (!(header->loadflags & LOADED_HIGH))
		return image_refuse(state,
				    "the kernel is a zImage (a bzImage is "
				    "needed)");
	if (bytes <= ENTRY_64)
		return image_refuse(state, "the kernel is empty");
	if (code_bytes(state, header) == 0)
		return image_refuse(
			state, "the kernel is truncated: %llu bytes of %llu",
			(unsigned long long)state->boot->kernel_bytes,
			(unsigned long long)setup_bytes(header) + bytes);
	return 0;
}

/* Where it goes: where it wants to be, or lower if it can and must. */
static uint64_t place_kernel(const struct boot_state *state,
			     const struct setup_header *header, uint64_t bytes)
{
	uint64_t alignment = header->kernel_alignment;
	uint64_t wanted = header->pref_address;

	if (wanted >= LAYOUT_HIGH && guest_ptr(state->memory, wanted, bytes))
		return wanted;
	if (!header->relocatable_kernel || alignment < 4096 ||
	    (alignment & (alignment - 1)) != 0)
		return 0;
	wanted = (LAYOUT_HIGH + alignment - 1) & ~(alignment - 1);
	return guest_ptr(state->memory, wanted, bytes) ? wanted : 0;
}

static int load_bzimage(struct boot_state *state, struct boot_entry *entry)
{
	struct setup_header header = header_of(state);
	uint64_t bytes, needed, gpa;
	int error = check_header(state, &header);

	if (error)
		return error;
	bytes = code_bytes(state, &header);
	/* what it needs to unpack itself, at least what is loaded */
	needed = header.init_size > bytes ? header.init_size : bytes;
	gpa = place_kernel(state, &header, needed);
	if (!gpa || gpa + needed > LAYOUT_HOLE)
		return image_refuse(
			state,
			"too little memory: the kernel alone needs %llu MiB, "
			"from address %#llx on (give the VM more memory)",
			(unsigned long long)((needed + MIB - 1) / MIB),
			(unsigned long long)header.pref_address);
	state->kernel_end = gpa + needed;
	state->initrd_max = header.initrd_addr_max + 1ULL;
	state->cmdline_max = header.cmdline_size;
	entry->rip = gpa + ENTRY_64;
	return image_read_kernel(state, guest_ptr(state->memory, gpa, bytes),
				 bytes, setup_bytes(&header));
}

static int inform_bzimage(struct boot_state *state)
{
	struct boot_params params = { .hdr = header_of(state) };
	void *at = guest_ptr(state->memory, LAYOUT_BOOT_INFO, sizeof(params));

	params.hdr.type_of_loader = LOADER_UNKNOWN;
	params.hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	params.hdr.ramdisk_image = (uint32_t)state->initrd;
	params.hdr.ramdisk_size = (uint32_t)state->initrd_bytes;
	params.hdr.code32_start = 0; /* nobody's business past 2.12 */
	params.hdr.setup_data = 0;
	params.acpi_rsdp_addr = LAYOUT_ACPI;
	for (unsigned int i = 0; i < state->map_count; i++) {
		params.e820_table[i].addr = state->map[i].gpa;
		params.e820_table[i].size = state->map[i].bytes;
		params.e820_table[i].type = state->map[i].type;
	}
	params.e820_entries = (uint8_t)state->map_count;
	if (!at)
		return -ENOSPC;
	memcpy(at, &params, sizeof(params));
	return 0;
}

const struct boot_format bzimage_format = {
	.is = is_bzimage,
	.load = load_bzimage,
	.inform = inform_bzimage,
};
