/* SPDX-License-Identifier: ISC */
/* Kernel images, sound and not: what is loaded where, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmproc/kvm/acpi.h"
#include "vmproc/kvm/boot.h"
#include "vmproc/kvm/layout.h"

#define SETUP_BYTES  1024 /* one sector, and the first */
#define KERNEL_BYTES 4096
#define MEMORY_BYTES (64 * MIB)

static struct memory memory;
static struct boot_entry entry;
static struct boot_problem problem;
static uint8_t image[SETUP_BYTES + KERNEL_BYTES];

static struct setup_header *header(void)
{
	return (struct setup_header *)(void *)(image + 0x1f1);
}

static int file_of(const void *data, size_t bytes)
{
	int fd = memfd_create("image", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), (ssize_t)bytes);
	return fd;
}

static int setup(void **state)
{
	(void)state;
	memset(image, 0, sizeof(image));
	memset(image + SETUP_BYTES, 0xaa, KERNEL_BYTES);
	*header() = (struct setup_header){
		.setup_sects = 1,
		.syssize = KERNEL_BYTES / 16,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 255,
		.pref_address = 0x1000000,
		.init_size = 0x100000,
	};
	return memory_init(&memory, MEMORY_BYTES, false);
}

static int teardown(void **state)
{
	(void)state;
	memory_uninit(&memory);
	return 0;
}

static int load_image(const void *data, size_t bytes, int initrd_fd,
		      const char *cmdline)
{
	int fd = file_of(data, bytes);
	struct boot boot = { fd, initrd_fd, cmdline, 0, 0 };
	int error = boot_measure(&boot, &problem);

	if (!error)
		error = boot_load(&memory, &boot, &entry, &problem);

	close(fd);
	return error;
}

static int load(void)
{
	return load_image(image, sizeof(image), -1, "console=ttyS0");
}

static void assert_refused(int error, const char *why)
{
	assert_int_equal(error, -EINVAL);
	if (!strstr(problem.text, why))
		fail_msg("\"%s\" doesn't say \"%s\"", problem.text, why);
}

static const struct boot_params *params(void)
{
	return guest_ptr(&memory, entry.info, sizeof(struct boot_params));
}

static void bzimage(void **state)
{
	static uint8_t initrd[10000];
	int fd = file_of(initrd, sizeof(initrd));
	const struct boot_params *told;

	(void)state;
	assert_int_equal(load_image(image, sizeof(image), fd, "quiet"), 0);
	close(fd);
	assert_int_equal(entry.rip, 0x1000200);
	assert_false(entry.pvh);
	assert_memory_equal(guest_ptr(&memory, 0x1000000, KERNEL_BYTES),
			    image + SETUP_BYTES, KERNEL_BYTES);
	told = params();
	assert_int_equal(told->hdr.ramdisk_size, sizeof(initrd));
	assert_int_equal(told->hdr.ramdisk_image % 4096, 0);
	assert_true(told->hdr.ramdisk_image + sizeof(initrd) <= MEMORY_BYTES);
	assert_true(told->hdr.ramdisk_image >= 0x1100000);
	assert_string_equal(guest_ptr(&memory, told->hdr.cmd_line_ptr, 6),
			    "quiet");
	assert_int_equal(told->acpi_rsdp_addr, LAYOUT_ACPI);
	assert_int_equal(told->e820_entries, 4);
	assert_int_equal(told->e820_table[2].addr, MIB);
	assert_int_equal(told->e820_table[2].size, MEMORY_BYTES - MIB);
}

static void placed_lower_if_it_must(void **state)
{
	(void)state;
	header()->pref_address = MEMORY_BYTES;
	assert_int_equal(load(), 0);
	assert_int_equal(entry.rip, 0x200200);
	header()->relocatable_kernel = 0;
	assert_refused(load(), "too little memory");
	header()->relocatable_kernel = 1;
	header()->kernel_alignment = 3;
	assert_refused(load(), "too little memory");
}

static void not_a_kernel(void **state)
{
	(void)state;
	assert_refused(load_image("", 0, -1, ""), "empty");
	assert_refused(load_image("hello", 5, -1, ""), "not a kernel");
}

/* The header counts paragraphs of 16 bytes: memtest86+ ends within one. */
static void bzimage_of_a_part_of_a_paragraph(void **state)
{
	uint8_t *loaded;

	(void)state;
	for (size_t less = 1; less < 16; less++) {
		assert_int_equal(
			load_image(image, sizeof(image) - less, -1, ""), 0);
		loaded = guest_ptr(&memory, 0x1000000, KERNEL_BYTES);
		assert_memory_equal(loaded, image + SETUP_BYTES,
				    KERNEL_BYTES - less);
		assert_int_equal(loaded[KERNEL_BYTES - less], 0);
		memset(loaded, 0, KERNEL_BYTES);
	}
}

static void bzimage_refused(void **state)
{
	(void)state;
	assert_refused(load_image(image, sizeof(image) - 16, -1, ""),
		       "truncated");
	assert_refused(load_image(image, SETUP_BYTES, -1, ""), "truncated");
	header()->version = 0x0204;
	assert_refused(load(), "2.04");
	header()->version = 0x020f;
	header()->xloadflags = 0;
	assert_refused(load(), "no 64-bit entry");
	header()->xloadflags = XLF_KERNEL_64;
	header()->loadflags = 0;
	assert_refused(load(), "zImage");
	header()->loadflags = LOADED_HIGH;
	header()->init_size = MEMORY_BYTES;
	assert_refused(load(), "too little memory");
	header()->init_size = 0xffffffff;
	header()->pref_address = UINT64_MAX - 4096;
	assert_refused(load(), "too little memory");
	header()->pref_address = 0x1000000;
	header()->init_size = 0;
	header()->syssize = 0;
	assert_refused(load(), "empty");
	header()->syssize = 0xffffffff;
	assert_refused(load(), "truncated");
}

static void initrd_and_cmdline_bounds(void **state)
{
	int fd = memfd_create("initrd", 0);
	char cmdline[257];

	(void)state;
	assert_int_equal(ftruncate(fd, MEMORY_BYTES - 0x1100000 + 1), 0);
	assert_refused(load_image(image, sizeof(image), fd, ""), "initrd");
	header()->initrd_addr_max = 0x1100000;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_refused(load_image(image, sizeof(image), fd, ""), "initrd");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_refused(load_image(image, sizeof(image), fd, ""), "empty");
	close(fd);
	memset(cmdline, 'x', sizeof(cmdline));
	cmdline[256] = '\0';
	assert_refused(load_image(image, sizeof(image), -1, cmdline),
		       "command line");
	cmdline[255] = '\0';
	assert_int_equal(load_image(image, sizeof(image), -1, cmdline), 0);
}

/* ---- ELF */

static struct {
	Elf64_Ehdr header;
	Elf64_Phdr segment[2];
	Elf64_Nhdr note;
	char name[4];
	uint32_t entry;
	uint8_t code[256];
} elf;

static void make_elf(void)
{
	memset(&elf, 0, sizeof(elf));
	memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
	elf.header.e_ident[EI_CLASS] = ELFCLASS64;
	elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
	elf.header.e_machine = EM_X86_64;
	elf.header.e_type = ET_EXEC;
	elf.header.e_phoff = sizeof(elf.header);
	elf.header.e_phentsize = sizeof(Elf64_Phdr);
	elf.header.e_phnum = 2;
	elf.segment[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offsetof(__typeof__(elf), code),
		.p_filesz = sizeof(elf.code),
		.p_memsz = 0x10000,
		.p_paddr = 0x1000000,
	};
	elf.segment[1] = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(__typeof__(elf), note),
		.p_filesz = 12 + 4 + 4,
	};
	elf.note = (Elf64_Nhdr){ 4, 4, 18 };
	memcpy(elf.name, "Xen", 4);
	elf.entry = 0x1000010;
	memset(elf.code, 0x90, sizeof(elf.code));
}

static int load_elf(void)
{
	return load_image(&elf, sizeof(elf), -1, "");
}

static void elf_pvh(void **state)
{
	const uint32_t *info;

	(void)state;
	make_elf();
	assert_int_equal(load_elf(), 0);
	assert_true(entry.pvh);
	assert_int_equal(entry.rip, 0x1000010);
	info = guest_ptr(&memory, entry.info, 56);
	assert_int_equal(info[0], 0x336ec578);
	assert_memory_equal(guest_ptr(&memory, 0x1000000, 256), elf.code, 256);
}

static void elf_refused(void **state)
{
	(void)state;
	make_elf();
	elf.header.e_machine = EM_AARCH64;
	assert_refused(load_elf(), "none for x86-64");
	make_elf();
	elf.header.e_phnum = 1000;
	assert_refused(load_elf(), "segments");
	make_elf();
	elf.header.e_phoff = UINT64_MAX;
	assert_refused(load_elf(), "truncated");
	make_elf();
	elf.segment[0].p_offset = UINT64_MAX - 10;
	assert_refused(load_elf(), "truncated");
	make_elf();
	elf.segment[0].p_filesz = 1 << 20;
	assert_refused(load_elf(), "truncated");
	make_elf();
	elf.segment[0].p_memsz = 16;
	assert_refused(load_elf(), "larger");
	make_elf();
	elf.segment[0].p_memsz = UINT64_MAX - 0x1000000 + 2;
	assert_refused(load_elf(), "too little memory");
	make_elf();
	elf.segment[0].p_paddr = LAYOUT_BOOT_INFO;
	assert_refused(load_elf(), "too little memory");
	make_elf();
	elf.note.n_namesz = 0xfffffffe;
	assert_refused(load_elf(), "PVH");
	make_elf();
	elf.note.n_type = 17;
	assert_refused(load_elf(), "PVH");
	make_elf();
	elf.entry = 0x2000000;
	assert_refused(load_elf(), "not within");
}

static uint8_t sum(const uint8_t *at, size_t bytes)
{
	uint8_t total = 0;

	if (!at) /* no sum that any table has */
		return 1;
	while (bytes-- > 0)
		total = (uint8_t)(total + *at++);
	return total;
}

static uint64_t word(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static void acpi_tables(void **state)
{
	static const char *const names[] = { "FACP", "APIC", "MCFG" };
	const uint8_t *root, *xsdt, *table;

	(void)state;
	assert_int_equal(acpi_write(&memory, 254), 0);
	root = guest_ptr(&memory, LAYOUT_ACPI, 36);
	assert_memory_equal(root, "RSD PTR ", 8);
	assert_int_equal(sum(root, 20), 0);
	assert_int_equal(sum(root, 36), 0);
	xsdt = guest_ptr(&memory, word(root + 24, 8), 36 + 24);
	assert_int_equal(sum(xsdt, word(xsdt + 4, 4)), 0);
	for (int i = 0; i < 3; i++) {
		table = guest_ptr(&memory, word(xsdt + 36 + 8 * i, 8), 36);
		assert_memory_equal(table, names[i], 4);
		assert_int_equal(sum(table, word(table + 4, 4)), 0);
	}
	table = guest_ptr(&memory, word(xsdt + 36, 8), 276);
	table = guest_ptr(&memory, word(table + 140, 8), 36);
	assert_memory_equal(table, "DSDT", 4);
	assert_int_equal(sum(table, word(table + 4, 4)), 0);
	assert_int_equal(acpi_write(&memory, 257), -ENOSPC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bzimage),         TEST(placed_lower_if_it_must),
		TEST(not_a_kernel),    TEST(bzimage_of_a_part_of_a_paragraph),
		TEST(bzimage_refused), TEST(initrd_and_cmdline_bounds),
		TEST(elf_pvh),         TEST(elf_refused),
		TEST(acpi_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
