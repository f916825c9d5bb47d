/* SPDX-License-Identifier: ISC */
/* The sandbox of a VM as it should be: the reply of io.vmsup Sandbox. */
#include "supervisor/api/sandbox.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/life/machine.h"
#include "supervisor/state/state_sandbox.h"
#include "supervisor/vm/bounds.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/tap.h"

/* ---- the manifest, as /proc/PID/fd shows it */

/* fd 0: any number. count over 1: at most so many. */
static void add_descriptor(json_t *manifest, const char *role, const char *kind,
			   const char *link, int fd, int count)
{
	json_array_append_new(
		manifest, json_pack("{s:s, s:s, s:i, s:s?, s:b, s:o}", "role",
				    role, "kind", kind, "count", count, "link",
				    link, "at_most", count > 1, "fd",
				    fd ? json_integer(fd) : json_null()));
}

/* Adds the file behind a descriptor of the supervisor, as readlink shows it. */
static void add_file(json_t *manifest, const char *role, int own_fd, int fd)
{
	char path[32], target[512];
	ssize_t length;

	if (own_fd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", own_fd);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	add_descriptor(manifest, role, "file", length > 0 ? target : NULL, fd,
		       1);
}

/* The fixed number of a descriptor that the process makes itself; 0 if its
 * protocol has none. */
static int planned(const struct vm *vm, int number)
{
	return vm->process.protocol < PROTO_PLAN ? 0 : number;
}

static void add_machine(json_t *manifest, const struct vm *vm)
{
	const struct machine_config *machine = vm->config.machine;

	add_file(manifest, "kernel", machine->kernel_fd,
		 proto_fd_number(vm->process.protocol, FD_ROLE_KERNEL, 0));
	add_file(manifest, "initrd", machine->initrd_fd,
		 proto_fd_number(vm->process.protocol, FD_ROLE_INITRD, 0));
	for (uint32_t i = 0; i < machine->disk_count; i++)
		add_file(
			manifest, "disk", machine->disks[i].fd,
			proto_fd_number(vm->process.protocol, FD_ROLE_DISK, i));
	for (uint32_t i = 1; i < machine->queues; i++)
		add_descriptor(
			manifest, "tap", "tun", vm->config.tap,
			proto_fd_number(vm->process.protocol, FD_ROLE_TAP, i),
			1);
	for (uint32_t i = 0; i < machine->queues; i++)
		if (vm->process.vhost_used)
			add_descriptor(manifest, "vhost-net", "vhost-net", NULL,
				       proto_fd_number(vm->process.protocol,
						       FD_ROLE_VHOST_NET, i),
				       1);
	add_descriptor(
		manifest, "console", "socket", NULL,
		proto_fd_number(vm->process.protocol, FD_ROLE_CONSOLE, 0), 1);
	add_descriptor(
		manifest, "console-adopt", "socket", NULL,
		proto_fd_number(vm->process.protocol, FD_ROLE_CONSOLE_ADOPT, 0),
		1);
	add_descriptor(manifest, "vm", "kvm-vm", NULL, planned(vm, PROTO_VM_FD),
		       1);
	/* interrupts and wake-ups: as many as devices and queues */
	add_descriptor(manifest, "event", "eventfd", NULL, 0, PROTO_EVENT_FDS);
	if (machine->disk_count > 0)
		add_descriptor(manifest, "loop-disks", "eventpoll", NULL,
			       planned(vm, PROTO_DISKS_LOOP_FD), 1);
	for (uint32_t i = 0; i < machine->cpus; i++) {
		char kind[32];

		snprintf(kind, sizeof(kind), "kvm-vcpu:%u", i);
		add_descriptor(manifest, "vcpu", kind, NULL,
			       planned(vm, PROTO_VCPU_FD + (int)i), 1);
	}
}

static json_t *manifest_json(const struct vm *vm)
{
	json_t *manifest = json_array();
	char end[48];

	snprintf(end, sizeof(end), "socket:[%llu]",
		 (unsigned long long)vm->process.channel_inode);
	add_descriptor(manifest, "channel", "socket", NULL, PROTO_CHANNEL_FD,
		       1);
	add_descriptor(manifest, "adopt", "socket", end,
		       proto_fd_number(vm->process.protocol, FD_ROLE_ADOPT, 0),
		       1);
	add_descriptor(manifest, "uids", "vmsup.uids", NULL,
		       proto_fd_number(vm->process.protocol, FD_ROLE_UIDS, 0),
		       1);
	if (config_has_network(&vm->config))
		add_descriptor(
			manifest, "tap", "tun", vm->config.tap,
			proto_fd_number(vm->process.protocol, FD_ROLE_TAP, 0),
			1);
	add_descriptor(manifest, "loop", "eventpoll", NULL,
		       planned(vm, PROTO_LOOP_FD), 1);
	if (vm->config.machine)
		add_machine(manifest, vm);
	return manifest;
}

/* ---- all of it */

static bool is_listed(const json_t *list, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (strcmp(json_string_value(entry), name) == 0)
			return true;
	return false;
}

/* Adds each system call once, even if several rules allow it. */
static json_t *syscalls_json(const struct vm *vm)
{
	enum filter_role role = vm->config.machine ? FILTER_KVM
						   : FILTER_BUILTIN;
	json_t *syscalls = json_array();
	const char *name;

	for (size_t i = 0; (name = filter_syscall(role, i)); i++)
		if (!is_listed(syscalls, name))
			json_array_append_new(syscalls, json_string(name));
	return syscalls;
}

static json_t *digest_json(const char *digest)
{
	return *digest ? json_string(digest) : json_null();
}

/* null: an earlier version, which saved no digests, made the process. */
static json_t *digests_json(const struct filter_digests *digests)
{
	json_t *inherited;

	if (!*digests->running)
		return json_null();
	inherited = json_array();
	for (const char *at = digests->inherited; *at;) {
		size_t length = strcspn(at, " ");

		json_array_append_new(inherited, json_stringn(at, length));
		at += length + (at[length] == ' ');
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "inherited", inherited,
			 "setup", digest_json(digests->setup), "running",
			 digest_json(digests->running), "vcpu",
			 digest_json(digests->vcpu), "seal",
			 digest_json(digests->seal));
}

/* The process's limit of descriptors. */
static int open_files(const struct vm *vm)
{
	if (vm->process.protocol >= PROTO_PLAN)
		return (int)bounds_descriptors(&vm->config);
	return vm->config.machine ? 1024 + (int)vm->config.machine->cpus : 64;
}

json_t *sandbox_json(const struct vm *vm)
{
	const struct host *host = vm->host;
	json_t *cgroup = host->cgroup.dir_fd < 0
				 ? json_null()
				 : json_sprintf("%s/%s", host->cgroup.path,
						vm->config.name);

	return json_pack(
		"{s:{s:s, s:i, s:I, s:i, s:i, s:o, s:i, s:i, s:i, s:I, s:i, s:o, "
		"s:o, s:o, s:o, s:o, s:o, s:o}}",
		"cage", "name", vm->config.name, "pid", (int)vm->process.pid,
		"generation", (json_int_t)vm->generation, "uid", (int)vm->uid,
		"filters", (int)vm->process.filters, "digests",
		digests_json(&vm->process.digests), "cpus",
		vm->config.machine ? (int)vm->config.machine->cpus : 0,
		"threads", 1 + (int)bounds_threads(&vm->config), "open_files",
		open_files(vm), "file_bytes",
		(json_int_t)bounds_file_bytes(&vm->config), "channel_fd",
		PROTO_CHANNEL_FD, "descriptors", manifest_json(vm), "syscalls",
		syscalls_json(vm), "namespaces",
		state_sandbox_namespaces(&host->room), "cgroup", cgroup,
		"bounds", bounds_json(vm), "guarded",
		config_has_network(&vm->config) ? json_boolean(vm->tap.guarded)
						: json_null(),
		"allow", firsthop_allow_json(vm));
}
