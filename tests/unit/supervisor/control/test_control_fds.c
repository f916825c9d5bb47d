/* SPDX-License-Identifier: ISC */
/* Descriptors beside a message: root's are taken, and none is ever left. */
#include "tests/unit/supervisor/control/control_fixture.h"
#include "ipc/fd.h"
#include "supervisor/control/control.h"

#define MOST_SENT 64

/* Sends text, with its NUL if whole, and count copies of fd. 0 or -errno. */
static int send_fds(const struct peer *peer, const char *text, bool whole,
		    int fd, size_t count)
{
	char bytes[256];
	struct iovec part = { bytes, strlen(text) + whole };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MOST_SENT * sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(count * sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen =
					  CMSG_SPACE(count * sizeof(int)) };

	memcpy(bytes, text, strlen(text) + 1);
	for (size_t i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd,
		       sizeof(int));
	return sendmsg(peer->fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

#define FDS_CALL "{\"method\":\"io.vmsup.Fds\"}"

/* A pipe, to see when no copy of its write end is left. */
static void open_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static void expect_no_copy(int ends[2])
{
	char byte;

	fd_close(&ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	fd_close(&ends[0]);
}

static void they_come_beside_their_call(void **state)
{
	struct peer peer = peer_adopted(0);
	int ends[2];

	(void)state;
	open_pipe(ends);
	for (int count = 1; count <= CONTROL_MAX_FDS; count++) {
		assert_int_equal(
			send_fds(&peer, FDS_CALL, true, ends[1], (size_t)count),
			0);
		expect_number(&peer, count, false);
	}
	/* and not beside the next one */
	peer_call(&peer, "io.vmsup.Fds", "");
	expect_number(&peer, 0, false);
	expect_no_copy(ends);
	peer_close(&peer);
}

static void they_come_beside_any_part_of_it(void **state)
{
	struct peer peer = peer_adopted(0);
	int ends[2];

	(void)state;
	open_pipe(ends);
	assert_int_equal(send_fds(&peer, "{\"method\":", false, ends[1], 2), 0);
	turns();
	assert_int_equal(send_fds(&peer, "\"io.vmsup.Fds\"}", true, ends[1], 3),
			 0);
	expect_number(&peer, 5, false);
	expect_no_copy(ends);
	peer_close(&peer);
}

static void what_a_method_does_not_take_is_closed(void **state)
{
	struct peer peer = peer_adopted(0);
	int ends[2], before;

	(void)state;
	open_pipe(ends);
	turns();
	before = count_fds();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(send_fds(&peer, FDS_CALL, true, ends[1], 5),
				 0);
		expect_number(&peer, 5, false);
	}
	assert_int_equal(count_fds(), before);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(send_fds(&peer,
					  "{\"method\":\"io.vmsup.Nope\"}",
					  true, ends[1], 5),
				 0);
		json_decref(peer_next(&peer));
	}
	assert_int_equal(count_fds(), before);
	expect_no_copy(ends);
	peer_close(&peer);
}

static void too_many_are_cut_off(void **state)
{
	static const size_t parts[][2] = {
		{ CONTROL_MAX_FDS + 1, 0 },
		{ MOST_SENT, 0 },
		{ CONTROL_MAX_FDS, 1 },
		{ CONTROL_MAX_FDS / 2 + 1, CONTROL_MAX_FDS / 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct peer peer = peer_adopted(0);
		int ends[2];

		open_pipe(ends);
		assert_int_equal(send_fds(&peer, "{\"method\":", false, ends[1],
					  parts[i][0]),
				 0);
		turns();
		if (parts[i][1])
			assert_int_equal(send_fds(&peer, "\"io.vmsup.Fds\"}",
						  true, ends[1], parts[i][1]),
					 0);
		wait_for_clients(0);
		assert_int_equal(counts().cut_off, i + 1);
		expect_no_copy(ends);
		peer_close(&peer);
	}
	assert_int_equal(test.handled, 0);
	others_are_served();
}

static void half_a_message_and_gone(void **state)
{
	int before = count_fds();

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct peer peer = peer_adopted(0);
		int ends[2];

		open_pipe(ends);
		assert_int_equal(send_fds(&peer, "{\"method\":", false, ends[1],
					  CONTROL_MAX_FDS),
				 0);
		if (i % 2)
			turns();
		peer_close(&peer);
		wait_for_clients(0);
		expect_no_copy(ends);
	}
	assert_int_equal(count_fds(), before);
	assert_int_equal(test.handled, 0);
}

static void garbage_with_descriptors(void **state)
{
	struct peer peer = peer_adopted(0);
	int ends[2];

	(void)state;
	open_pipe(ends);
	assert_int_equal(send_fds(&peer, "{{{", true, ends[1], 3), 0);
	expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
	expect_end(&peer);
	peer_close(&peer);
	wait_for_clients(0);
	expect_no_copy(ends);
}

static void who_goes_away_while_a_call_holds_them(void **state)
{
	struct peer peer = peer_adopted(0);
	int ends[2];

	(void)state;
	open_pipe(ends);
	assert_int_equal(send_fds(&peer, "{\"method\":\"io.vmsup.Keep\"}", true,
				  ends[1], 3),
			 0);
	wait_for_kept(1);
	assert_int_equal(test.kept[0]->fd_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(fcntl(test.kept[0]->fds[i], F_GETFD) & FD_CLOEXEC);
	peer_close(&peer);
	wait_for_clients(0);
	assert_int_equal(test.gone, 1);
	expect_no_copy(ends);
}

/* Whether the kernel refuses them or not. */
static void those_of_others_are_not_received(void **state)
{
	static const int on = 1;

	(void)state;
	for (int forced = 0; forced < 2; forced++) {
		struct peer peer = peer_adopted(65534);
		int ends[2], before, error;

		if (forced) /* SO_PASSRIGHTS: as on kernels without it */
			setsockopt(TAILQ_FIRST(&test.control->clients)->fd,
				   SOL_SOCKET, 83, &on, sizeof(on));
		open_pipe(ends);
		before = count_fds();
		for (int i = 0; i < 1000; i++) {
			error = send_fds(&peer, FDS_CALL, true, ends[1], 3);
			if (error) {
				assert_int_equal(error, -EPERM);
				assert_false(forced);
				break;
			}
			expect_number(&peer, 0, false);
		}
		assert_int_equal(count_fds(), before);
		expect_no_copy(ends);
		peer_close(&peer);
		wait_for_clients(0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(they_come_beside_their_call),
		TEST(they_come_beside_any_part_of_it),
		TEST(what_a_method_does_not_take_is_closed),
		TEST(too_many_are_cut_off),
		TEST(half_a_message_and_gone),
		TEST(garbage_with_descriptors),
		TEST(who_goes_away_while_a_call_holds_them),
		TEST(those_of_others_are_not_received),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control_fds", tests, NULL, NULL);
}
