/* SPDX-License-Identifier: ISC */
/* A configuration and its VMs: defaults, memory, additions. */
#include "supervisor/config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/config/config_check.h"
#include "supervisor/config/config_settings.h"
#include "supervisor/lib/value.h"

#define FIRST_ROOM 16 /* a power of two */

static const struct vm_config default_vm = {
	.guest = GUEST_BUILTIN,
	.autostart = true,
	.broadcast_rate = 1000,
	.restart = {
		.enabled = true,
		.steady_ms = 1000,
		.delay_min_ms = 100,
		.delay_max_ms = 30 * 1000,
		.jitter_percent = 20,
		.forget_ms = 60 * 1000,
		.crash_deaths = 5,
		.crash_window_ms = 60 * 1000,
	},
	.timeouts = {
		.start_ms = 10 * 1000,
		.heartbeat_ms = 1000,
		.watchdog_ms = 10 * 1000,
		.abort_ms = 2 * 1000,
		.stop_guest_ms = 30 * 1000,
		.stop_process_ms = 5 * 1000,
	},
};

void config_init(struct config *config)
{
	memset(config, 0, sizeof(*config));
	strcpy(config->bridge, "vmsup0");
	config->bridge_ipv4.s_addr = htonl(0x0a4d0001); /* 10.77.0.1 */
	config->bridge_ipv4_prefix = 16;
	config->mtu = 1500;
	strcpy(config->tap_prefix, "vmtap");
	config->uid_first = 1900000000;
	config->uid_count = 65536;
	config->log_level = LOG_LEVEL_INFO;
	config->defaults = default_vm;
}

struct machine_config *machine_new(void)
{
	struct machine_config *machine = calloc(1, sizeof(*machine));

	if (!machine)
		return NULL;
	machine->kernel_fd = machine->initrd_fd = -1;
	machine->memory_bytes = MACHINE_MEMORY_DEFAULT;
	machine->cpus = machine->queues = 1;
	for (int i = 0; i < MACHINE_DISKS; i++)
		machine->disks[i].fd = -1;
	return machine;
}

struct machine_config *machine_copy(const struct machine_config *machine)
{
	struct machine_config *copy = machine_new();

	if (!copy || !machine)
		return copy;
	*copy = *machine;
	copy->kernel_fd = copy->initrd_fd = -1;
	for (int i = 0; i < MACHINE_DISKS; i++)
		copy->disks[i].fd = -1;
	return copy;
}

void machine_free(struct machine_config *machine)
{
	if (!machine)
		return;
	fd_close(&machine->kernel_fd);
	fd_close(&machine->initrd_fd);
	for (int i = 0; i < MACHINE_DISKS; i++)
		fd_close(&machine->disks[i].fd);
	free(machine);
}

void config_uninit(struct config *config)
{
	for (size_t i = 0; i < config->vm_count; i++)
		machine_free(config->vms[i].machine);
	machine_free(config->defaults.machine);
	config->defaults.machine = NULL;
	free(config->vms);
	config->vms = NULL;
	config->vm_count = 0;
}

/* How many VMs memory is allocated for; it depends on their number alone. */
static size_t capacity_for(size_t count)
{
	size_t room = FIRST_ROOM;

	if (!count)
		return 0;
	while (room < count)
		room *= 2;
	return room;
}

/* Makes room for count more VMs. 0, -E2BIG, -ENOMEM. */
static int reserve(struct config *config, size_t count, struct problem *problem)
{
	struct vm_config *vms;
	size_t total;

	if (__builtin_add_overflow(config->vm_count, count, &total) ||
	    total > CONFIG_MAX_VMS)
		return problem_set(problem, -E2BIG,
				   "too many VMs: a Linux bridge has 1,023 "
				   "ports (start at most %d, or another "
				   "instance with --run-dir)",
				   CONFIG_MAX_VMS);
	if (capacity_for(total) <= capacity_for(config->vm_count))
		return 0;
	vms = reallocarray(config->vms, capacity_for(total), sizeof(*vms));
	if (!vms)
		return problem_set(problem, -ENOMEM, "out of memory");
	config->vms = vms;
	return 0;
}

/* Appends a VM, for which there is room. name is a valid name of a VM. */
static struct vm_config *append(struct config *config, const char *name)
{
	struct vm_config *vm = &config->vms[config->vm_count++];

	*vm = config->defaults;
	vm->machine = NULL; /* the machine belongs to the defaults */
	memset(vm->name, 0, sizeof(vm->name));
	memcpy(vm->name, name, strlen(name));
	return vm;
}

/* N of a name vmN, as config_add_vms() writes it;
 * CONFIG_MAX_VMS for other names. */
static size_t name_number(const char *name)
{
	size_t number = 0, digits = 0;

	if (strncmp(name, "vm", 2) != 0)
		return CONFIG_MAX_VMS;
	for (name += 2; *name >= '0' && *name <= '9'; name++, digits++) {
		if (digits > 0 && number == 0)
			return CONFIG_MAX_VMS;
		number = 10 * number + (size_t)(*name - '0');
		if (number >= CONFIG_MAX_VMS)
			return CONFIG_MAX_VMS;
	}
	return *name || !digits ? CONFIG_MAX_VMS : number;
}

/* Gives a VM without settings the machine of the
 * defaults. 0, -EINVAL, -ENOMEM. */
static int default_machine(const struct config *config, struct vm_config *vm,
			   struct problem *problem)
{
	const struct machine_config *machine = config->defaults.machine;

	if (vm->guest != GUEST_KVM)
		return 0;
	if (!machine || !machine->kernel[0])
		return problem_set(problem, -EINVAL,
				   "VM %s has guest kvm, but no kernel (add "
				   "one to the defaults, as in kernel = "
				   "\"/boot/vmlinuz\")",
				   vm->name);
	vm->machine = machine_copy(machine);
	return vm->machine ? 0 : problem_set(problem, -ENOMEM, "out of memory");
}

int config_add_vms(struct config *config, size_t count, struct problem *problem)
{
	bool used[CONFIG_MAX_VMS + 1] = { false };
	size_t number = 0;
	int error;

	error = reserve(config, count, problem);
	if (error)
		return error;
	for (size_t i = 0; i < config->vm_count; i++)
		used[name_number(config->vms[i].name)] = true;
	for (; count > 0 && !error; count--, number++) {
		char name[VM_NAME_MAX + 1];

		while (used[number])
			number++;
		snprintf(name, sizeof(name), "vm%zu", number);
		error = default_machine(config, append(config, name), problem);
	}
	return error;
}

struct vm_config *config_add_unnamed(struct config *config,
				     struct problem *problem)
{
	if (reserve(config, 1, problem))
		return NULL;
	return append(config, "");
}

struct vm_config *config_add_vm(struct config *config, const char *name,
				struct problem *problem)
{
	if (!vm_name_valid(name)) {
		problem_set(problem, -EINVAL,
			    "\"%.64s\" can't name a VM (use 1 to %d of a-z, "
			    "0-9 and -, the first not -)",
			    name, VM_NAME_MAX);
		return NULL;
	}
	for (size_t i = 0; i < config->vm_count; i++) {
		if (strcmp(config->vms[i].name, name) != 0)
			continue;
		problem_set(problem, -EEXIST,
			    "there is a VM named %s already (choose another "
			    "name)",
			    name);
		return NULL;
	}
	if (reserve(config, 1, problem))
		return NULL;
	return append(config, name);
}

int config_set_mac(struct vm_config *vm, const char *text,
		   struct problem *problem)
{
	uint8_t mac[6];
	int error;

	if (value_mac(text, mac))
		return problem_set(problem, -EINVAL,
				   "\"%.64s\" isn't a MAC address (write six "
				   "bytes, as in 02:00:00:00:00:01)",
				   text);
	error = config_check_mac(mac, problem);
	if (error)
		return error;
	memcpy(vm->mac, mac, sizeof(mac));
	vm->has_mac = true;
	return 0;
}

int config_set_ipv4(const struct config *config, struct vm_config *vm,
		    const char *text, struct problem *problem)
{
	struct vm_config changed = *vm;
	int error;

	if (inet_pton(AF_INET, text, &changed.ipv4) != 1)
		return problem_set(problem, -EINVAL,
				   "\"%.64s\" isn't an IPv4 address (write one "
				   "without prefix length, as in 10.77.0.9)",
				   text);
	changed.has_ipv4 = true;
	error = config_check_vm_ipv4(config, &changed, problem);
	if (error)
		return error;
	*vm = changed;
	return 0;
}

int config_set_ipv6(struct vm_config *vm, const char *text,
		    struct problem *problem)
{
	struct in6_addr address;
	uint32_t prefix;
	int error;

	if (value_ipv6_prefix(text, &address, &prefix))
		return problem_set(problem, -EINVAL,
				   "\"%.64s\" isn't an IPv6 address with "
				   "prefix length (write one as in "
				   "fd77::9/64)",
				   text);
	error = config_check_ipv6(&address, prefix, problem);
	if (error)
		return error;
	vm->ipv6 = address;
	vm->ipv6_prefix = prefix;
	vm->has_ipv6 = true;
	return 0;
}

int config_set_allow(struct vm_config *vm, const char *name,
		     struct problem *problem)
{
	for (int i = 0; i < ALLOWS; i++)
		if (strcmp(name, config_allow_names[i]) == 0) {
			vm->allow |= 1U << i;
			return 0;
		}
	return problem_set(
		problem, -EINVAL,
		"\"%.64s\" is nothing that a VM can be allowed to "
		"send (allow ra, redirect, mld-query or dhcp-server)",
		name);
}

bool config_has_network(const struct vm_config *vm)
{
	return !vm->machine || vm->machine->queues > 0;
}
