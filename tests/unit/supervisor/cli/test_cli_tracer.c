/* SPDX-License-Identifier: ISC */
/* Filters read from the kernel: which is which, and what becomes of who is
 * read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/tracer.h"

#define FILTERS 3

static struct tracer *tracer;

static int setup(void **state)
{
	(void)state;
	tracer = tracer_new();
	return tracer ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tracer_free(tracer);
	return 0;
}

/* Where the kernel shows filters to nobody, there is nothing to be tested. */
static void need_filters(void)
{
	const char *obstacle = tracer_obstacle(tracer);

	if (!obstacle)
		return;
	print_message("%s\n", obstacle);
	skip();
}

/* The i-th one that is loaded: i loads more than one needs. */
static void load(int i)
{
	struct sock_filter code[FILTERS + 1];
	const struct sock_fprog program = {
		.len = (unsigned short)(i + 1),
		.filter = code,
	};

	for (int k = 0; k < i; k++)
		code[k] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						       4U * (unsigned int)k);
	code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					       SECCOMP_RET_ALLOW);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(1);
}

struct child {
	pid_t pid;
	int task_fd;
	int said_fd; /* what it says */
};

/* A child with so many filters, that then does something. */
static void begin(struct child *child, int filters,
		  void (*conduct)(int said_fd))
{
	char path[32], ready = 1;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		for (int i = 0; i < filters; i++)
			load(i);
		if (write(ends[1], &ready, 1) == 1)
			conduct(ends[1]);
		_exit(1);
	}
	close(ends[1]);
	child->said_fd = ends[0];
	assert_int_equal(read(ends[0], &ready, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/task", child->pid);
	child->task_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(child->task_fd >= 0);
}

static void end(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->task_fd);
	close(child->said_fd);
}

static int look(const struct child *child)
{
	return tracer_read(tracer, child->task_fd, child->pid);
}

static void wait_for_signals(int said_fd)
{
	(void)said_fd;
	for (;;)
		pause();
}

/* ---- which is which */

static void test_order(void **state)
{
	struct child child;

	(void)state;
	need_filters();
	begin(&child, FILTERS, wait_for_signals);
	assert_int_equal(look(&child), 0);
	assert_int_equal(tracer->count, FILTERS);
	/* the one that was loaded first comes first; code as it was loaded */
	for (int i = 0; i < FILTERS; i++) {
		const struct sock_filter *code = tracer->code + tracer->at[i];

		assert_int_equal(tracer->at[i + 1] - tracer->at[i], i + 1);
		for (int k = 0; k < i; k++) {
			assert_int_equal(code[k].code,
					 BPF_LD | BPF_W | BPF_ABS);
			assert_int_equal(code[k].k, 4 * k);
		}
		assert_int_equal(code[i].k, SECCOMP_RET_ALLOW);
	}
	end(&child);
}

static void test_none(void **state)
{
	struct child child;

	(void)state;
	need_filters();
	begin(&child, 0, wait_for_signals);
	assert_int_equal(look(&child), 0);
	assert_int_equal(tracer->count, 0);
	end(&child);
}

/* ---- what becomes of who is read */

static char state_of(pid_t pid)
{
	char path[32], stat[256], *end_of_name;
	cleanup_fd int fd = -1;
	ssize_t bytes;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (bytes <= 0)
		return '?';
	stat[bytes] = '\0';
	end_of_name = strrchr(stat, ')');
	if (!end_of_name)
		return '?';
	return end_of_name[2];
}

static void test_stopped(void **state)
{
	struct child child;
	int status;

	(void)state;
	need_filters();
	begin(&child, 1, wait_for_signals);
	kill(child.pid, SIGSTOP);
	assert_int_equal(waitpid(child.pid, &status, WUNTRACED), child.pid);
	assert_int_equal(look(&child), 0);
	assert_int_equal(tracer->count, 1);
	/* it takes a moment in the kernel to stand still again */
	for (int i = 0; i < 5000 && state_of(child.pid) != 'T'; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_int_equal(state_of(child.pid), 'T');
	kill(child.pid, SIGCONT);
	assert_int_equal(look(&child), 0);
	end(&child);
}

static int said_fd_of_handler;

static void say_signal(int signal)
{
	char said = (char)signal;

	if (write(said_fd_of_handler, &said, 1) != 1)
		_exit(1);
}

static void count_signals(int said_fd)
{
	const struct sigaction action = { .sa_handler = say_signal };

	said_fd_of_handler = said_fd;
	sigaction(SIGUSR1, &action, NULL);
	say_signal(0);
	wait_for_signals(said_fd);
}

/* Signals that come while it is looked at are not lost. */
static void test_signals(void **state)
{
	struct child child;
	char said;

	(void)state;
	need_filters();
	begin(&child, 1, count_signals);
	assert_int_equal(read(child.said_fd, &said, 1), 1);
	for (int i = 0; i < 200; i++) {
		kill(child.pid, SIGUSR1);
		assert_int_equal(look(&child), 0);
		assert_int_equal(read(child.said_fd, &said, 1), 1);
		assert_int_equal(said, SIGUSR1);
	}
	end(&child);
}

static void test_held(void **state)
{
	struct child child;

	(void)state;
	need_filters();
	begin(&child, FILTERS, wait_for_signals);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(look(&child), 0);
		assert_true(tracer->held_ns > 0);
		assert_true(tracer->held_ns <= 5000000);
	}
	end(&child);
}

/* ---- who can't be read */

/* Waits for a child of its own, as vfork(2) does: no tracer ends that. */
static void wait_unstoppably(int said_fd)
{
	struct clone_args args = { .flags = CLONE_VFORK,
				   .exit_signal = SIGCHLD };
	pid_t pid;

	if (syscall(SYS_clone3, &args, sizeof(args)) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pid = getpid();
		if (write(said_fd, &pid, sizeof(pid)) == sizeof(pid))
			for (;;)
				pause();
		_exit(1);
	}
	pid = 0;
	if (write(said_fd, &pid, sizeof(pid)) == sizeof(pid))
		for (;;)
			pause();
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void test_unstoppable(void **state)
{
	struct child child;
	uint64_t began_ns;
	pid_t pid = 0;

	(void)state;
	need_filters();
	begin(&child, 1, wait_unstoppably);
	assert_int_equal(read(child.said_fd, &pid, sizeof(pid)), sizeof(pid));
	assert_true(pid > 1);
	began_ns = now_ns();
	assert_int_equal(look(&child), -ETIMEDOUT);
	assert_true(now_ns() - began_ns < 5000000000);
	/* let go: it goes on, and can be traced again */
	kill(pid, SIGKILL);
	assert_int_equal(read(child.said_fd, &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(look(&child), 0);
	end(&child);
}

static void test_traced(void **state)
{
	struct child child;

	(void)state;
	need_filters();
	begin(&child, 1, wait_for_signals);
	assert_int_equal(ptrace(PTRACE_SEIZE, child.pid, 0, 0), 0);
	assert_int_equal(look(&child), -EPERM);
	assert_int_equal(tracer->step, TRACER_SEIZE);
	end(&child);
}

static void test_gone(void **state)
{
	struct child child;

	(void)state;
	need_filters();
	begin(&child, 1, wait_for_signals);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
	assert_int_equal(look(&child), -ESRCH);
	end(&child);
}

/* A number that is another process's by now. */
static void test_another(void **state)
{
	struct child child, other;

	(void)state;
	need_filters();
	begin(&child, 1, wait_for_signals);
	begin(&other, 1, wait_for_signals);
	assert_int_equal(tracer_read(tracer, child.task_fd, other.pid), -ESRCH);
	assert_int_equal(tracer->count, 0);
	end(&other);
	end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_unstoppable),
		cmocka_unit_test(test_traced),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_another),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
