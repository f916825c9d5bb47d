/* SPDX-License-Identifier: ISC */
/* The protocol: heartbeat, events, pings, counters and the log. */
#include "tests/unit/supervisor/life/protocol_fixture.h"

/* ---- STATS, which is the heartbeat */

static uint64_t await_heartbeat(void)
{
	pass(vm->config.timeouts.heartbeat_ms + 50);
	return heard_stats_request();
}

static void an_answer_is_taken_once(void **state)
{
	uint64_t id;

	(void)state;
	into(VM_RUNNING);
	id = await_heartbeat();
	say_stats(id, 0);
	expect_taken();
	assert_int_equal(test.stats_arrived, 1);
	assert_int_equal(vm->stats[STAT_TX_FRAMES], 100 + STAT_TX_FRAMES);
	assert_int_equal(vm->heartbeat.unanswered_ns, 0);
	say_stats(id, 0);
	expect_violation("STATS without a request");
}

static void an_answer_has_the_id_of_the_request(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_stats(await_heartbeat() + 1, 0);
	expect_violation("STATS without a request");
}

static void an_answer_is_paused_or_not(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_stats(await_heartbeat(), 2);
	expect_violation("STATS without a request");
}

/* What is asked for by a client and by the heartbeat is asked for once. */
static void nothing_piles_up_before_a_deaf_process(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_true(vm_ask_stats(vm));
	assert_true(vm_ask_stats(vm));
	pass(vm->config.timeouts.heartbeat_ms * 3);
	heard_stats_request();
	assert_int_equal(heard(), MSG_NONE);
}

static void nobody_asks_a_vm_that_isnt_up(void **state)
{
	(void)state;
	assert_false(vm_ask_stats(vm));
	into(VM_STARTING);
	assert_false(vm_ask_stats(vm));
	say_ready_and_loaded();
	assert_true(vm_ask_stats(vm));
}

static void silence_is_ended_by_sigabrt(void **state)
{
	(void)state;
	into(VM_RUNNING);
	await_heartbeat();
	pass(vm->config.timeouts.watchdog_ms - 100);
	assert_int_equal(vm->process.exit.reason, DEATH_NONE);
	pass(1200);
	await_end();
	expect_death(DEATH_WATCHDOG, "no heartbeat for 10.0 s");
	assert_true(vm->wanted);
}

/* Answers as many questions as there are in that time; counts them. */
static unsigned int answered_in(uint64_t ms, uint64_t frames)
{
	unsigned int count = 0;
	union msg message;

	for (uint64_t passed = 0; passed < ms; passed += 50) {
		pass(50);
		if (heard_message(&message) != MSG_STATS_REQUEST)
			continue;
		count++;
		say_stats_of(message.stats_request.id, 0, frames * count);
		expect_taken();
	}
	return count;
}

static void a_quiet_vm_is_asked_less_often(void **state)
{
	unsigned int busy, quiet;

	(void)state;
	into(VM_RUNNING);
	busy = answered_in(20000, 1);
	assert_in_range(busy, 18, 20);
	quiet = answered_in(40000, 0);
	assert_in_range(quiet, 9, 12);
	/* and as often as ever when something happens again */
	answered_in(5000, 7);
	busy = answered_in(20000, 3);
	assert_in_range(busy, 18, 20);
}

/* Half the watchdog's time is the most; less than a heartbeat changes nothing.
 */
static void never_less_often_than_the_watchdog_bears(void **state)
{
	(void)state;
	into(VM_RUNNING);
	vm->config.timeouts.watchdog_ms = 5000;
	answered_in(3000, 0);
	assert_in_range(answered_in(25000, 0), 9, 11);
	vm->config.timeouts.watchdog_ms = 1500;
	answered_in(3000, 0);
	assert_in_range(answered_in(20000, 0), 18, 20);
}

/* As at a busy one: a heartbeat and the watchdog's time after the last answer,
 * and what the grid and the steps between two looks add. */
static void a_hang_in_a_quiet_time_is_noticed_as_early(void **state)
{
	uint64_t answered_ns;
	unsigned int before;

	(void)state;
	test.stubborn = true; /* its end would come whenever it is run */
	into(VM_RUNNING);
	before = answered_in(12000, 0);
	assert_true(vm->heartbeat.quiet);
	while (answered_in(50, 0) == 0)
		assert_true(before < 12);
	answered_ns = test.now_ns;
	while (!vm->heartbeat.aborting) {
		assert_true(test.now_ns - answered_ns < 12 * NSEC_PER_SEC);
		pass(50);
	}
	assert_in_range(test.now_ns - answered_ns, 9 * NSEC_PER_SEC,
			(uint64_t)11 * NSEC_PER_SEC + 100 * NSEC_PER_MSEC);
	pass(vm->config.timeouts.abort_ms);
	await_end();
	expect_death(DEATH_WATCHDOG, "no heartbeat for 10.0 s");
}

/* SIGABRT is not taken: SIGKILL follows. */
static void and_then_by_sigkill(void **state)
{
	(void)state;
	test.stubborn = true;
	into(VM_RUNNING);
	pass(vm->config.timeouts.watchdog_ms +
	     vm->config.timeouts.heartbeat_ms * 3);
	assert_true(vm->heartbeat.aborting);
	assert_true(vm->process.pid_fd >= 0);
	pass(vm->config.timeouts.abort_ms);
	await_end();
	expect_death(DEATH_WATCHDOG, "no heartbeat for 10.0 s");
}

/* What came while the supervisor itself was held up counts. */
static void an_answer_in_the_channel_is_no_silence(void **state)
{
	uint64_t id;

	(void)state;
	into(VM_RUNNING);
	id = await_heartbeat();
	say_stats(id, 0);
	test.now_ns += 60 * NSEC_PER_SEC;
	turn();
	pass(100);
	assert_int_equal(vm->process.exit.reason, DEATH_NONE);
}

/* Nor while the loop hasn't come to read it. */
static void it_is_read_before_silence_is_judged(void **state)
{
	struct timer *timer = &vm->heartbeat.timer;

	(void)state;
	into(VM_RUNNING);
	say_stats(await_heartbeat(), 0);
	test.now_ns += 60 * NSEC_PER_SEC;
	loop_timer_cancel(&host.loop, timer);
	timer->fire(timer);
	assert_false(vm->heartbeat.aborting);
	assert_int_equal(test.stats_arrived, 1);
}

static void a_closed_channel_has_a_moment_to_be_an_end(void **state)
{
	(void)state;
	into(VM_RUNNING);
	fd_close(&test.process.fd);
	end_helper(); /* it holds that end as well */
	while (!vm->process.channel_ended)
		assert_int_equal(loop_turn(&host.loop, -1), 0);
	pass(400);
	assert_int_equal(vm->process.exit.reason, DEATH_NONE);
	pass(200);
	await_end();
	expect_death(DEATH_PROTOCOL, "closed its channel");
}

/* ---- EVENT */

static void a_pause_is_answered_once(void **state)
{
	(void)state;
	into(VM_RUNNING);
	vm_raise(vm, VM_PAUSE);
	say_event(GUEST_PAUSED);
	expect_taken();
	assert_int_equal(vm->state, VM_PAUSED);
	vm_raise(vm, VM_RESUME);
	say_event(GUEST_RESUMED);
	expect_taken();
	assert_int_equal(vm->state, VM_RUNNING);
	say_event(GUEST_RESUMED);
	expect_violation("EVENT 1 unasked");
}

static void an_answer_may_cross_the_stop(void **state)
{
	(void)state;
	into(VM_RUNNING);
	vm_raise(vm, VM_PAUSE);
	vm_raise(vm, VM_STOP);
	say_event(GUEST_PAUSED);
	expect_taken();
	assert_int_equal(vm->state, VM_STOPPING);
}

static void an_unknown_event_is_a_violation(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_event(GUEST_EVENTS);
	expect_violation("EVENT 6 unasked");
}

static void a_builtin_guest_has_no_events_of_its_own(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_event(GUEST_POWERED_OFF);
	expect_violation("EVENT 2 unasked");
}

static void a_machine_tells_one(void **state)
{
	struct machine_config machine = { .kernel_fd = -1, .initrd_fd = -1 };

	(void)state;
	into(VM_RUNNING);
	vm->config.machine = &machine;
	nothing_told();
	say_event(GUEST_PANICKED);
	expect_taken();
	expect_told("guest-panic", "");
	say_event(GUEST_PANICKED);
	turn();
	vm->config.machine = NULL;
	expect_violation("EVENT 4 unasked");
}

/* ---- PING-RESULT and COUNTERS */

static void a_ping_is_reported_once(void **state)
{
	union msg message = { .ping_result = { .id = 7 } };
	json_t *ids = json_pack("[i]", 7);

	(void)state;
	into(VM_RUNNING);
	assert_int_equal(pings_restore(vm, ids), 0);
	json_decref(ids);
	send_one(MSG_PING_RESULT, &message, -1);
	expect_taken();
	send_one(MSG_PING_RESULT, &message, -1);
	expect_violation("PING-RESULT without a PING");
}

static void with_a_status_that_there_is(void **state)
{
	union msg message = { .ping_result = { .id = 7,
					       .status = PING_STATUSES } };
	json_t *ids = json_pack("[i]", 7);

	(void)state;
	into(VM_RUNNING);
	assert_int_equal(pings_restore(vm, ids), 0);
	json_decref(ids);
	send_one(MSG_PING_RESULT, &message, -1);
	expect_violation("PING-RESULT without a PING");
}

static void counters_are_told_when_asked_for(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_int_equal(counters_ask(vm), 0);
	say_counters("exits.hlt", 0);
	say_counters("exits.io", 1);
	expect_taken();
	say_counters("exits.io", 1);
	expect_violation("COUNTERS without a request");
}

static void a_bad_name_is_a_violation(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_int_equal(counters_ask(vm), 0);
	say_counters("exits\n", 1);
	expect_violation("COUNTERS of a bad name");
}

/* They were asked for before STATS: with its answer they must be there. */
static void counters_come_before_the_stats(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_int_equal(counters_ask(vm), 0);
	assert_int_equal(heard(), MSG_COUNTERS_REQUEST);
	say_stats(await_heartbeat(), 0);
	expect_taken();
	say_counters("exits.io", 1);
	expect_violation("COUNTERS without a request");
}

/* ---- LOG, and its token buckets */

static void a_line_is_logged_and_cleaned(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_log("\x1b[31mred\n");
	expect_taken();
	/* it can't be taken for a line of the supervisor's */
	assert_string_equal(test.last_line, "vm0: process: ?[31mred?");
}

static void a_level_and_a_length_have_bounds(void **state)
{
	union msg message = { .log = { .level = LOG_LEVELS } };

	(void)state;
	into(VM_RUNNING);
	send_one(MSG_LOG, &message, -1);
	expect_violation("LOG of level 4, length 0");
}

static void a_line_is_shorter_than_its_field(void **state)
{
	union msg message = { .log = { .length = MSG_LOG_TEXT } };

	(void)state;
	into(VM_RUNNING);
	send_one(MSG_LOG, &message, -1);
	expect_violation("LOG of level 0, length 240");
}

static void say_lines(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		say_log("line");
		turn();
	}
}

static void fifty_lines_pass_and_then_ten_a_second(void **state)
{
	(void)state;
	into(VM_RUNNING);
	pass(1);
	say_lines(60);
	assert_int_equal(kept_lines("line"), 50);
	assert_int_equal(vm->log.dropped, 10);
	pass(99);
	say_lines(1);
	assert_int_equal(kept_lines("line"), 50);
	pass(1);
	say_lines(2);
	assert_int_equal(kept_lines("line"), 51);
	assert_int_equal(kept_lines("11 lines dropped"), 1);
	pass(500);
	say_lines(10);
	assert_int_equal(kept_lines("line"), 56);
	assert_int_equal(kept_lines("1 lines dropped"), 1);
	assert_int_equal(vm->log.dropped, 5);
}

/* However they come: in six seconds of 100 lines, 60 pass. */
static void ten_a_second_are_ten_a_second(void **state)
{
	unsigned int passed = 0;

	(void)state;
	into(VM_RUNNING);
	say_lines(50);
	for (int i = 0; i < 100; i++) {
		uint64_t dropped = vm->log.dropped;

		test.now_ns += 60 * NSEC_PER_MSEC;
		vm->heartbeat.unanswered_ns = 0;
		say_lines(1);
		passed += vm->log.dropped <= dropped;
	}
	assert_int_equal(passed, 60);
}

static void a_bucket_holds_no_more_than_a_burst(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_lines(1);
	test.now_ns += 3600 * NSEC_PER_SEC;
	say_lines(60);
	assert_int_equal(kept_lines("line"), 51);
	assert_int_equal(vm->log.dropped, 10);
}

/* What is left and what is given are no more than a burst together. */
static void nor_when_some_of_it_was_left(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_lines(20);
	test.now_ns += 4 * NSEC_PER_SEC;
	say_lines(60);
	assert_int_equal(vm->log.dropped, 10);
}

static void a_thousand_lines_at_once_are_no_flood(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_lines(1000);
	expect_taken();
	say_log("one more");
	expect_violation("flood of LOG messages");
}

static void the_next_generation_has_full_buckets(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_lines(900);
	pass(1);
	end_by(SIGHUP);
	assert_int_equal(vm->state, VM_BACKOFF);
	vm_raise(vm, VM_START);
	hear_start();
	assert_int_equal(vm->log.dropped, 0);
	say_lines(900);
	expect_taken();
	assert_int_equal(vm->log.dropped, 850);
}

/* 32 of one VM, then others get their turn. */
static void a_turn_serves_so_many_messages(void **state)
{
	(void)state;
	into(VM_RUNNING);
	for (int i = 0; i < 40; i++)
		say_log("line");
	turn();
	assert_int_equal(kept_lines("line"), 32);
	turn();
	assert_int_equal(kept_lines("line"), 40);
}

/* Its last words, which nobody has read yet when it is reaped. */
static void a_dead_process_is_heard_to_the_end(void **state)
{
	(void)state;
	into(VM_RUNNING);
	for (int i = 0; i < 40; i++)
		say_log("line");
	vm_signal(vm, SIGHUP);
	while (waitid(WAIT_PIDFD, (id_t)vm->process.pid_fd, &(siginfo_t){ 0 },
		      WEXITED | WNOWAIT) < 0)
		;
	await_end();
	assert_int_equal(kept_lines("line"), 40);
	expect_death(DEATH_SIGNAL, "SIGHUP");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TALK_TEST(an_answer_is_taken_once),
		TALK_TEST(an_answer_has_the_id_of_the_request),
		TALK_TEST(an_answer_is_paused_or_not),
		TALK_TEST(nothing_piles_up_before_a_deaf_process),
		TALK_TEST(nobody_asks_a_vm_that_isnt_up),
		TALK_TEST(silence_is_ended_by_sigabrt),
		TALK_TEST(a_quiet_vm_is_asked_less_often),
		TALK_TEST(never_less_often_than_the_watchdog_bears),
		TALK_TEST(a_hang_in_a_quiet_time_is_noticed_as_early),
		TALK_TEST(and_then_by_sigkill),
		TALK_TEST(an_answer_in_the_channel_is_no_silence),
		TALK_TEST(it_is_read_before_silence_is_judged),
		TALK_TEST(a_closed_channel_has_a_moment_to_be_an_end),
		TALK_TEST(a_pause_is_answered_once),
		TALK_TEST(an_answer_may_cross_the_stop),
		TALK_TEST(an_unknown_event_is_a_violation),
		TALK_TEST(a_builtin_guest_has_no_events_of_its_own),
		TALK_TEST(a_machine_tells_one),
		TALK_TEST(a_ping_is_reported_once),
		TALK_TEST(with_a_status_that_there_is),
		TALK_TEST(counters_are_told_when_asked_for),
		TALK_TEST(a_bad_name_is_a_violation),
		TALK_TEST(counters_come_before_the_stats),
		TALK_TEST(a_line_is_logged_and_cleaned),
		TALK_TEST(a_level_and_a_length_have_bounds),
		TALK_TEST(a_line_is_shorter_than_its_field),
		TALK_TEST(fifty_lines_pass_and_then_ten_a_second),
		TALK_TEST(ten_a_second_are_ten_a_second),
		TALK_TEST(a_bucket_holds_no_more_than_a_burst),
		TALK_TEST(nor_when_some_of_it_was_left),
		TALK_TEST(a_thousand_lines_at_once_are_no_flood),
		TALK_TEST(the_next_generation_has_full_buckets),
		TALK_TEST(a_turn_serves_so_many_messages),
		TALK_TEST(a_dead_process_is_heard_to_the_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
