/* SPDX-License-Identifier: ISC */
/* Makes the configured VMs, a few a turn, and those defined later. */
#include "supervisor/instance/populate.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/config/config_assign.h"
#include "supervisor/core.h"
#include "supervisor/instance/shutdown.h"
#include "supervisor/life/life.h"
#include "supervisor/takeover/adopt.h"
#include "supervisor/vm/vms.h"

/* VMs made in one turn of the loop: others are served between the turns. */
#define POPULATE_BATCH 8

/* Makes a VM of config. It isn't guarded or started yet. */
static int make_vm(struct supervisor *supervisor,
		   const struct vm_config *config, struct problem *problem)
{
	struct vm *vm = vm_new(&supervisor->host, config, problem);

	if (!vm)
		return -EIO;
	if (vms_add(&supervisor->host, vm) < 0) {
		uids_give(&supervisor->host.uids, vm->uid);
		vm_free(vm);
		return problem_set(problem, -ENOMEM, "out of memory");
	}
	return 0;
}

/* Undoes make_vm(). */
static void remove_last(struct supervisor *supervisor)
{
	struct vm *vm = supervisor->host.vms[--supervisor->host.vm_count];

	uids_give(&supervisor->host.uids, vm->uid);
	vm_free(vm);
}

/* Guards the VMs from first on, all at once, and starts those that are
 * wanted. */
static int begin_vms(struct supervisor *supervisor, size_t first,
		     struct problem *problem)
{
	size_t count = supervisor->host.vm_count - first;
	int error;

	if (!count)
		return 0;
	error = firsthop_guard(&supervisor->host, supervisor->host.vms + first,
			       count, problem);
	if (error)
		return error;
	for (; first < supervisor->host.vm_count; first++) {
		struct vm *vm = supervisor->host.vms[first];

		events_add(&supervisor->host.events, vm, "defined", NULL);
		if (vm->config.autostart)
			vm_event(vm, VM_START);
		else
			store_vm(vm);
	}
	return 0;
}

int populate_assign(struct supervisor *supervisor, struct problem *problem)
{
	char machine_id[64] = "";
	cleanup_fd int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);

	/* without one, MACs are the same on every such host: the instance and
	 * the VM's name still tell them apart on this one */
	if (fd >= 0 && read(fd, machine_id, sizeof(machine_id) - 1) > 0)
		machine_id[strcspn(machine_id, "\n")] = '\0';
	return config_assign(supervisor->host.config, machine_id,
			     supervisor->host.rundir.instance, problem);
}

/* Sets what the VM may send, in place of the defaults. */
static int set_allow(struct vm_config *vm, const json_t *names,
		     struct problem *problem)
{
	const json_t *name;
	size_t i;
	int error = 0;

	vm->allow = 0;
	json_array_foreach(names, i, name)
		if (!error)
			error = config_set_allow(vm, json_string_value(name),
						 problem);
	return error;
}

/* Makes the last VM of the configuration. Its document is written before:
 * otherwise the VM would be missing after a crash. */
static int make_defined(struct supervisor *supervisor, struct problem *problem)
{
	size_t index = supervisor->host.config->vm_count - 1;
	const struct vm_config *vm = &supervisor->host.config->vms[index];
	int error = store_defined(&supervisor->host, index, problem);

	if (error)
		return error;
	error = make_vm(supervisor, vm, problem);
	if (!error) {
		error = begin_vms(supervisor, supervisor->host.vm_count - 1,
				  problem);
		if (error)
			remove_last(supervisor);
	}
	if (error)
		store_drop(&supervisor->host, vm->name);
	return error;
}

int populate_define(struct supervisor *supervisor,
		    const struct definition *definition,
		    struct problem *problem)
{
	struct config *config = supervisor->host.config;
	struct vm_config *vm;
	int error = 0;

	if (supervisor->host.ending)
		return problem_set(problem, -ESHUTDOWN,
				   "the supervisor is stopping");
	if (supervisor->populated < config->vm_count)
		return problem_set(problem, -EAGAIN,
				   "the supervisor is still starting its VMs");
	vm = config_add_vm(config, definition->name, problem);
	if (!vm)
		return -EINVAL;
	vm->autostart = true;
	vm->guest = definition->machine ? GUEST_KVM : GUEST_BUILTIN;
	vm->machine = definition->machine;
	if (definition->mac)
		error = config_set_mac(vm, definition->mac, problem);
	if (!error && definition->ipv4)
		error = config_set_ipv4(config, vm, definition->ipv4, problem);
	if (!error && definition->ipv6)
		error = config_set_ipv6(vm, definition->ipv6, problem);
	if (!error && definition->allow)
		error = set_allow(vm, definition->allow, problem);
	if (!error)
		error = populate_assign(supervisor, problem);
	if (!error)
		error = make_defined(supervisor, problem);
	if (error)
		config->vm_count--; /* the one just appended */
	else
		supervisor->populated++;
	return error;
}

/* Revives VMs of an earlier supervisor and makes new ones, a few in all. */
static int make_some(struct supervisor *supervisor, struct problem *problem)
{
	const struct config *config = supervisor->host.config;
	size_t first = supervisor->host.vm_count;
	int error = 0;

	for (int i = 0; i < POPULATE_BATCH && !error; i++) {
		size_t index = supervisor->populated;

		if (index == config->vm_count)
			break;
		if (index >= first)
			error = make_vm(supervisor, &config->vms[index],
					problem);
		else if (adopt_revive(supervisor->host.vms[index], problem) < 0)
			vm_fail(supervisor->host.vms[index], problem->text);
		supervisor->populated += !error;
	}
	return error ? error : begin_vms(supervisor, first, problem);
}

/* Makes the next few VMs of the configuration. */
void populate_some(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;
	struct config *config = supervisor->host.config;
	struct problem problem;

	if (make_some(supervisor, &problem) < 0) {
		log_error("%s", problem.text);
		shutdown_begin(supervisor, 1);
		return;
	}
	if (supervisor->populated < config->vm_count)
		loop_timer_at(&supervisor->host.loop, timer, loop_now_ns());
	vms_changed(&supervisor->host);
}
