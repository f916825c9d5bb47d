/* SPDX-License-Identifier: ISC */
/* Tells what a file is, by its magic number: files that are taken for kernels
 * by mistake, and disk images that aren't raw. */
#ifndef VMSUP_SUPERVISOR_CLI_MAGIC_H
#define VMSUP_SUPERVISOR_CLI_MAGIC_H

#include <stddef.h>
#include <stdint.h>

/* The bytes at the beginning of a file that magic_find() looks at. */
#define MAGIC_HEAD_BYTES 4096

struct magic {
	size_t offset;
	const char *bytes;
	size_t count; /* the length of bytes */
	const char *what; /* what the file is, with its article: "a script" */
	const char *remedy; /* if it was given as a kernel; NULL: none */
	/* of a disk image, for qemu-img -f; NULL: it is none */
	const char *format;
};

/* Finds what a file is by its first bytes. NULL: it isn't known. */
const struct magic *magic_find(const uint8_t *head, size_t bytes);
/* Finds the format of a disk image, for qemu-img -f. bytes: its length; some
 * formats are known by the last 512. NULL: the image seems to be raw, or can't
 * be read. fd must not be O_DIRECT. */
const char *magic_disk_format(int fd, uint64_t bytes);

#endif
