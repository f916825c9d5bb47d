/* SPDX-License-Identifier: ISC */
/* The run directory of an instance: lock, log, control socket. */
#include "supervisor/rundir.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/death.h"

/* FNV-1a, 64 bits: a short name for a path, no secret. */
static uint64_t hash(const char *text)
{
	uint64_t value = 0xcbf29ce484222325;

	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * 0x100000001b3;
	return value;
}

static int open_dir(struct rundir *rundir, gid_t group, struct problem *problem)
{
	struct stat st;

	rundir->made = mkdir(rundir->path, 0750) == 0;
	if (!rundir->made && errno != EEXIST)
		return problem_set(problem, -errno,
				   "cannot make the run directory %s: %s (is "
				   "its parent there and writable?)",
				   rundir->path, strerror(errno));
	rundir->dir_fd = open(rundir->path,
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (rundir->dir_fd < 0 || fstat(rundir->dir_fd, &st) < 0)
		return problem_set(problem, -errno,
				   "cannot open the run directory %s: %s",
				   rundir->path, strerror(errno));
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return problem_set(problem, -EPERM,
				   "the run directory %s can be written by "
				   "others than root (chown root, chmod 750)",
				   rundir->path);
	if (rundir->made && group != (gid_t)-1 &&
	    fchown(rundir->dir_fd, (uid_t)-1, group) < 0)
		return problem_set(problem, -errno,
				   "cannot give %s to its group: %s",
				   rundir->path, strerror(errno));
	return 0;
}

static int take_lock(struct rundir *rundir, struct problem *problem)
{
	/* a lock that nobody holds was left by a supervisor that crashed, and
	 * so was the directory */
	bool left = faccessat(rundir->dir_fd, RUNDIR_LOCK, F_OK, 0) == 0;
	struct stat held, named;

	rundir->lock_fd = openat(rundir->dir_fd, RUNDIR_LOCK,
				 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				 0600);
	if (rundir->lock_fd < 0)
		return problem_set(problem, -errno, "cannot open %s/%s: %s",
				   rundir->path, RUNDIR_LOCK, strerror(errno));
	if (flock(rundir->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return problem_set(problem, -EBUSY,
				   "a supervisor runs in %s already (vmsup "
				   "stop, or another --run-dir)",
				   rundir->path);
	/* the lock of a supervisor that ended just now may be gone from there,
	 * and another one's in its place */
	if (fstat(rundir->lock_fd, &held) < 0 ||
	    fstatat(rundir->dir_fd, RUNDIR_LOCK, &named, AT_SYMLINK_NOFOLLOW) <
		    0 ||
	    held.st_ino != named.st_ino)
		return problem_set(problem, -EBUSY,
				   "a supervisor is just ending in %s (try "
				   "again)",
				   rundir->path);
	rundir->made |= left;
	return 0;
}

static int open_log(struct rundir *rundir)
{
	int fd = openat(rundir->dir_fd, RUNDIR_LOG,
			O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC |
				O_NOFOLLOW,
			0640);

	if (fd < 0)
		return -errno;
	rundir->log_fd = fd;
	rundir->log_bytes = 0;
	rundir->log_torn = false;
	return 0;
}

int rundir_init(struct rundir *rundir, const char *path, gid_t group,
		struct problem *problem)
{
	int error;

	*rundir = (struct rundir){ .dir_fd = -1, .lock_fd = -1, .log_fd = -1 };
	if (snprintf(rundir->path, sizeof(rundir->path), "%s", path) >
	    RUNDIR_PATH_MAX)
		return problem_set(problem, -ENAMETOOLONG,
				   "the run directory's path is over %d bytes: "
				   "a socket in it can't be named (choose a "
				   "shorter --run-dir)",
				   RUNDIR_PATH_MAX);
	snprintf(rundir->instance, sizeof(rundir->instance), "%016llx",
		 (unsigned long long)hash(path));
	error = open_dir(rundir, group, problem);
	if (!error)
		error = take_lock(rundir, problem);
	if (!error && open_log(rundir) < 0)
		error = problem_set(problem, -errno, "cannot open %s/%s: %s",
				    path, RUNDIR_LOG, strerror(errno));
	return error;
}

void rundir_uninit(struct rundir *rundir)
{
	static const char *const files[] = {
		RUNDIR_SOCKET,
		RUNDIR_LOG,
		RUNDIR_LOG ".1",
		RUNDIR_LOCK,
	};
	bool owner = rundir->log_fd >= 0; /* opened once the lock was ours */

	for (size_t i = 0; owner && i < ARRAY_SIZE(files); i++)
		unlinkat(rundir->dir_fd, files[i], 0);
	if (rundir->made)
		rmdir(rundir->path); /* not empty: somebody else's files */
	fd_close(&rundir->log_fd);
	fd_close(&rundir->lock_fd);
	fd_close(&rundir->dir_fd);
}

/* Without a new log the old one stays, and takes nothing more. */
static int turn_log(struct rundir *rundir)
{
	int old_fd = rundir->log_fd, error;

	renameat(rundir->dir_fd, RUNDIR_LOG, rundir->dir_fd, RUNDIR_LOG ".1");
	error = open_log(rundir);
	if (error)
		renameat(rundir->dir_fd, RUNDIR_LOG ".1", rundir->dir_fd,
			 RUNDIR_LOG);
	else
		fd_close(&old_fd);
	return error;
}

/* Writes a line, with its end; false if it didn't fit on the disk. */
static bool put_line(struct rundir *rundir, const char *text, size_t length)
{
	ssize_t written;

	/* half a line is there: the next one starts on a line of its own */
	if (rundir->log_torn) {
		if (write(rundir->log_fd, "\n", 1) != 1)
			return false;
		rundir->log_bytes++;
		rundir->log_torn = false;
	}
	written = write(rundir->log_fd, text, length);
	if (written > 0)
		rundir->log_bytes += written;
	rundir->log_torn = written > 0 && (size_t)written < length;
	return written == (ssize_t)length;
}

void rundir_log(struct rundir *rundir, const char *level, const char *line)
{
	char text[LOG_LINE_BYTES + 128], time[32], lost[48] = "";
	struct timespec now;
	size_t length;

	if (rundir->log_bytes > RUNDIR_LOG_BYTES && turn_log(rundir) < 0) {
		rundir->log_lost++;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	time_format(time, &now);
	if (rundir->log_lost)
		snprintf(lost, sizeof(lost), "(%llu lines lost) ",
			 rundir->log_lost);
	snprintf(text, sizeof(text), "%s %s: %s%s\n", time, level, lost, line);
	length = strlen(text);
	text[length - 1] = '\n'; /* if it was cut */
	/* a full disk costs lines, which are counted, and nothing else */
	if (put_line(rundir, text, length))
		rundir->log_lost = 0;
	else
		rundir->log_lost++;
}
