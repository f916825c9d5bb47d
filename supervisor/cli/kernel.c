/* SPDX-License-Identifier: ISC */
/* Checks the headers of a kernel's file before anything runs. */
#include "supervisor/cli/kernel.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/magic.h"

#define SECTOR_BYTES 512
#define PARAGRAPH    16ULL
#define PAGE_BYTES   4096ULL
#define MIB          (UINT64_C(1) << 20)
/* A bzImage's header (Linux, Documentation/arch/x86/boot.rst). */
#define SETUP_AT    0x1f1
#define SETUP_MAGIC 0x53726448U /* "HdrS" */
#define BOOT_FLAG   0xaa55U
/* the first version with a field for the 64-bit entry */
#define SETUP_64 0x020cU
/* ELF, and its note of the PVH entry (Xen, docs/misc/pvh.pandoc). */
#define SEGMENTS_MAX 32
#define NOTES_BYTES  16384
#define PVH_ENTRY    18 /* XEN_ELFNOTE_PHYS32_ENTRY */
/* The part of the guest's memory for kernels (vmproc/kvm/layout.h): from
 * the second MiB to the hole. */
#define RAM_FIRST MIB
#define RAM_END   (3072 * MIB)

struct look {
	const struct machine_config *machine;
	const char *vm;
	struct problem *problem;
	uint64_t bytes; /* the length of the file */
	uint64_t end; /* of the RAM for kernels */
	/* ends in the guest's memory, by the headers */
	uint64_t kernel_end, initrd_end;
};

static int truncated(const struct look *look)
{
	return problem_set(look->problem, -EINVAL,
			   "kernel %s of %s is truncated (copy it again)",
			   look->machine->kernel, look->vm);
}

static int no_kernel(const struct look *look)
{
	return problem_set(look->problem, -EINVAL,
			   "kernel %s of %s is no kernel: neither a bzImage "
			   "nor an x86-64 ELF file with a PVH entry (take "
			   "/boot/vmlinuz-..., or vmlinux)",
			   look->machine->kernel, look->vm);
}

/* Refuses a file that is no kernel; tells what it is, if its magic number
 * is known, and the remedy. */
static int is_stranger(const struct look *look, const char *what,
		       const char *remedy)
{
	return problem_set(look->problem, -EINVAL, "kernel %s of %s is %s (%s)",
			   look->machine->kernel, look->vm, what, remedy);
}

/* Refuses a kernel that no memory would be enough for. */
static int nowhere(const struct look *look)
{
	return problem_set(look->problem, -EINVAL,
			   "kernel %s of %s doesn't fit in between %llu and "
			   "%llu MiB, where kernels may lie (is it damaged? "
			   "copy it again, or take another one)",
			   look->machine->kernel, look->vm,
			   (unsigned long long)(RAM_FIRST / MIB),
			   (unsigned long long)(RAM_END / MIB));
}

/* Refuses a kernel for which the memory of the VM is too small. end: of
 * the memory that it takes. */
static int too_little(const struct look *look, uint64_t end)
{
	if (end > RAM_END)
		return nowhere(look);
	return problem_set(
		look->problem, -EINVAL,
		"%llu MiB of memory are too little for kernel %s "
		"of %s: it alone needs %llu (give the VM more)",
		(unsigned long long)(look->machine->memory_bytes / MIB),
		look->machine->kernel, look->vm,
		(unsigned long long)((end + MIB - 1) / MIB));
}

static bool read_at(const struct look *look, void *to, size_t bytes,
		    uint64_t at)
{
	return at <= INT64_MAX && pread(look->machine->kernel_fd, to, bytes,
					(off_t)at) == (ssize_t)bytes;
}

/* ---- ELF */

static bool is_pvh_entry(const Elf64_Nhdr *note, const uint8_t *name)
{
	return note->n_type == PVH_ENTRY && note->n_namesz == sizeof("Xen") &&
	       memcmp(name, "Xen", sizeof("Xen")) == 0;
}

static bool has_pvh_entry(const struct look *look, const Elf64_Phdr *segment)
{
	uint8_t notes[NOTES_BYTES];
	uint64_t bytes = segment->p_filesz < sizeof(notes) ? segment->p_filesz
							   : sizeof(notes);
	Elf64_Nhdr note;

	if (!read_at(look, notes, bytes, segment->p_offset))
		return false;
	for (uint64_t at = 0, value; bytes - at >= sizeof(note);) {
		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		value = at + ((note.n_namesz + 3ULL) & ~3ULL);
		if (value > bytes || note.n_descsz > bytes - value)
			return false;
		if (is_pvh_entry(&note, notes + at))
			return true;
		at = value + ((note.n_descsz + 3ULL) & ~3ULL);
		if (at > bytes)
			return false;
	}
	return false;
}

static bool is_whole(const struct look *look, const Elf64_Phdr *segment)
{
	uint64_t end;

	return !__builtin_add_overflow(segment->p_offset, segment->p_filesz,
				       &end) &&
	       end <= look->bytes;
}

static int look_at_segment(struct look *look, const Elf64_Phdr *segment)
{
	uint64_t end;

	if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
		return 0;
	if (segment->p_paddr < RAM_FIRST ||
	    __builtin_add_overflow(segment->p_paddr, segment->p_memsz, &end))
		return no_kernel(look);
	if (end > look->kernel_end)
		look->kernel_end = end;
	return 0;
}

static int look_at_segments(struct look *look, const Elf64_Phdr *segments,
			    unsigned int count)
{
	bool pvh = false;
	int error = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (segments[i].p_type == PT_LOAD &&
		    !is_whole(look, &segments[i]))
			return truncated(look);
		if (segments[i].p_type == PT_NOTE &&
		    has_pvh_entry(look, &segments[i]))
			pvh = true;
	}
	if (!pvh)
		return is_stranger(look, "an ELF file without a PVH entry",
				   "a kernel needs CONFIG_PVH; or take its "
				   "bzImage, /boot/vmlinuz-...");
	for (unsigned int i = 0; i < count && !error; i++)
		error = look_at_segment(look, &segments[i]);
	if (!error && look->kernel_end > look->end)
		error = too_little(look, look->kernel_end);
	return error;
}

/* ELF files for other processors, by e_machine. */
static int other_machine(const struct look *look, const Elf64_Ehdr *elf)
{
	static const struct {
		uint16_t machine;
		const char *what;
	} machines[] = {
		{ EM_386, "a 32-bit ELF file for x86" },
		{ EM_X86_64, "a 32-bit ELF file for x86-64" },
		{ EM_AARCH64, "an ELF file for arm64" },
		{ EM_ARM, "an ELF file for arm" },
		{ EM_RISCV, "an ELF file for RISC-V" },
		{ EM_PPC64, "an ELF file for PowerPC" },
		{ EM_S390, "an ELF file for s390x" },
	};
	const char *what = "an ELF file for another architecture";
	uint16_t machine = elf->e_machine;

	if (elf->e_ident[EI_DATA] == ELFDATA2MSB)
		machine = __builtin_bswap16(machine);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].machine == machine)
			what = machines[i].what;
	return is_stranger(look, what, "an x86-64 kernel is needed");
}

static int look_at_elf(struct look *look, const Elf64_Ehdr *elf)
{
	Elf64_Phdr segments[SEGMENTS_MAX];

	if (look->bytes < sizeof(*elf))
		return truncated(look);
	if (elf->e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->e_ident[EI_DATA] != ELFDATA2LSB || elf->e_machine != EM_X86_64)
		return other_machine(look, elf);
	if (elf->e_type != ET_EXEC && elf->e_type != ET_DYN)
		return is_stranger(look, "an ELF file that isn't an executable",
				   "take /boot/vmlinuz-..., or vmlinux");
	if (elf->e_phentsize != sizeof(segments[0]) || elf->e_phnum == 0 ||
	    elf->e_phnum > SEGMENTS_MAX)
		return no_kernel(look);
	if (!read_at(look, segments, elf->e_phnum * sizeof(segments[0]),
		     elf->e_phoff))
		return truncated(look);
	look->initrd_end = look->end;
	return look_at_segments(look, segments, elf->e_phnum);
}

/* ---- bzImage */

/* Whether a kernel at that place is in the part for kernels. */
static bool may_lie(uint64_t at, uint64_t bytes)
{
	return at >= RAM_FIRST && at <= RAM_END && bytes <= RAM_END - at;
}

/* The end of the memory that a kernel takes: at its preferred address or, if it
 * is relocatable and must be, lower. UINT64_MAX: it fits nowhere. */
static uint64_t place(const struct look *look,
		      const struct setup_header *header, uint64_t bytes)
{
	uint64_t alignment = header->kernel_alignment, end = UINT64_MAX;

	if (may_lie(header->pref_address, bytes))
		end = header->pref_address + bytes;
	if (end <= look->end || !header->relocatable_kernel ||
	    alignment < PAGE_BYTES || (alignment & (alignment - 1)) != 0)
		return end;
	/* no overflow: at most 33 and 36 bits */
	alignment = (RAM_FIRST + alignment - 1) & ~(alignment - 1);
	return alignment + bytes < end ? alignment + bytes : end;
}

static int look_at_bzimage(struct look *look, const struct setup_header *header)
{
	unsigned int sectors = header->setup_sects ? header->setup_sects : 4;
	uint64_t bytes = header->syssize * PARAGRAPH;

	if (header->version < SETUP_64 || !(header->xloadflags & XLF_KERNEL_64))
		return problem_set(look->problem, -EINVAL,
				   "kernel %s of %s has no 64-bit entry (an "
				   "x86-64 one is needed, Linux 3.8 or later)",
				   look->machine->kernel, look->vm);
	/* the last paragraph may be incomplete */
	if ((sectors + 1) * SECTOR_BYTES + bytes >= look->bytes + PARAGRAPH)
		return truncated(look);
	/* the memory that it needs to unpack itself */
	if (bytes < header->init_size)
		bytes = header->init_size;
	look->kernel_end = place(look, header, bytes);
	if (look->kernel_end > look->end)
		return too_little(look, look->kernel_end);
	look->initrd_end = header->initrd_addr_max + 1ULL;
	return 0;
}

/* ---- either format */

static int look_at_kernel(struct look *look)
{
	uint8_t head[MAGIC_HEAD_BYTES] = { 0 };
	ssize_t bytes = pread(look->machine->kernel_fd, head, sizeof(head), 0);
	struct setup_header setup;
	const struct magic *magic;
	Elf64_Ehdr elf;

	if (bytes < 0)
		return problem_set(look->problem, -errno,
				   "cannot read kernel %s of %s: %s",
				   look->machine->kernel, look->vm,
				   strerror(errno));
	memcpy(&elf, head, sizeof(elf));
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0)
		return look_at_elf(look, &elf);
	memcpy(&setup, head + SETUP_AT, sizeof(setup));
	if (setup.boot_flag == BOOT_FLAG && setup.header == SETUP_MAGIC)
		return look_at_bzimage(look, &setup);
	magic = magic_find(head, (size_t)bytes);
	return magic ? is_stranger(look, magic->what, magic->remedy)
		     : no_kernel(look);
}

/* The initrd goes as high as it may: kernels unpack themselves below it. */
static int look_at_initrd(const struct look *look)
{
	const struct machine_config *machine = look->machine;
	uint64_t end = look->initrd_end < look->end ? look->initrd_end
						    : look->end;
	uint64_t bytes;
	struct stat st;

	if (fstat(machine->initrd_fd, &st) < 0)
		return problem_set(look->problem, -errno,
				   "cannot read initrd %s of %s: %s",
				   machine->initrd, look->vm, strerror(errno));
	bytes = (uint64_t)st.st_size;
	if (bytes <= end &&
	    ((end - bytes) & ~(PAGE_BYTES - 1)) >= look->kernel_end)
		return 0;
	return problem_set(look->problem, -EINVAL,
			   "initrd %s of %s, %llu MiB, doesn't fit into %llu "
			   "MiB of memory beside the kernel (give the VM more)",
			   machine->initrd, look->vm,
			   (unsigned long long)((bytes + MIB - 1) / MIB),
			   (unsigned long long)(machine->memory_bytes / MIB));
}

int kernel_check(const struct machine_config *machine, const char *vm,
		 struct problem *problem)
{
	struct look look = {
		.machine = machine,
		.vm = vm,
		.problem = problem,
		.end = machine->memory_bytes < RAM_END ? machine->memory_bytes
						       : RAM_END,
	};
	struct stat st;
	int error;

	if (fstat(machine->kernel_fd, &st) < 0)
		return problem_set(problem, -errno,
				   "cannot read kernel %s of %s: %s",
				   machine->kernel, vm, strerror(errno));
	look.bytes = (uint64_t)st.st_size;
	error = look_at_kernel(&look);
	return error || machine->initrd_fd < 0 ? error : look_at_initrd(&look);
}
