/* SPDX-License-Identifier: ISC */
/* What a VM with guest kvm is made of: saved, loaded, bounded. */
#include "ipc/fd.h"
#include "tests/unit/supervisor/state/state_fixture.h"
#include "supervisor/state/state_machine.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/vm/vm.h"

static struct machine_config *full_machine(void)
{
	struct machine_config *machine = machine_new();

	assert_non_null(machine);
	strcpy(machine->kernel, "/boot/vmlinuz");
	strcpy(machine->initrd, "/boot/initrd \xc3\xa4");
	memset(machine->cmdline, 'c', MACHINE_CMDLINE - 1);
	machine->kernel_fd = 1001;
	machine->initrd_fd = 1002;
	machine->memory_bytes = UINT64_C(3) << 40;
	machine->cpus = MACHINE_CPUS_MAX;
	machine->hugepages = true;
	machine->queues = MACHINE_QUEUES;
	machine->vhost = VHOST_OFF;
	machine->disk_count = MACHINE_DISKS;
	for (int i = 0; i < MACHINE_DISKS; i++) {
		memset(machine->disks[i].path, 'a' + i, MACHINE_PATH - 1);
		machine->disks[i].read_only = i % 2;
		machine->disks[i].direct = i % 3 == 0;
		machine->disks[i].fd = 1010 + i;
	}
	return machine;
}

static struct machine_config *again(const struct machine_config *machine,
				    enum state_extent save,
				    enum state_extent load)
{
	struct problem problem = { "" };
	json_t *json = state_machine_save(machine, save);
	struct machine_config *loaded;

	assert_non_null(json);
	assert_int_equal(
		state_machine_load(&loaded, json, load, "web", &problem), 0);
	json_decref(json);
	return loaded;
}

static void what_is_saved_is_loaded(void **state)
{
	struct machine_config *machine = full_machine();
	struct machine_config *loaded =
		again(machine, STATE_UPGRADE, STATE_UPGRADE);

	(void)state;
	assert_memory_equal(loaded, machine, sizeof(*machine));
	fixture_machine_free(machine);
	fixture_machine_free(loaded);
}

/* Neither do they get out, nor does a number that came in become one. */
static void descriptors_are_for_upgrades_only(void **state)
{
	static const enum state_extent ways[][2] = {
		{ STATE_CRASH, STATE_UPGRADE },
		{ STATE_UPGRADE, STATE_CRASH },
		{ STATE_CRASH, STATE_CRASH },
	};
	struct machine_config *machine = full_machine();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct machine_config *loaded =
			again(machine, ways[i][0], ways[i][1]);

		assert_int_equal(loaded->kernel_fd, -1);
		assert_int_equal(loaded->initrd_fd, -1);
		assert_int_equal(loaded->disk_count, MACHINE_DISKS);
		for (int k = 0; k < MACHINE_DISKS; k++)
			assert_int_equal(loaded->disks[k].fd, -1);
		assert_string_equal(loaded->initrd, machine->initrd);
		machine_free(loaded);
	}
	fixture_machine_free(machine);
}

static void a_vm_has_its_machine(void **state)
{
	struct problem problem;
	struct vm vm, loaded;
	json_t *json;

	(void)state;
	fixture_vm(&vm);
	vm.config.guest = GUEST_KVM;
	vm.config.machine = full_machine();
	json = state_vm_save(&vm, STATE_UPGRADE);
	fixture_preset(&loaded);
	assert_int_equal(state_vm_load(&loaded, json, &problem), 0);
	assert_int_equal(loaded.config.guest, GUEST_KVM);
	assert_memory_equal(loaded.config.machine, vm.config.machine,
			    sizeof(*vm.config.machine));
	json_decref(json);
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

static void none_is_none(void **state)
{
	struct problem problem = { "" };
	struct machine_config *machine;
	json_t *json = state_machine_save(NULL, STATE_UPGRADE);

	(void)state;
	assert_true(json_is_null(json));
	assert_int_equal(state_machine_load(&machine, json, STATE_UPGRADE,
					    "web", &problem),
			 0);
	assert_null(machine);
	assert_int_equal(state_machine_load(&machine, NULL, STATE_UPGRADE,
					    "web", &problem),
			 0);
	assert_null(machine);
	json_decref(json);
}

static void what_json_cannot_hold_is_not_saved(void **state)
{
	struct machine_config *machine = machine_new();

	(void)state;
	strcpy(machine->cmdline, "\xff");
	assert_null(state_machine_save(machine, STATE_CRASH));
	machine->cmdline[0] = '\0';
	machine->disk_count = 1;
	strcpy(machine->disks[0].path, "\xff");
	assert_null(state_machine_save(machine, STATE_CRASH));
	machine_free(machine);
}

/* With ' for ", and what is refused in it. */
static const struct {
	const char *text, *wrong;
} garbage[] = {
	{ "{'cpus': 0}", "cpus" },
	{ "{'cpus': 255}", "cpus" },
	{ "{'cpus': '1'}", "cpus" },
	{ "{'cpus': 4294967297}", "cpus" },
	{ "{'queues': 9}", "queues" },
	{ "{'queues': -1}", "queues" },
	{ "{'memory_bytes': 0}", "memory_bytes" },
	{ "{'memory_bytes': 16777215}", "memory_bytes" },
	{ "{'memory_bytes': 16777217}", "multiple of 1 MiB" },
	{ "{'memory_bytes': -1048576}", "memory_bytes" },
	{ "{'vhost': 'perhaps'}", "vhost" },
	{ "{'vhost': 1}", "vhost" },
	{ "{'hugepages': 1}", "hugepages" },
	{ "{'kernel': 5}", "kernel" },
	{ "{'initrd': null}", "initrd" },
	{ "{'cmdline': ['x']}", "cmdline" },
	{ "{'cmdline': 'a\\u0000b'}", "cmdline" },
	{ "{'kernel_fd': -2}", "kernel_fd" },
	{ "{'initrd_fd': 2147483648}", "initrd_fd" },
	{ "{'disks': [{'path': 1}]}", "path" },
	{ "{'disks': [{'read_only': 'no'}]}", "read_only" },
	{ "{'disks': [{'fd': 'x'}]}", "fd" },
	{ "{'disks': [7]}", "" },
	{ "{'disks': [{},{},{},{},{},{},{},{},{}]}", "more than 8 disks" },
};

static json_t *parse(const char *quoted)
{
	cleanup_free char *text = strdup(quoted);
	json_t *json;

	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(text, JSON_ALLOW_NUL, NULL);
	assert_non_null(json);
	return json;
}

static void garbage_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		struct problem problem = { "" };
		struct machine_config *machine;
		json_t *json = parse(garbage[i].text);
		int error = state_machine_load(&machine, json, STATE_UPGRADE,
					       "web", &problem);

		if (error >= 0 || !strstr(problem.text, "web") ||
		    !strstr(problem.text, garbage[i].wrong))
			fail_msg("%s gave %d: %s", garbage[i].text, error,
				 problem.text);
		fixture_machine_free(machine);
		json_decref(json);
	}
}

static void texts_too_long_are_refused(void **state)
{
	static const struct {
		const char *name;
		size_t most;
	} cases[] = {
		{ "kernel", MACHINE_PATH - 1 },
		{ "initrd", MACHINE_PATH - 1 },
		{ "cmdline", MACHINE_CMDLINE - 1 },
	};
	char text[MACHINE_CMDLINE + 2];

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct problem problem;
		struct machine_config *machine;
		json_t *json;

		memset(text, 0, sizeof(text));
		memset(text, 'x', cases[i / 2].most + i % 2);
		json = json_pack("{s:s}", cases[i / 2].name, text);
		assert_int_equal(state_machine_load(&machine, json, STATE_CRASH,
						    "web", &problem),
				 i % 2 ? -EINVAL : 0);
		machine_free(machine);
		json_decref(json);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_is_loaded),
		cmocka_unit_test(descriptors_are_for_upgrades_only),
		cmocka_unit_test(a_vm_has_its_machine),
		cmocka_unit_test(none_is_none),
		cmocka_unit_test(what_json_cannot_hold_is_not_saved),
		cmocka_unit_test(garbage_is_refused_by_name),
		cmocka_unit_test(texts_too_long_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state_machine", tests, NULL, NULL);
}
