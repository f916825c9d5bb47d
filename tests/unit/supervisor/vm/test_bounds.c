/* SPDX-License-Identifier: ISC */
/* What a VM may use up, and how a death for memory is told from others. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "supervisor/core.h"
#include "supervisor/life/machine.h"
#include "supervisor/vm/bounds.h"

#define MIB (1ULL << 20)

static struct machine_config *machine;
static struct vm_config config;

static int set_up(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	machine = machine_new();
	assert_non_null(machine);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	machine_free(machine);
	return 0;
}

static void every_vm_is_bounded(void **state)
{
	struct cgroup_limits limits = bounds_of(&config);

	(void)state;
	assert_true(limits.memory_bytes >= MIB);
	assert_true(limits.memory_bytes <= 16 * MIB);
	assert_int_equal(limits.pids, 2);
	assert_int_equal(limits.cpu_weight, 100);
	assert_int_equal(limits.cpu_percent, 0);
	assert_int_equal(limits.required, 0);
}

static void a_machine_has_its_memory_and_more(void **state)
{
	struct cgroup_limits small, large;

	(void)state;
	config.guest = GUEST_KVM;
	config.machine = machine;
	machine->memory_bytes = 512 * MIB;
	machine->cpus = 2;
	small = bounds_of(&config);
	assert_true(small.memory_bytes > 512 * MIB);
	assert_true(small.memory_bytes < 640 * MIB);
	assert_true(small.pids > bounds_threads(&config));
	machine->memory_bytes = 1024 * 1024 * MIB;
	machine->cpus = 64;
	large = bounds_of(&config);
	/* page tables alone are 1/256 of it, the process's and the guest's */
	assert_true(large.memory_bytes > 1024 * 1024 * MIB * 129 / 128);
	assert_true(large.pids > small.pids);
	assert_int_equal(large.required, 0);
}

static void what_is_configured_is_required(void **state)
{
	struct cgroup_limits limits;

	(void)state;
	config.limits = (struct vm_limits){ .memory_bytes = 64 * MIB };
	limits = bounds_of(&config);
	assert_int_equal(limits.memory_bytes, 64 * MIB);
	assert_int_equal(limits.required, 1U << CGROUP_MEMORY);
	config.limits = (struct vm_limits){ .cpu_weight = 5 };
	limits = bounds_of(&config);
	assert_int_equal(limits.cpu_weight, 5);
	assert_int_equal(limits.required, 1U << CGROUP_CPU);
	config.limits = (struct vm_limits){ .cpu_percent = 50 };
	assert_int_equal(bounds_of(&config).required, 1U << CGROUP_CPU);
	config.limits = (struct vm_limits){ .memory_bytes = VM_LIMIT_NONE };
	limits = bounds_of(&config);
	assert_int_equal(limits.memory_bytes, 0);
	assert_int_equal(limits.required, 0);
}

static void without_cgroups_only_what_is_required_fails(void **state)
{
	struct cgroup cgroup = { .dir_fd = -1, .parent_fd = -1 };
	struct cgroup_limits limits = bounds_of(&config);
	bool bounded = false;
	int dir_fd = 0;

	(void)state;
	assert_int_equal(
		cgroup_open(&cgroup, "vm0", &limits, &bounded, &dir_fd), 0);
	assert_int_equal(dir_fd, -1);
	limits.required = 1U << CGROUP_PIDS;
	assert_int_equal(
		cgroup_open(&cgroup, "vm0", &limits, &bounded, &dir_fd),
		-EOPNOTSUPP);
}

/* ---- deaths; the kernel's file, with numbers of ours */

static char dir[] = "/tmp/vmsup-test-bounds-XXXXXX";

static void kernel_counts(int dir_fd, unsigned int oom, unsigned int kills)
{
	char text[128];
	int length = snprintf(text, sizeof(text),
			      "low 0\nhigh 0\nmax 9\noom %u\noom_kill %u\n"
			      "oom_group_kill 0\n",
			      oom, kills);
	int fd = openat(dir_fd, "vm0/memory.events",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, (size_t)length), length);
	close(fd);
}

static void expect(struct vm *vm, enum death_reason reason, const char *detail)
{
	struct death death = { .reason = DEATH_SIGNAL, .detail = "SIGKILL" };

	bounds_explain(vm, &death);
	assert_int_equal(death.reason, reason);
	assert_string_equal(death.detail, detail);
}

static void a_death_for_memory_is_told(void **state)
{
	static struct supervisor supervisor;
	static struct vm vm;
	int dir_fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dir_fd, "vm0", 0700), 0);
	supervisor.host.cgroup = (struct cgroup){ dir_fd, -1, "", true, 0 };
	vm.host = &supervisor.host;
	strcpy(vm.config.name, "vm0");
	vm.config.limits.memory_bytes = 64 * MIB;
	/* of earlier generations, before this supervisor */
	kernel_counts(dir_fd, 3, 2);
	vm.bounded = true;
	bounds_watch(&vm);
	assert_true(vm.oom_known);
	expect(&vm, DEATH_SIGNAL, "SIGKILL");
	kernel_counts(dir_fd, 4, 3);
	expect(&vm, DEATH_OUT_OF_MEMORY,
	       "out of memory: over its 64 MiB (raise limits.memory)");
	expect(&vm, DEATH_SIGNAL, "SIGKILL");
	kernel_counts(dir_fd, 4, 4);
	expect(&vm, DEATH_OUT_OF_MEMORY,
	       "out of memory: the host had none left");
	/* made anew, it counts from 0 */
	kernel_counts(dir_fd, 1, 1);
	expect(&vm, DEATH_OUT_OF_MEMORY,
	       "out of memory: over its 64 MiB (raise limits.memory)");
	assert_int_equal(unlinkat(dir_fd, "vm0/memory.events", 0), 0);
	expect(&vm, DEATH_SIGNAL, "SIGKILL");
	unlinkat(dir_fd, "vm0", AT_REMOVEDIR);
	close(dir_fd);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_vm_is_bounded, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_machine_has_its_memory_and_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_configured_is_required,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_cgroups_only_what_is_required_fails, set_up,
			tear_down),
		cmocka_unit_test(a_death_for_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
