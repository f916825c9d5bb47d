/* SPDX-License-Identifier: ISC */
/* Kernel, initrd and disks: what is refused before anything runs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <asm/bootparam.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/files.h"

static char dir[64];
static struct machine_config *machine;

static void path_of(char path[MACHINE_PATH], const char *name)
{
	snprintf(path, MACHINE_PATH, "%s/%s", dir, name);
}

static void write_file(const char *name, const void *bytes, size_t length)
{
	char path[MACHINE_PATH];
	cleanup_fd int fd = -1;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
}

#define KERNEL_BYTES (1024 + 4096)
#define MIB          (1U << 20)

static void make_bzimage(uint8_t image[KERNEL_BYTES])
{
	struct setup_header header = {
		.setup_sects = 1,
		.syssize = 4096 / 16,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.xloadflags = XLF_KERNEL_64,
		.initrd_addr_max = 0x7fffffff,
		.pref_address = 16 * MIB,
		.init_size = 4 * MIB,
	};

	memset(image, 0, KERNEL_BYTES);
	memcpy(image + 0x1f1, &header, sizeof(header));
}

static int set_up(void **state)
{
	uint8_t image[KERNEL_BYTES];
	static const uint8_t disk[4096];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vmsup-files-XXXXXX");
	machine = machine_new();
	if (!machine || !mkdtemp(dir))
		return -1;
	make_bzimage(image);
	write_file("kernel", image, sizeof(image));
	write_file("disk", disk, sizeof(disk));
	path_of(machine->kernel, "kernel");
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "kernel", "disk",  "fifo",
					     "odd",    "empty", "initrd" };

	(void)state;
	machine_free(machine);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[MACHINE_PATH];

		path_of(path, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void opens(void)
{
	struct problem problem = { "" };
	int error = files_open(machine, "web", &problem);

	assert_string_equal(problem.text, "");
	assert_int_equal(error, 0);
}

static void refused(const char *text)
{
	struct problem problem = { "" };
	int error = files_open(machine, "web", &problem);

	if (error >= 0 || !strstr(problem.text, text) ||
	    !strstr(problem.text, "web"))
		fail_msg("%d, not \"%s\": %s", error, text, problem.text);
	fd_close(&machine->kernel_fd);
	fd_close(&machine->initrd_fd);
	for (int i = 0; i < MACHINE_DISKS; i++)
		fd_close(&machine->disks[i].fd);
}

static void a_whole_bzimage_only(void **state)
{
	uint8_t image[KERNEL_BYTES];

	(void)state;
	make_bzimage(image);
	opens();
	fd_close(&machine->kernel_fd);
	for (size_t length = 1; length <= sizeof(image) - 16; length += 13) {
		write_file("kernel", image, length);
		refused(length < 0x300 ? "kernel" : "truncated");
	}
	/* its size is told in units of 16 bytes: the last may be a part of
	 * one */
	write_file("kernel", image, sizeof(image) - 15);
	opens();
	fd_close(&machine->kernel_fd);
	write_file("kernel", image, sizeof(image) - 16);
	refused("truncated");
	write_file("kernel", image, 0);
	refused("is empty");
	image[0x236] = image[0x237] = 0;
	write_file("kernel", image, sizeof(image));
	refused("no 64-bit entry");
}

/* A header, what to load, and the note that says where to enter it. */
struct elf {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	struct {
		Elf64_Nhdr header;
		char name[4];
		uint32_t entry;
	} note;
	uint8_t rest[512];
};

static struct elf make_elf(void)
{
	struct elf elf = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.segments = {
			{
				.p_type = PT_LOAD,
				.p_offset = 128,
				.p_filesz = sizeof(elf) - 128,
				.p_paddr = 16 * MIB,
				.p_memsz = 4 * MIB,
			},
			{
				.p_type = PT_NOTE,
				.p_offset = offsetof(struct elf, note),
				.p_filesz = sizeof(elf.note),
			},
		},
		.note = {
			.header = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
			.name = "Xen",
			.entry = 16 * MIB,
		},
	};

	return elf;
}

static void a_whole_elf_only(void **state)
{
	struct elf elf = make_elf();

	(void)state;
	write_file("kernel", &elf, sizeof(elf));
	opens();
	fd_close(&machine->kernel_fd);
	write_file("kernel", &elf, sizeof(elf) - 1);
	refused("truncated");
	write_file("kernel", &elf, sizeof(Elf64_Ehdr) + 1);
	refused("truncated");
	elf.segments[0].p_offset = UINT64_MAX;
	write_file("kernel", &elf, sizeof(elf));
	refused("truncated");
	elf.header.e_phoff = UINT64_MAX - 8;
	write_file("kernel", &elf, sizeof(elf));
	refused("truncated");
	elf.header.e_machine = EM_AARCH64;
	write_file("kernel", &elf, sizeof(elf));
	refused("an ELF file for arm64 (an x86-64 kernel is needed)");
	elf.header.e_ident[EI_DATA] = ELFDATA2MSB;
	elf.header.e_machine = __builtin_bswap16(EM_S390);
	write_file("kernel", &elf, sizeof(elf));
	refused("an ELF file for s390x");
	elf = make_elf();
	elf.header.e_ident[EI_CLASS] = ELFCLASS32;
	elf.header.e_machine = EM_386;
	write_file("kernel", &elf, sizeof(elf));
	refused("a 32-bit ELF file for x86 (");
	elf.header.e_machine = 0x1234;
	write_file("kernel", &elf, sizeof(elf));
	refused("for another architecture");
	elf = make_elf();
	elf.header.e_type = ET_REL;
	write_file("kernel", &elf, sizeof(elf));
	refused("isn't an executable");
}

/* A program, say. */
static void an_elf_with_a_pvh_entry_only(void **state)
{
	struct elf elf = make_elf();

	(void)state;
	elf.note.header.n_type = 17;
	write_file("kernel", &elf, sizeof(elf));
	refused("an ELF file without a PVH entry (a kernel needs CONFIG_PVH");
	elf = make_elf();
	elf.note.name[0] = 'x';
	write_file("kernel", &elf, sizeof(elf));
	refused("an ELF file without a PVH entry (a kernel needs CONFIG_PVH");
	for (uint32_t bytes = 5; bytes != 0; bytes <<= 1) {
		elf = make_elf();
		elf.note.header.n_namesz = bytes;
		write_file("kernel", &elf, sizeof(elf));
		refused("an ELF file without a PVH entry (a kernel needs CONFIG_PVH");
	}
	/* another note before it */
	elf = make_elf();
	memcpy(elf.rest + 8, &elf.note, sizeof(elf.note));
	elf.note.header.n_type = 1;
	elf.note.header.n_descsz = 12;
	elf.segments[1].p_filesz += 8 + sizeof(elf.note);
	write_file("kernel", &elf, sizeof(elf));
	opens();
	fd_close(&machine->kernel_fd);
	for (uint64_t bytes = 0; bytes < sizeof(elf.note); bytes++) {
		elf = make_elf();
		elf.segments[1].p_filesz = bytes;
		write_file("kernel", &elf, sizeof(elf));
		refused("an ELF file without a PVH entry (a kernel needs CONFIG_PVH");
	}
	elf = make_elf();
	elf.header.e_phnum = 0;
	write_file("kernel", &elf, sizeof(elf));
	refused("no kernel");
	elf.header.e_phnum = 33;
	write_file("kernel", &elf, sizeof(elf));
	refused("no kernel");
}

/* What people give by mistake. */
static void a_kernel_that_is_something_else(void **state)
{
	static const struct {
		size_t offset;
		const char *magic;
		const char *said;
	} others[] = {
		{ 0x38, "ARM\x64", "a kernel for arm64 (an x86-64 one is" },
		{ 0, "\x1f\x8b", "compressed by gzip (unpack it: gzip -dc)" },
		{ 0, "\x28\xb5\x2f\xfd", "compressed by zstd" },
		{ 0, "MZ", "an EFI program and no bzImage" },
		{ 0, "070701", "an initrd (take /boot/vmlinuz" },
		{ 257, "ustar", "a tar archive" },
		{ 0, "#!/bin/sh", "a script" },
		{ 0, "QFI\xfb", "a qcow2 disk image" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		uint8_t image[KERNEL_BYTES] = { 0 };

		memcpy(image + others[i].offset, others[i].magic,
		       strlen(others[i].magic));
		write_file("kernel", image, sizeof(image));
		refused(others[i].said);
		/* nothing is known of what isn't there */
		write_file("kernel", image, others[i].offset + 1);
		refused("is no kernel");
	}
}

/* Both need 4 MiB from the 16th on. */
static void a_kernel_fits_or_does_not(void **state)
{
	struct elf elf = make_elf();

	(void)state;
	machine->memory_bytes = 20 * MIB;
	opens();
	fd_close(&machine->kernel_fd);
	machine->memory_bytes = 19 * MIB;
	refused("19 MiB of memory are too little");
	refused("it alone needs 20");
	write_file("kernel", &elf, sizeof(elf));
	refused("19 MiB of memory are too little");
	refused("it alone needs 20");
	machine->memory_bytes = 20 * MIB;
	opens();
	fd_close(&machine->kernel_fd);
	/* it isn't loaded where a machine has its own */
	elf.segments[0].p_paddr = MIB - 1;
	write_file("kernel", &elf, sizeof(elf));
	refused("no kernel");
	elf.segments[0].p_paddr = 16 * MIB;
	elf.segments[0].p_memsz = UINT64_MAX;
	write_file("kernel", &elf, sizeof(elf));
	refused("no kernel");
	/* nor in the hole below 4 GiB: no memory is enough for that */
	machine->memory_bytes = 8192ULL * MIB;
	elf.segments[0].p_memsz = 3057ULL * MIB;
	write_file("kernel", &elf, sizeof(elf));
	refused("doesn't fit in between 1 and 3072 MiB");
	elf.segments[0].p_memsz--;
	elf.segments[0].p_memsz -= MIB;
	write_file("kernel", &elf, sizeof(elf));
	opens();
}

static void huge_pages_are_whole(void **state)
{
	(void)state;
	make_elf();
	machine->hugepages = true;
	machine->memory_bytes = 33 * MIB;
	refused("33 MiB of memory");
	machine->memory_bytes = 34 * MIB;
	opens();
	fd_close(&machine->kernel_fd);
	machine->hugepages = false;
	machine->memory_bytes = 33 * MIB;
	opens();
}

static void a_relocatable_kernel_goes_lower(void **state)
{
	uint8_t image[KERNEL_BYTES];
	struct setup_header *header = (void *)(image + 0x1f1);

	(void)state;
	make_bzimage(image);
	header->relocatable_kernel = 1;
	header->kernel_alignment = 2 * MIB;
	write_file("kernel", image, sizeof(image));
	machine->memory_bytes = 16 * MIB;
	opens();
	fd_close(&machine->kernel_fd);
	header->init_size = 15 * MIB;
	write_file("kernel", image, sizeof(image));
	refused("it alone needs 17");
	header->init_size = 4 * MIB;
	header->kernel_alignment = 3 * MIB; /* no power of two */
	write_file("kernel", image, sizeof(image));
	refused("it alone needs 20");
	header->pref_address = 4096ULL * MIB;
	write_file("kernel", image, sizeof(image));
	refused("doesn't fit in between 1 and 3072 MiB");
}

static void an_initrd_fits_or_does_not(void **state)
{
	char path[MACHINE_PATH];

	(void)state;
	write_file("initrd", "x", 1);
	path_of(machine->initrd, "initrd");
	path_of(path, "initrd");
	machine->memory_bytes = 24 * MIB;
	assert_int_equal(truncate(path, 4 * MIB), 0);
	opens();
	fd_close(&machine->kernel_fd);
	fd_close(&machine->initrd_fd);
	assert_int_equal(truncate(path, 4 * MIB + 1), 0);
	refused("doesn't fit");
	assert_int_equal(truncate(path, 25 * MIB), 0);
	refused("doesn't fit");
}

/* Of several VMs, one that lacks something: it has nothing, and says why. */
static void one_of_many_is_left_out(void **state)
{
	(void)state;
	machine->disk_count = 2;
	path_of(machine->disks[0].path, "disk");
	path_of(machine->disks[1].path, "nowhere");
	files_open_or_not(machine, "web");
	assert_non_null(strstr(machine->why_closed, "nowhere of web"));
	assert_int_equal(machine->kernel_fd, -1);
	assert_int_equal(machine->disks[0].fd, -1);
	machine->disk_count = 1;
	machine->why_closed[0] = '\0';
	files_open_or_not(machine, "web");
	assert_string_equal(machine->why_closed, "");
	assert_true(machine->kernel_fd >= 0);
	assert_true(machine->disks[0].fd >= 0);
}

static void one_disk(const char *name, bool read_only)
{
	machine->disk_count = 1;
	machine->disks[0].read_only = read_only;
	path_of(machine->disks[0].path, name);
}

static void disks_that_are_none(void **state)
{
	char path[MACHINE_PATH];

	(void)state;
	write_file("odd", "x", 1);
	write_file("empty", "", 0);
	path_of(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	for (int read_only = 0; read_only < 2; read_only++) {
		one_disk("odd", read_only);
		refused("not a multiple of 512");
		one_disk("empty", read_only);
		refused("is empty");
		one_disk("fifo", read_only);
		refused("neither an ordinary file");
		one_disk("", read_only);
		refused(read_only ? "neither an ordinary file" : "directory");
		one_disk("nowhere", read_only);
		refused("No such file");
	}
}

/* What a guest would see as an empty disk, and make a file system on. */
static void disks_that_are_not_raw(void **state)
{
	static const struct {
		size_t offset;
		const char *magic;
		const char *format;
	} others[] = {
		{ 0, "QFI\xfb", "qcow2" },
		{ 0, "KDMV", "vmdk" },
		{ 0, "# Disk DescriptorFile", "vmdk" },
		{ 0x40, "\x7f\x10\xda\xbe", "vdi" },
		{ 0, "vhdxfile", "vhdx" },
		{ 0, "conectix", "vpc" },
		{ 8192 - 512, "conectix", "vpc" },
		{ 0, "QED", "qed" },
	};
	char said[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		uint8_t image[8192] = { 0 };

		memcpy(image + others[i].offset, others[i].magic,
		       strlen(others[i].magic));
		write_file("odd", image, sizeof(image));
		snprintf(said, sizeof(said), "qemu-img convert -f %s -O raw",
			 others[i].format);
		for (int read_only = 0; read_only < 2; read_only++) {
			one_disk("odd", read_only);
			refused(said);
		}
		/* qemu-img makes them of any size */
		if (others[i].offset < 4096) {
			write_file("odd", image, sizeof(image) - 8);
			one_disk("odd", false);
			refused(said);
			write_file("odd", image, sizeof(image));
		}
		/* one of many, which may have written it itself */
		one_disk("odd", false);
		files_open_or_not(machine, "web");
		assert_string_equal(machine->why_closed, "");
		assert_true(machine->disks[0].fd >= 0);
		fd_close(&machine->disks[0].fd);
		fd_close(&machine->kernel_fd);
		machine->disks[0].raw = true;
		opens();
		assert_int_equal(fcntl(machine->disks[0].fd, F_GETFL) &
					 (O_ACCMODE | O_NONBLOCK | O_DIRECT),
				 O_RDWR);
		fd_close(&machine->disks[0].fd);
		fd_close(&machine->kernel_fd);
		machine->disks[0].raw = false;
	}
}

static void a_disk_is_locked_by_who_holds_it(void **state)
{
	struct machine_config *other;

	(void)state;
	one_disk("disk", false);
	opens();
	/* as it was asked for, and nothing that a check needed */
	assert_int_equal(fcntl(machine->disks[0].fd, F_GETFL) &
				 (O_ACCMODE | O_NONBLOCK),
			 O_RDWR);
	other = machine;
	machine = machine_copy(other);
	assert_non_null(machine);
	refused("in use");
	machine->disks[0].read_only = true;
	refused("in use");
	machine_free(other);
	opens();
	/* several may read it */
	other = machine;
	machine = machine_copy(other);
	opens();
	machine_free(other);
	other = machine;
	machine = machine_copy(other);
	machine->disks[0].read_only = false;
	refused("in use");
	machine_free(other);
	opens();
}

/* What another supervisor's processes have stays closed; the first reason is
 * kept, for the case that they have it not. */
static void kept_files_may_be_missing(void **state)
{
	struct machine_config *other;

	(void)state;
	one_disk("disk", false);
	path_of(machine->initrd, "nowhere");
	files_open_kept(machine, "web");
	assert_true(machine->kernel_fd >= 0);
	assert_int_equal(machine->initrd_fd, -1);
	assert_true(machine->disks[0].fd >= 0);
	assert_non_null(strstr(machine->why_closed, "initrd"));
	other = machine_copy(machine);
	other->why_closed[0] = '\0';
	path_of(other->kernel, "nowhere");
	files_open_kept(other, "web");
	assert_int_equal(other->kernel_fd, -1);
	assert_int_equal(other->disks[0].fd, -1);
	assert_non_null(strstr(other->why_closed, "kernel"));
	machine_free(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_whole_bzimage_only),
		TEST(a_whole_elf_only),
		TEST(an_elf_with_a_pvh_entry_only),
		TEST(a_kernel_that_is_something_else),
		TEST(a_kernel_fits_or_does_not),
		TEST(huge_pages_are_whole),
		TEST(a_relocatable_kernel_goes_lower),
		TEST(an_initrd_fits_or_does_not),
		TEST(one_of_many_is_left_out),
		TEST(disks_that_are_none),
		TEST(disks_that_are_not_raw),
		TEST(a_disk_is_locked_by_who_holds_it),
		TEST(kept_files_may_be_missing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cli_files", tests, NULL, NULL);
}
