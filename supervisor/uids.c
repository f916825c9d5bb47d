/* SPDX-License-Identifier: ISC */
/*
 * User ids for VM processes.
 *
 * Theory of operation: two VM processes with one uid could signal and trace
 * each other. All instances on a host therefore lock the uids that they use,
 * as bytes of one file, with OFD locks: they belong to the open file, which VM
 * processes hold as well. So a uid is taken as long as the supervisor or any of
 * its VM processes is there, and free when the last of them is gone, however
 * it ended.
 */
#include "supervisor/uids.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/fd.h"

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

int uids_adopt(struct uids *uids, int fd)
{
	struct stat own, its;

	if (fstat(uids->lock_fd, &own) < 0 || fstat(fd, &its) < 0 ||
	    own.st_dev != its.st_dev || own.st_ino != its.st_ino) {
		close(fd);
		return -EBADF;
	}
	close(uids->lock_fd);
	uids->lock_fd = fd;
	return 0;
}

int uids_claim(struct uids *uids, uid_t uid)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = uid,
		.l_len = 1,
	};

	if (fcntl(uids->lock_fd, F_OFD_SETLK, &lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	/* our own locks don't keep us from taking it twice: go past it */
	if (uid >= uids->next && uid < uids->end)
		uids->next = uid + 1;
	return 0;
}

static void unlock(const struct uids *uids, off_t first, off_t end)
{
	struct flock lock = {
		.l_type = F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = first,
		.l_len = end - first,
	};

	if (end > first)
		fcntl(uids->lock_fd, F_OFD_SETLK, &lock);
}

void uids_keep_only(struct uids *uids, const uid_t *list, size_t count)
{
	off_t first = 0;

	for (size_t i = 0; i < count; i++) {
		unlock(uids, first, list[i]);
		first = (off_t)list[i] + 1;
	}
	unlock(uids, first, (off_t)UINT32_MAX + 1);
}

void uids_uninit(struct uids *uids)
{
	fd_close(&uids->lock_fd);
}

int uids_take(struct uids *uids, uid_t *uid, struct problem *problem)
{
	while (uids->next < uids->end) {
		struct flock lock = {
			.l_type = F_WRLCK,
			.l_whence = SEEK_SET,
			.l_start = uids->next,
			.l_len = 1,
		};

		if (fcntl(uids->lock_fd, F_OFD_SETLK, &lock) == 0) {
			*uid = uids->next++;
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			return problem_set(
				problem, -errno, "cannot lock uid %u in %s: %s",
				uids->next, UIDS_LOCK_FILE, strerror(errno));
		/* another instance's: go past the range that it holds */
		if (fcntl(uids->lock_fd, F_OFD_GETLK, &lock) < 0 ||
		    lock.l_type == F_UNLCK || lock.l_len <= 0)
			uids->next++;
		else
			uids->next = (uid_t)(lock.l_start + lock.l_len);
	}
	return problem_set(problem, -EUSERS,
			   "no uid left between %u and %u (raise uids.count, "
			   "or stop another instance)",
			   uids->first, uids->end - 1);
}

void uids_give(struct uids *uids, uid_t uid)
{
	struct flock lock = {
		.l_type = F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = uid,
		.l_len = 1,
	};

	fcntl(uids->lock_fd, F_OFD_SETLK, &lock);
	/* only the last: our own locks don't stop us from taking twice */
	if (uid + 1 == uids->next)
		uids->next = uid;
}
