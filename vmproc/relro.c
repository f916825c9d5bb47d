/* SPDX-License-Identifier: ISC */
/*
 * RELRO: makes the memory read-only that only start-up may write, as tables of
 * functions, whose addresses start-up fills in.
 *
 * A dynamic loader does the same, and so does glibc in a static program; musl
 * doesn't. Doing it twice is no error.
 */
#include "vmproc/relro.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096

/* The program's first byte; the linker defines it. */
extern char program[] __asm__("__ehdr_start")
	__attribute__((visibility("hidden")));

int relro_apply(void)
{
	const Elf64_Ehdr *file = (const void *)program;
	const Elf64_Phdr *header = (const void *)(program + file->e_phoff);

	for (size_t i = 0; i < file->e_phnum; i++, header++) {
		char *begin = program + header->p_vaddr;
		char *end = begin + header->p_memsz;

		if (header->p_type != PT_GNU_RELRO)
			continue;
		begin -= (uintptr_t)begin % PAGE;
		end -= (uintptr_t)end % PAGE;
		if (mprotect(begin, (size_t)(end - begin), PROT_READ) < 0)
			return -errno;
	}
	return 0;
}
