/* SPDX-License-Identifier: ISC */
/* The event loop: timers in order, cancelled ones silent, sources removable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "ipc/loop.h"

#define TIMERS 500

static struct loop loop;
static uint64_t fired[TIMERS * 2];
static unsigned int fired_count;

static void note(struct timer *timer)
{
	fired[fired_count++] = timer->due_ns;
}

static int set_up(void **state)
{
	(void)state;
	fired_count = 0;
	return loop_init(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_uninit(&loop);
	return 0;
}

static void fires_in_order_whatever_was_armed_or_cancelled(void **state)
{
	static struct timer timers[TIMERS];
	unsigned int cancelled = 0;
	uint64_t now = loop_now_ns();

	(void)state;
	srandom(1);
	for (int i = 0; i < TIMERS; i++) {
		timers[i] = (struct timer){ .fire = note };
		loop_timer_at(&loop, &timers[i],
			      now - 1000000 + (uint64_t)random() % 900000);
	}
	for (int i = 0; i < TIMERS; i += 3) {
		loop_timer_cancel(&loop, &timers[i]);
		loop_timer_cancel(&loop, &timers[i]); /* twice: no harm */
		cancelled++;
	}
	for (int i = 1; i < TIMERS; i += 7) /* re-armed: counts once */
		loop_timer_at(&loop, &timers[i],
			      timers[i].armed ? timers[i].due_ns + 1 : now);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_true(fired_count >= TIMERS - cancelled);
	assert_true(fired_count <= TIMERS);
	for (unsigned int i = 1; i < fired_count; i++)
		assert_true(fired[i - 1] <= fired[i]);
	assert_null(loop.timers);
}

static void waits_for_the_earliest(void **state)
{
	struct timer late = { .fire = note }, early = { .fire = note };
	uint64_t begin = loop_now_ns();

	(void)state;
	loop_timer_in(&loop, &late, 60000);
	loop_timer_in(&loop, &early, 20);
	while (fired_count == 0)
		assert_int_equal(loop_turn(&loop, -1), 0);
	assert_true(loop_now_ns() - begin >= 20 * NSEC_PER_MSEC);
	assert_true(late.armed);
	loop_timer_cancel(&loop, &late);
}

/* Two pipes, both readable; whichever is served first removes the other. */
static struct source sources[2];
static unsigned int served;

static void remove_other(struct source *source, uint32_t events)
{
	assert_true(events & EPOLLIN);
	served++;
	loop_remove(&loop, source == &sources[0] ? &sources[1] : &sources[0]);
}

static void a_removed_source_is_not_served(void **state)
{
	int pipes[2][2];

	(void)state;
	served = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
		assert_int_equal(loop_add(&loop, &sources[i], pipes[i][0],
					  EPOLLIN, remove_other, NULL),
				 0);
	}
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(served, 1);
	for (int i = 0; i < 2; i++) {
		loop_remove(&loop, &sources[i]);
		loop_remove(&loop, &sources[i]); /* twice: no harm */
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static void stop_again(struct timer *timer)
{
	loop_stop(timer->ctx);
}

static void runs_until_stopped(void **state)
{
	struct timer timer = { .fire = stop_again, .ctx = &loop };

	(void)state;
	loop_timer_in(&loop, &timer, 1);
	assert_int_equal(loop_run(&loop), 0);
	assert_true(loop.stopped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			fires_in_order_whatever_was_armed_or_cancelled, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(waits_for_the_earliest, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_removed_source_is_not_served,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(runs_until_stopped, set_up,
						tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
