/* SPDX-License-Identifier: ISC */
/*
 * Paths that nobody but root and the caller can lead elsewhere.
 *
 * Theory of operation: a path is walked from the root, one name at a time, and
 * each is looked at by its descriptor before anything below it is. A directory
 * on the way must belong to root or the caller. Others may write into it only
 * if it is sticky, as /tmp is: what is in there can then be renamed and removed
 * by its owner alone, and that owner is looked at next. A symbolic link must
 * belong to root or the caller as well, and its text is walked by the same
 * rules. So whoever isn't one of the two can't change where the path leads, now
 * or later, and the path may be used again by its name.
 */
#include "supervisor/lib/safepath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/fd.h"

/* As many as the kernel follows. */
#define LINKS_MAX 40

struct walk {
	const char *path; /* the whole of it, for messages */
	char rest[PATH_MAX]; /* what is still to be walked */
	char name[NAME_MAX + 1]; /* the one that is looked at */
	mode_t make; /* of the last one, if it isn't there; 0: not made */
	unsigned int links; /* followed so far */
	struct problem *problem;
};

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static int foreign(const struct walk *walk, const char *what, uid_t owner)
{
	return problem_set(
		walk->problem, -EPERM,
		"%.100s can't be trusted: the %s %.64s belongs to "
		"uid %u, who could lead it elsewhere (take a path of "
		"root's own, such as one below /run)",
		walk->path, what, walk->name, (unsigned int)owner);
}

/* A directory on the way, or (last) the one that the path leads to. */
static int check_directory(const struct walk *walk, int fd, bool last)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!is_ours(&st))
		return foreign(walk, "directory", st.st_uid);
	if (!(st.st_mode & 022) || (!last && st.st_mode & S_ISVTX))
		return 0;
	return problem_set(walk->problem, -EPERM,
			   "%.100s can't be trusted: others may write into the "
			   "directory %.64s, mode %04o (chmod go-w, or take a "
			   "path of root's own, such as one below /run)",
			   walk->path, walk->name,
			   (unsigned int)st.st_mode & 07777);
}

/* Takes the next name off the rest; false at the end. */
static bool next_name(struct walk *walk, int *error)
{
	const char *at = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(at, "/");

	*error = length > NAME_MAX ? -ENAMETOOLONG : 0;
	if (length == 0 || *error)
		return false;
	memcpy(walk->name, at, length);
	walk->name[length] = '\0';
	at += length;
	at += strspn(at, "/");
	memmove(walk->rest, at, strlen(at) + 1);
	return true;
}

/* Puts the text of the link before the rest; *fd is where that begins. */
static int follow(struct walk *walk, int link_fd, int *fd)
{
	char text[PATH_MAX], joined[PATH_MAX];
	struct stat st;
	ssize_t length;

	if (fstat(link_fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return -ENOTDIR;
	if (!is_ours(&st))
		return foreign(walk, "symbolic link", st.st_uid);
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	length = readlinkat(link_fd, "", text, sizeof(text) - 1);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	/* what a link at the end leads to is its owner's to make */
	if (!walk->rest[0])
		walk->make = 0;
	if ((size_t)snprintf(joined, sizeof(joined), "%s/%s", text,
			     walk->rest) >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(walk->rest, joined, strlen(joined) + 1);
	if (text[0] != '/')
		return 0;
	fd_close(fd);
	*fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

/* From *fd to the directory of that name, or to where a link begins. */
static int step(struct walk *walk, int *fd)
{
	int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	cleanup_fd int next = openat(*fd, walk->name, flags | O_DIRECTORY);

	if (next < 0 && errno == ENOENT && walk->make && !walk->rest[0] &&
	    (mkdirat(*fd, walk->name, walk->make) == 0 || errno == EEXIST))
		next = openat(*fd, walk->name, flags | O_DIRECTORY);
	if (next >= 0) {
		fd_close(fd);
		*fd = steal_fd(&next);
		return 0;
	}
	if (errno == ENOTDIR)
		next = openat(*fd, walk->name, flags);
	return next < 0 ? -errno : follow(walk, next, fd);
}

int safepath_open(const char *path, mode_t make, struct problem *problem)
{
	struct walk walk = {
		.path = path,
		.name = "/",
		.make = make,
		.problem = problem,
	};
	cleanup_fd int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;

	problem->text[0] = '\0';
	if ((size_t)snprintf(walk.rest, sizeof(walk.rest), "%s", path) >=
	    sizeof(walk.rest))
		return -ENAMETOOLONG;
	if (!error)
		error = check_directory(&walk, fd, false);
	while (!error && next_name(&walk, &error)) {
		error = step(&walk, &fd);
		if (!error)
			error = check_directory(&walk, fd, false);
	}
	if (!error)
		error = check_directory(&walk, fd, true);
	return error ? error : steal_fd(&fd);
}
