/* SPDX-License-Identifier: ISC */
/* A kernel image that is being loaded, of any format. */
#ifndef VMSUP_VMPROC_KVM_IMAGE_H
#define VMSUP_VMPROC_KVM_IMAGE_H

#include <stddef.h>

#include "vmproc/kvm/boot.h"

#define BOOT_HEAD_BYTES 4096U /* of an image: the headers of all formats */
#define BOOT_MAP_MAX    8

/* Types of memory, the same for both boot protocols. */
enum {
	MAP_RAM = 1,
	MAP_RESERVED = 2
};
struct map_entry {
	uint64_t gpa, bytes;
	uint32_t type;
};

/* The image, and where its parts are in guest memory. */
struct boot_state {
	const struct memory *memory;
	const struct boot *boot;
	struct boot_problem *problem;
	uint8_t head[BOOT_HEAD_BYTES]; /* zero past the file's end */
	/* set by the loader of the format */
	uint64_t kernel_end; /* gpa; the initrd is placed above */
	uint64_t initrd_max; /* gpa; the initrd must end below */
	uint64_t cmdline_max; /* bytes, without NUL */
	/* set by boot.c */
	uint64_t initrd, initrd_bytes; /* gpa; 0 bytes: none */
	struct map_entry map[BOOT_MAP_MAX];
	unsigned int map_count;
};

struct boot_format {
	/* True if the image has this format, valid or not. */
	bool (*is)(const struct boot_state *state);
	/* Loads the image and sets entry. 0, or -errno with the problem set. */
	int (*load)(struct boot_state *state, struct boot_entry *entry);
	/* Writes the structure that the boot protocol passes to the kernel; the
	 * initrd and the memory map are known. 0 or -errno. */
	int (*inform)(struct boot_state *state);
};

/* Sets the problem. Returns -EINVAL. */
int image_refuse(struct boot_state *state, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Reads exactly so many bytes at offset of the file fd into data. what names
 * the file in the problem. 0, or -errno with the problem set. */
int image_read(struct boot_state *state, int fd, const char *what, void *data,
	       uint64_t bytes, uint64_t offset);
/* The same for the file of the kernel. */
int image_read_kernel(struct boot_state *state, void *data, uint64_t bytes,
		      uint64_t offset);

#endif
