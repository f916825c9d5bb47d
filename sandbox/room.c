/* SPDX-License-Identifier: ISC */
/*
 * The empty room that every VM process lives in.
 *
 * Theory of operation: a helper process leaves the host's namespaces, makes an
 * empty read-only tmpfs its root, and waits; the supervisor opens its
 * namespaces through /proc and ends it. The descriptors alone keep the room in
 * existence: nothing of it is visible in the host's file system, and it is gone
 * with the last process or descriptor that refers to it. One room serves all
 * VMs: they have nothing to meet by in it once stage 2 is closed, for then they
 * can make neither file nor socket.
 */
#include "sandbox/room.h"

#include <assert.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"

static const struct {
	const char *name;
	int clone_flag;
} namespaces[] = {
	[ROOM_NET] = { "net", CLONE_NEWNET },
	[ROOM_IPC] = { "ipc", CLONE_NEWIPC },
	[ROOM_UTS] = { "uts", CLONE_NEWUTS },
	[ROOM_MNT] = { "mnt", CLONE_NEWNS },
};
static_assert(ARRAY_SIZE(namespaces) == ROOM_NAMESPACES, "all namespaces");

const char *room_namespace_name(enum room_namespace ns)
{
	return namespaces[ns].name;
}

/* The last step that failed, for the helper to name. */
static const char *furnish(const char *scratch)
{
	static const char name[] = "vmsup";
	int flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		flags |= namespaces[i].clone_flag;
	if (unshare(flags) < 0)
		return "unshare namespaces";
	if (sethostname(name, sizeof(name) - 1) < 0)
		return "set its host name";
	/* what is mounted in the room must never show outside */
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "make its mounts private";
	if (mount("vmsup", scratch, "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID,
		  "mode=0555,size=4k,nr_inodes=2") < 0)
		return "mount its empty root";
	if (chdir(scratch) < 0)
		return "enter its empty root";
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return "pivot to its empty root";
	if (umount2(".", MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return "let go of the host's root";
	if (mount("", "/", NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOEXEC |
			  MS_NOSUID,
		  NULL) < 0)
		return "make its root read-only";
	return NULL;
}

/* The helper's whole life: furnish, say so on done_fd, wait to be ended. */
static _Noreturn void helper(const char *scratch, int done_fd, pid_t parent)
{
	const char *failed;
	char done = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* it may have died before that: nobody would end this process, which
	 * holds the lock of the run directory */
	if (getppid() != parent)
		_exit(1);
	failed = furnish(scratch);
	if (failed) {
		log_error("cannot build the empty room: %s: %s (run as root "
			  "on a kernel with namespaces)",
			  failed, strerror(errno));
		_exit(1);
	}
	if (write(done_fd, &done, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int open_namespaces(struct room *room, pid_t pid)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid,
			 namespaces[i].name);
		room->ns_fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (room->ns_fd[i] < 0) {
			int error = -errno;

			log_error("cannot open %s: %s (is /proc mounted?)",
				  path, strerror(errno));
			return error;
		}
	}
	return 0;
}

int room_init(struct room *room, const char *scratch)
{
	int ends[2];
	cleanup_fd int done_fd = -1;
	char done;
	pid_t parent = getpid(), pid;
	int error;

	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		room->ns_fd[i] = -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		helper(scratch, ends[1], parent);
	done_fd = ends[0];
	close(ends[1]);
	if (pid < 0) {
		log_error("cannot build the empty room: fork: %s",
			  strerror(errno));
		return -errno;
	}
	/* end of file: the helper failed, and said why */
	error = read(done_fd, &done, 1) == 1 ? open_namespaces(room, pid)
					     : -EPERM;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (error)
		room_uninit(room);
	return error;
}

static int open_namespace(int proc_fd, pid_t pid, enum room_namespace ns,
			  uint64_t inode)
{
	char path[64];
	cleanup_fd int fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "%d/ns/%s", pid, namespaces[ns].name);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_ino == inode ? steal_fd(&fd) : -EXDEV;
}

int room_adopt(struct room *room, int proc_fd, pid_t pid,
	       const uint64_t inodes[ROOM_NAMESPACES])
{
	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		room->ns_fd[i] = -1;
	for (size_t i = 0; i < ROOM_NAMESPACES; i++) {
		room->ns_fd[i] = open_namespace(proc_fd, pid, i, inodes[i]);
		if (room->ns_fd[i] < 0) {
			int error = room->ns_fd[i];

			room_uninit(room);
			return error;
		}
	}
	return 0;
}

bool room_holds(int proc_fd, const char *process,
		const uint64_t inodes[ROOM_NAMESPACES])
{
	/* the rarest first: most processes share the others */
	for (int i = ROOM_NAMESPACES - 1; i >= 0; i--) {
		char path[64], target[64], want[64];
		ssize_t length;

		snprintf(path, sizeof(path), "%.20s/ns/%s", process,
			 namespaces[i].name);
		snprintf(want, sizeof(want), "%s:[%llu]", namespaces[i].name,
			 (unsigned long long)inodes[i]);
		length = readlinkat(proc_fd, path, target, sizeof(target) - 1);
		if (length < 0)
			return false;
		target[length] = '\0';
		if (strcmp(target, want) != 0)
			return false;
	}
	return true;
}

void room_uninit(struct room *room)
{
	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		fd_close(&room->ns_fd[i]);
}

int room_enter(const struct room *room)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (setns(room->ns_fd[i], namespaces[i].clone_flag) < 0)
			return -errno;
	return 0;
}

uint64_t room_inode(const struct room *room, enum room_namespace ns)
{
	struct stat st;

	return fstat(room->ns_fd[ns], &st) < 0 ? 0 : st.st_ino;
}
