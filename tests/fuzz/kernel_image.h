/* SPDX-License-Identifier: ISC */
/*
 * Kernel images of any bytes, or with headers that are nearly right, for the
 * harnesses of those who read them.
 */
#ifndef VMSUP_TESTS_FUZZ_KERNEL_IMAGE_H
#define VMSUP_TESTS_FUZZ_KERNEL_IMAGE_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (64U * 1024)
#define NOTES_AT 0x2000
#define SEGMENTS 34 /* more than are taken */
/* Where kernels may begin in the guest's memory. */
#define HIGH 0x100000ULL

static uint8_t image[FILE_MAX];

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t take(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	for (; bytes > 0 && input->left > 0; bytes--, input->left--)
		value = value << 8 | *input->at++;
	return value;
}

/* Small mostly, or of any size. */
static inline uint64_t take_number(struct input *input)
{
	static const uint8_t widths[] = { 1, 2, 2, 3, 3, 4, 8, 2 };

	return take(input, widths[take(input, 1) % 8]);
}

static inline void make_bytes(struct input *input)
{
	size_t bytes = input->left < FILE_MAX ? input->left : FILE_MAX;

	memcpy(image, input->at, bytes);
}

static inline void make_bzimage(struct input *input)
{
	uint8_t kind = (uint8_t)take(input, 1);
	struct setup_header header = {
		.setup_sects = (uint8_t)take(input, 1),
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = kind & 1 ? (uint16_t)take(input, 2) : 0x020f,
		.xloadflags = kind & 2 ? (uint16_t)take(input, 2) : 1,
		.loadflags = kind & 4 ? (uint8_t)take(input, 1) : 1,
		.relocatable_kernel = kind >> 3 & 1,
		.syssize = (uint32_t)take_number(input),
		.init_size = (uint32_t)take_number(input),
		.pref_address = take_number(input),
		.kernel_alignment = kind & 16 ? (uint32_t)take(input, 4)
					      : 4096U << (kind >> 5),
		.initrd_addr_max = (uint32_t)take_number(input) * 256U - 1,
		.cmdline_size = (uint32_t)take_number(input),
	};

	memcpy(image + offsetof(struct boot_params, hdr), &header,
	       sizeof(header));
}

static inline void make_notes(struct input *input)
{
	uint8_t *at = image + NOTES_AT;

	for (unsigned int count = take(input, 1) % 8; count > 0; count--) {
		uint8_t kind = (uint8_t)take(input, 1);
		Elf64_Nhdr note = {
			.n_namesz = kind & 1 ? (uint32_t)take_number(input) : 4,
			.n_descsz = kind & 2 ? (uint32_t)take_number(input)
					     : 4U << (kind >> 7),
			.n_type = kind & 4 ? (uint32_t)take(input, 1) : 18,
		};
		uint64_t entry = HIGH + take_number(input);

		memcpy(at, &note, sizeof(note));
		at += sizeof(note);
		memcpy(at, "Xen", 4);
		memcpy(at + 4, &entry, sizeof(entry));
		at += 4 + (kind & 0x78);
	}
}

static inline void make_elf(struct input *input)
{
	uint8_t kind = (uint8_t)take(input, 1);
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phoff = kind & 1 ? take_number(input) : sizeof(header),
		.e_phnum =
			(uint16_t)(kind & 2 ? take(input, 2) : kind % SEGMENTS),
	};

	memcpy(image, &header, sizeof(header));
	for (unsigned int i = 0; i < SEGMENTS && input->left > 0; i++) {
		uint8_t what = (uint8_t)take(input, 1);
		Elf64_Phdr segment = {
			.p_type = what & 1 ? PT_LOAD : PT_NOTE,
			.p_offset = what & 2 ? take_number(input) : NOTES_AT,
			.p_filesz = take_number(input),
			.p_memsz = take_number(input),
			.p_paddr = what & 4 ? take(input, 8)
					    : HIGH + take_number(input),
		};

		if (what & 8)
			segment.p_memsz += segment.p_filesz;
		memcpy(image + sizeof(header) + i * sizeof(segment), &segment,
		       sizeof(segment));
		if (i == 2)
			make_notes(input);
	}
}

/* An image of that kind: any bytes, a bzImage or an ELF file. */
static inline void make_image(struct input *input, unsigned int kind)
{
	static void (*const make[])(
		struct input * input) = { make_bytes, make_bzimage, make_elf };

	memset(image, 0, sizeof(image));
	make[kind % 3](input);
}

/* The image as far as length, which may be beyond what there is or cut it. */
static inline void write_image(int fd, off_t length)
{
	size_t bytes = (size_t)length < FILE_MAX ? (size_t)length : FILE_MAX;

	if (ftruncate(fd, 0) < 0 || pwrite(fd, image, bytes, 0) < 0 ||
	    ftruncate(fd, length) < 0)
		abort();
}

#endif
