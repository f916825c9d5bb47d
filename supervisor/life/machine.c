/* SPDX-License-Identifier: ISC */
/*
 * Guest kvm from the supervisor's side.
 *
 * Theory of operation: the supervisor opens what needs its rights, /dev/kvm and
 * /dev/vhost-net, by those two names alone; kernel, initrd and disks came as
 * descriptors from who had the right to them, and are never opened by it. All
 * go to the process before START, and /dev/kvm anew for each generation: what
 * one does with it is gone with it.
 */
#include "supervisor/life/machine.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "supervisor/life/process.h"
#include "supervisor/net/tap.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/host.h"

#define MIB (1ULL << 20)

/* ---- from a client */

/* True if fd is a file, or for a disk a block device, that is opened for
 * exactly mode: O_RDONLY or O_RDWR. */
static bool is_file(int fd, int mode, bool disk)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) == mode &&
	       fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || (disk && S_ISBLK(st.st_mode)));
}

static int take_one(int *to, int *from, int mode, const char *what,
		    const char *path, struct problem *problem)
{
	if (!is_file(*from, mode, strcmp(what, "disk") == 0))
		return problem_set(problem, -EINVAL,
				   "%s %.200s: its descriptor is no file, or "
				   "not opened %s",
				   what, path,
				   mode == O_RDWR ? "to read and write"
						  : "to read only");
	*to = steal_fd(from);
	return 0;
}

int machine_take_files(struct machine_config *machine, int *fds, size_t count,
		       struct problem *problem)
{
	size_t need = 1 + (machine->initrd[0] != '\0') + machine->disk_count;
	int error;

	if (!machine->kernel[0])
		return problem_set(problem, -EINVAL,
				   "a machine needs a kernel");
	if (count != need)
		return problem_set(problem, -EINVAL,
				   "%zu descriptors came with the machine, it "
				   "needs %zu",
				   count, need);
	error = take_one(&machine->kernel_fd, fds++, O_RDONLY, "kernel",
			 machine->kernel, problem);
	if (!error && machine->initrd[0])
		error = take_one(&machine->initrd_fd, fds++, O_RDONLY, "initrd",
				 machine->initrd, problem);
	for (uint32_t i = 0; i < machine->disk_count && !error; i++) {
		struct machine_disk *disk = &machine->disks[i];

		error = take_one(&disk->fd, fds++,
				 disk->read_only ? O_RDONLY : O_RDWR, "disk",
				 disk->path, problem);
	}
	return error;
}

/* ---- before the process */

static int open_kvm(int *kvm_fd, struct problem *problem)
{
	*kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (*kvm_fd >= 0)
		return 0;
	return problem_set(problem, PROBLEM_PERMANENT,
			   "cannot open /dev/kvm: %s (modprobe kvm_intel or "
			   "kvm_amd; in a VM, enable nested virtualisation)",
			   strerror(errno));
}

int machine_check_host(const struct machine_config *machine,
		       struct problem *problem)
{
	cleanup_fd int kvm_fd = -1;
	int error = open_kvm(&kvm_fd, problem);
	int most;

	if (error)
		return error;
	if (machine->memory_bytes > MACHINE_MEMORY_MAX)
		return problem_set(problem, PROBLEM_PERMANENT,
				   "%llu MiB of memory: KVM takes %llu at most "
				   "(give the VM less)",
				   (unsigned long long)machine->memory_bytes /
					   MIB,
				   MACHINE_MEMORY_MAX / MIB);
	most = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (most < 0)
		return problem_set(problem, PROBLEM_PERMANENT,
				   "/dev/kvm: %s (is it KVM's device?)",
				   strerror(errno));
	if (most > 0 && machine->cpus > (uint32_t)most)
		return problem_set(problem, PROBLEM_PERMANENT,
				   "%u vCPUs: this host's KVM allows %d (give "
				   "the VM fewer)",
				   machine->cpus, most);
	return 0;
}

static int open_vhost(struct vm *vm, struct problem *problem)
{
	const struct machine_config *machine = vm->config.machine;

	for (uint32_t i = 0; i < machine->queues; i++) {
		if (machine->vhost == VHOST_OFF)
			return 0;
		vm->vhost_fds[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
		if (vm->vhost_fds[i] >= 0)
			continue;
		if (machine->vhost == VHOST_AUTO)
			return 0; /* the process moves the frames itself */
		return problem_set(problem, PROBLEM_PERMANENT,
				   "cannot open /dev/vhost-net: %s (modprobe "
				   "vhost_net, or vhost = \"auto\")",
				   strerror(errno));
	}
	return 0;
}

/* Checks that every file of the machine is open. The command line may have
 * failed to open one, and has said why; or the only process that held it has
 * ended. */
static int check_files(const struct vm *vm, struct problem *problem)
{
	const struct machine_config *machine = vm->config.machine;
	const char *missing = NULL;

	if (machine->kernel_fd < 0)
		missing = machine->kernel;
	else if (machine->initrd[0] && machine->initrd_fd < 0)
		missing = machine->initrd;
	for (uint32_t i = 0; i < machine->disk_count && !missing; i++)
		if (machine->disks[i].fd < 0)
			missing = machine->disks[i].path;
	if (!missing)
		return 0;
	if (machine->why_closed[0])
		return problem_set(problem, PROBLEM_PERMANENT, "%s",
				   machine->why_closed);
	return problem_set(problem, PROBLEM_PERMANENT,
			   "%s of %s isn't open (put it back, then 'vmsup "
			   "detach', 'vmsup start' and 'vmsup reset %s')",
			   missing, vm->config.name, vm->config.name);
}

static void close_devices(struct vm *vm)
{
	fd_close(&vm->kvm_fd);
	for (size_t i = 0; i < ARRAY_SIZE(vm->vhost_fds); i++)
		fd_close(&vm->vhost_fds[i]);
}

/* Restores flags and locks of disks: all generations share a disk's open file,
 * and the last process may have changed them. */
static int restore_disks(const struct vm *vm, struct problem *problem)
{
	const struct machine_config *machine = vm->config.machine;

	for (uint32_t i = 0; i < machine->disk_count; i++) {
		const struct machine_disk *disk = &machine->disks[i];
		struct flock lock = {
			.l_type = disk->read_only ? F_RDLCK : F_WRLCK,
			.l_whence = SEEK_SET,
		};

		/* O_APPEND would put each block at the image's end */
		if (fcntl(disk->fd, F_SETFL, disk->direct ? O_DIRECT : 0) < 0 ||
		    fcntl(disk->fd, F_OFD_SETLK, &lock) < 0)
			return problem_set(problem, -errno,
					   "disk %s of %s: %s (does another VM "
					   "use it by now?)",
					   disk->path, vm->config.name,
					   strerror(errno));
	}
	return 0;
}

int machine_prepare(struct vm *vm, struct problem *problem)
{
	int error = check_files(vm, problem);

	close_devices(vm);
	if (!error)
		error = restore_disks(vm, problem);
	if (!error)
		error = open_kvm(&vm->kvm_fd, problem);
	if (!error)
		error = open_vhost(vm, problem);
	if (!error)
		error = console_open(vm, problem);
	if (error)
		close_devices(vm);
	return error;
}

/* ---- to the process */

static int send_machine(struct vm *vm)
{
	const struct machine_config *machine = vm->config.machine;
	union msg message = {
		.machine = {
			.memory_bytes = machine->memory_bytes,
			.vcpus = machine->cpus,
			.flags = machine->hugepages ? MACHINE_HUGEPAGES : 0,
		},
	};

	memcpy(message.machine.cmdline, machine->cmdline,
	       sizeof(message.machine.cmdline));
	return channel_send(&vm->process.channel, MSG_MACHINE, &message, -1);
}

int machine_introduce(struct vm *vm)
{
	const struct machine_config *machine = vm->config.machine;
	int error = send_machine(vm);

	if (!error)
		error = process_send_fd(vm, FD_ROLE_FILTER_VCPU, 0,
					vm->host->vcpu_filter_fd);
	if (!error)
		error = process_send_fd(vm, FD_ROLE_KVM, 0, vm->kvm_fd);
	if (!error)
		error = process_send_fd(vm, FD_ROLE_KERNEL, 0,
					machine->kernel_fd);
	if (!error)
		error = process_send_fd(vm, FD_ROLE_INITRD, 0,
					machine->initrd_fd);
	for (uint32_t i = 0; i < machine->disk_count && !error; i++)
		error = process_send_fd(vm, FD_ROLE_DISK, i,
					machine->disks[i].fd);
	for (uint32_t i = 0; i < machine->queues && !error; i++)
		error = process_send_fd(vm, FD_ROLE_VHOST_NET, i,
					vm->vhost_fds[i]);
	if (!error)
		error = process_send_fd(vm, FD_ROLE_CONSOLE, 0,
					console_guest_fd(vm));
	if (!error)
		error = process_send_fd(vm, FD_ROLE_CONSOLE_ADOPT, 0,
					console_fd(vm));
	vm->process.vhost_used = machine->queues > 0 && vm->vhost_fds[0] >= 0;
	close_devices(vm);
	return error ? error : console_handed_over(vm);
}

/* ---- from a process that outlived its supervisor */

static bool take_file(struct vm *vm, int *fd, enum fd_role role,
		      unsigned int index, bool disk,
		      int (*take)(const struct vm *vm, int number))
{
	struct stat st;
	int taken =
		take(vm, proto_fd_number(vm->process.protocol, role, index));

	if (taken < 0)
		return false;
	if (fstat(taken, &st) < 0 ||
	    !(S_ISREG(st.st_mode) || (disk && S_ISBLK(st.st_mode)))) {
		close(taken);
		return false;
	}
	/* *fd was opened by name since then, and may be another file */
	fd_close(fd);
	*fd = taken;
	return true;
}

const char *machine_adopt(struct vm *vm,
			  int (*take)(const struct vm *vm, int number))
{
	struct machine_config *machine = vm->config.machine;

	if (!take_file(vm, &machine->kernel_fd, FD_ROLE_KERNEL, 0, false, take))
		return "it doesn't hold the kernel that it was given";
	if (machine->initrd[0] &&
	    !take_file(vm, &machine->initrd_fd, FD_ROLE_INITRD, 0, false, take))
		return "it doesn't hold the initrd that it was given";
	for (uint32_t i = 0; i < machine->disk_count; i++)
		if (!take_file(vm, &machine->disks[i].fd, FD_ROLE_DISK, i, true,
			       take))
			return "it doesn't hold a disk that it was given";
	for (uint32_t i = 1; i < machine->queues; i++) {
		vm->tap.queue_fds[i - 1] =
			take(vm, proto_fd_number(vm->process.protocol,
						 FD_ROLE_TAP, i));
		if (!net_tap_is(vm->tap.queue_fds[i - 1], vm->config.tap,
				vm->host->network_inode))
			return "it doesn't hold the TAP that it was given";
	}
	return console_adopt(vm, take) ? NULL : "it doesn't hold its console";
}
