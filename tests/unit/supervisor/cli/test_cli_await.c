/* SPDX-License-Identifier: ISC */
/* When a command that waits for VMs is done, and when it has failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/cli/await.h"

static void event(struct await *await, const char *vm, const char *name,
		  const char *state, int generation)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:i}", "vm", vm, "event",
				   name, "state", state, "generation",
				   generation);

	await_event(await, object);
	json_decref(object);
}

static json_t *status(const char *vm, const char *state, const char *wanted,
		      int generation)
{
	return json_pack("{s:[{s:s, s:s, s:s, s:i}]}", "vms", "name", vm,
			 "state", state, "wanted", wanted, "generation",
			 generation);
}

static void now(struct await *await, const char *state, const char *wanted,
		int generation)
{
	json_t *object = status("vm0", state, wanted, generation);

	await_status(await, object);
	json_decref(object);
}

/* For vm0, in that state before the command. */
static struct await begin(enum await_goal goal, const char *state,
			  int generation)
{
	const char *const names[] = { "vm0" };
	json_t *before = status("vm0", state, "up", generation);
	struct await await;

	assert_int_equal(await_init(&await, goal, names, 1), 0);
	await_baseline(&await, before);
	json_decref(before);
	return await;
}

static void expect(struct await *await, enum await_verdict verdict)
{
	assert_int_equal(await->vms[0].verdict, verdict);
	assert_int_equal(await->pending, verdict == AWAIT_PENDING);
	await_uninit(await);
}

static void start_of_a_failed_vm(void **state)
{
	struct await await = begin(AWAIT_RUNNING, "failed", 5);

	(void)state;
	now(&await, "failed", "up", 5); /* as before */
	assert_int_equal(await.pending, 1);
	event(&await, "vm0", "starting", "starting", 6);
	assert_int_equal(await.pending, 1);
	event(&await, "vm0", "running", "running", 6);
	expect(&await, AWAIT_DONE);

	await = begin(AWAIT_RUNNING, "failed", 5);
	event(&await, "vm0", "failed", "failed", 6);
	expect(&await, AWAIT_FAILED);
}

static void start_of_what_runs(void **state)
{
	struct await await = begin(AWAIT_RUNNING, "running", 1);

	(void)state;
	now(&await, "running", "up", 1);
	expect(&await, AWAIT_DONE);
}

static void stopped_instead_of_started(void **state)
{
	struct await await = begin(AWAIT_RUNNING, "stopped", 1);

	(void)state;
	now(&await, "stopped", "down", 1);
	assert_int_equal(await.pending, 1);
	event(&await, "vm0", "stopped", "stopped", 2);
	expect(&await, AWAIT_FAILED);

	await = begin(AWAIT_RUNNING, "stopped", 1);
	now(&await, "stopped", "down", 2);
	expect(&await, AWAIT_FAILED);
}

static void restart_needs_a_newer_generation(void **state)
{
	struct await await = begin(AWAIT_RESTARTED, "running", 3);

	(void)state;
	now(&await, "running", "up", 3);
	event(&await, "vm0", "stopping", "stopping", 3);
	event(&await, "vm0", "starting", "starting", 4);
	assert_int_equal(await.pending, 1);
	event(&await, "vm0", "running", "running", 4);
	expect(&await, AWAIT_DONE);
}

static void stop_takes_failed_as_well(void **state)
{
	struct await await = begin(AWAIT_STOPPED, "running", 1);

	(void)state;
	event(&await, "vm0", "stopping", "stopping", 1);
	assert_int_equal(await.pending, 1);
	event(&await, "vm0", "stopped", "stopped", 1);
	expect(&await, AWAIT_DONE);

	await = begin(AWAIT_STOPPED, "failed", 1);
	now(&await, "failed", "down", 1);
	expect(&await, AWAIT_DONE);
}

static void pause_of_what_dies(void **state)
{
	struct await await = begin(AWAIT_PAUSED, "running", 1);

	(void)state;
	event(&await, "vm0", "died", "backoff", 1);
	assert_int_equal(await.pending, 1);
	event(&await, "vm0", "running", "running", 2);
	expect(&await, AWAIT_FAILED);
}

static void reset_by_its_event(void **state)
{
	struct await await = begin(AWAIT_RESET, "failed", 5);

	(void)state;
	now(&await, "failed", "up", 5);
	assert_int_equal(await.pending, 1);
	event(&await, "vm0", "reset", "failed", 5);
	expect(&await, AWAIT_DONE);
}

static void others_do_not_matter(void **state)
{
	struct await await = begin(AWAIT_RUNNING, "stopped", 0);

	(void)state;
	event(&await, "vm1", "running", "running", 1);
	expect(&await, AWAIT_PENDING);
}

static void all_at_the_same_time(void **state)
{
	const char *const names[] = { "a", "b", "a" };
	struct await await;

	(void)state;
	assert_int_equal(await_init(&await, AWAIT_ALL_RUNNING, names, 3), 0);
	assert_int_equal(await.count, 2);
	event(&await, "a", "running", "running", 1);
	event(&await, "a", "backoff", "backoff", 1);
	event(&await, "b", "running", "running", 1);
	assert_int_equal(await.pending, 1);
	event(&await, "a", "failed", "failed", 2);
	assert_int_equal(await.pending, 0);
	await_uninit(&await);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_of_a_failed_vm),
		cmocka_unit_test(start_of_what_runs),
		cmocka_unit_test(stopped_instead_of_started),
		cmocka_unit_test(restart_needs_a_newer_generation),
		cmocka_unit_test(stop_takes_failed_as_well),
		cmocka_unit_test(pause_of_what_dies),
		cmocka_unit_test(reset_by_its_event),
		cmocka_unit_test(others_do_not_matter),
		cmocka_unit_test(all_at_the_same_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
