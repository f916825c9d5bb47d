/* SPDX-License-Identifier: ISC */
/* Processes by pidfd: their end is waited for, through signals and in time. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "ipc/loop.h"
#include "supervisor/lib/pidfd.h"

struct child {
	pid_t pid;
	int pid_fd;
};

static int begin(void **state)
{
	static struct child child;

	child.pid = fork();
	if (child.pid == 0)
		for (;;)
			pause();
	child.pid_fd = pidfd_of(child.pid);
	*state = &child;
	return child.pid > 0 && child.pid_fd >= 0 ? 0 : -1;
}

static int end(void **state)
{
	struct child *child = *state;

	close(child->pid_fd);
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	return 0;
}

static uint64_t in_ms(uint64_t ms)
{
	return loop_now_ns() + ms * NSEC_PER_MSEC;
}

static void ends(void **state)
{
	struct child *child = *state;

	assert_int_equal(fcntl(child->pid_fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(pidfd_signal(child->pid_fd, SIGKILL), 0);
	assert_true(pidfd_wait(child->pid_fd, PIDFD_FOREVER));
	/* and it has ended for good, also for whoever doesn't wait */
	assert_true(pidfd_wait(child->pid_fd, 0));
}

static void lives_on(void **state)
{
	struct child *child = *state;
	uint64_t due_ns = in_ms(20);

	assert_false(pidfd_wait(child->pid_fd, 0));
	assert_false(pidfd_wait(child->pid_fd, due_ns));
	assert_true(loop_now_ns() >= due_ns);
}

static unsigned int alarms;

static void count_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* A wait that signals interrupt is neither an end nor a longer wait. */
static void signals(void **state)
{
	const struct sigaction action = { .sa_handler = count_alarm };
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } },
			       never = { 0 };
	struct child *child = *state;
	uint64_t due_ns = in_ms(50);

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_false(pidfd_wait(child->pid_fd, due_ns));
	assert_true(loop_now_ns() >= due_ns);
	assert_true(alarms > 1);
	setitimer(ITIMER_REAL, &never, NULL);
}

static void reaped(void **state)
{
	struct child *child = *state;

	assert_int_equal(pidfd_signal(child->pid_fd, SIGKILL), 0);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
	assert_int_equal(pidfd_signal(child->pid_fd, SIGKILL), -ESRCH);
	assert_true(pidfd_wait(child->pid_fd, 0));
	assert_int_equal(pidfd_of(child->pid), -1);
	assert_int_equal(errno, ESRCH);
	child->pid = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ends, begin, end),
		cmocka_unit_test_setup_teardown(lives_on, begin, end),
		cmocka_unit_test_setup_teardown(signals, begin, end),
		cmocka_unit_test_setup_teardown(reaped, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
