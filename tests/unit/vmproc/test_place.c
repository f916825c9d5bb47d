/* SPDX-License-Identifier: ISC */
/* Descriptors that a VM process makes itself get to their block, or nowhere. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "ipc/proto.h"
#include "vmproc/place.h"

#define FIRST 400
#define COUNT 2

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDONLY);

	assert_true(fd >= 0 && fd < FIRST);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void it_moves_to_the_lowest_free_number(void **state)
{
	int first = null_fd(), second;

	(void)state;
	assert_int_equal(place_fd(first, FIRST, COUNT), FIRST);
	assert_false(is_open(first));
	assert_int_equal(fcntl(FIRST, F_GETFD), FD_CLOEXEC);
	second = null_fd();
	assert_int_equal(place_fd(second, FIRST, COUNT), FIRST + 1);
	/* who is there already stays */
	assert_int_equal(place_fd(FIRST, FIRST, COUNT), FIRST);
	close(FIRST);
	close(FIRST + 1);
}

static void a_full_block_is_an_error_and_leaves_nothing(void **state)
{
	int fd;

	(void)state;
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(place_fd(null_fd(), FIRST, COUNT), FIRST + i);
	fd = null_fd();
	assert_int_equal(place_fd(fd, FIRST, COUNT), -EMFILE);
	assert_false(is_open(fd));
	assert_false(is_open(FIRST + COUNT));
	for (int i = 0; i < COUNT; i++)
		close(FIRST + i);
}

static void what_could_not_be_made_is_an_error(void **state)
{
	(void)state;
	errno = ENOMEM;
	assert_int_equal(place_fd(-1, FIRST, COUNT), -ENOMEM);
}

static void eventfds_have_their_block(void **state)
{
	int fd = place_eventfd();

	(void)state;
	assert_in_range(fd, PROTO_EVENT_FD,
			PROTO_EVENT_FD + PROTO_EVENT_FDS - 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_moves_to_the_lowest_free_number),
		cmocka_unit_test(a_full_block_is_an_error_and_leaves_nothing),
		cmocka_unit_test(what_could_not_be_made_is_an_error),
		cmocka_unit_test(eventfds_have_their_block),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
