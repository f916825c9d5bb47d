/* SPDX-License-Identifier: ISC */
/* Tells what a file is, by its magic number. */
#include "supervisor/cli/magic.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"

#define FOOTER_BYTES 512

#define AT(offset, magic) (offset), (magic), sizeof(magic) - 1
#define X86_64            "an x86-64 one is needed"
#define UNPACK(command)   "unpack it: " command
#define VMLINUZ           "take /boot/vmlinuz-..., or vmlinux"

static const struct magic magics[] = {
	/* kernels; they stand before "MZ", because some begin with that */
	{ AT(0x38, "ARM\x64"), "a kernel for arm64", X86_64, NULL },
	{ AT(0x38, "RSC\x05"), "a kernel for RISC-V", X86_64, NULL },
	{ AT(0x24, "\x18\x28\x6f\x01"), "a kernel for arm", X86_64, NULL },
	{ AT(0, "\x27\x05\x19\x56"), "an image for U-Boot", VMLINUZ, NULL },
	{ AT(0, "MZ"), "an EFI program and no bzImage",
	  "of a unified kernel image: objcopy -O binary -j .linux", NULL },
	/* compressed files */
	{ AT(0, "\x1f\x8b"), "compressed by gzip", UNPACK("gzip -dc"), NULL },
	{ AT(0, "\x28\xb5\x2f\xfd"), "compressed by zstd", UNPACK("zstd -dc"),
	  NULL },
	{ AT(0, "\xfd\x37zXZ"), "compressed by xz", UNPACK("xz -dc"), NULL },
	{ AT(0, "BZh"), "compressed by bzip2", UNPACK("bzip2 -dc"), NULL },
	{ AT(0, "\x04\x22\x4d\x18"), "compressed by lz4", UNPACK("lz4 -dc"),
	  NULL },
	{ AT(0, "\x02\x21\x4c\x18"), "compressed by lz4", UNPACK("lz4 -dc"),
	  NULL },
	{ AT(0, "\x89LZO"), "compressed by lzop", UNPACK("lzop -dc"), NULL },
	{ AT(0, "\x5d\0\0"), "compressed by lzma", UNPACK("lzma -dc"), NULL },
	/* other files */
	{ AT(0, "070701"), "an initrd", VMLINUZ, NULL },
	{ AT(0, "070702"), "an initrd", VMLINUZ, NULL },
	{ AT(257, "ustar"), "a tar archive", VMLINUZ, NULL },
	{ AT(0, "!<arch>\ndebian"), "a Debian package", VMLINUZ, NULL },
	{ AT(0, "\xed\xab\xee\xdb"), "an RPM package", VMLINUZ, NULL },
	{ AT(0, "#!"), "a script", VMLINUZ, NULL },
	/* disk images that aren't raw */
	{ AT(0, "QFI\xfb\0\0\0\1"), "a qcow disk image", VMLINUZ, "qcow" },
	{ AT(0, "QFI\xfb"), "a qcow2 disk image", VMLINUZ, "qcow2" },
	{ AT(0, "KDMV"), "a VMDK disk image", VMLINUZ, "vmdk" },
	{ AT(0, "COWD"), "a VMDK disk image", VMLINUZ, "vmdk" },
	{ AT(0, "# Disk DescriptorFile"), "a VMDK disk image", VMLINUZ,
	  "vmdk" },
	{ AT(0x40, "\x7f\x10\xda\xbe"), "a VDI disk image", VMLINUZ, "vdi" },
	{ AT(0, "vhdxfile"), "a VHDX disk image", VMLINUZ, "vhdx" },
	{ AT(0, "conectix"), "a VHD disk image", VMLINUZ, "vpc" },
	{ AT(0, "QED\0"), "a QED disk image", VMLINUZ, "qed" },
	{ AT(0, "WithoutFreeSpace"), "a Parallels disk image", VMLINUZ,
	  "parallels" },
	{ AT(0, "WithouFreSpacExt"), "a Parallels disk image", VMLINUZ,
	  "parallels" },
};

/* Formats with a footer: a VHD image of fixed size begins with its data. */
static const struct magic footers[] = {
	{ AT(0, "conectix"), "a VHD disk image", NULL, "vpc" },
	{ AT(0, "koly"), "a DMG disk image", NULL, "dmg" },
};

static bool magic_is(const struct magic *magic, const uint8_t *head,
		     size_t bytes)
{
	return magic->offset + magic->count <= bytes &&
	       memcmp(head + magic->offset, magic->bytes, magic->count) == 0;
}

const struct magic *magic_find(const uint8_t *head, size_t bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (magic_is(&magics[i], head, bytes))
			return &magics[i];
	return NULL;
}

const char *magic_disk_format(int fd, uint64_t bytes)
{
	uint8_t part[MAGIC_HEAD_BYTES];
	ssize_t got = pread(fd, part, sizeof(part), 0);

	for (size_t i = 0; i < ARRAY_SIZE(magics) && got > 0; i++)
		if (magics[i].format && magic_is(&magics[i], part, (size_t)got))
			return magics[i].format;
	if (bytes < FOOTER_BYTES || bytes > INT64_MAX)
		return NULL;
	got = pread(fd, part, FOOTER_BYTES, (off_t)(bytes - FOOTER_BYTES));
	for (size_t i = 0; i < ARRAY_SIZE(footers) && got > 0; i++)
		if (magic_is(&footers[i], part, (size_t)got))
			return footers[i].format;
	return NULL;
}
