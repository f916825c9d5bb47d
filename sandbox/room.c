/* SPDX-License-Identifier: ISC */
/*
 * The empty room that every VM process lives in.
 *
 * Theory of operation: a helper process leaves the host's namespaces, makes an
 * empty read-only tmpfs its root, and waits. The supervisor opens the helper's
 * namespaces through /proc and ends the helper. The descriptors alone keep the
 * room in existence: nothing of it is visible in the host's file system, and it
 * is gone with the last process or descriptor that refers to it. One room
 * serves all VM processes: once stage 2 is closed, they can make neither file
 * nor socket, so there is nothing in the room by which they could meet.
 *
 * A process that enters a mount namespace by setns(2) stands in the root of
 * that namespace. If the maker of the namespace lives in a chroot, its own root
 * is another one: making that one empty would leave the host's root to all who
 * enter. So the helper enters its own new namespace first, as they will, and
 * makes the root empty in which it then stands. The room is believed to be
 * empty only after a process has entered it and looked around.
 */
#include "sandbox/room.h"

#include <assert.h>
#include <dirent.h>
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"

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

/* Goes from the caller's root, which may be a chroot's, to the root of its
 * mount namespace. */
static int leave_chroot(void)
{
	cleanup_fd int ns_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	return ns_fd < 0 ? -1 : setns(ns_fd, CLONE_NEWNS);
}

/* Makes the caller's new namespaces the room. NULL, or the step that failed. */
static const char *furnish(void)
{
	static const char name[] = "vmsup";
	int flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		flags |= namespaces[i].clone_flag;
	if (unshare(flags) < 0)
		return "unshare namespaces";
	if (sethostname(name, sizeof(name) - 1) < 0)
		return "set its host name";
	if (leave_chroot() < 0)
		return "go to the root of its mounts";
	/* a mount in the room must never show outside */
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "make its mounts private";
	/* over the root, so that no directory is needed to mount it on */
	if (mount("vmsup", "/", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID,
		  "mode=0555,size=4k,nr_inodes=2") < 0)
		return "mount its empty root";
	/* ".." of the root is the file system that is mounted over it; "/" is
	 * still the one beneath */
	if (chdir("/..") < 0)
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

/* The helper's whole life: it furnishes the room, writes to done_fd why it
 * failed (nothing but a NUL if it didn't), and waits to be ended. */
static _Noreturn void helper(int done_fd, pid_t parent)
{
	char why[ROOM_WHY_BYTES] = "";
	const char *failed;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have died before that call. Nobody would end this
	 * process then, which holds the lock of the run directory. */
	if (getppid() != parent)
		_exit(1);
	failed = furnish();
	if (failed)
		snprintf(why, sizeof(why),
			 "%s: %s (run as root with CAP_SYS_ADMIN and "
			 "CAP_SYS_CHROOT, on a kernel with namespaces)",
			 failed, strerror(errno));
	if (write(done_fd, why, strlen(why) + 1) < 0 || failed)
		_exit(1);
	for (;;)
		pause();
}

static int open_namespaces(struct room *room, pid_t pid, char *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid,
			 namespaces[i].name);
		room->ns_fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (room->ns_fd[i] < 0) {
			int error = -errno;

			snprintf(why, ROOM_WHY_BYTES,
				 "open %s: %s (is /proc mounted?)", path,
				 strerror(errno));
			return error;
		}
	}
	return 0;
}

static int make_room(struct room *room, char *why)
{
	int ends[2];
	cleanup_fd int done_fd = -1;
	pid_t parent = getpid(), pid;
	ssize_t said;
	int error = -EPERM;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		helper(ends[1], parent);
	done_fd = ends[0];
	close(ends[1]);
	if (pid < 0)
		return -errno;
	said = read(done_fd, why, ROOM_WHY_BYTES);
	if (said <= 0)
		snprintf(why, ROOM_WHY_BYTES, "its maker was killed");
	else if (!*why)
		error = open_namespaces(room, pid, why);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return error;
}

int room_init(struct room *room, char why[ROOM_WHY_BYTES])
{
	const char *wrong;
	int error;

	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		room->ns_fd[i] = -1;
	*why = '\0';
	error = make_room(room, why);
	wrong = error ? NULL : room_prove(room);
	if (wrong) {
		snprintf(why, ROOM_WHY_BYTES,
			 "%s, once it was made (start vmsup outside of this "
			 "container or chroot)",
			 wrong);
		error = -EPERM;
	} else if (error && !*why) {
		snprintf(why, ROOM_WHY_BYTES, "%s", strerror(-error));
	}
	if (error)
		room_uninit(room);
	return error;
}

/* ---- the proof: a process enters the room, as VM processes do, and looks
 * around. proc_fd is the /proc of before */

static bool is_entered(const struct room *room, int proc_fd)
{
	(void)proc_fd;
	return room_enter(room) == 0;
}

/* There is no entry but "." and "..". */
static bool is_empty(const struct room *room, int proc_fd)
{
	DIR *dir = opendir("/");
	unsigned int count = 0;

	(void)room;
	(void)proc_fd;
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count == 2;
}

static bool is_working_directory(const struct room *room, int proc_fd)
{
	struct stat root, here;

	(void)room;
	(void)proc_fd;
	return stat("/", &root) == 0 && stat(".", &here) == 0 &&
	       root.st_dev == here.st_dev && root.st_ino == here.st_ino;
}

/* By trying: if it can be made, a file without a name leaves nothing behind. */
static bool is_read_only(const struct room *room, int proc_fd)
{
	cleanup_fd int fd = open("/", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	(void)room;
	(void)proc_fd;
	return fd < 0 && errno == EROFS;
}

static bool is_all_that_is_mounted(const struct room *room, int proc_fd)
{
	cleanup_fd int fd =
		openat(proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	char text[1024];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	(void)room;
	text[length > 0 ? length : 0] = '\0';
	return room_mounts(text);
}

/* Kernels with tunnel modules put a tunnel into each network namespace. It is
 * down, and nobody in the room can set it up. */
static bool has_no_link_up(const struct room *room, int proc_fd)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *links = if_nameindex();
	bool none = fd >= 0 && links;

	(void)room;
	(void)proc_fd;
	for (size_t i = 0; none && links[i].if_index; i++) {
		struct ifreq link = { 0 };

		snprintf(link.ifr_name, sizeof(link.ifr_name), "%s",
			 links[i].if_name);
		none = ioctl(fd, SIOCGIFFLAGS, &link) == 0 &&
		       !(link.ifr_flags & IFF_UP);
	}
	if (links)
		if_freenameindex(links);
	return none;
}

/* In this order: a fact may rely on the facts before it. */
static const struct {
	bool (*holds)(const struct room *room, int proc_fd);
	const char *otherwise;
} facts[] = {
	{ is_entered, "it can't be entered" },
	{ is_empty, "its root directory has entries" },
	{ is_working_directory, "who enters it stands outside its root" },
	{ is_read_only, "its root can be written to" },
	{ is_all_that_is_mounted, "more than an empty root is mounted" },
	{ has_no_link_up, "it has a network interface that is up" },
};

/* Exits with the number of facts that hold, up to the first that doesn't. */
static _Noreturn void look_around(const struct room *room)
{
	int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t i = 0;

	while (i < ARRAY_SIZE(facts) && facts[i].holds(room, proc_fd))
		i++;
	_exit((int)i);
}

const char *room_prove(const struct room *room)
{
	pid_t pid = fork();
	size_t held;
	int status;

	if (pid == 0)
		look_around(room);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return "nobody could look";
	held = (size_t)WEXITSTATUS(status);
	return held < ARRAY_SIZE(facts) ? facts[held].otherwise : NULL;
}

bool room_mounts(const char *mountinfo)
{
	const char *end = strchr(mountinfo, '\n');

	return end && end[1] == '\0' &&
	       strstr(mountinfo, " / / ro,nosuid,nodev,noexec") &&
	       strstr(mountinfo, " - tmpfs vmsup ");
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
	/* The mount namespace first: most processes of a host share the
	 * others. */
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
