/* SPDX-License-Identifier: ISC */
/* A descriptor that a child gets by a slot, and slots that are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/handoff.h"

static struct handoff handoff;
static const int alice, bob;

static int set_up(void **state)
{
	(void)state;
	return handoff_open(&handoff);
}

static int tear_down(void **state)
{
	(void)state;
	handoff_close(&handoff);
	return 0;
}

/* A pipe whose end to write to is there as long as somebody holds it. */
static void make_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static bool is_held(int read_fd)
{
	char byte;

	return read(read_fd, &byte, 1) < 0 && errno == EAGAIN;
}

static int put(int read_and_write[2], const void *owner)
{
	int in_fd;

	make_pipe(read_and_write);
	in_fd = handoff_put(&handoff, read_and_write[1], owner);
	fd_close(&read_and_write[1]);
	return in_fd;
}

static void what_is_put_is_taken_once(void **state)
{
	int ends[2], fd, in_fd = put(ends, &alice);
	struct stat own, its;

	(void)state;
	assert_true(in_fd >= 0);
	assert_true(is_held(ends[0]));
	fd = handoff_take(in_fd);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(ends[0], &own), 0);
	assert_int_equal(fstat(fd, &its), 0);
	assert_int_equal(own.st_ino, its.st_ino);
	assert_int_equal(handoff_take(in_fd), -EAGAIN);
	close(fd);
	assert_false(is_held(ends[0]));
	close(ends[0]);
}

/* Its table is its parent's, then one of its own with low numbers: it takes its
 * descriptor into that one, and closes nothing of its parent's. */
static _Noreturn void child_of_shared_table(int in_fd, int low_end)
{
	char byte = 'x';
	int fd;

	if (syscall(SYS_close_range, low_end, ~0U, 2 /* UNSHARE */) < 0)
		_exit(1);
	fd = handoff_take(in_fd);
	_exit(fd >= 0 && write(fd, &byte, 1) == 1 ? 0 : 2);
}

static void a_child_takes_it_into_its_own_table(void **state)
{
	int ends[2], status = -1, in_fd = put(ends, &alice);
	char byte = 0;
	pid_t pid;

	(void)state;
	assert_true(in_fd >= 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL,
			     NULL);
	if (pid == 0)
		child_of_shared_table(in_fd, in_fd + 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	/* the child has ended, and this process never held it */
	assert_false(is_held(ends[0]));
	assert_int_equal(handoff_take(in_fd), -EAGAIN);
	close(ends[0]);
}

static void a_slot_is_free_once_it_was_taken_from(void **state)
{
	int ends[HANDOFF_SLOTS + 1][2], in_fd[HANDOFF_SLOTS], fd;

	(void)state;
	for (int i = 0; i < HANDOFF_SLOTS; i++) {
		in_fd[i] = put(ends[i], &alice);
		assert_true(in_fd[i] >= 0);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(in_fd[i], in_fd[k]);
	}
	assert_int_equal(put(ends[HANDOFF_SLOTS], &bob), -EAGAIN);
	assert_false(is_held(ends[HANDOFF_SLOTS][0]));
	close(ends[HANDOFF_SLOTS][0]);
	fd = handoff_take(in_fd[3]);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(put(ends[HANDOFF_SLOTS], &bob), in_fd[3]);
	/* the slot that was its once is somebody else's now */
	handoff_forget(&handoff, &alice);
	for (int i = 0; i < HANDOFF_SLOTS; i++) {
		assert_false(is_held(ends[i][0]));
		close(ends[i][0]);
	}
	assert_true(is_held(ends[HANDOFF_SLOTS][0]));
	handoff_forget(&handoff, &bob);
	assert_false(is_held(ends[HANDOFF_SLOTS][0]));
	close(ends[HANDOFF_SLOTS][0]);
}

static void no_slots_are_no_free_slot(void **state)
{
	struct handoff none = { 0 };

	(void)state;
	assert_int_equal(handoff_put(&none, 0, &alice), -EAGAIN);
	handoff_forget(&none, &alice);
	handoff_close(&none);
}

static void a_table_that_is_full_is_told(void **state)
{
	int ends[2], in_fd = put(ends, &alice);
	struct rlimit before, none;

	(void)state;
	assert_true(in_fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(handoff_take(in_fd), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_taken_once),
		cmocka_unit_test(a_child_takes_it_into_its_own_table),
		cmocka_unit_test(a_slot_is_free_once_it_was_taken_from),
		cmocka_unit_test(no_slots_are_no_free_slot),
		cmocka_unit_test(a_table_that_is_full_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
