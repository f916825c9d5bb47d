/* SPDX-License-Identifier: ISC */
/* What a child has of its parent's memory, and what it hasn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cap-ng.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/error.h"
#include "sandbox/inherit.h"

/* More than the heap has to spare: it grows by as much. */
#define GROWN (96 * 1024)

static char written[] = "static";
static char *on_heap;

/* As stage 1 does: static data, the stack, the C library. */
static void use_little(void)
{
	char text[64];
	struct rlimit none = { 0, 0 };

	written[0] = 'S';
	snprintf(text, sizeof(text), "%s %d %s", written, getpid(),
		 error_name(ENOMEM));
	if (setrlimit(RLIMIT_CORE, &none) < 0 || close(-1) == 0 ||
	    errno != EBADF || strlen(text) < 8)
		_exit(1);
}

static void use_heap(void)
{
	if (*on_heap != 'h')
		_exit(1);
}

/* Of the library libcap-ng. */
static void use_library(void)
{
	if (!capng_capability_to_name(0))
		_exit(1);
}

/* How a child ends that does it: the status of waitpid(2). It is forked by the
 * bare call: the C library's prepares more for it than clone3() does. */
static int child(void (*use)(void))
{
	int status = -1;
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		use();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_ends_well(void (*use)(void))
{
	assert_int_equal(child(use), 0);
}

static void everything_at_first_and_again(void **state)
{
	(void)state;
	for (int turn = 0; turn < 3; turn++) {
		inherit_all();
		assert_ends_well(use_little);
		assert_ends_well(use_heap);
		assert_ends_well(use_library);
		inherit_little();
	}
}

/* Under a sanitizer, whose own memory has to be there, all is inherited. */
#if !INHERIT_SANITIZED

static void assert_not_there(void (*use)(void))
{
	int status = child(use);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void little_is_what_stage_1_uses(void **state)
{
	(void)state;
	inherit_little();
	assert_ends_well(use_little);
	assert_not_there(use_heap);
	assert_not_there(use_library);
}

/* A heap that grew since is new to the kernel. */
static void nothing_of_a_heap_that_grew(void **state)
{
	char *before = on_heap;

	(void)state;
	inherit_little();
	on_heap = malloc(GROWN);
	assert_non_null(on_heap);
	memset(on_heap, 'h', GROWN);
	inherit_little();
	assert_not_there(use_heap);
	inherit_all();
	assert_ends_well(use_heap);
	free(on_heap);
	on_heap = before;
}

#endif

static int set_up(void **state)
{
	(void)state;
	on_heap = malloc(16);
	if (!on_heap)
		return -1;
	*on_heap = 'h';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	inherit_all();
	free(on_heap);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_first_and_again),
#if !INHERIT_SANITIZED
		cmocka_unit_test(little_is_what_stage_1_uses),
		cmocka_unit_test(nothing_of_a_heap_that_grew),
#endif
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
