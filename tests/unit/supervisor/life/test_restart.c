/* SPDX-License-Identifier: ISC */
/* Deaths, and starts that the host refuses: what comes back, and when. */
#include "tests/unit/supervisor/life/vm_fixture.h"

/* ---- deaths: backoff, crash loop, and what is never tried again */

static void a_death_is_recorded(void **state)
{
	const struct death *death;

	(void)state;
	into_running();
	pass(2500);
	end_by(SIGHUP);
	death = deaths_at(&vm->deaths, 0);
	assert_int_equal(deaths_kept(&vm->deaths), 1);
	assert_string_equal(death->detail, "SIGHUP");
	assert_int_equal(death->generation, 1);
	assert_int_equal(death->uptime_ns, 2500 * NSEC_PER_MSEC);
	assert_false(death->asked);
}

static void a_steady_vm_comes_back_at_once(void **state)
{
	(void)state;
	into_running();
	pass(vm->config.restart.steady_ms);
	end_by(SIGHUP);
	assert_int_equal(vm->state, VM_STARTING);
	assert_int_equal(vm->generation, 2);
	assert_int_equal(vm->restarts, 1);
}

static void expect_delay(uint64_t middle_ms)
{
	uint64_t delay_ms = (vm->timer.due_ns - test.now_ns) / NSEC_PER_MSEC;
	char detail[48];

	assert_int_equal(vm->state, VM_BACKOFF);
	assert_in_range(delay_ms, middle_ms - middle_ms / 5,
			middle_ms + middle_ms / 5);
	snprintf(detail, sizeof(detail), "next try in %.1f s",
		 (double)delay_ms / 1000);
	expect_told("backoff", detail);
}

static void a_quick_death_waits_twice_as_long_each_time(void **state)
{
	uint64_t middle_ms = vm->config.restart.delay_min_ms;
	uint64_t most_ms = vm->config.restart.delay_max_ms;

	(void)state;
	vm->config.restart.crash_deaths = 0;
	into_starting();
	for (int i = 1; i <= 12; i++) {
		end_by(SIGHUP);
		expect_delay(middle_ms);
		middle_ms = middle_ms * 2 > most_ms ? most_ms : middle_ms * 2;
		pass_ns(vm->timer.due_ns - test.now_ns - 1);
		assert_int_equal(vm->state, VM_BACKOFF);
		pass_ns(1);
		assert_int_equal(vm->state, VM_STARTING);
		assert_int_equal(vm->restarts, i);
		hear_start();
	}
}

static void a_vm_that_never_ran_has_run_for_no_time(void **state)
{
	(void)state;
	into_starting();
	pass(vm->config.restart.steady_ms * 2);
	end_by(SIGHUP);
	expect_delay(vm->config.restart.delay_min_ms);
}

static void die_quickly(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		if (vm->state == VM_BACKOFF)
			pass_ns(vm->timer.due_ns - test.now_ns);
		assert_int_equal(vm->state, VM_STARTING);
		end_by(SIGHUP);
	}
}

static void five_deaths_in_a_minute_are_given_up(void **state)
{
	(void)state;
	into_starting();
	die_quickly(vm->config.restart.crash_deaths);
	assert_int_equal(vm->state, VM_FAILED);
	expect_told("failed", "5 deaths in 60 s, the last: SIGHUP");
	assert_true(vm->wanted);
	assert_false(vm->timer.armed);
	pass(3600 * 1000);
	assert_int_equal(vm->generation, 5);
}

static void five_deaths_in_more_than_a_minute_are_not(void **state)
{
	(void)state;
	into_running();
	for (int i = 0; i < 10; i++) {
		test.now_ns += 15 * NSEC_PER_SEC;
		end_by(SIGHUP);
		assert_int_equal(vm->state, VM_STARTING);
		vm_raise(vm, VM_LOADED);
	}
}

static void whoever_starts_it_by_hand_starts_with_a_clean_record(void **state)
{
	static const enum vm_event commands[] = { VM_START, VM_RESTART,
						  VM_RESET };

	(void)state;
	into_starting();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		die_quickly(vm->config.restart.crash_deaths);
		assert_int_equal(vm->state, VM_FAILED);
		assert_int_equal(vm_raise(vm, commands[i]), 0);
		end_by(SIGHUP);
		expect_delay(vm->config.restart.delay_min_ms);
		pass_ns(vm->timer.due_ns - test.now_ns);
		vm_raise(vm, VM_RESET); /* of a VM that starts: that alone */
		assert_int_equal(vm->state, VM_STARTING);
	}
}

/* START ends the wait, but is no pardon: BACKOFF keeps its record. */
static void a_start_in_backoff_keeps_the_record(void **state)
{
	(void)state;
	into_starting();
	end_by(SIGHUP);
	vm_raise(vm, VM_START);
	end_by(SIGHUP);
	expect_delay(2ULL * vm->config.restart.delay_min_ms);
}

static void a_bad_configuration_is_never_tried_again(void **state)
{
	(void)state;
	into_starting();
	vm_log(vm, LOG_LEVEL_ERROR, "mac is a group's");
	vm_log(vm, LOG_LEVEL_INFO, "bye");
	end_with(VMPROC_EXIT_CONFIG);
	assert_int_equal(vm->state, VM_FAILED);
	expect_told("failed", "exit 78: bad configuration: mac is a group's");
}

static void a_policy_not_to_restart_is_obeyed(void **state)
{
	(void)state;
	vm->config.restart.enabled = false;
	into_running();
	pass(5000);
	end_by(SIGHUP);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_false(vm->wanted);
	expect_told("stopped", "its policy is not to restart");
}

static void a_supervisor_that_ends_restarts_nobody(void **state)
{
	(void)state;
	into_running();
	pass(5000);
	host.ending = true;
	end_by(SIGHUP);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_false(vm->wanted);
}

static void nor_does_it_end_a_restart(void **state)
{
	(void)state;
	into_running();
	vm_raise(vm, VM_RESTART);
	host.ending = true;
	end_by(SIGTERM);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_true(deaths_last(&vm->deaths)->asked);
}

/* ---- what a guest does by itself */

static struct machine_config a_machine = { .kernel_fd = -1, .initrd_fd = -1 };

/* The process of a kvm guest ends with that status. The guest is one from
 * RUNNING on alone: what a machine needs to start isn't here. */
static void guest_ends_with(int status)
{
	vm->config.machine = &a_machine;
	*test.exit_status = status;
	vm_signal(vm, SIGUSR1);
	while (vm->process.pid_fd >= 0 && vm->process.running_ns) {
		vm->config.machine = &a_machine;
		loop_turn(&host.loop, -1);
	}
}

static int machine_dies(struct vm *of, enum vm_event event)
{
	of->config.machine = NULL; /* the next generation is none again */
	return on_event(of, event);
}

static const struct vm_hooks machine_hooks = {
	.event = machine_dies,
	.stats_arrived = note_stats,
	.make_process = make_process,
};

static void a_guest_that_powers_off_stays_off(void **state)
{
	(void)state;
	into_running();
	host.hooks = &machine_hooks;
	guest_ends_with(VMPROC_EXIT_POWEROFF);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_false(vm->wanted);
	expect_told("stopped", "the guest powered off");
}

/* Nor does its policy count, nor how often it does so. */
static void a_guest_that_reboots_comes_back(void **state)
{
	(void)state;
	host.hooks = &machine_hooks;
	vm->config.restart.enabled = false;
	into_running();
	for (uint64_t i = 1; i <= 2ULL * vm->config.restart.crash_deaths; i++) {
		pass(vm->config.restart.steady_ms);
		guest_ends_with(VMPROC_EXIT_REBOOT);
		assert_int_equal(deaths_last(&vm->deaths)->reason,
				 DEATH_REBOOT);
		assert_int_equal(vm->state, VM_STARTING);
		assert_int_equal(vm->restarts, i);
		vm_raise(vm, VM_LOADED);
	}
}

/* A process without a guest has none that could have done anything. */
static void a_builtin_guest_has_no_power_button(void **state)
{
	(void)state;
	into_running();
	end_with(VMPROC_EXIT_POWEROFF);
	assert_int_equal(vm->state, VM_BACKOFF);
	assert_int_equal(deaths_last(&vm->deaths)->reason, DEATH_EXIT);
}

/* ---- a start that the host refuses */

static void no_process_is_as_one_that_died(void **state)
{
	(void)state;
	test.refused = -EAGAIN;
	assert_int_equal(vm_raise(vm, VM_START), 0);
	expect_delay(vm->config.restart.delay_min_ms);
	assert_int_equal(vm->generation, 1);
	assert_string_equal(deaths_last(&vm->deaths)->detail,
			    "cannot make a process for vm0: Resource "
			    "temporarily unavailable (too many proce");
	test.refused = 0;
	pass_ns(vm->timer.due_ns - test.now_ns);
	assert_int_equal(vm->state, VM_STARTING);
	assert_int_equal(vm->generation, 2);
}

static void refused_five_times_it_is_given_up(void **state)
{
	(void)state;
	test.refused = -ENOMEM;
	assert_int_equal(vm_raise(vm, VM_START), 0);
	for (uint32_t i = 1; i < vm->config.restart.crash_deaths; i++) {
		assert_int_equal(vm->state, VM_BACKOFF);
		pass_ns(vm->timer.due_ns - test.now_ns);
	}
	assert_int_equal(vm->state, VM_FAILED);
	assert_int_equal(test.spawned, 0);
}

static void without_restarts_a_refusal_is_final(void **state)
{
	(void)state;
	vm->config.restart.enabled = false;
	test.refused = -ENOMEM;
	assert_int_equal(vm_raise(vm, VM_START), 0);
	assert_int_equal(vm->state, VM_FAILED);
}

/* The host lacks what the configuration requires: more memory tomorrow won't
 * help. */
static void what_the_host_will_never_grant_fails_at_once(void **state)
{
	(void)state;
	vm->config.limits.memory_bytes = 64 << 20;
	assert_int_equal(vm_raise(vm, VM_START), 0);
	assert_int_equal(vm->state, VM_FAILED);
	assert_non_null(
		strstr(deaths_last(&vm->deaths)->detail, "the cgroup of vm0"));
}

/* A start by hand ends the wait, and what is given up waits for nothing. */
static void a_failure_in_backoff_leaves_no_retry(void **state)
{
	(void)state;
	into_starting();
	end_by(SIGHUP);
	assert_int_equal(vm->state, VM_BACKOFF);
	vm->config.limits.memory_bytes = 64 << 20;
	assert_int_equal(vm_raise(vm, VM_START), 0);
	assert_int_equal(vm->state, VM_FAILED);
	assert_false(vm->timer.armed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		VM_TEST(a_death_is_recorded),
		VM_TEST(a_steady_vm_comes_back_at_once),
		VM_TEST(a_quick_death_waits_twice_as_long_each_time),
		VM_TEST(a_vm_that_never_ran_has_run_for_no_time),
		VM_TEST(five_deaths_in_a_minute_are_given_up),
		VM_TEST(five_deaths_in_more_than_a_minute_are_not),
		VM_TEST(whoever_starts_it_by_hand_starts_with_a_clean_record),
		VM_TEST(a_start_in_backoff_keeps_the_record),
		VM_TEST(a_bad_configuration_is_never_tried_again),
		VM_TEST(a_policy_not_to_restart_is_obeyed),
		VM_TEST(a_supervisor_that_ends_restarts_nobody),
		VM_TEST(nor_does_it_end_a_restart),
		VM_TEST(a_guest_that_powers_off_stays_off),
		VM_TEST(a_guest_that_reboots_comes_back),
		VM_TEST(a_builtin_guest_has_no_power_button),
		VM_TEST(no_process_is_as_one_that_died),
		VM_TEST(refused_five_times_it_is_given_up),
		VM_TEST(without_restarts_a_refusal_is_final),
		VM_TEST(what_the_host_will_never_grant_fails_at_once),
		VM_TEST(a_failure_in_backoff_leaves_no_retry),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
