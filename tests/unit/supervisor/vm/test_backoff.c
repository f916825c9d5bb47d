/* SPDX-License-Identifier: ISC */
/* Restart delays, jitter, forgetting and the crash loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ipc/loop.h"
#include "supervisor/vm/backoff.h"
#include "supervisor/vm/death.h"
#include "supervisor/vm/vmlog.h"

#define SECOND NSEC_PER_SEC

static struct restart_policy policy;
static struct backoff backoff;

static int set_up(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	policy = config.defaults.restart;
	config_uninit(&config);
	backoff_reset(&backoff);
	return 0;
}

static void a_steady_vm_restarts_at_once(void **state)
{
	(void)state;
	for (uint64_t now = SECOND; now < 10000 * SECOND; now += 20 * SECOND) {
		struct backoff_verdict verdict =
			backoff_death(&backoff, &policy, now, 1000, 1);

		assert_false(verdict.give_up);
		assert_int_equal(verdict.delay_ms, 0);
	}
}

static void quick_deaths_double_the_delay_within_jitter(void **state)
{
	uint32_t middle = 100;

	(void)state;
	policy.crash_deaths = 0;
	for (int i = 0; i < 20; i++) {
		struct backoff_verdict verdict = backoff_death(
			&backoff, &policy, SECOND, 999, (uint32_t)i * 77777);

		assert_false(verdict.give_up);
		assert_in_range(verdict.delay_ms, middle - middle / 5,
				middle + middle / 5);
		middle = middle * 2 > 30000 ? 30000 : middle * 2;
	}
}

static void the_jitter_reaches_both_ends(void **state)
{
	(void)state;
	assert_int_equal(
		backoff_death(&backoff, &policy, SECOND, 0, 0).delay_ms, 80);
	backoff_reset(&backoff);
	assert_int_equal(
		backoff_death(&backoff, &policy, SECOND, 0, 40).delay_ms, 120);
}

static void a_long_run_forgets_the_delay(void **state)
{
	(void)state;
	policy.crash_deaths = 0;
	policy.jitter_percent = 0;
	for (int i = 0; i < 5; i++)
		backoff_death(&backoff, &policy, SECOND, 0, 0);
	/* steady, but not for long enough to forget */
	assert_int_equal(
		backoff_death(&backoff, &policy, SECOND, 59999, 0).delay_ms, 0);
	assert_int_equal(
		backoff_death(&backoff, &policy, SECOND, 0, 0).delay_ms, 3200);
	assert_int_equal(
		backoff_death(&backoff, &policy, SECOND, 60000, 0).delay_ms, 0);
	assert_int_equal(
		backoff_death(&backoff, &policy, SECOND, 0, 0).delay_ms, 100);
}

static void five_deaths_in_a_minute_are_a_crash_loop(void **state)
{
	uint64_t now = 1000 * SECOND;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_false(backoff_death(&backoff, &policy, now++, 5000, 0)
				     .give_up);
	assert_true(backoff_death(&backoff, &policy, now + 59 * SECOND, 5000, 0)
			    .give_up);
	backoff_reset(&backoff);
	assert_false(backoff_death(&backoff, &policy, now, 0, 0).give_up);
}

static void five_deaths_in_more_than_a_minute_are_none(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 500; i++)
		assert_false(backoff_death(&backoff, &policy,
					   (1000 + i * 15) * SECOND, 15000, 0)
				     .give_up);
}

static void the_last_hundred_deaths_are_kept(void **state)
{
	struct deaths deaths = { 0 };

	(void)state;
	assert_null(deaths_last(&deaths));
	for (uint64_t i = 1; i <= 250; i++) {
		struct death death = { .reason = DEATH_EXIT, .generation = i };

		deaths_add(&deaths, &death);
		assert_int_equal(deaths_last(&deaths)->generation, i);
	}
	assert_int_equal(deaths.capacity, DEATHS_KEPT);
	for (uint64_t i = 151; i <= 250; i++) {
		int found = 0;

		for (int at = 0; at < DEATHS_KEPT; at++)
			found += deaths.ring[at].generation == i;
		assert_int_equal(found, 1);
	}
	deaths_uninit(&deaths);
}

static void deaths_are_explained(void **state)
{
	const struct {
		siginfo_t info;
		const char *detail;
	} cases[] = {
		{ { .si_code = CLD_KILLED }, "SIGKILL" },
		{ { .si_code = CLD_DUMPED }, "SIGSEGV" },
		{ { .si_code = CLD_KILLED }, "signal 60" },
		{ { .si_code = CLD_EXITED }, "exit 78: bad configuration" },
		{ { .si_code = CLD_EXITED }, "exit 5" },
	};
	static const int status[] = { SIGKILL, SIGSEGV, 60, 78, 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct death death = { 0 };
		siginfo_t info = cases[i].info;

		info.si_status = status[i];
		death_explain(&death, &info);
		assert_string_equal(death.detail, cases[i].detail);
	}
	/* a reason known before is not overwritten */
	struct death death = { .reason = DEATH_WATCHDOG, .detail = "x" };

	death_explain(&death, &cases[0].info);
	assert_string_equal(death.detail, "x");
}

static void a_log_keeps_two_generations(void **state)
{
	struct vmlog log = { 0 };
	json_t *lines;

	(void)state;
	for (int i = 0; i < VMLOG_LINES + 10; i++) {
		char text[16];

		snprintf(text, sizeof(text), "line %d", i);
		vmlog_add(&log, VMLOG_PROCESS, LOG_LEVEL_INFO, 1, text);
	}
	vmlog_turn(&log);
	vmlog_add(&log, VMLOG_PROCESS, LOG_LEVEL_INFO, 2, "new");
	lines = vmlog_json(&log.previous);
	assert_int_equal(json_array_size(lines), VMLOG_LINES);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(lines, 0), "text")),
			    "line 10");
	json_decref(lines);
	lines = vmlog_json(&log.current);
	assert_int_equal(json_array_size(lines), 1);
	json_decref(lines);
	vmlog_turn(&log);
	vmlog_turn(&log);
	lines = vmlog_json(&log.previous);
	assert_int_equal(json_array_size(lines), 0);
	json_decref(lines);
	vmlog_uninit(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_steady_vm_restarts_at_once, set_up),
		cmocka_unit_test_setup(
			quick_deaths_double_the_delay_within_jitter, set_up),
		cmocka_unit_test_setup(the_jitter_reaches_both_ends, set_up),
		cmocka_unit_test_setup(a_long_run_forgets_the_delay, set_up),
		cmocka_unit_test_setup(five_deaths_in_a_minute_are_a_crash_loop,
				       set_up),
		cmocka_unit_test_setup(
			five_deaths_in_more_than_a_minute_are_none, set_up),
		cmocka_unit_test(the_last_hundred_deaths_are_kept),
		cmocka_unit_test(deaths_are_explained),
		cmocka_unit_test(a_log_keeps_two_generations),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
