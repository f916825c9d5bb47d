/* SPDX-License-Identifier: ISC */
/* The run directory of an instance: lock, log, control socket. */
#include "supervisor/host/rundir.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/lib/safepath.h"
#include "supervisor/lib/time_format.h"

#define GROUP "vmsup"
/* How long a lock that is held is waited for. */
#define LOCK_WAIT_S 2

static void woken(int signal)
{
	(void)signal; /* flock() returns, and that is all */
}

/* FNV-1a, 64 bits: a short name for a path, no secret. */
static uint64_t hash(const char *text)
{
	uint64_t value = 0xcbf29ce484222325;

	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * 0x100000001b3;
	return value;
}

/* The mode bit that marks run directories made by a vmsup. It has no effect on
 * a directory that only root may write. mkdir() sets it, so that the mark is
 * there from the first moment on. */
#define MADE S_ISVTX

static int open_dir(struct rundir *rundir, gid_t group, struct problem *problem)
{
	cleanup_fd int path_fd =
		safepath_open(rundir->path, 0750 | MADE, problem);
	struct stat st;

	if (path_fd < 0 && problem->text[0])
		return path_fd;
	if (path_fd < 0)
		return problem_set(problem, path_fd,
				   "cannot make the run directory %s: %s (is "
				   "its parent there and writable?)",
				   rundir->path, strerror(-path_fd));
	rundir->dir_fd =
		openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rundir->dir_fd < 0 || fstat(rundir->dir_fd, &st) < 0)
		return problem_set(problem, -errno,
				   "cannot open the run directory %s: %s",
				   rundir->path, strerror(errno));
	rundir->made = st.st_mode & MADE;
	if (rundir->made && group != (gid_t)-1 &&
	    fchown(rundir->dir_fd, (uid_t)-1, group) < 0)
		return problem_set(problem, -errno,
				   "cannot give %s to its group: %s",
				   rundir->path, strerror(errno));
	return 0;
}

/*
 * A supervisor that was killed may leave the lock to a VM process that it was
 * just making, for as long as that takes to close what it inherited.
 */
static int wait_for_lock(int lock_fd)
{
	struct sigaction wake = { .sa_handler = woken }, before;
	const struct itimerval limit = { .it_value.tv_sec = LOCK_WAIT_S };
	const struct itimerval none = { 0 };
	int result = flock(lock_fd, LOCK_EX | LOCK_NB);

	if (result == 0)
		return 0;
	sigaction(SIGALRM, &wake, &before);
	setitimer(ITIMER_REAL, &limit, NULL);
	result = flock(lock_fd, LOCK_EX);
	setitimer(ITIMER_REAL, &none, NULL);
	sigaction(SIGALRM, &before, NULL);
	return result;
}

/* The directory was just made, and can't be used: it goes again, unless another
 * start has its lock by now. */
static int withdraw(const struct rundir *rundir)
{
	if (!rundir->made)
		return -EIO;
	if (rundir->lock_fd >= 0 &&
	    flock(rundir->lock_fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(rundir->dir_fd, RUNDIR_LOCK, 0);
	rmdir(rundir->path); /* not empty: another's by now */
	return -EIO;
}

static int take_lock(struct rundir *rundir, struct problem *problem)
{
	struct stat held, named;

	rundir->lock_fd = openat(rundir->dir_fd, RUNDIR_LOCK,
				 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				 0600);
	if (rundir->lock_fd < 0) {
		problem_set(problem, -errno, "cannot open %s/%s: %s",
			    rundir->path, RUNDIR_LOCK, strerror(errno));
		return withdraw(rundir);
	}
	if (wait_for_lock(rundir->lock_fd) < 0)
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
	return 0;
}

static int open_log(struct rundir *rundir, bool keep)
{
	int fd = openat(rundir->dir_fd, RUNDIR_LOG,
			O_WRONLY | O_CREAT | (keep ? 0 : O_TRUNC) | O_APPEND |
				O_CLOEXEC | O_NOFOLLOW,
			0640);
	struct stat st;

	if (fd < 0)
		return -errno;
	rundir->log_fd = fd;
	rundir->log_bytes = fstat(fd, &st) == 0 ? st.st_size : 0;
	rundir->log_torn = false;
	return 0;
}

gid_t rundir_group(void)
{
	struct group *group = getgrnam(GROUP);

	return group ? group->gr_gid : (gid_t)-1;
}

int rundir_open_log(struct rundir *rundir, bool keep, struct problem *problem)
{
	int error = open_log(rundir, keep);

	if (error)
		problem_set(problem, error, "cannot open %s/%s: %s",
			    rundir->path, RUNDIR_LOG, strerror(-error));
	return error;
}

int rundir_init(struct rundir *rundir, const char *path,
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
	/* systemd's: it stays, also where the start doesn't get that far */
	rundir->keep_socket = getenv("LISTEN_FDS") != NULL;
	error = open_dir(rundir, rundir_group(), problem);
	if (!error)
		error = take_lock(rundir, problem);
	if (error)
		rundir_release(rundir);
	return error;
}

void rundir_uninit(struct rundir *rundir)
{
	static const char *const files[] = {
		RUNDIR_LOG,
		RUNDIR_LOG ".1",
		RUNDIR_LOCK,
	};

	if (!rundir->keep_socket)
		unlinkat(rundir->dir_fd, RUNDIR_SOCKET, 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(rundir->dir_fd, files[i], 0);
	if (rundir->made)
		rmdir(rundir->path); /* not empty: somebody else's files */
	rundir_release(rundir);
}

void rundir_release(struct rundir *rundir)
{
	fd_close(&rundir->log_fd);
	fd_close(&rundir->lock_fd);
	fd_close(&rundir->dir_fd);
}

/* Without a new log the old one stays, and takes nothing more. */
static int turn_log(struct rundir *rundir)
{
	int old_fd = rundir->log_fd, error;

	renameat(rundir->dir_fd, RUNDIR_LOG, rundir->dir_fd, RUNDIR_LOG ".1");
	error = open_log(rundir, false);
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

/* ---- over an upgrade */

static const struct field rundir_fields_table[] = {
	{ FIELD_TEXT_AS("rundir.path", struct rundir, path) },
	{ FIELD_TEXT_AS("rundir.instance", struct rundir, instance) },
	{ FIELD_BOOL_AS("rundir.made", struct rundir, made) },
	{ FIELD_BOOL_AS("rundir.keep_socket", struct rundir, keep_socket) },
	{ FIELD_BOOL_AS("rundir.log_torn", struct rundir, log_torn) },
	{ FIELD_NUMBER_AS("rundir.log_bytes", struct rundir, log_bytes, 0,
			  INT64_MAX) },
	{ FIELD_FD_AS("rundir.dir_fd", struct rundir, dir_fd) },
	{ FIELD_FD_AS("rundir.lock_fd", struct rundir, lock_fd) },
	{ FIELD_FD_AS("rundir.log_fd", struct rundir, log_fd) },
};
const struct field_group rundir_fields = FIELD_GROUP_OF(rundir_fields_table);
