/* SPDX-License-Identifier: ISC */
/* The state machine of a VM: every state by every event, and its times. */
#include "tests/unit/supervisor/life/vm_fixture.h"

#include "supervisor/vm/vm_state.h"

/* ---- every cell of the table */

static const char *const event_names[VM_EVENTS] = {
	[VM_START] = "start",
	[VM_STOP] = "stop",
	[VM_RESTART] = "restart",
	[VM_RESET] = "reset",
	[VM_PAUSE] = "pause",
	[VM_RESUME] = "resume",
	[VM_LOADED] = "loaded",
	[VM_TAKEN_OVER] = "taken over",
	[VM_LOST] = "lost",
	[VM_REVIVED] = "revived",
	[VM_ADOPTED] = "adopted",
	[VM_ADOPTED_PAUSED] = "adopted paused",
	[VM_WAS_PAUSED] = "was paused",
	[VM_WAS_RESUMED] = "was resumed",
	[VM_DIED] = "died",
	[VM_TIMEOUT] = "timeout",
};

enum intent {
	AS_BEFORE,
	UP,
	DOWN,
};

/* What an event does. */
struct result {
	enum vm_state to;
	enum intent intent;
	const char *told; /* the last event on record; NULL: none */
	enum msg_type heard; /* by the process; MSG_NONE: nothing */
	const char *ends; /* the process ends by this; NULL: it lives on */
	bool spawns; /* the next generation */
	bool retries; /* counted as a restart that nobody asked for */
};
#define RESULT(state, ...)                    \
	&(const struct result)                \
	{                                     \
		.to = VM_##state, __VA_ARGS__ \
	}

/* By the intent that was there before. Neither: refused. */
struct cell {
	const struct result *up, *down;
};
#define EITHER(...)                                      \
	{                                                \
		RESULT(__VA_ARGS__), RESULT(__VA_ARGS__) \
	}

#define STARTS \
	EITHER(STARTING, .intent = UP, .told = "starting", .spawns = true)
#define STOPS(...)   EITHER(STOPPING, .told = "stopping", __VA_ARGS__)
#define IS_STOPPED   EITHER(STOPPED, .intent = DOWN, .told = "stopped")
#define STAYS(state) EITHER(state, .intent = AS_BEFORE)
/* Nobody is told: the supervisor is only about to start. */
#define BECOMES(state) STAYS(state)
#define RESETS(state)  EITHER(state, .told = "reset")
/* Intents that the state alone doesn't follow. */
#define IS_WANTED(state)   EITHER(state, .intent = UP)
#define IS_UNWANTED(state) EITHER(state, .intent = DOWN)
/* A quick death that nobody asked for. */
#define DIES                                                                 \
	{                                                                    \
		RESULT(BACKOFF, .told = "backoff", .ends = "SIGHUP"),        \
			RESULT(STOPPED, .told = "stopped", .ends = "SIGHUP") \
	}
#define ADOPTS(state)                                        \
	{                                                    \
		RESULT(state, .told = "adopted"),            \
			RESULT(STOPPING, .told = "stopping", \
			       .heard = MSG_STOP)            \
	}

static const struct cell cells[VM_STATES][VM_EVENTS] = {
	[VM_STOPPED] = {
		[VM_START] = STARTS,
		[VM_STOP] = STAYS(STOPPED),
		[VM_RESTART] = STARTS,
		[VM_RESET] = RESETS(STOPPED),
		[VM_TAKEN_OVER] = BECOMES(STARTING),
		[VM_LOST] = BECOMES(BACKOFF),
	},
	[VM_STARTING] = {
		[VM_START] = IS_WANTED(STARTING),
		/* there is no guest yet that could be asked */
		[VM_STOP] = STOPS(.intent = DOWN, .ends = "SIGKILL"),
		[VM_RESTART] = STOPS(.intent = UP, .ends = "SIGKILL"),
		[VM_RESET] = RESETS(STARTING),
		[VM_LOADED] = EITHER(RUNNING, .told = "running"),
		[VM_ADOPTED] = ADOPTS(RUNNING),
		[VM_ADOPTED_PAUSED] = ADOPTS(PAUSED),
		[VM_DIED] = DIES,
		[VM_TIMEOUT] = EITHER(STARTING,
			.ends = "not READY within 10.0 s"),
		[VM_TAKEN_OVER] = BECOMES(STARTING),
		[VM_LOST] = BECOMES(BACKOFF),
	},
	[VM_RUNNING] = {
		[VM_START] = IS_WANTED(RUNNING),
		[VM_STOP] = STOPS(.intent = DOWN, .heard = MSG_STOP),
		[VM_RESTART] = STOPS(.intent = UP, .heard = MSG_STOP),
		[VM_RESET] = RESETS(RUNNING),
		[VM_PAUSE] = EITHER(RUNNING, .heard = MSG_PAUSE),
		[VM_RESUME] = STAYS(RUNNING),
		[VM_WAS_PAUSED] = EITHER(PAUSED, .told = "paused"),
		[VM_DIED] = DIES,
		[VM_TAKEN_OVER] = BECOMES(STARTING),
		[VM_LOST] = BECOMES(BACKOFF),
	},
	[VM_PAUSED] = {
		[VM_STOP] = STOPS(.intent = DOWN, .heard = MSG_STOP),
		[VM_RESTART] = STOPS(.intent = UP, .heard = MSG_STOP),
		[VM_RESET] = RESETS(PAUSED),
		[VM_PAUSE] = STAYS(PAUSED),
		[VM_RESUME] = EITHER(PAUSED, .heard = MSG_RESUME),
		[VM_WAS_RESUMED] = EITHER(RUNNING, .told = "resumed"),
		[VM_DIED] = DIES,
		[VM_TAKEN_OVER] = BECOMES(STARTING),
		[VM_LOST] = BECOMES(BACKOFF),
	},
	[VM_BACKOFF] = {
		[VM_START] = STARTS,
		[VM_STOP] = IS_STOPPED,
		[VM_RESTART] = STARTS,
		[VM_RESET] = STARTS,
		[VM_TIMEOUT] = EITHER(STARTING, .told = "starting",
			.spawns = true, .retries = true),
		[VM_TAKEN_OVER] = BECOMES(STARTING),
		[VM_LOST] = BECOMES(BACKOFF),
		[VM_REVIVED] = {
			RESULT(STARTING, .told = "starting",
			       .spawns = true, .retries = true),
			RESULT(STOPPED),
		},
	},
	[VM_FAILED] = {
		[VM_START] = STARTS,
		[VM_STOP] = IS_STOPPED,
		[VM_RESTART] = STARTS,
		[VM_RESET] = STARTS,
		[VM_TAKEN_OVER] = BECOMES(STARTING),
		[VM_LOST] = BECOMES(FAILED),
		[VM_REVIVED] = STAYS(FAILED),
	},
	[VM_STOPPING] = {
		[VM_START] = IS_WANTED(STOPPING),
		[VM_STOP] = IS_UNWANTED(STOPPING),
		[VM_RESTART] = IS_WANTED(STOPPING),
		[VM_RESET] = RESETS(STOPPING),
		/* these were sent before the process knew of the stop */
		[VM_LOADED] = STAYS(STOPPING),
		[VM_ADOPTED] = STAYS(STOPPING),
		[VM_ADOPTED_PAUSED] = STAYS(STOPPING),
		[VM_WAS_PAUSED] = STAYS(STOPPING),
		[VM_WAS_RESUMED] = STAYS(STOPPING),
		[VM_DIED] = {
			RESULT(STARTING, .told = "starting", .ends = "SIGHUP",
			       .spawns = true),
			RESULT(STOPPED, .told = "stopped", .ends = "SIGHUP"),
		},
		[VM_TIMEOUT] = EITHER(STOPPING, .ends = "SIGTERM"),
		[VM_TAKEN_OVER] = BECOMES(STARTING),
		[VM_LOST] = BECOMES(BACKOFF),
	},
};

/* The events after which the VM's document is written anew. */
static const bool saves[VM_EVENTS] = {
	[VM_START] = true,   [VM_STOP] = true, [VM_RESTART] = true,
	[VM_RESET] = true,   [VM_DIED] = true, [VM_TIMEOUT] = true,
	[VM_REVIVED] = true,
};

static void into(enum vm_state state)
{
	switch (state) {
	case VM_STOPPED:
	case VM_STATES:
		break;
	case VM_STARTING:
		into_starting();
		break;
	case VM_RUNNING:
		into_running();
		break;
	case VM_PAUSED:
		into_running();
		assert_int_equal(vm_raise(vm, VM_WAS_PAUSED), 0);
		break;
	case VM_BACKOFF:
		into_starting();
		end_by(SIGHUP);
		break;
	case VM_FAILED:
		vm->config.restart.crash_deaths = 1;
		into_starting();
		end_by(SIGHUP);
		break;
	case VM_STOPPING:
		into_running();
		assert_int_equal(vm_raise(vm, VM_STOP), 0);
		assert_int_equal(heard(), MSG_STOP);
		break;
	}
	assert_int_equal(vm->state, state);
}

static int raise_event(enum vm_event event)
{
	if (event != VM_DIED || vm->process.pid_fd < 0)
		return vm_raise(vm, event);
	end_by(SIGHUP);
	return 0;
}

static void expect_same(const json_t *before, const json_t *after)
{
	assert_int_equal(before == NULL, after == NULL);
	assert_true(!before || json_equal(before, after));
}

static void expect_saved(enum vm_event event, const json_t *before)
{
	json_t *saved = saved_vm();

	if (saves[event]) {
		assert_non_null(saved);
		assert_int_equal(json_is_true(json_object_get(saved, "wanted")),
				 vm->wanted);
		assert_string_equal(
			json_string_value(json_object_get(saved, "state")),
			vm_state_name(vm->state));
	} else {
		expect_same(before, saved);
	}
	json_decref(saved);
}

/* A refused event changes nothing, of the VM or of what is saved. */
static void expect_refused(enum vm_event event)
{
	const uint64_t events = host.events.count;
	json_t *saved = saved_vm(), *saved_after;
	char before[sizeof(*vm)];

	assert_false(vm_takes(vm, event));
	memcpy(before, vm, sizeof(before));
	assert_int_equal(vm_event(vm, event), -EINVAL);
	assert_memory_equal(before, vm, sizeof(before));
	assert_int_equal(host.events.count, events);
	if (test.process.fd >= 0)
		assert_int_equal(heard(), MSG_NONE);
	saved_after = saved_vm();
	expect_same(saved, saved_after);
	json_decref(saved);
	json_decref(saved_after);
}

static void expect_result(enum vm_event event, const struct result *result)
{
	bool wanted = result->intent == AS_BEFORE ? vm->wanted
						  : result->intent == UP;
	unsigned int spawned = test.spawned;
	uint64_t restarts = vm->restarts, generation = vm->generation;
	json_t *before = saved_vm();

	assert_true(vm_takes(vm, event));
	nothing_told();
	assert_int_equal(raise_event(event), 0);
	assert_int_equal(vm->state, result->to);
	assert_int_equal(vm->wanted, wanted);
	assert_int_equal(test.spawned - spawned, result->spawns);
	assert_int_equal(vm->generation - generation, result->spawns);
	assert_int_equal(vm->restarts - restarts, result->retries);
	if (result->told) {
		assert_non_null(last_event());
		assert_string_equal(last_event()->name, result->told);
		assert_int_equal(last_event()->state, result->to);
	} else {
		assert_null(last_event());
	}
	expect_saved(event, before);
	json_decref(before);
	if (result->spawns)
		hear_start();
	if (test.process.fd >= 0)
		assert_int_equal(heard(), result->heard);
	if (!result->ends)
		return;
	if (event != VM_DIED)
		await_end();
	assert_string_equal(deaths_last(&vm->deaths)->detail, result->ends);
}

static void try_cell(enum vm_state state, enum vm_event event, bool wanted)
{
	const struct cell *cell = &cells[state][event];
	const struct result *result = wanted ? cell->up : cell->down;

	if (set_up(NULL) < 0)
		fail();
	into(state);
	/* the intent is written by commands alone: here it is set by hand, so
	 * that each state is seen under both */
	vm->wanted = wanted;
	if (result)
		expect_result(event, result);
	else
		expect_refused(event);
	tear_down(NULL);
}

static void every_state_by_every_event(void **state)
{
	(void)state;
	for (int from = 0; from < VM_STATES; from++) {
		for (int event = 0; event < VM_EVENTS; event++) {
			print_message("# %s in %s\n", event_names[event],
				      vm_state_name(from));
			try_cell(from, event, false);
			try_cell(from, event, true);
		}
	}
}

static void a_refused_command_has_its_remedy(void **state)
{
	static const struct {
		enum vm_state state;
		enum vm_event command;
		const char *remedy;
	} refusals[] = {
		{ VM_STOPPED, VM_PAUSE, "vmsup start it first" },
		{ VM_STOPPED, VM_RESUME, "vmsup start it first" },
		{ VM_STARTING, VM_PAUSE, "wait until it runs" },
		{ VM_STARTING, VM_RESUME, "wait until it runs" },
		{ VM_PAUSED, VM_START, "vmsup resume it first" },
		{ VM_BACKOFF, VM_PAUSE, "vmsup start starts it now" },
		{ VM_BACKOFF, VM_RESUME, "vmsup start starts it now" },
		{ VM_FAILED, VM_PAUSE, "vmsup reset clears it" },
		{ VM_FAILED, VM_RESUME, "vmsup reset clears it" },
		{ VM_STOPPING, VM_PAUSE, "wait until it has stopped" },
		{ VM_STOPPING, VM_RESUME, "wait until it has stopped" },
	};
	size_t refused = 0;

	(void)state;
	for (int from = 0; from < VM_STATES; from++)
		for (int command = VM_START; command <= VM_RESUME; command++)
			refused += !cells[from][command].up;
	assert_int_equal(refused, ARRAY_SIZE(refusals));
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		assert_null(cells[refusals[i].state][refusals[i].command].up);
		assert_string_equal(vm_remedy(refusals[i].state),
				    refusals[i].remedy);
	}
}

/* ---- times of a start and of a stop */

static void a_start_has_its_time(void **state)
{
	(void)state;
	into_starting();
	pass(vm->config.timeouts.start_ms - 1);
	assert_int_equal(vm->process.exit.reason, DEATH_NONE);
	pass(1);
	await_end();
	expect_death(DEATH_START_TIMEOUT, "not READY within 10.0 s");
	assert_int_equal(vm->state, VM_BACKOFF);
}

static void a_start_waits_for_the_guest_as_well(void **state)
{
	(void)state;
	into_starting();
	vm->process.proved = true;
	pass(vm->config.timeouts.start_ms);
	await_end();
	expect_death(DEATH_START_TIMEOUT, "not LOADED within 10.0 s");
}

static void a_running_vm_has_no_deadline(void **state)
{
	(void)state;
	into_running();
	assert_false(vm->timer.armed);
}

/* The guest is asked, then its process, then neither. */
static void a_stop_goes_down_three_steps(void **state)
{
	const struct vm_timeouts *timeouts = &config.defaults.timeouts;

	(void)state;
	test.stubborn = true;
	into_running();
	assert_int_equal(vm_raise(vm, VM_STOP), 0);
	assert_int_equal(heard(), MSG_STOP);
	assert_int_equal(vm->timer.due_ns - test.now_ns,
			 timeouts->stop_guest_ms * NSEC_PER_MSEC);
	vm_raise(vm, VM_TIMEOUT);
	assert_int_equal(vm->timer.due_ns - test.now_ns,
			 timeouts->stop_process_ms * NSEC_PER_MSEC);
	turn();
	assert_true(vm->process.pid_fd >= 0);
	vm_raise(vm, VM_TIMEOUT);
	assert_false(vm->timer.armed);
	await_end();
	expect_death(DEATH_SIGNAL, "SIGKILL");
	assert_true(deaths_last(&vm->deaths)->asked);
	assert_int_equal(vm->state, VM_STOPPED);
}

static void a_stopped_process_takes_its_sigterm(void **state)
{
	siginfo_t info;

	(void)state;
	into_running();
	vm_signal(vm, SIGSTOP);
	waitid(WAIT_PIDFD, (id_t)vm->process.pid_fd, &info, WSTOPPED | WNOWAIT);
	assert_int_equal(vm_raise(vm, VM_STOP), 0);
	vm_raise(vm, VM_TIMEOUT);
	await_end();
	expect_death(DEATH_SIGNAL, "SIGTERM");
}

/* What doesn't read its channel can't be asked over it. */
static void a_deaf_process_is_terminated_at_once(void **state)
{
	(void)state;
	into_running();
	while (channel_signal(&vm->process.channel, MSG_STATS_REQUEST) !=
	       -EAGAIN) {
		union msg message = { 0 };

		if (channel_send(&vm->process.channel, MSG_STATS_REQUEST,
				 &message, -1) == -EAGAIN)
			break;
	}
	assert_int_equal(vm_raise(vm, VM_STOP), 0);
	assert_int_equal(vm->stop_step, STOP_TERMINATED);
	await_end();
	expect_death(DEATH_SIGNAL, "SIGTERM");
	assert_int_equal(vm->state, VM_STOPPED);
}

static void a_paused_machine_is_resumed_to_hear_the_stop(void **state)
{
	struct machine_config machine = { .kernel_fd = -1, .initrd_fd = -1 };

	(void)state;
	into_running();
	vm_raise(vm, VM_WAS_PAUSED);
	vm->config.machine = &machine;
	assert_int_equal(vm_raise(vm, VM_STOP), 0);
	assert_int_equal(heard(), MSG_RESUME);
	assert_int_equal(heard(), MSG_STOP);
	vm->config.machine = NULL;
}

/* ---- pause and resume */

static void each_is_asked_for_once_and_in_order(void **state)
{
	(void)state;
	into_running();
	vm_raise(vm, VM_PAUSE);
	vm_raise(vm, VM_PAUSE);
	assert_int_equal(heard(), MSG_PAUSE);
	assert_int_equal(heard(), MSG_NONE);
	/* not paused yet, but about to be */
	vm_raise(vm, VM_RESUME);
	vm_raise(vm, VM_RESUME);
	assert_int_equal(heard(), MSG_RESUME);
	assert_int_equal(heard(), MSG_NONE);
	vm->process.pause_pending = false;
	vm_raise(vm, VM_WAS_PAUSED);
	vm_raise(vm, VM_PAUSE); /* the resume is still to come */
	assert_int_equal(heard(), MSG_PAUSE);
}

static void what_one_generation_was_asked_the_next_is_not(void **state)
{
	(void)state;
	into_running();
	vm_raise(vm, VM_PAUSE);
	vm_raise(vm, VM_RESUME);
	pass(vm->config.restart.steady_ms);
	end_by(SIGHUP);
	assert_int_equal(vm->state, VM_STARTING);
	hear_start();
	vm_raise(vm, VM_LOADED);
	vm_raise(vm, VM_RESUME); /* no pause is on its way */
	assert_int_equal(heard(), MSG_NONE);
	vm_raise(vm, VM_PAUSE);
	assert_int_equal(heard(), MSG_PAUSE);
}

/* ---- what was asked for before it was taken over */

static void taken_over(bool stop_told)
{
	into_starting();
	vm->process.adopting = vm->taken_over = true;
	vm->process.stop_told = stop_told;
}

/* It may have a guest: STOP, not SIGKILL. */
static void a_stop_before_its_sign_of_life_asks_the_guest(void **state)
{
	(void)state;
	taken_over(false);
	vm_raise(vm, VM_STOP);
	assert_int_equal(heard(), MSG_STOP);
	turn();
	assert_true(vm->process.pid_fd >= 0);
}

static void a_stop_is_told_once(void **state)
{
	(void)state;
	taken_over(true);
	vm->wanted = false;
	vm->stop_step = STOP_ASKED;
	vm_raise(vm, VM_ADOPTED);
	assert_int_equal(vm->state, VM_STOPPING);
	assert_int_equal(heard(), MSG_NONE);
	assert_int_equal(vm->timer.due_ns - test.now_ns,
			 vm->config.timeouts.stop_guest_ms * NSEC_PER_MSEC);
}

static void a_sigterm_is_waited_for_as_long_as_ever(void **state)
{
	(void)state;
	taken_over(true);
	vm->wanted = false;
	vm->stop_step = STOP_TERMINATED;
	vm_raise(vm, VM_ADOPTED);
	assert_int_equal(vm->timer.due_ns - test.now_ns,
			 vm->config.timeouts.stop_process_ms * NSEC_PER_MSEC);
}

static void a_restart_is_brought_to_its_end(void **state)
{
	(void)state;
	taken_over(true);
	vm->restart_due = true;
	vm_raise(vm, VM_ADOPTED);
	assert_int_equal(vm->state, VM_STOPPING);
	assert_false(vm->restart_due);
	end_by(SIGTERM);
	assert_int_equal(vm->state, VM_STARTING);
	assert_int_equal(vm->generation, 2);
}

static void silence_after_a_takeover_is_a_death(void **state)
{
	(void)state;
	taken_over(false);
	pass(vm->config.timeouts.start_ms);
	await_end();
	expect_death(DEATH_PROTOCOL,
		     "not adopted: silent for 10.0 s after it was asked");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_by_every_event),
		cmocka_unit_test(a_refused_command_has_its_remedy),
		VM_TEST(a_start_has_its_time),
		VM_TEST(a_start_waits_for_the_guest_as_well),
		VM_TEST(a_running_vm_has_no_deadline),
		VM_TEST(a_stop_goes_down_three_steps),
		VM_TEST(a_stopped_process_takes_its_sigterm),
		VM_TEST(a_deaf_process_is_terminated_at_once),
		VM_TEST(a_paused_machine_is_resumed_to_hear_the_stop),
		VM_TEST(each_is_asked_for_once_and_in_order),
		VM_TEST(what_one_generation_was_asked_the_next_is_not),
		VM_TEST(a_stop_before_its_sign_of_life_asks_the_guest),
		VM_TEST(a_stop_is_told_once),
		VM_TEST(a_sigterm_is_waited_for_as_long_as_ever),
		VM_TEST(a_restart_is_brought_to_its_end),
		VM_TEST(silence_after_a_takeover_is_a_death),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
