/* SPDX-License-Identifier: ISC */
/* What a file is by its magic number: what is given by mistake for a kernel, and
 * the formats of disk images that aren't raw. */
#ifndef VMSUP_SUPERVISOR_CLI_MAGIC_H
#define VMSUP_SUPERVISOR_CLI_MAGIC_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a file's head that magic_find() needs to know everything. */
#define MAGIC_HEAD_BYTES 4096

struct magic {
	size_t offset;
	const char *bytes;
	size_t count; /* of bytes */
	const char *what; /* with its article: "a script" */
	const char *remedy; /* for a kernel; NULL: none */
	const char *format; /* of a disk image, as qemu-img -f takes it; NULL */
};

/* What the file is whose first bytes these are; NULL: nothing known. */
const struct magic *magic_find(const uint8_t *head, size_t bytes);
/* The format of the disk image of so many bytes that fd can read, for qemu-img
 * -f; NULL: a raw one, as far as can be seen, or one that can't be read. Some
 * formats are known by the file's last 512 bytes. fd mustn't be O_DIRECT. */
const char *magic_disk_format(int fd, uint64_t bytes);

#endif
