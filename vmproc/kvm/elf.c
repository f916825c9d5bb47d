/* SPDX-License-Identifier: ISC */
/* ELF kernels with a PVH entry (Xen, docs/misc/pvh.pandoc: the start info). */
#include "vmproc/kvm/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "ipc/fd.h"
#include "vmproc/kvm/layout.h"

#define SEGMENTS_MAX   32
#define NOTES_BYTES    16384ULL
#define NOTE_PVH_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define CMDLINE_BYTES  2047
#define START_MAGIC    0x336ec578U
#define START_VERSION  1

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, cmdline, rsdp;
	uint64_t map; /* of version 1 on */
	uint32_t map_entries, reserved;
};
struct start_module {
	uint64_t gpa, bytes, cmdline, reserved;
};
struct start_map {
	uint64_t gpa, bytes;
	uint32_t type, reserved;
};

/* As it lies in memory at LAYOUT_BOOT_INFO. */
struct start {
	struct start_info info;
	struct start_module module;
	struct start_map map[BOOT_MAP_MAX];
};

static Elf64_Ehdr header_of(const struct boot_state *state)
{
	Elf64_Ehdr header;

	memcpy(&header, state->head, sizeof(header));
	return header;
}

static bool is_elf(const struct boot_state *state)
{
	return memcmp(state->head, ELFMAG, SELFMAG) == 0;
}

static int check_header(struct boot_state *state, const Elf64_Ehdr *header)
{
	if (state->boot->kernel_bytes < sizeof(*header))
		return image_refuse(state, "the kernel is truncated");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return image_refuse(state,
				    "the kernel is none for x86-64: ELF class "
				    "%u, machine %u",
				    header->e_ident[EI_CLASS],
				    header->e_machine);
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return image_refuse(state, "the kernel is no ELF executable");
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    header->e_phnum > SEGMENTS_MAX)
		return image_refuse(state,
				    "the kernel has %u ELF segments (1 to %d "
				    "are taken)",
				    header->e_phnum, SEGMENTS_MAX);
	if (header->e_phoff > state->boot->kernel_bytes ||
	    header->e_phnum * sizeof(Elf64_Phdr) >
		    state->boot->kernel_bytes - header->e_phoff)
		return image_refuse(state, "the kernel is truncated");
	return 0;
}

static bool within_file(const struct boot_state *state, const Elf64_Phdr *at)
{
	return at->p_offset <= state->boot->kernel_bytes &&
	       at->p_filesz <= state->boot->kernel_bytes - at->p_offset;
}

/* RAM is zero from the start: what the file doesn't fill needs no clearing. */
static int load_segment(struct boot_state *state, const Elf64_Phdr *segment)
{
	uint64_t gpa = segment->p_paddr;

	if (segment->p_memsz == 0)
		return 0;
	if (!within_file(state, segment))
		return image_refuse(state, "the kernel is truncated");
	if (segment->p_filesz > segment->p_memsz)
		return image_refuse(state, "the kernel has a segment larger in "
					   "the file than in memory");
	if (gpa < LAYOUT_HIGH || gpa + segment->p_memsz > LAYOUT_HOLE ||
	    !guest_ptr(state->memory, gpa, segment->p_memsz))
		return image_refuse(
			state,
			"too little memory: the kernel needs %llu KiB from "
			"address %#llx on (give the VM more memory)",
			(unsigned long long)(segment->p_memsz / KIB),
			(unsigned long long)gpa);
	if (gpa + segment->p_memsz > state->kernel_end)
		state->kernel_end = gpa + segment->p_memsz;
	if (segment->p_filesz == 0)
		return 0;
	return image_read_kernel(
		state, guest_ptr(state->memory, gpa, segment->p_filesz),
		segment->p_filesz, segment->p_offset);
}

/* One note at offset: true if it is the entry; *next is where the next one
 * begins (bytes: no more). */
static bool note_entry(const uint8_t *notes, uint64_t bytes, uint64_t offset,
		       uint64_t *next, uint64_t *entry)
{
	Elf64_Nhdr note;
	uint64_t name, value;

	*next = bytes;
	if (bytes - offset < sizeof(note))
		return false;
	memcpy(&note, notes + offset, sizeof(note));
	name = offset + sizeof(note);
	value = name + ((note.n_namesz + 3ULL) & ~3ULL);
	if (value > bytes || note.n_descsz > bytes - value)
		return false;
	*next = value + ((note.n_descsz + 3ULL) & ~3ULL);
	if (*next > bytes)
		*next = bytes;
	if (note.n_type != NOTE_PVH_ENTRY || note.n_namesz != sizeof("Xen") ||
	    memcmp(notes + name, "Xen", sizeof("Xen")) != 0 ||
	    (note.n_descsz != 4 && note.n_descsz != 8))
		return false;
	*entry = 0;
	memcpy(entry, notes + value, note.n_descsz);
	return true;
}

static int find_entry(struct boot_state *state, const Elf64_Phdr *segment,
		      uint64_t *entry)
{
	uint8_t notes[NOTES_BYTES];
	uint64_t bytes = segment->p_filesz;
	int error;

	if (!within_file(state, segment))
		return image_refuse(state, "the kernel is truncated");
	if (bytes > sizeof(notes))
		bytes = sizeof(notes);
	error = image_read_kernel(state, notes, bytes, segment->p_offset);
	for (uint64_t at = 0; !error && at < bytes;)
		if (note_entry(notes, bytes, at, &at, entry))
			break;
	return error;
}

static int load_elf(struct boot_state *state, struct boot_entry *entry)
{
	Elf64_Ehdr header = header_of(state);
	Elf64_Phdr segments[SEGMENTS_MAX];
	int error = check_header(state, &header);

	entry->pvh = true;
	if (!error)
		error = image_read_kernel(state, segments,
					  header.e_phnum * sizeof(segments[0]),
					  header.e_phoff);
	for (unsigned int i = 0; !error && i < header.e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD)
			error = load_segment(state, &segments[i]);
		else if (segments[i].p_type == PT_NOTE)
			error = find_entry(state, &segments[i], &entry->rip);
	}
	if (error)
		return error;
	if (entry->rip == 0)
		return image_refuse(state, "the kernel has no PVH entry note "
					   "(CONFIG_PVH)");
	if (entry->rip < LAYOUT_HIGH || entry->rip >= state->kernel_end)
		return image_refuse(state,
				    "the kernel's PVH entry %#llx is not "
				    "within it",
				    (unsigned long long)entry->rip);
	state->initrd_max = LAYOUT_HOLE;
	state->cmdline_max = CMDLINE_BYTES;
	return 0;
}

static int inform_elf(struct boot_state *state)
{
	uint64_t gpa = LAYOUT_BOOT_INFO;
	struct start start = {
		.info = {
			.magic = START_MAGIC,
			.version = START_VERSION,
			.cmdline = LAYOUT_CMDLINE,
			.rsdp = LAYOUT_ACPI,
			.map = gpa + offsetof(struct start, map),
			.map_entries = state->map_count,
		},
		.module = {
			.gpa = state->initrd,
			.bytes = state->initrd_bytes,
		},
	};
	void *at = guest_ptr(state->memory, gpa, sizeof(start));

	if (state->initrd_bytes) {
		start.info.modules = 1;
		start.info.module_list = gpa + offsetof(struct start, module);
	}
	for (unsigned int i = 0; i < state->map_count; i++)
		start.map[i] = (struct start_map){
			.gpa = state->map[i].gpa,
			.bytes = state->map[i].bytes,
			.type = state->map[i].type,
		};
	if (!at)
		return -ENOSPC;
	memcpy(at, &start, sizeof(start));
	return 0;
}

const struct boot_format elf_format = {
	.is = is_elf,
	.load = load_elf,
	.inform = inform_elf,
};
