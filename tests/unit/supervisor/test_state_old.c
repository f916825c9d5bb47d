/* SPDX-License-Identifier: ISC */
/*
 * The documents of builds that are out there, as they wrote them: what is to be
 * loaded is loaded, with the values that it had. See states/README.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>

#include "ipc/fd.h"
#include "supervisor/life/machine.h"
#include "supervisor/start_upgraded.h"
#include "supervisor/state/store.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_machine.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/takeover/handover.h"

/* From the top of the tree, where tests are run. */
#define DOCUMENTS "tests/unit/supervisor/states/a1ef4e0/"

/* What is in them, VM by VM, in the order of their index. */
static const struct old_vm {
	const char *name;
	enum guest_kind guest;
	enum vm_state state;
	bool wanted;
	uint64_t generation, restarts;
	uint32_t filters; /* of its process; 0: none */
	enum death_reason last; /* DEATH_NONE: it never died */
	const char *detail; /* of that death */
} old_vms[] = {
	{ "ok", GUEST_BUILTIN, VM_STARTING, true, 4, 2, 2, DEATH_SIGNAL,
	  "SIGKILL" },
	{ "down", GUEST_BUILTIN, VM_STOPPED, false, 1, 0, 0, DEATH_EXIT,
	  "exit 0: done" },
	{ "failed", GUEST_BUILTIN, VM_FAILED, true, 1, 0, 0, DEATH_SIGNAL,
	  "SIGKILL" },
	{ "waits", GUEST_BUILTIN, VM_BACKOFF, true, 1, 0, 0, DEATH_SIGNAL,
	  "SIGKILL" },
	{ "idle", GUEST_BUILTIN, VM_STOPPED, false, 0, 0, 0, DEATH_NONE, "" },
	{ "paused", GUEST_BUILTIN, VM_STARTING, true, 1, 0, 2, DEATH_NONE, "" },
	{ "dies", GUEST_BUILTIN, VM_BACKOFF, true, 1, 0, 0, DEATH_LOST,
	  "exit status lost" },
	{ "kvm-down", GUEST_KVM, VM_STOPPED, false, 1, 0, 0, DEATH_EXIT,
	  "exit 0: done" },
	{ "kvm-paused", GUEST_KVM, VM_STARTING, true, 1, 0, 3, DEATH_NONE, "" },
	{ "kvm-ok", GUEST_KVM, VM_STARTING, true, 2, 1, 3, DEATH_SIGNAL,
	  "SIGKILL" },
};

static json_t *document(const char *file)
{
	char path[128];
	json_error_t error;
	json_t *read;

	snprintf(path, sizeof(path), DOCUMENTS "%s", file);
	read = json_load_file(path, 0, &error);
	if (!read)
		fail_msg("%s: %s", path, error.text);
	return read;
}

/* As store_read() does, which wants them of this boot. */
static void read_all(struct stored *stored)
{
	*stored = (struct stored){
		.instance = document("instance.json"),
		.vms = calloc(ARRAY_SIZE(old_vms), sizeof(json_t *)),
		.count = ARRAY_SIZE(old_vms),
	};
	for (size_t i = 0; i < stored->count; i++) {
		char file[64];
		json_t *read;

		snprintf(file, sizeof(file), "vm-%s.json", old_vms[i].name);
		read = document(file);
		assert_int_equal(
			json_integer_value(json_object_get(read, "index")), i);
		stored->vms[i] = json_incref(json_object_get(read, "vm"));
		json_decref(read);
	}
}

static void they_become_the_configuration(void **state)
{
	struct problem problem = { "" };
	struct config config;
	struct stored stored;

	(void)state;
	read_all(&stored);
	config_init(&config);
	if (store_merge(&stored, &config, &problem))
		fail_msg("%s", problem.text);
	assert_false(store_was_ending(&stored));
	assert_string_equal(config.bridge, "vmsup0");
	assert_int_equal(config.bridge_ipv6_prefix, 64);
	assert_int_equal(config.uid_first, 1900000000);
	assert_int_equal(config.vm_count, ARRAY_SIZE(old_vms));
	for (size_t i = 0; i < config.vm_count; i++) {
		assert_string_equal(config.vms[i].name, old_vms[i].name);
		assert_int_equal(config.vms[i].guest, old_vms[i].guest);
		assert_int_equal(config.vms[i].machine != NULL,
				 old_vms[i].guest == GUEST_KVM);
	}
	assert_int_equal(config.vms[6].restart.orphan, ORPHAN_END);
	config_uninit(&config);
	store_uninit(&stored);
}

static void assert_machine(const struct machine_config *machine)
{
	assert_string_equal(machine->kernel, "/srv/kernel");
	assert_string_equal(machine->initrd, "/srv/initrd");
	assert_string_equal(machine->cmdline, "quiet");
	assert_int_equal(machine->cpus, 3);
	assert_int_equal(machine->queues, 2);
	assert_int_equal(machine->memory_bytes, 32 << 20);
	assert_int_equal(machine->disk_count, 2);
	assert_string_equal(machine->disks[1].path, "/srv/shared.img");
	assert_false(machine->disks[0].read_only);
	assert_true(machine->disks[1].read_only);
}

static void a_machine_is_loaded_with_its_disks(void **state)
{
	json_t *read = document("vm-kvm-ok.json");
	struct machine_config *machine = NULL;
	struct problem problem = { "" };

	(void)state;
	if (state_machine_load(
		    &machine,
		    json_object_get(json_object_get(read, "vm"), "machine"),
		    STATE_CRASH, "kvm-ok", &problem))
		fail_msg("%s", problem.text);
	assert_machine(machine);
	machine_free(machine);
	json_decref(read);
}

static void assert_old_vm(const struct vm *vm, const struct old_vm *old)
{
	uint32_t died = deaths_kept(&vm->deaths);

	assert_string_equal(vm->config.name, old->name);
	assert_int_equal(vm->state, old->state);
	assert_int_equal(vm->wanted, old->wanted);
	assert_int_equal(vm->generation, old->generation);
	assert_int_equal(vm->restarts, old->restarts);
	assert_in_range(vm->uid, 1900000000, 1900000009);
	assert_int_equal(vm->process.pid > 0, old->filters > 0);
	assert_int_equal(vm->process.filters, old->filters);
	if (vm->process.pid) {
		assert_int_equal(vm->process.protocol, 2);
		assert_true(vm->process.channel_inode > 0 &&
			    vm->process.started > 0);
	}
	assert_int_equal(died > 0, old->last != DEATH_NONE);
	if (died > 0) {
		const struct death *death = deaths_at(&vm->deaths, died - 1);

		assert_int_equal(death->reason, old->last);
		assert_string_equal(death->detail, old->detail);
	}
}

static void each_vm_is_loaded_with_what_it_was(void **state)
{
	struct stored stored;

	(void)state;
	read_all(&stored);
	for (size_t i = 0; i < stored.count; i++) {
		struct problem problem = { "" };
		struct vm vm = {
			.tap.fd = -1,
			.process = VM_PROCESS_NONE,
		};

		if (state_vm_load(&vm, stored.vms[i], &problem))
			fail_msg("%s", problem.text);
		assert_old_vm(&vm, &old_vms[i]);
		machine_free(vm.config.machine);
		deaths_uninit(&vm.deaths);
		vmlog_uninit(&vm.log.kept);
	}
	store_uninit(&stored);
}

static void an_upgrade_is_agreed_to(void **state)
{
	int fd = open(DOCUMENTS "upgrade.json", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(takeover_check(fd, 0), HANDOVER_AGREED);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_become_the_configuration),
		cmocka_unit_test(a_machine_is_loaded_with_its_disks),
		cmocka_unit_test(each_vm_is_loaded_with_what_it_was),
		cmocka_unit_test(an_upgrade_is_agreed_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
