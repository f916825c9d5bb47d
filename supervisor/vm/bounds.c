/* SPDX-License-Identifier: ISC */
/*
 * What a VM may use up of the host, unless its configuration says otherwise.
 *
 * Theory of operation: a guest is hostile, and so is its process once taken
 * over. It can fill its memory, spin, and make threads; none of that may cost
 * its siblings or the host more than its own share. So every VM has bounds that
 * it never meets in honest work: memory is what its guest has, and what the
 * process and the kernel need for it; threads are those that it makes. Who is
 * over its memory dies alone, and is told apart from other deaths by the count
 * that its cgroup keeps.
 */
#include "supervisor/vm/bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "sandbox/stage1.h"
#include "supervisor/vm/events.h"
#include "supervisor/vm/host.h"

#define MIB (1ULL << 20)

/* Of a builtin guest's process: 0.5 MiB were measured, kernel memory and
 * buffers under a flood of pings of 65,000 bytes included. */
#define BUILTIN_MEMORY (8 * MIB)
/* Of a machine, beside its guest's memory: the process, its threads' stacks,
 * its devices' queues, what is under way to disks. 1.2 MiB were measured, of
 * one whose guest of 96 MiB used all of it. */
#define MACHINE_OVERHEAD (32 * MIB)
/* Page tables, the process's and the guest's: 8 bytes of each for 4 KiB are
 * 1/256 of the memory; twice that, for a guest that maps it in both. */
#define MACHINE_TABLES 128
/* KVM's state of a vCPU, its stack and its share of the devices. */
#define MACHINE_VCPU MIB

/* Threads that the kernel makes in the VM's name, in its cgroup: KVM's own for
 * the machine, one or two by version. */
#define KERNEL_THREADS 4

/* What systemd gives each unit: VMs have equal shares, whatever their threads
 * are. */
#define CPU_WEIGHT 100

/* Threads besides the vCPUs: the loop's own is counted by stage 1; the disks'.
 * One to spare: a dead generation that nobody has reaped yet counts as well. */
#define MORE_THREADS 2

static uint64_t default_memory(const struct machine_config *machine)
{
	if (!machine)
		return BUILTIN_MEMORY;
	return machine->memory_bytes + machine->memory_bytes / MACHINE_TABLES +
	       MACHINE_OVERHEAD + machine->cpus * MACHINE_VCPU;
}

struct cgroup_limits bounds_of(const struct vm_config *config)
{
	const struct vm_limits *wanted = &config->limits;
	struct cgroup_limits limits = {
		.memory_bytes = wanted->memory_bytes,
		.cpu_percent = wanted->cpu_percent,
		.cpu_weight = wanted->cpu_weight ? wanted->cpu_weight
						 : CPU_WEIGHT,
		/* a dead generation that nobody has reaped yet counts, too */
		.pids = 2 + bounds_threads(config),
	};

	if (config->machine)
		limits.pids += KERNEL_THREADS;
	if (wanted->memory_bytes == VM_LIMIT_NONE)
		limits.memory_bytes = 0;
	else if (wanted->memory_bytes)
		limits.required |= 1U << CGROUP_MEMORY;
	else
		limits.memory_bytes = default_memory(config->machine);
	if (wanted->cpu_percent || wanted->cpu_weight)
		limits.required |= 1U << CGROUP_CPU;
	return limits;
}

static void note_oom(struct vm *vm)
{
	(void)cgroup_read_oom(&vm->host->cgroup, vm->config.name, &vm->oom);
	vm->oom_known = true;
}

void bounds_watch(struct vm *vm)
{
	const struct cgroup_limits limits = bounds_of(&vm->config);
	cleanup_fd int fd = -1;
	int error = 0;

	if (!vm->bounded)
		error = cgroup_open(&vm->host->cgroup, vm->config.name, &limits,
				    &vm->bounded, &fd);
	if (error)
		vm_log(vm, LOG_LEVEL_WARN,
		       "its process goes on without bounds: cgroup: %s",
		       strerror(-error));
	if (!vm->oom_known)
		note_oom(vm);
}

void bounds_explain(struct vm *vm, struct death *death)
{
	struct cgroup_oom before = vm->oom;

	note_oom(vm);
	/* a group that was made anew counts from 0 */
	if (vm->oom.kills < before.kills)
		before = (struct cgroup_oom){ 0 };
	if (vm->oom.kills == before.kills)
		return;
	death->reason = DEATH_OUT_OF_MEMORY;
	if (vm->oom.over_limit == before.over_limit)
		snprintf(death->detail, sizeof(death->detail),
			 "out of memory: the host had none left");
	else
		snprintf(death->detail, sizeof(death->detail),
			 "out of memory: over its %llu MiB (raise "
			 "limits.memory)",
			 (unsigned long long)(bounds_of(&vm->config)
						      .memory_bytes /
					      MIB));
}

/* The supervisor's own; 0, as of most processes, if it can't be read. */
static long own_oom_score(int proc_fd)
{
	char text[16] = "";
	cleanup_fd int fd =
		openat(proc_fd, "self/oom_score_adj", O_RDONLY | O_CLOEXEC);

	return fd < 0 || read(fd, text, sizeof(text) - 1) < 0
		       ? 0
		       : strtol(text, NULL, 10);
}

json_t *bounds_json(const struct vm *vm)
{
	const struct cgroup *cgroup = &vm->host->cgroup;
	const struct cgroup_limits limits = bounds_of(&vm->config);
	const struct {
		unsigned int controller;
		const char *file;
		uint64_t value; /* 0: none */
	} files[] = {
		{ CGROUP_MEMORY, "memory.max", limits.memory_bytes },
		{ CGROUP_MEMORY, "memory.oom.group", 1 },
		{ CGROUP_PIDS, "pids.max", limits.pids },
		{ CGROUP_CPU, "cpu.weight", limits.cpu_weight },
	};
	long score = own_oom_score(vm->host->proc_fd);
	json_t *bounds = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (vm->bounded && files[i].value &&
		    cgroup->controllers & 1U << files[i].controller)
			json_object_set_new(
				bounds, files[i].file,
				json_integer((json_int_t)files[i].value));
	/* versions that spoke an earlier protocol left it as it was */
	if (vm->process.protocol > 2)
		score = stage1_oom_score(score);
	json_object_set_new(bounds, "oom_score_adj", json_integer(score));
	return bounds;
}

int bounds_check_core(const struct vm_config *config, struct problem *problem)
{
	unsigned long cookie = 0;

	/* ENODEV: no core has two threads, so nothing is shared */
	if (!config->core_scheduling ||
	    prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0,
		  PR_SCHED_CORE_SCOPE_THREAD, &cookie) == 0 ||
	    errno == ENODEV)
		return 0;
	return problem_set(problem, PROBLEM_PERMANENT,
			   "core_scheduling: %s (Linux 5.14 with "
			   "CONFIG_SCHED_CORE; or set it to false)",
			   errno == EINVAL ? "this kernel has none"
					   : strerror(errno));
}

unsigned int bounds_threads(const struct vm_config *config)
{
	const struct machine_config *machine = config->machine;

	/* vhost-net's workers are threads of this process, since Linux 6.4 */
	return machine ? machine->cpus + machine->queues + MORE_THREADS : 0;
}

unsigned int bounds_descriptors(const struct vm_config *config)
{
	/* by the plan: numbers beyond it are nobody's */
	return config->machine ? PROTO_FDS : PROTO_BUILTIN_FDS;
}

unsigned int bounds_loops(const struct vm_config *config)
{
	return config->machine && config->machine->disk_count > 0 ? 2 : 1;
}

/* 0: it isn't known, and the process won't find out either. */
static uint64_t size_of(int fd)
{
	uint64_t bytes = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	if (S_ISREG(st.st_mode))
		return (uint64_t)st.st_size;
	return ioctl(fd, BLKGETSIZE64, &bytes) < 0 ? 0 : bytes;
}

uint64_t bounds_file_bytes(const struct vm_config *config)
{
	const struct machine_config *machine = config->machine;
	uint64_t most = 0;

	/* images are written in place: the limit counts offsets, and the
	 * process is the same for all of them */
	for (uint32_t i = 0; machine && i < machine->disk_count; i++) {
		uint64_t bytes = machine->disks[i].read_only
					 ? 0
					 : size_of(machine->disks[i].fd);

		if (bytes > most)
			most = bytes;
	}
	return most;
}
