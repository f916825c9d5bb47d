/* SPDX-License-Identifier: ISC */
/* Locks exclude, and nobody who waits is forgotten; threads know themselves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmproc/lock.h"
#include "vmproc/thread.h"

#define THREADS 4
#define ROUNDS  20000

static struct lock lock;
static struct thread threads[THREADS];
static unsigned int done, turn;
static unsigned long sum; /* by the lock alone */

static void finish(void)
{
	lock_take(&lock);
	done++;
	lock_wake(&lock);
	lock_release(&lock);
}

static void run_all(void (*run)(void *ctx))
{
	static unsigned int numbers[THREADS];

	done = 0;
	for (unsigned int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(thread_start(&threads[i], run, &numbers[i]),
				 0);
	}
	lock_take(&lock);
	while (done < THREADS)
		lock_wait(&lock);
	lock_release(&lock);
}

static void count(void *ctx)
{
	(void)ctx;
	for (int i = 0; i < ROUNDS; i++) {
		lock_take(&lock);
		sum++;
		lock_release(&lock);
	}
	finish();
}

static void locks_exclude(void **state)
{
	(void)state;
	sum = 0;
	run_all(count);
	assert_int_equal(sum, (unsigned long)THREADS * ROUNDS);
}

/* Each waits for its turn, and gives it to the next: one wake that is lost, and
 * all stand still. */
static void take_turns(void *ctx)
{
	const unsigned int *number = ctx;

	for (int i = 0; i < ROUNDS / THREADS; i++) {
		lock_take(&lock);
		while (turn % THREADS != *number)
			lock_wait(&lock);
		turn++;
		lock_wake(&lock);
		lock_release(&lock);
	}
	finish();
}

static void waits_end(void **state)
{
	(void)state;
	turn = 0;
	run_all(take_turns);
	assert_int_equal(turn, ROUNDS / THREADS * THREADS);
}

static int their_errno[THREADS];
static pid_t their_tid[THREADS], known_tid[THREADS];

static void fail_once(void *ctx)
{
	const unsigned int *number = ctx;

	their_tid[*number] = (pid_t)syscall(SYS_gettid);
	known_tid[*number] = threads[*number].tid;
	errno = *number % 2 ? EBADF : ENOENT;
	/* all of them wait here, and for some it has been over already */
	lock_take(&lock);
	turn++;
	lock_wake(&lock);
	while (turn < THREADS)
		lock_wait(&lock);
	lock_release(&lock);
	their_errno[*number] = errno;
	finish();
}

static void errors_are_a_threads_own(void **state)
{
	(void)state;
	turn = 0;
	run_all(fail_once);
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(their_errno[i], i % 2 ? EBADF : ENOENT);
		assert_int_equal(their_tid[i], known_tid[i]);
		assert_int_not_equal(their_tid[i], getpid());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_exclude),
		cmocka_unit_test(waits_end),
		cmocka_unit_test(errors_are_a_threads_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
