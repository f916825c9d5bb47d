/* SPDX-License-Identifier: ISC */
/* What systemd passes, and what it hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/host/notify.h"

#define PASSED_FD 3

static struct {
	char dir[64], path[96];
	int kept_fd; /* what was descriptor 3 before the test */
	struct problem problem;
} test;

static void set_number(const char *name, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	assert_int_equal(setenv(name, text, 1), 0);
}

static int set_up(void **state)
{
	static const char *const names[] = {
		"LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES",
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
	};

	(void)state;
	memset(&test, 0, sizeof(test));
	snprintf(test.dir, sizeof(test.dir), "/tmp/vmsup-notify-XXXXXX");
	if (!mkdtemp(test.dir))
		return -1;
	snprintf(test.path, sizeof(test.path), "%s/socket", test.dir);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
	test.kept_fd = fcntl(PASSED_FD, F_DUPFD_CLOEXEC, PASSED_FD + 1);
	close(PASSED_FD);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(PASSED_FD);
	if (test.kept_fd >= 0)
		dup2(test.kept_fd, PASSED_FD);
	fd_close(&test.kept_fd);
	unlink(test.path);
	rmdir(test.dir);
	return 0;
}

/* ---- the control socket */

static void address_of(struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", test.path);
}

static int bound_socket(int type)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	address_of(&address);
	assert_true(fd >= 0);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address, sizeof(address)),
		0);
	return fd;
}

/* Makes it descriptor 3, inheritable, as systemd does. */
static void pass(int fd)
{
	if (fd != PASSED_FD) {
		assert_int_equal(dup2(fd, PASSED_FD), PASSED_FD);
		close(fd);
	} else {
		assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
	}
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", 1);
	setenv("LISTEN_FDNAMES", "vmsup.socket", 1);
}

static int find_listener(void)
{
	int fd = 4711;
	int error = notify_listen_fd(&fd, &test.problem);

	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
	if (error)
		assert_true(error == -EINVAL && fd == -1);
	return error ? error : fd;
}

static void finds_the_passed_socket(void **state)
{
	int fd = bound_socket(SOCK_STREAM);

	(void)state;
	assert_int_equal(listen(fd, 1), 0);
	pass(fd);
	assert_int_equal(find_listener(), PASSED_FD);
	assert_int_equal(fcntl(PASSED_FD, F_GETFD), FD_CLOEXEC);
	/* and not a second time */
	assert_int_equal(find_listener(), -1);
}

/* Who connects sees the supervisor there, and not systemd. */
static void listens_in_its_own_name(void **state)
{
	struct sockaddr_un address;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = bound_socket(SOCK_STREAM), status;
	cleanup_fd int client_fd = -1;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(listen(fd, 1) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	pass(fd);
	assert_int_equal(find_listener(), PASSED_FD);
	client_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address_of(&address);
	assert_int_equal(connect(client_fd, (const struct sockaddr *)&address,
				 sizeof(address)),
			 0);
	assert_int_equal(
		getsockopt(client_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size),
		0);
	assert_int_equal(peer.pid, getpid());
}

static void nothing_was_passed(void **state)
{
	(void)state;
	assert_int_equal(find_listener(), -1);
	/* to somebody else, whose environment was inherited */
	pass(bound_socket(SOCK_STREAM));
	set_number("LISTEN_PID", getppid());
	assert_int_equal(find_listener(), -1);
	set_number("LISTEN_PID", getpid());
	assert_int_equal(find_listener(), -1); /* no LISTEN_FDS */
	setenv("LISTEN_PID", "1x", 1);
	set_number("LISTEN_FDS", 1);
	assert_int_equal(find_listener(), -1);
}

static void refuses_other_sockets(void **state)
{
	static const char *const counts[] = { "2", "0", "", "-1", "x", "1 " };
	int ends[2];

	(void)state;
	/* not listening; a connection (Accept=yes); datagrams; no socket */
	pass(bound_socket(SOCK_STREAM));
	assert_int_equal(find_listener(), -EINVAL);
	assert_non_null(strstr(test.problem.text, "ListenStream="));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pass(ends[0]);
	assert_int_equal(find_listener(), -EINVAL);
	close(ends[1]);
	unlink(test.path);
	pass(bound_socket(SOCK_DGRAM));
	assert_int_equal(find_listener(), -EINVAL);
	pass(open("/dev/null", O_RDONLY));
	assert_int_equal(find_listener(), -EINVAL);
	close(PASSED_FD);
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", 1);
	assert_int_equal(find_listener(), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		set_number("LISTEN_PID", getpid());
		setenv("LISTEN_FDS", counts[i], 1);
		assert_int_equal(find_listener(), -EINVAL);
	}
}

/* ---- messages */

static void expect_message(int fd, const char *text)
{
	char bytes[2 * NOTIFY_BYTES];
	ssize_t got = recv(fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);

	assert_true(got >= 0);
	bytes[got] = '\0';
	assert_string_equal(bytes, text);
}

static struct notify connected(void)
{
	struct notify notify;

	setenv("NOTIFY_SOCKET", test.path, 1);
	assert_int_equal(notify_init(&notify, &test.problem), 0);
	assert_true(notify.fd >= 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	return notify;
}

static void says_it_at_a_path(void **state)
{
	cleanup_fd int fd = bound_socket(SOCK_DGRAM);
	struct notify notify = connected();

	(void)state;
	assert_int_equal(fcntl(notify.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(notify_send(&notify, "READY=1\nSTATUS=%d VMs", 3), 0);
	expect_message(fd, "READY=1\nSTATUS=3 VMs");
	/* the name is needed no more */
	unlink(test.path);
	assert_int_equal(notify_send(&notify, "WATCHDOG=1"), 0);
	expect_message(fd, "WATCHDOG=1");
	assert_int_equal(notify.dropped, 0);
	notify_uninit(&notify);
	assert_int_equal(notify.fd, -1);
}

static void says_it_at_an_abstract_name(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct notify notify;
	char name[64];
	int length;

	(void)state;
	length = snprintf(name, sizeof(name), "@vmsup-test-%d", getpid());
	memcpy(address.sun_path, name, (size_t)length);
	address.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				 (size_t)length)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_init(&notify, &test.problem), 0);
	assert_int_equal(notify_send(&notify, "STOPPING=1"), 0);
	expect_message(fd, "STOPPING=1");
	notify_uninit(&notify);
}

static void nobody_listens(void **state)
{
	struct notify notify;

	(void)state;
	set_number("WATCHDOG_USEC", 1000000);
	assert_int_equal(notify_init(&notify, &test.problem), 0);
	assert_int_equal(notify.fd, -1);
	assert_int_equal(notify.watchdog_ns, 0); /* nobody to be told */
	assert_int_equal(notify_send(&notify, "READY=1"), 0);
	assert_int_equal(notify.dropped, 0);
	notify_uninit(&notify);
}

static void says_why_it_cannot(void **state)
{
	static const struct {
		const char *name;
		int error;
	} cases[] = {
		{ "/nonexistent/socket", -ENOENT },
		{ "vsock:2:1234", -EAFNOSUPPORT },
		{ "relative", -EAFNOSUPPORT },
		{ "", -EAFNOSUPPORT },
		{ "@", -EINVAL },
		{ "/", -EINVAL },
		{ "@nobody-has-this-name-vmsup", -ECONNREFUSED },
	};
	struct notify notify;
	char longest[200] = "/";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setenv("NOTIFY_SOCKET", cases[i].name, 1);
		set_number("WATCHDOG_USEC", 1000000);
		assert_int_equal(notify_init(&notify, &test.problem),
				 cases[i].error);
		assert_non_null(strstr(test.problem.text, cases[i].name));
		assert_int_equal(notify.fd, -1);
		assert_int_equal(notify.watchdog_ns, 0);
		assert_null(getenv("NOTIFY_SOCKET"));
		assert_null(getenv("WATCHDOG_USEC"));
		assert_int_equal(notify_send(&notify, "READY=1"), 0);
	}
	memset(longest + 1, 'x', sizeof(longest) - 2);
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(notify_init(&notify, &test.problem), -ENAMETOOLONG);
}

static void never_waits(void **state)
{
	cleanup_fd int fd = bound_socket(SOCK_DGRAM);
	struct notify notify = connected();
	unsigned int sent = 0;
	char text[NOTIFY_BYTES];

	(void)state;
	while (notify_send(&notify, "STATUS=%u", sent) == 0)
		assert_true(sent++ < 100000);
	assert_int_equal(notify.dropped, 1);
	assert_int_equal(notify_send(&notify, "STATUS=x"), -EAGAIN);
	assert_int_equal(notify.dropped, 2);
	for (unsigned int i = 0; i < sent; i++) {
		snprintf(text, sizeof(text), "STATUS=%u", i);
		expect_message(fd, text);
	}
	assert_int_equal(notify_send(&notify, "STATUS=again"), 0);
	expect_message(fd, "STATUS=again");
	notify_uninit(&notify);
}

static void what_is_too_long_is_not_cut(void **state)
{
	cleanup_fd int fd = bound_socket(SOCK_DGRAM);
	struct notify notify = connected();
	char text[NOTIFY_BYTES + 1], byte;

	(void)state;
	memset(text, 'x', NOTIFY_BYTES);
	text[NOTIFY_BYTES] = '\0';
	assert_int_equal(notify_send(&notify, "%s", text), -EMSGSIZE);
	assert_int_equal(notify.dropped, 1);
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	text[NOTIFY_BYTES - 1] = '\0';
	assert_int_equal(notify_send(&notify, "%s", text), 0);
	expect_message(fd, text);
	notify_uninit(&notify);
}

static void survives_who_listens(void **state)
{
	int fd = bound_socket(SOCK_DGRAM);
	struct notify notify = connected();

	(void)state;
	close(fd);
	assert_int_equal(notify_send(&notify, "READY=1"), -ECONNREFUSED);
	assert_true(notify_send(&notify, "READY=1") < 0);
	assert_int_equal(notify.dropped, 2);
	notify_uninit(&notify);
}

/* ---- watchdog */

static void knows_the_watchdog(void **state)
{
	int fd = bound_socket(SOCK_DGRAM);
	struct notify notify;

	(void)state;
	set_number("WATCHDOG_USEC", 30000000);
	notify = connected();
	assert_int_equal(notify.watchdog_ns, 30000000000);
	notify_uninit(&notify);
	set_number("WATCHDOG_USEC", 1);
	set_number("WATCHDOG_PID", getpid());
	notify = connected();
	assert_int_equal(notify.watchdog_ns, 1000);
	assert_null(getenv("WATCHDOG_PID"));
	notify_uninit(&notify);
	/* somebody else is watched */
	set_number("WATCHDOG_USEC", 30000000);
	set_number("WATCHDOG_PID", getppid());
	notify = connected();
	assert_int_equal(notify.watchdog_ns, 0);
	notify_uninit(&notify);
	close(fd);
}

static void refuses_times_that_are_none(void **state)
{
	static const char *const times[] = {
		"",
		"0",
		"-1",
		"x",
		"1s",
		"99999999999999999999",
		"9223372036854776",
	};
	int fd = bound_socket(SOCK_DGRAM);
	struct notify notify;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		setenv("NOTIFY_SOCKET", test.path, 1);
		setenv("WATCHDOG_USEC", times[i], 1);
		assert_int_equal(notify_init(&notify, &test.problem), -EINVAL);
		assert_non_null(strstr(test.problem.text, "WatchdogSec="));
		assert_int_equal(notify.fd, -1);
	}
	close(fd);
}

/* ---- upgrade */

static void goes_on_after_an_upgrade(void **state)
{
	cleanup_fd int fd = bound_socket(SOCK_DGRAM);
	struct notify notify, next;
	json_t *saved;

	(void)state;
	set_number("WATCHDOG_USEC", 5000);
	notify = connected();
	notify.dropped = 3;
	saved = notify_save(&notify);
	assert_non_null(saved);
	assert_int_equal(fcntl(notify.fd, F_SETFD, 0), 0);
	assert_int_equal(notify_restore(&next, saved), 0);
	json_decref(saved);
	assert_int_equal(fcntl(next.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(next.watchdog_ns, 5000000);
	assert_int_equal(next.dropped, 3);
	assert_int_equal(notify_send(&next, "READY=1"), 0);
	expect_message(fd, "READY=1");
	notify_uninit(&next);
}

static void nobody_listens_after_an_upgrade(void **state)
{
	struct notify notify = { .fd = -1 }, next;
	json_t *saved = notify_save(&notify);

	(void)state;
	assert_non_null(saved);
	assert_int_equal(notify_restore(&next, saved), 0);
	assert_int_equal(next.fd, -1);
	json_decref(saved);
}

static void refuses_broken_documents(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{}",
		"{\"fd\":null}",
		"{\"fd\":-2}",
		"{\"fd\":99999}",
		"{\"fd\":4294967299}",
		"{\"fd\":0}",
		"{\"fd\":3}", /* a stream socket */
	};
	static const char *const numbers[] = { "watchdog_ns", "dropped" };
	struct notify notify;

	(void)state;
	pass(bound_socket(SOCK_STREAM));
	assert_int_equal(notify_restore(&notify, NULL), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *saved = json_loads(texts[i], 0, NULL);

		assert_non_null(saved);
		assert_int_equal(notify_restore(&notify, saved), -EBADMSG);
		assert_int_equal(notify.fd, -1);
		json_decref(saved);
	}
	unlink(test.path);
	pass(bound_socket(SOCK_DGRAM));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		json_t *saved = json_pack("{s:i, s:i}", "fd", PASSED_FD,
					  numbers[i], -1);

		assert_int_equal(notify_restore(&notify, saved), -EBADMSG);
		assert_int_equal(notify.fd, -1);
		json_decref(saved);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_the_passed_socket),
		TEST(listens_in_its_own_name),
		TEST(nothing_was_passed),
		TEST(refuses_other_sockets),
		TEST(says_it_at_a_path),
		TEST(says_it_at_an_abstract_name),
		TEST(nobody_listens),
		TEST(says_why_it_cannot),
		TEST(never_waits),
		TEST(what_is_too_long_is_not_cut),
		TEST(survives_who_listens),
		TEST(knows_the_watchdog),
		TEST(refuses_times_that_are_none),
		TEST(goes_on_after_an_upgrade),
		TEST(nobody_listens_after_an_upgrade),
		TEST(refuses_broken_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
