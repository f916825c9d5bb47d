/* SPDX-License-Identifier: ISC */
/*
 * Uids: no two VM processes have one, over instances of this build and of
 * earlier ones, whoever of them is gone, and whatever a VM process does to its
 * own locks. The lock file lies in a /run that this test alone has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "supervisor/host/uids.h"
#include "tests/unit/supervisor/net/net_bench.h"

#define FIRST 1900000000U
#define COUNT 100

static int proc_fd;
static struct problem problem;

static struct uids instance(void)
{
	struct uids uids;

	assert_int_equal(uids_init(&uids, FIRST, COUNT, &problem), 0);
	return uids;
}

static uid_t take(struct uids *uids)
{
	uid_t uid = 0;

	assert_int_equal(uids_take(uids, &uid, &problem), 0);
	return uid;
}

/* What an earlier build does for each of its VMs: one open file, handed to all
 * of them. */
static int old_instance(void)
{
	int fd = open(UIDS_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static int lock(int fd, short kind, uid_t first, off_t count)
{
	struct flock range = {
		.l_type = kind,
		.l_whence = SEEK_SET,
		.l_start = first,
		.l_len = count,
	};

	return fcntl(fd, F_OFD_SETLK, &range) < 0 ? -errno : 0;
}

/* Whether somebody whom nobody knows could take it now. */
static bool is_free(uid_t uid)
{
	cleanup_fd int fd = open(UIDS_LOCK_FILE, O_RDWR | O_CLOEXEC);

	return lock(fd, F_WRLCK, uid, 1) == 0;
}

static void two_instances_share_none(void **state)
{
	struct uids one = instance(), other = instance();

	(void)state;
	assert_int_equal(take(&one), FIRST);
	assert_int_equal(take(&other), FIRST + 1);
	assert_int_equal(take(&one), FIRST + 2);
	assert_int_equal(take(&one), FIRST + 3);
	assert_int_equal(take(&other), FIRST + 4);
	uids_give(&one, FIRST + 3);
	assert_true(is_free(FIRST + 3));
	assert_false(is_free(FIRST + 2));
	uids_uninit(&one);
	assert_true(is_free(FIRST));
	uids_uninit(&other);
}

static void an_instance_of_an_earlier_build_is_respected(void **state)
{
	int old_fd = old_instance();
	struct uids uids = instance();

	(void)state;
	assert_int_equal(lock(old_fd, F_WRLCK, FIRST, 1), 0);
	assert_int_equal(lock(old_fd, F_WRLCK, FIRST + 1, 1), 0);
	assert_int_equal(take(&uids), FIRST + 2);
	/* and it respects ours */
	assert_int_equal(lock(old_fd, F_WRLCK, FIRST + 2, 1), -EAGAIN);
	close(old_fd);
	assert_true(is_free(FIRST));
	uids_uninit(&uids);
}

static void a_process_holds_its_own(void **state)
{
	struct uids uids = instance();
	uid_t uid = take(&uids), next = take(&uids);
	int fd = uids_open(&uids, proc_fd, uid);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	uids_uninit(&uids);
	assert_false(is_free(uid));
	assert_true(is_free(next));
	uids = instance();
	assert_int_equal(take(&uids), next);
	close(fd);
	assert_true(is_free(uid));
	uids_uninit(&uids);
}

static void a_process_can_not_write(void **state)
{
	struct uids uids = instance();
	int fd = uids_open(&uids, proc_fd, take(&uids));
	struct stat st;

	(void)state;
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fallocate(fd, 0, 0, 1 << 20), -1);
	/* nor take what another has to look for */
	assert_int_equal(lock(fd, F_WRLCK, FIRST + 9, 1), -EBADF);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
	uids_uninit(&uids);
}

static void locks_of_a_process_are_put_right(void **state)
{
	struct uids uids = instance(), other = instance();
	uid_t uid = take(&uids), second = take(&uids);
	int fd = uids_open(&uids, proc_fd, uid);

	(void)state;
	/* all, so that nobody could take any more */
	assert_int_equal(lock(fd, F_RDLCK, 0, 0), 0);
	assert_false(is_free(FIRST + 50));
	assert_int_equal(uids_confine(fd, uid), 0);
	assert_true(is_free(FIRST + 50));
	assert_true(is_free(UINT32_MAX));
	/* none, so that its uid is given away */
	assert_int_equal(lock(fd, F_UNLCK, 0, 0), 0);
	assert_false(is_free(uid));
	assert_int_equal(uids_confine(fd, uid), 0);
	uids_uninit(&uids);
	assert_false(is_free(uid));
	assert_true(is_free(second));
	assert_int_equal(take(&other), second);
	close(fd);
	uids_uninit(&other);
}

/* ---- the next supervisor */

static void a_process_is_taken_over(void **state)
{
	struct uids uids = instance(), next;
	uid_t uid = take(&uids);
	int fd = uids_open(&uids, proc_fd, uid);
	bool shared = true;

	(void)state;
	uids_uninit(&uids);
	next = instance();
	/* what it may have done meanwhile */
	assert_int_equal(lock(fd, F_RDLCK, 0, 0), 0);
	assert_true(uids_is_lock_file(&next, fd, &shared));
	assert_false(shared);
	assert_int_equal(uids_claim(&next, uid, fd), 0);
	assert_true(is_free(FIRST + 50));
	assert_int_equal(take(&next), uid + 1);
	/* each of the two is enough */
	close(fd);
	assert_false(is_free(uid));
	fd = uids_open(&next, proc_fd, uid);
	uids_uninit(&next);
	assert_false(is_free(uid));
	close(fd);
}

static void a_uid_that_another_took_is_not_claimed(void **state)
{
	struct uids uids = instance(), other, next;
	uid_t uid = take(&uids);
	int fd = uids_open(&uids, proc_fd, uid);

	(void)state;
	/* it gave up its own while there was no supervisor */
	uids_uninit(&uids);
	assert_int_equal(lock(fd, F_UNLCK, 0, 0), 0);
	other = instance();
	assert_int_equal(take(&other), uid);
	/* and wants it back */
	assert_int_equal(lock(fd, F_RDLCK, uid, 1), 0);
	next = instance();
	assert_int_equal(uids_claim(&next, uid, fd), -EAGAIN);
	assert_int_equal(uids_claim(&next, uid, -1), -EAGAIN);
	close(fd);
	uids_uninit(&next);
	assert_false(is_free(uid));
	uids_uninit(&other);
}

static void a_file_that_is_another_is_told(void **state)
{
	struct uids uids = instance();
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), path_fd;
	bool shared;

	(void)state;
	path_fd = open(UIDS_LOCK_FILE, O_PATH | O_CLOEXEC);
	assert_false(uids_is_lock_file(&uids, null_fd, &shared));
	assert_false(uids_is_lock_file(&uids, path_fd, &shared));
	assert_false(uids_is_lock_file(&uids, -1, &shared));
	close(null_fd);
	close(path_fd);
	uids_uninit(&uids);
}

/* Four VMs of an earlier build; the processes of two are left. */
static void processes_of_an_earlier_build_are_taken_over(void **state)
{
	static const uid_t left[] = { FIRST + 1, FIRST + 3 };
	int old_fd = old_instance(), again_fd;
	struct uids next, other;
	bool shared = false;

	(void)state;
	for (uid_t uid = FIRST; uid < FIRST + 4; uid++)
		assert_int_equal(lock(old_fd, F_WRLCK, uid, 1), 0);
	next = instance();
	assert_true(uids_is_lock_file(&next, old_fd, &shared));
	assert_true(shared);
	assert_int_equal(uids_settle_shared(old_fd, left, 2), 0);
	assert_true(is_free(FIRST));
	assert_false(is_free(FIRST + 1));
	for (int i = 0; i < 2; i++)
		assert_int_equal(uids_claim(&next, left[i], old_fd), 0);
	assert_int_equal(uids_claim(&next, FIRST, -1), 0);
	assert_int_equal(uids_claim(&next, FIRST + 2, -1), 0);
	/* both of them still hold what they share */
	uids_uninit(&next);
	assert_true(is_free(FIRST));
	assert_false(is_free(FIRST + 1));
	assert_false(is_free(FIRST + 3));

	/* the next generation of one has its own; then once more */
	next = instance();
	assert_int_equal(uids_settle_shared(old_fd, left, 2), 0);
	assert_int_equal(uids_claim(&next, left[0], old_fd), 0);
	assert_int_equal(uids_claim(&next, left[1], old_fd), 0);
	again_fd = uids_open(&next, proc_fd, left[0]);
	assert_true(again_fd >= 0);
	uids_uninit(&next);
	next = instance();
	assert_int_equal(uids_settle_shared(old_fd, left + 1, 1), 0);
	assert_int_equal(uids_claim(&next, left[0], again_fd), 0);
	assert_int_equal(uids_claim(&next, left[1], old_fd), 0);
	other = instance();
	assert_int_equal(take(&other), FIRST);
	assert_int_equal(take(&other), FIRST + 2);
	assert_int_equal(take(&other), FIRST + 4);
	close(old_fd);
	close(again_fd);
	uids_uninit(&next);
	uids_uninit(&other);
}

/* An upgrade from an earlier build goes on with the descriptor that it
 * shares. */
static void a_shared_descriptor_is_replaced(void **state)
{
	static const uid_t all[] = { FIRST, FIRST + 1 };
	struct uids uids = { old_instance(), FIRST, FIRST + 2, FIRST + COUNT };
	int process_fd = fcntl(uids.lock_fd, F_DUPFD_CLOEXEC, 0);

	(void)state;
	assert_int_equal(lock(uids.lock_fd, F_WRLCK, FIRST, 2), 0);
	assert_int_equal(uids_renew(&uids, proc_fd, all, 2), 0);
	/* the process can't take away what the supervisor holds */
	assert_int_equal(lock(process_fd, F_UNLCK, 0, 0), 0);
	assert_false(is_free(FIRST));
	assert_false(is_free(FIRST + 1));
	assert_int_equal(take(&uids), FIRST + 2);
	close(process_fd);
	/* and once more, for an upgrade from this build */
	assert_int_equal(uids_renew(&uids, proc_fd, all, 2), 0);
	assert_false(is_free(FIRST + 1));
	uids_uninit(&uids);
	assert_true(is_free(FIRST));
}

/* Also if somebody has removed the file, or put another in its place. */
static void the_file_is_the_one_that_was_opened(void **state)
{
	struct uids uids = instance();
	uid_t uid = take(&uids);
	struct stat own, its;
	int fd;

	(void)state;
	assert_int_equal(unlink(UIDS_LOCK_FILE), 0);
	fd = uids_open(&uids, proc_fd, uid);
	assert_true(fd >= 0);
	fstat(uids.lock_fd, &own);
	fstat(fd, &its);
	assert_int_equal(own.st_ino, its.st_ino);
	close(fd);
	uids_uninit(&uids);
}

static void the_range_ends(void **state)
{
	struct uids one, other = instance();
	uid_t uid;

	(void)state;
	assert_int_equal(uids_init(&one, FIRST, 2, &problem), 0);
	take(&other);
	assert_int_equal(take(&one), FIRST + 1);
	assert_int_equal(uids_take(&one, &uid, &problem), -EUSERS);
	assert_non_null(strstr(problem.text, "uids.count"));
	uids_uninit(&one);
	uids_uninit(&other);
}

static const char *own_run(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		return "no mount namespace for us (run as root)";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		return "no mount for us";
	proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return proc_fd < 0 ? "no /proc" : NULL;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_instances_share_none),
		cmocka_unit_test(an_instance_of_an_earlier_build_is_respected),
		cmocka_unit_test(a_process_holds_its_own),
		cmocka_unit_test(a_process_can_not_write),
		cmocka_unit_test(locks_of_a_process_are_put_right),
		cmocka_unit_test(a_process_is_taken_over),
		cmocka_unit_test(a_uid_that_another_took_is_not_claimed),
		cmocka_unit_test(a_file_that_is_another_is_told),
		cmocka_unit_test(processes_of_an_earlier_build_are_taken_over),
		cmocka_unit_test(a_shared_descriptor_is_replaced),
		cmocka_unit_test(the_range_ends),
		cmocka_unit_test(the_file_is_the_one_that_was_opened),
	};
	const char *why = own_run();

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (why)
		return cannot_run(why);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
