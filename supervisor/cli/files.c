/* SPDX-License-Identifier: ISC */
/* Kernel, initrd and disks of a VM: opened with the rights of who asks. */
#include "supervisor/cli/files.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>

#include "ipc/fd.h"

#define SECTOR_BYTES 512
/* A bzImage's header (Linux, Documentation/arch/x86/boot.rst). */
#define SETUP_AT    0x1f1
#define SETUP_MAGIC 0x53726448U /* "HdrS" */
#define BOOT_FLAG   0xaa55U
#define SETUP_64    0x020cU /* the first version that tells of a 64-bit entry */

static int open_file(const char *what, const char *path, const char *vm,
		     int flags, int *fd, struct problem *problem)
{
	const char *remedy = "";

	*fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	if (*fd >= 0)
		return 0;
	if ((flags & O_ACCMODE) == O_RDWR &&
	    (errno == EROFS || errno == EACCES || errno == EPERM))
		remedy = " (or make it read-only for the VM)";
	else if ((flags & O_DIRECT) && errno == EINVAL)
		remedy = " (its file system has no O_DIRECT: leave direct out)";
	return problem_set(problem, -errno, "cannot open %s %s of %s: %s%s",
			   what, path, vm, strerror(errno), remedy);
}

/* An image that is read once, when the VM starts. */
static int open_image(const char *what, const char *path, const char *vm,
		      int *fd, struct problem *problem)
{
	struct stat st;
	int error =
		open_file(what, path, vm, O_RDONLY | O_NONBLOCK, fd, problem);

	if (error)
		return error;
	if (fstat(*fd, &st) < 0 || !S_ISREG(st.st_mode))
		return problem_set(problem, -EINVAL,
				   "%s %s of %s is no ordinary file", what,
				   path, vm);
	if (st.st_size == 0)
		return problem_set(problem, -EINVAL, "%s %s of %s is empty",
				   what, path, vm);
	return 0;
}

/* ---- kernels: what the VM process checks anew, and of its memory besides;
 * this is before anything runs */

static int truncated(const struct machine_config *machine, const char *vm,
		     struct problem *problem)
{
	return problem_set(problem, -EINVAL,
			   "kernel %s of %s is truncated (copy it again)",
			   machine->kernel, vm);
}

static int check_elf(const struct machine_config *machine, const char *vm,
		     const Elf64_Ehdr *elf, uint64_t bytes,
		     struct problem *problem)
{
	if (elf->e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->e_ident[EI_DATA] != ELFDATA2LSB || elf->e_machine != EM_X86_64)
		return problem_set(problem, -EINVAL,
				   "kernel %s of %s is for another "
				   "architecture (an x86-64 one is needed)",
				   machine->kernel, vm);
	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		Elf64_Phdr segment;
		uint64_t at, end;

		if (__builtin_add_overflow(elf->e_phoff, i * sizeof(segment),
					   &at) ||
		    at > INT64_MAX ||
		    pread(machine->kernel_fd, &segment, sizeof(segment),
			  (off_t)at) != (ssize_t)sizeof(segment) ||
		    (segment.p_type == PT_LOAD &&
		     (__builtin_add_overflow(segment.p_offset, segment.p_filesz,
					     &end) ||
		      end > bytes)))
			return truncated(machine, vm, problem);
	}
	return 0;
}

static int check_bzimage(const struct machine_config *machine, const char *vm,
			 const struct setup_header *header, uint64_t bytes,
			 struct problem *problem)
{
	unsigned int sectors = header->setup_sects ? header->setup_sects : 4;

	if (header->version < SETUP_64 || !(header->xloadflags & XLF_KERNEL_64))
		return problem_set(problem, -EINVAL,
				   "kernel %s of %s has no 64-bit entry (an "
				   "x86-64 one is needed, Linux 3.8 or later)",
				   machine->kernel, vm);
	if ((sectors + 1) * SECTOR_BYTES + header->syssize * 16ULL > bytes)
		return truncated(machine, vm, problem);
	return 0;
}

static int check_kernel(const struct machine_config *machine, const char *vm,
			struct problem *problem)
{
	struct {
		unsigned char before[SETUP_AT];
		struct setup_header setup;
	} __attribute__((packed)) head = { 0 };
	Elf64_Ehdr elf;
	struct stat st;

	if (fstat(machine->kernel_fd, &st) < 0 ||
	    pread(machine->kernel_fd, &head, sizeof(head), 0) < 0)
		return problem_set(problem, -errno, "cannot read kernel %s: %s",
				   machine->kernel, strerror(errno));
	memcpy(&elf, &head, sizeof(elf));
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0)
		return check_elf(machine, vm, &elf, (uint64_t)st.st_size,
				 problem);
	if (head.setup.boot_flag == BOOT_FLAG &&
	    head.setup.header == SETUP_MAGIC) {
		struct setup_header setup = head.setup;

		return check_bzimage(machine, vm, &setup, (uint64_t)st.st_size,
				     problem);
	}
	return problem_set(problem, -EINVAL,
			   "kernel %s of %s is no kernel: neither a bzImage "
			   "nor an x86-64 ELF file (take /boot/vmlinuz-..., or "
			   "vmlinux)",
			   machine->kernel, vm);
}

/* ---- disks */

static int disk_bytes(int fd, uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode)) {
		*bytes = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	return ioctl(fd, BLKGETSIZE64, bytes) < 0 ? -errno : 0;
}

/* Two that write to one image destroy it. */
static int lock_disk(const struct machine_disk *disk, const char *vm,
		     struct problem *problem)
{
	struct flock lock = {
		.l_type = disk->read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (fcntl(disk->fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return problem_set(problem, -EBUSY,
				   "disk %s of %s is in use (by another VM; "
				   "several may share it read-only)",
				   disk->path, vm);
	return problem_set(problem, -errno, "cannot lock disk %s of %s: %s",
			   disk->path, vm, strerror(errno));
}

static int open_disk(struct machine_disk *disk, const char *vm,
		     struct problem *problem)
{
	int flags = (disk->read_only ? O_RDONLY : O_RDWR) |
		    (disk->direct ? O_DIRECT : 0);
	uint64_t bytes = 0;
	/* O_NONBLOCK: a FIFO would wait for its writer */
	int error = open_file("disk", disk->path, vm, flags | O_NONBLOCK,
			      &disk->fd, problem);

	if (error)
		return error;
	error = disk_bytes(disk->fd, &bytes);
	if (error == -ENOTBLK)
		return problem_set(problem, error,
				   "disk %s of %s is neither an ordinary file "
				   "nor a block device",
				   disk->path, vm);
	if (error)
		return problem_set(problem, error,
				   "cannot tell the size of disk %s of %s: %s",
				   disk->path, vm, strerror(-error));
	if (bytes == 0)
		return problem_set(problem, -EINVAL,
				   "disk %s of %s is empty (truncate -s 1G)",
				   disk->path, vm);
	if (bytes % SECTOR_BYTES != 0)
		return problem_set(problem, -EINVAL,
				   "disk %s of %s has %llu bytes: not a "
				   "multiple of %d (is it a raw image?)",
				   disk->path, vm, (unsigned long long)bytes,
				   SECTOR_BYTES);
	if (fcntl(disk->fd, F_SETFL, flags) < 0)
		return problem_set(problem, -errno, "disk %s of %s: %s",
				   disk->path, vm, strerror(errno));
	return lock_disk(disk, vm, problem);
}

/* ---- all of a machine */

int files_open(struct machine_config *machine, const char *vm,
	       struct problem *problem)
{
	int error = 0;

	if (machine->kernel_fd < 0)
		error = open_image("kernel", machine->kernel, vm,
				   &machine->kernel_fd, problem);
	if (!error)
		error = check_kernel(machine, vm, problem);
	if (!error && machine->initrd[0] && machine->initrd_fd < 0)
		error = open_image("initrd", machine->initrd, vm,
				   &machine->initrd_fd, problem);
	for (uint32_t i = 0; i < machine->disk_count && !error; i++)
		if (machine->disks[i].fd < 0)
			error = open_disk(&machine->disks[i], vm, problem);
	return error;
}

void files_open_kept(struct machine_config *machine, const char *vm)
{
	struct problem problem;

	if (open_image("kernel", machine->kernel, vm, &machine->kernel_fd,
		       &problem) < 0)
		fd_close(&machine->kernel_fd);
	if (machine->initrd[0] && open_image("initrd", machine->initrd, vm,
					     &machine->initrd_fd, &problem) < 0)
		fd_close(&machine->initrd_fd);
	for (uint32_t i = 0; i < machine->disk_count; i++)
		if (open_disk(&machine->disks[i], vm, &problem) < 0)
			fd_close(&machine->disks[i].fd);
}
