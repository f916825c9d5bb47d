/* SPDX-License-Identifier: ISC */
/* Opens kernel, initrd and disks of a VM, with the rights of the caller. */
#include "supervisor/cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>

#include "ipc/fd.h"
#include "supervisor/cli/kernel.h"
#include "supervisor/cli/magic.h"
#include "supervisor/cli/report.h"

#define SECTOR_BYTES 512
#define MIB          (UINT64_C(1) << 20)
#define HUGE_PAGE    (2 * MIB)

/* What happens to a file that is probably wrong. */
enum strictness {
	STRICT, /* the file is refused */
	LENIENT, /* a warning is printed */
};

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

/* Opens an image that the VM reads once, when it starts. */
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

/* Locks a disk: two VMs that write to one image destroy it. */
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

/* Whether a block device is read-only: the host opens it to write all the same,
 * and refuses each write later. */
static bool is_read_only(int fd)
{
	int read_only = 0;

	return ioctl(fd, BLKROGET, &read_only) == 0 && read_only;
}

/* Checks that a disk can be read and written, and finds its bytes. */
static int check_disk(const struct machine_disk *disk, const char *vm,
		      uint64_t *bytes, struct problem *problem)
{
	int error = disk_bytes(disk->fd, bytes);

	if (error == -ENOTBLK)
		return problem_set(problem, error,
				   "disk %s of %s is neither an ordinary file "
				   "nor a block device",
				   disk->path, vm);
	if (error)
		return problem_set(problem, error,
				   "cannot tell the size of disk %s of %s: %s",
				   disk->path, vm, strerror(-error));
	if (!disk->read_only && is_read_only(disk->fd))
		return problem_set(problem, -EROFS,
				   "disk %s of %s is a read-only device (make "
				   "it read-only for the VM)",
				   disk->path, vm);
	if (*bytes == 0)
		return problem_set(problem, -EINVAL,
				   "disk %s of %s is empty (truncate -s 1G)",
				   disk->path, vm);
	return 0;
}

/*
 * The guest sees the bytes of the file. A guest that finds no file system in
 * them may make one, which destroys an image of another format. So a new VM
 * isn't given such an image. A VM that was configured before may have
 * written these bytes itself.
 */
static int check_format(const struct machine_disk *disk, const char *vm,
			uint64_t bytes, enum strictness strictness,
			struct problem *problem)
{
	const char *format = disk->raw ? NULL
				       : magic_disk_format(disk->fd, bytes);

	if (!format)
		return 0;
	if (strictness == STRICT)
		return problem_set(
			problem, -EINVAL,
			"disk %s of %s is no raw image, but a %s one "
			"(qemu-img convert -f %s -O raw OLD NEW; "
			"or %s,raw: the guest sees its bytes as they "
			"are)",
			disk->path, vm, format, format, disk->path);
	report_warn(
		"disk %s of %s begins as a %s image, and the guest has it as "
		"a raw one: unless the guest wrote that, stop %s before it "
		"does (qemu-img convert -f %s -O raw OLD NEW)",
		disk->path, vm, format, vm, format);
	return 0;
}

static int check_size(const struct machine_disk *disk, const char *vm,
		      uint64_t bytes, struct problem *problem)
{
	if (bytes % SECTOR_BYTES == 0)
		return 0;
	return problem_set(problem, -EINVAL,
			   "disk %s of %s has %llu bytes: not a multiple of %d "
			   "(is it a raw image?)",
			   disk->path, vm, (unsigned long long)bytes,
			   SECTOR_BYTES);
}

static int set_flags(const struct machine_disk *disk, int flags, const char *vm,
		     struct problem *problem)
{
	if (fcntl(disk->fd, F_SETFL, flags) == 0)
		return 0;
	return problem_set(problem, -errno, "disk %s of %s: %s", disk->path, vm,
			   strerror(errno));
}

static int open_disk(struct machine_disk *disk, const char *vm,
		     enum strictness strictness, struct problem *problem)
{
	int flags = (disk->read_only ? O_RDONLY : O_RDWR) |
		    (disk->direct ? O_DIRECT : 0);
	uint64_t bytes = 0;
	/* O_NONBLOCK: the open of a FIFO would wait for a writer */
	int error = open_file("disk", disk->path, vm, flags | O_NONBLOCK,
			      &disk->fd, problem);

	if (!error)
		error = check_disk(disk, vm, &bytes, problem);
	if (!error)
		error = lock_disk(disk, vm, problem);
	/* before O_DIRECT is set, which needs an aligned buffer */
	if (!error)
		error = set_flags(disk, 0, vm, problem);
	if (!error)
		error = check_format(disk, vm, bytes, strictness, problem);
	if (!error)
		error = check_size(disk, vm, bytes, problem);
	return error ? error : set_flags(disk, flags, vm, problem);
}

/* ---- all files of a machine */

static int check_pages(const struct machine_config *machine, const char *vm,
		       struct problem *problem)
{
	if (!machine->hugepages || machine->memory_bytes % HUGE_PAGE == 0)
		return 0;
	return problem_set(problem, -EINVAL,
			   "%llu MiB of memory of %s can't be huge pages (make "
			   "it a multiple of 2 MiB)",
			   (unsigned long long)(machine->memory_bytes / MIB),
			   vm);
}

static int open_all(struct machine_config *machine, const char *vm,
		    enum strictness strictness, struct problem *problem)
{
	int error = check_pages(machine, vm, problem);

	if (!error && machine->kernel_fd < 0)
		error = open_image("kernel", machine->kernel, vm,
				   &machine->kernel_fd, problem);
	if (!error && machine->initrd[0] && machine->initrd_fd < 0)
		error = open_image("initrd", machine->initrd, vm,
				   &machine->initrd_fd, problem);
	if (!error)
		error = kernel_check(machine, vm, problem);
	for (uint32_t i = 0; i < machine->disk_count && !error; i++)
		if (machine->disks[i].fd < 0)
			error = open_disk(&machine->disks[i], vm, strictness,
					  problem);
	return error;
}

int files_open(struct machine_config *machine, const char *vm,
	       struct problem *problem)
{
	return open_all(machine, vm, STRICT, problem);
}

static void close_all(struct machine_config *machine)
{
	fd_close(&machine->kernel_fd);
	fd_close(&machine->initrd_fd);
	for (uint32_t i = 0; i < machine->disk_count; i++)
		fd_close(&machine->disks[i].fd);
}

void files_open_or_not(struct machine_config *machine, const char *vm)
{
	struct problem problem;

	if (open_all(machine, vm, LENIENT, &problem) == 0)
		return;
	/* another VM may use a disk: no lock on it is kept */
	close_all(machine);
	snprintf(machine->why_closed, sizeof(machine->why_closed), "%s",
		 problem.text);
}

/* result: what the open of *fd returned. A file that isn't open needs a
 * reason; the first one is kept. */
static void keep_or_close(struct machine_config *machine, int result, int *fd,
			  const struct problem *problem)
{
	if (result == 0)
		return;
	fd_close(fd);
	if (!machine->why_closed[0])
		snprintf(machine->why_closed, sizeof(machine->why_closed), "%s",
			 problem->text);
}

void files_open_kept(struct machine_config *machine, const char *vm)
{
	struct problem problem;

	keep_or_close(machine,
		      open_image("kernel", machine->kernel, vm,
				 &machine->kernel_fd, &problem),
		      &machine->kernel_fd, &problem);
	if (machine->initrd[0])
		keep_or_close(machine,
			      open_image("initrd", machine->initrd, vm,
					 &machine->initrd_fd, &problem),
			      &machine->initrd_fd, &problem);
	for (uint32_t i = 0; i < machine->disk_count; i++)
		keep_or_close(
			machine,
			open_disk(&machine->disks[i], vm, LENIENT, &problem),
			&machine->disks[i].fd, &problem);
}
