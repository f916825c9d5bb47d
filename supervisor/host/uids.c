/* SPDX-License-Identifier: ISC */
/*
 * User ids for VM processes.
 *
 * Theory of operation: two VM processes with one uid could signal and trace
 * each other. All instances on a host therefore lock the uids that they use,
 * as bytes of one file, with OFD locks, which belong to an open file:
 *
 * - The supervisor takes a uid by a lock to write, which fails if anybody has
 *   any lock there, and then makes it one to read, which others may have beside
 *   it. Its open file is its own: no VM process ever gets it.
 * - Each VM process holds a lock to read on its own uid, by an open file of its
 *   own that can't be written. So a uid is taken as long as the supervisor or
 *   the VM's process is there, and free when the last of them is gone, however
 *   it ended; and a VM process can neither make the file grow nor touch the
 *   lock of another.
 *
 * In earlier builds all processes of an instance shared one open file with a
 * right to write, and locks to write on all its uids. These and the locks above
 * exclude each other, so that instances of both kinds may run side by side.
 */
#include "supervisor/host/uids.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/fd.h"

/* The end of any file. */
#define FILE_END INT64_MAX

/* Locks of that kind (F_RDLCK, F_WRLCK, F_UNLCK) on uids from first up to, not
 * including, end. 0; -EAGAIN: somebody else's are in the way; or -errno. */
static int lock(int fd, short kind, off_t first, off_t end)
{
	struct flock range = {
		.l_type = kind,
		.l_whence = SEEK_SET,
		.l_start = first,
		.l_len = end == FILE_END ? 0 : end - first,
	};

	if (end <= first || fcntl(fd, F_OFD_SETLK, &range) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int lock_one(int fd, short kind, uid_t uid)
{
	return lock(fd, kind, uid, (off_t)uid + 1);
}

/* Takes it alone, and then lets others read: -EAGAIN if anybody has it. */
static int take(int fd, uid_t uid)
{
	int error = lock_one(fd, F_WRLCK, uid);

	return error ? error : lock_one(fd, F_RDLCK, uid);
}

/* Unlocks all but these, which are sorted. */
static int keep_only(int fd, const uid_t *list, size_t count)
{
	off_t first = 0;
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		error = lock(fd, F_UNLCK, first, list[i]);
		first = (off_t)list[i] + 1;
	}
	return error ? error : lock(fd, F_UNLCK, first, FILE_END);
}

int uids_init(struct uids *uids, uid_t first, uint32_t count,
	      struct problem *problem)
{
	uids->first = uids->next = first;
	uids->end = first + count;
	uids->lock_fd = open(UIDS_LOCK_FILE,
			     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (uids->lock_fd < 0)
		return problem_set(problem, -errno,
				   "cannot open %s: %s (run as root, with /run "
				   "mounted and writable)",
				   UIDS_LOCK_FILE, strerror(errno));
	return 0;
}

void uids_uninit(struct uids *uids)
{
	fd_close(&uids->lock_fd);
}

/* Our own locks don't keep us from taking a uid twice: go past it. */
static void go_past(struct uids *uids, uid_t uid)
{
	if (uid >= uids->next && uid < uids->end)
		uids->next = uid + 1;
}

int uids_take(struct uids *uids, uid_t *uid, struct problem *problem)
{
	while (uids->next < uids->end) {
		struct flock other = {
			.l_type = F_WRLCK,
			.l_whence = SEEK_SET,
			.l_start = uids->next,
			.l_len = 1,
		};
		int error = take(uids->lock_fd, uids->next);

		if (!error) {
			*uid = uids->next++;
			return 0;
		}
		if (error != -EAGAIN)
			return problem_set(
				problem, error, "cannot lock uid %u in %s: %s",
				uids->next, UIDS_LOCK_FILE, strerror(-error));
		/* another instance's: go past the range that it holds */
		if (fcntl(uids->lock_fd, F_OFD_GETLK, &other) < 0 ||
		    other.l_type == F_UNLCK || other.l_len <= 0)
			uids->next++;
		else
			uids->next = (uid_t)(other.l_start + other.l_len);
	}
	return problem_set(problem, -EUSERS,
			   "no uid left between %u and %u (raise uids.count, "
			   "or stop another instance)",
			   uids->first, uids->end - 1);
}

void uids_give(struct uids *uids, uid_t uid)
{
	(void)lock_one(uids->lock_fd, F_UNLCK, uid);
	/* only the last: our own locks don't stop us from taking twice */
	if (uid + 1 == uids->next)
		uids->next = uid;
}

/* The same file, whatever has its name by now, opened anew; -errno. */
static int open_again(int fd, int proc_fd, int mode)
{
	char path[32];

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	fd = openat(proc_fd, path, mode | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int uids_open(const struct uids *uids, int proc_fd, uid_t uid)
{
	int fd = open_again(uids->lock_fd, proc_fd, O_RDONLY);
	int error = fd < 0 ? fd : lock_one(fd, F_RDLCK, uid);

	if (!error)
		return fd;
	fd_close(&fd);
	return error;
}

int uids_confine(int fd, uid_t uid)
{
	int error = keep_only(fd, &uid, 1);

	/* it may have unlocked that */
	return error ? error : lock_one(fd, F_RDLCK, uid);
}

bool uids_is_lock_file(const struct uids *uids, int fd, bool *shared)
{
	struct stat own, its;
	int flags = fcntl(fd, F_GETFL);

	*shared = (flags & O_ACCMODE) == O_RDWR;
	return flags >= 0 && !(flags & O_PATH) &&
	       fstat(uids->lock_fd, &own) == 0 && fstat(fd, &its) == 0 &&
	       own.st_dev == its.st_dev && own.st_ino == its.st_ino;
}

int uids_settle_shared(int fd, const uid_t *list, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = lock_one(fd, F_RDLCK, list[i]);
	return error ? error : keep_only(fd, list, count);
}

/* With a process, its lock and ours stand for the uid by turns, so that nobody
 * can take it in between, and the question is whether a third one has it. */
static int claim_held(struct uids *uids, uid_t uid, int fd)
{
	int error = lock_one(uids->lock_fd, F_RDLCK, uid);

	if (!error)
		error = lock_one(fd, F_UNLCK, uid);
	if (!error)
		error = take(uids->lock_fd, uid);
	if (!error)
		error = lock_one(fd, F_RDLCK, uid);
	return error;
}

int uids_claim(struct uids *uids, uid_t uid, int fd)
{
	bool shared;
	int error = fd < 0 ? take(uids->lock_fd, uid)
			   : claim_held(uids, uid, fd);

	if (!error && fd >= 0 && uids_is_lock_file(uids, fd, &shared) &&
	    !shared)
		error = uids_confine(fd, uid);
	if (error) {
		(void)lock_one(uids->lock_fd, F_UNLCK, uid);
		return error;
	}
	go_past(uids, uid);
	return 0;
}

int uids_renew(struct uids *uids, int proc_fd, const uid_t *list, size_t count)
{
	cleanup_fd int fd = open_again(uids->lock_fd, proc_fd, O_RDWR);
	int error = fd < 0 ? fd : 0;

	for (size_t i = 0; i < count && !error; i++) {
		error = lock_one(uids->lock_fd, F_RDLCK, list[i]);
		if (!error)
			error = lock_one(fd, F_RDLCK, list[i]);
	}
	if (error)
		return error;
	close(uids->lock_fd);
	uids->lock_fd = steal_fd(&fd);
	return 0;
}

/* ---- over an upgrade */

static const struct field uids_fields_table[] = {
	{ FIELD_NUMBER_AS("uids.first", struct uids, first, 0, UINT32_MAX) },
	{ FIELD_NUMBER_AS("uids.next", struct uids, next, 0, UINT32_MAX) },
	{ FIELD_NUMBER_AS("uids.end", struct uids, end, 0, UINT32_MAX) },
	{ FIELD_FD_AS("uids.lock_fd", struct uids, lock_fd) },
};
const struct field_group uids_fields = FIELD_GROUP_OF(uids_fields_table);
