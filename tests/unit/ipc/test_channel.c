/* SPDX-License-Identifier: ISC */
/* The channel refuses what the table doesn't name, and leaks no descriptor. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/fd.h"

static struct channel supervisor, vmproc;
static int open_before;

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int set_up(void **state)
{
	int ends[2];

	(void)state;
	open_before = open_fds();
	if (channel_pair(ends) < 0)
		return -1;
	supervisor = (struct channel){ ends[0], CHANNEL_SUPERVISOR, 7 };
	vmproc = (struct channel){ ends[1], CHANNEL_VMPROC, 7 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fd_close(&supervisor.fd);
	fd_close(&vmproc.fd);
	return open_fds() == open_before ? 0 : -1;
}

static void every_type_arrives_as_it_was_sent(void **state)
{
	(void)state;
	for (int type = MSG_NONE + 1; type < MSG_TYPES; type++) {
		const struct msg_spec *spec = &msg_specs[type];
		const struct channel *from = spec->to_vmproc ? &supervisor
							     : &vmproc;
		const struct channel *to = spec->to_vmproc ? &vmproc
							   : &supervisor;
		int sent_fd = spec->fds ? open("/dev/null", O_RDONLY) : -1;
		struct channel_fault fault = { 0 };
		union msg out, in;
		int fd;

		memset(&out, 0x5a, sizeof(out));
		assert_int_equal(channel_send(from, type, &out, sent_fd), 0);
		assert_int_equal(channel_receive(to, &in, &fd, &fault), 1);
		assert_int_equal(in.header.type, type);
		assert_int_equal(in.header.generation, 7);
		assert_memory_equal(&in, &out, spec->size);
		assert_int_equal(fd >= 0, spec->fds);
		if (fd >= 0) {
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			close(fd);
			close(sent_fd);
		}
	}
}

/* Sends bytes as they are, with count descriptors beside them. */
static void send_raw(int to, const void *bytes, size_t length, int count)
{
	int fds[250];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(fds))];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)bytes, length };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	for (int i = 0; i < count; i++)
		fds[i] = to;
	if (count) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds,
		       (size_t)count * sizeof(int));
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	}
	assert_int_equal(sendmsg(to, &packet, 0), length);
}

static void what_is_not_in_the_table_is_refused(void **state)
{
	union msg log = { .header = { MSG_LOG, 0, sizeof(struct msg_log), 7 } };
	union msg ready = { .header = { MSG_READY, 0, sizeof(struct msg_plain),
					7 } };
	char huge[4096] = { 0 };
	const struct {
		const char *why;
		union msg message;
		size_t length; /* 0: as its header says */
		int fds;
	} bad[] = {
		{ "type 0", { .header = { MSG_NONE, 0, 16, 7 } }, 0, 0 },
		{ "type past the end",
		  { .header = { MSG_TYPES, 0, 16, 7 } },
		  0,
		  0 },
		{ "type 65535", { .header = { 65535, 0, 16, 7 } }, 0, 0 },
		{ "wrong direction",
		  { .header = { MSG_START, 0, 16, 7 } },
		  0,
		  0 },
		{ "one byte short", log, sizeof(struct msg_log) - 1, 0 },
		{ "one byte long", log, sizeof(struct msg_log) + 1, 0 },
		{ "header lies about size",
		  { .header = { MSG_LOG, 0, 17, 7 } },
		  sizeof(struct msg_log),
		  0 },
		{ "reserved bits", { .header = { MSG_READY, 1, 16, 7 } }, 0, 1 },
		{ "half a header", log, 8, 0 },
		{ "older generation",
		  { .header = { MSG_READY, 0, 16, 6 } },
		  0,
		  1 },
		{ "newer generation",
		  { .header = { MSG_READY, 0, 16, 8 } },
		  0,
		  1 },
		{ "no descriptor", ready, 0, 0 },
		{ "two descriptors", ready, 0, 2 },
		{ "more descriptors than fit", ready, 0, 250 },
		{ "a descriptor too many", log, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct channel_fault fault = { 0 };
		union msg in;
		int before = open_fds(), fd;

		send_raw(vmproc.fd, &bad[i].message,
			 bad[i].length ? bad[i].length
				       : bad[i].message.header.size,
			 bad[i].fds);
		if (channel_receive(&supervisor, &in, &fd, &fault) != -EPROTO)
			fail_msg("accepted: %s", bad[i].why);
		assert_int_equal(fd, -1);
		assert_true(fault.text[0] != '\0');
		assert_int_equal(open_fds(), before);
	}
	struct channel_fault fault = { 0 };
	union msg in;
	int fd;

	send_raw(vmproc.fd, huge, sizeof(huge), 0);
	assert_int_equal(channel_receive(&supervisor, &in, &fd, &fault),
			 -EPROTO);
	assert_string_equal(fault.text, "message too long");
}

/* What the kernel adds to a message if the receiving socket asks for it:
 * headers before Linux 6.5 lack the second. */
static const struct {
	const char *name;
	int option;
	bool surely; /* where the kernel has the option */
} additions[] = {
	{ "credentials", SO_PASSCRED, true },
	{ "a pidfd", 76, true },
	{ "a label", SO_PASSSEC, false }, /* if a security module has one */
	{ "a time", SO_TIMESTAMP, true },
	{ "a time in ns", SO_TIMESTAMPNS, true },
};

static void what_the_kernel_adds_is_refused(void **state)
{
	union msg out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(additions); i++) {
		struct channel_fault fault = { 0 };
		int before = open_fds(), on = 1, off = 0, fd, got;
		union msg in;

		if (setsockopt(supervisor.fd, SOL_SOCKET, additions[i].option,
			       &on, sizeof(on)) < 0)
			continue;
		assert_int_equal(channel_send(&vmproc, MSG_LOG, &out, -1), 0);
		got = channel_receive(&supervisor, &in, &fd, &fault);
		assert_int_equal(fd, -1);
		assert_int_equal(open_fds(), before);
		if (additions[i].surely && got != -EPROTO)
			fail_msg("accepted: %s", additions[i].name);
		if (got == -EPROTO && !strstr(fault.text, "control message"))
			fail_msg("%s: %s", additions[i].name, fault.text);
		/* also where a descriptor belongs */
		assert_int_equal(channel_send(&vmproc, MSG_READY, &out, 0), 0);
		got = channel_receive(&supervisor, &in, &fd, &fault);
		if (additions[i].surely)
			assert_int_equal(got, -EPROTO);
		fd_close(&fd);
		assert_int_equal(open_fds(), before);
		setsockopt(supervisor.fd, SOL_SOCKET, additions[i].option, &off,
			   sizeof(off));
	}
}

static void the_end_and_an_empty_channel_are_told_apart(void **state)
{
	struct channel_fault fault;
	union msg in;
	int fd;

	(void)state;
	assert_int_equal(channel_receive(&supervisor, &in, &fd, &fault),
			 -EAGAIN);
	fd_close(&vmproc.fd);
	assert_int_equal(channel_receive(&supervisor, &in, &fd, &fault), 0);
	assert_int_equal(channel_send(&supervisor, MSG_START, &in, -1), -EPIPE);
}

static void a_full_channel_never_blocks(void **state)
{
	union msg out = { 0 };
	int error = 0, sent = 0;

	(void)state;
	while (!error && sent < 100000) {
		error = channel_send(&supervisor, MSG_PAUSE, &out, -1);
		sent += !error;
	}
	assert_int_equal(error, -EAGAIN);
	assert_true(sent > 10);
}

static void a_sender_can_not_get_the_table_wrong(void **state)
{
	union msg out = { 0 };

	(void)state;
	assert_int_equal(channel_send(&supervisor, MSG_READY, &out, -1),
			 -EINVAL);
	assert_int_equal(channel_send(&supervisor, MSG_FD, &out, -1), -EINVAL);
	assert_int_equal(channel_send(&supervisor, MSG_START, &out, 0),
			 -EINVAL);
	assert_int_equal(channel_send(&supervisor, MSG_NONE, &out, -1),
			 -EINVAL);
}

static void names_are_checked(void **state)
{
	(void)state;
	assert_true(vm_name_valid("vm0"));
	assert_true(vm_name_valid("0"));
	assert_true(vm_name_valid("a23456789012345678901234567890-"));
	assert_false(vm_name_valid("a23456789012345678901234567890-x"));
	assert_false(vm_name_valid(""));
	assert_false(vm_name_valid("-a"));
	assert_false(vm_name_valid("A"));
	assert_false(vm_name_valid("a/b"));
	assert_false(vm_name_valid("a.b"));
	for (int i = 0; i < STATS; i++)
		assert_non_null(strchr(stat_name(i), '_'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_type_arrives_as_it_was_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_not_in_the_table_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_kernel_adds_is_refused,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_end_and_an_empty_channel_are_told_apart, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_full_channel_never_blocks,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_sender_can_not_get_the_table_wrong, set_up,
			tear_down),
		cmocka_unit_test(names_are_checked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
