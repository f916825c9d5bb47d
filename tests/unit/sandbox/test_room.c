/* SPDX-License-Identifier: ISC */
/* The proof of a room: rooms that aren't what they should be are found out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/room.h"

/* ---- rooms, each with one thing wrong */

static int leave_all(void)
{
	int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	return unshare(flags) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE,
					   NULL) < 0
		       ? -1
		       : 0;
}

/* The host's files, as an empty root for its maker alone would leave them. */
static int furnish_nothing(void)
{
	return leave_all();
}

static int furnish_root(unsigned long flags)
{
	if (leave_all() < 0 ||
	    mount("vmsup", "/", "tmpfs",
		  MS_NODEV | MS_NOEXEC | MS_NOSUID | flags, "size=4k") < 0 ||
	    chdir("/..") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0)
		return -1;
	return 0;
}

static int furnish_writable(void)
{
	return furnish_root(0);
}

/* Another file system, empty and read-only as well. */
static int furnish_other(void)
{
	return furnish_root(0) < 0 ||
			       mount("", "/", NULL,
				     MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0
		       ? -1
		       : 0;
}

static int furnish_link(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	cleanup_fd int fd = -1;

	if (furnish_root(MS_RDONLY) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return ioctl(fd, SIOCSIFFLAGS, &lo);
}

static int furnish_good(void)
{
	return furnish_root(MS_RDONLY);
}

/* ---- what the proof says of them */

/* The namespaces of a process that has made a room for itself. */
static void take_room(struct room *room, int (*furnish)(void))
{
	int ends[2];
	char done = 1;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (furnish() == 0 && write(ends[1], &done, 1) == 1)
			pause();
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &done, 1), 1);
	close(ends[0]);
	for (int ns = 0; ns < ROOM_NAMESPACES; ns++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid,
			 room_namespace_name(ns));
		room->ns_fd[ns] = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(room->ns_fd[ns] >= 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void expect(int (*furnish)(void), const char *wrong)
{
	struct room room;
	const char *found;

	if (geteuid() != 0)
		skip();
	take_room(&room, furnish);
	found = room_prove(&room);
	room_uninit(&room);
	if (wrong)
		assert_string_equal(found, wrong);
	else
		assert_null(found);
}

static void test_host_root(void **state)
{
	(void)state;
	expect(furnish_nothing, "its root directory has entries");
}

static void test_writable(void **state)
{
	(void)state;
	expect(furnish_writable, "its root can be written to");
}

static void test_other_flags(void **state)
{
	(void)state;
	expect(furnish_other, "more than an empty root is mounted");
}

static void test_link(void **state)
{
	(void)state;
	expect(furnish_link, "it has a network interface that is up");
}

static void test_good(void **state)
{
	(void)state;
	expect(furnish_good, NULL);
}

static void test_no_room(void **state)
{
	struct room room = { { -1, -1, -1, -1 } };

	(void)state;
	assert_string_equal(room_prove(&room), "it can't be entered");
}

/* The one that is made. */
static void test_made(void **state)
{
	struct room room;
	char why[ROOM_WHY_BYTES];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(room_init(&room, why), 0);
	assert_string_equal(why, "");
	assert_null(room_prove(&room));
	room_uninit(&room);
}

/* ---- what /proc says of who lives there */

static void test_mounts(void **state)
{
	static const char good[] =
		"90 66 0:41 / / ro,nosuid,nodev,noexec,relatime - tmpfs vmsup "
		"rw,size=4k,nr_inodes=2,mode=555\n";
	static const char *const bad[] = {
		"",
		"90 66 0:41 / / ro,nosuid,nodev,noexec - tmpfs vmsup rw",
		"90 66 0:41 / / rw,nosuid,nodev,noexec - tmpfs vmsup rw\n",
		"90 66 0:41 / / ro,nosuid,nodev - tmpfs vmsup rw\n",
		"90 66 0:41 / /x ro,nosuid,nodev,noexec - tmpfs vmsup rw\n",
		"90 66 0:41 /x / ro,nosuid,nodev,noexec - tmpfs vmsup rw\n",
		"90 66 8:1 / / ro,nosuid,nodev,noexec - ext4 /dev/sda1 rw\n",
		("90 66 0:41 / / ro,nosuid,nodev,noexec - tmpfs vmsup rw\n"
		 "91 90 0:42 / /x ro,nosuid,nodev,noexec - tmpfs vmsup rw\n"),
	};

	(void)state;
	assert_true(room_mounts(good));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(room_mounts(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_root),
		cmocka_unit_test(test_writable),
		cmocka_unit_test(test_other_flags),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
