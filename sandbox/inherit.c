/* SPDX-License-Identifier: ISC */
/*
 * What a child of fork gets of this process's memory.
 *
 * Theory of operation: a fork copies the page tables of the caller, and each of
 * the caller's mappings, of which a dozen libraries make some eighty. A VM
 * process throws all of it away by its exec, within a fraction of a
 * millisecond, after stage 1, which uses nothing but the program itself, the C
 * library and the stack. So whatever else there is isn't copied
 * (MADV_DONTFORK): the fork and the exec cost half, the supervisor doesn't have
 * to copy each page that it writes to afterwards, and what the supervisor has
 * on its heap was never in any VM process, not even before its exec.
 *
 * Memory that belongs to none of these is copied, as by any fork.
 */
#include "sandbox/inherit.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ipc/fd.h"

/* The end of the program's static data, by ld(1): the heap lies above. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl*): ld(1) names it so */
extern char _end[];

struct range {
	uintptr_t begin, end;
};

static bool holds(const struct range *range, uintptr_t address)
{
	return address >= range->begin && address < range->end;
}

static uintptr_t page_below(uintptr_t address)
{
	return address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static uintptr_t page_above(uintptr_t address)
{
	return page_below(address + (uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

/* A gap within the range is no matter: the kernel does the rest of the range,
 * and says ENOMEM at its end. */
static void advise(const struct range *range, int advice)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader's */
	void *begin = (void *)range->begin;

	if (range->end > range->begin)
		(void)madvise(begin, range->end - range->begin, advice);
}

static struct range range_of(const struct dl_phdr_info *object)
{
	struct range range = { UINTPTR_MAX, 0 };

	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uintptr_t begin = object->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD)
			continue;
		if (page_below(begin) < range.begin)
			range.begin = page_below(begin);
		if (page_above(begin + part->p_memsz) > range.end)
			range.end = page_above(begin + part->p_memsz);
	}
	return range;
}

/* Whether stage 1 uses that object: the program, the loader, the kernel's own,
 * or the C library. A library that replaces one of these functions of the C
 * library (LD_PRELOAD) counts as well. */
static bool is_needed(const struct range *range)
{
	static const struct {
		void (*any)(void);
	} functions[] = {
		{ (void (*)(void))prctl },    { (void (*)(void))close },
		{ (void (*)(void))dup2 },     { (void (*)(void))setresuid },
		{ (void (*)(void))snprintf },
	};
	/* the program, the loader, and the kernel's own */
	const uintptr_t addresses[] = {
		(uintptr_t)&inherit_all,
		getauxval(AT_BASE),
		getauxval(AT_SYSINFO_EHDR),
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (holds(range, (uintptr_t)functions[i].any))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		if (holds(range, addresses[i]))
			return true;
	return false;
}

static int advise_library(struct dl_phdr_info *object, size_t bytes, void *ctx)
{
	const struct range range = range_of(object);
	const int *advice = ctx;

	(void)bytes;
	if (!is_needed(&range))
		advise(&range, *advice);
	return 0;
}

static void advise_heap(int advice)
{
	const struct range heap = {
		page_above((uintptr_t)_end),
		page_below((uintptr_t)sbrk(0)),
	};

	advise(&heap, advice);
}

static bool little;

void inherit_little(void)
{
	int advice = MADV_DONTFORK;

	if (INHERIT_SANITIZED)
		return;
	if (!little)
		dl_iterate_phdr(advise_library, &advice);
	little = true;
	advise_heap(advice);
}

void inherit_all(void)
{
	int advice = MADV_DOFORK;

	if (!little)
		return;
	dl_iterate_phdr(advise_library, &advice);
	little = false;
	advise_heap(advice);
}
