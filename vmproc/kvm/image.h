/* SPDX-License-Identifier: ISC */
/* A kernel image on its way into guest memory, of whichever format. */
#ifndef VMSUP_VMPROC_KVM_IMAGE_H
#define VMSUP_VMPROC_KVM_IMAGE_H

#include <stddef.h>

#include "vmproc/kvm/boot.h"

#define BOOT_HEAD_BYTES 4096U /* of an image, enough for every header */
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

/* What is known of an image, and where things were put. */
struct boot_state {
	const struct memory *memory;
	const struct boot *boot;
	struct boot_problem *problem;
	uint8_t head[BOOT_HEAD_BYTES]; /* zero past the file's end */
	/* set by the loader of its kind */
	uint64_t kernel_end; /* gpa: the initrd comes after */
	uint64_t initrd_max; /* gpa: the initrd ends before */
	uint64_t cmdline_max; /* bytes, without NUL */
	/* set by boot.c */
	uint64_t initrd, initrd_bytes; /* gpa; 0 bytes: none */
	struct map_entry map[BOOT_MAP_MAX];
	unsigned int map_count;
};

struct boot_format {
	/* True if the image is of this kind, sound or not. */
	bool (*is)(const struct boot_state *state);
	/* Loads it and sets the entry. */
	int (*load)(struct boot_state *state, struct boot_entry *entry);
	/* Writes what the kernel is told, initrd and map being known. */
	int (*inform)(struct boot_state *state);
};

/* Tells the problem; returns -EINVAL. */
int image_refuse(struct boot_state *state, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Reads exactly bytes at offset of the file fd into data. what names the file in
 * a problem. 0, or -errno with the problem told. */
int image_read(struct boot_state *state, int fd, const char *what, void *data,
	       uint64_t bytes, uint64_t offset);
/* The same of the kernel. */
int image_read_kernel(struct boot_state *state, void *data, uint64_t bytes,
		      uint64_t offset);

#endif
