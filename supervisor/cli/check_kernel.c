/* SPDX-License-Identifier: ISC */
/* vmsup check: what the kernel can do. */
#include "supervisor/cli/check_kernel.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/cgroup.h"
#include "sandbox/room.h"
#include "supervisor/cli/proc.h"
#include "supervisor/lib/pidfd.h"
#include "supervisor/lib/sockets.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif
/* Each has the same number on every architecture. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

bool check_linux(struct finding *finding)
{
	struct utsname system;
	unsigned int major = 0, minor = 0;

	if (uname(&system) < 0 ||
	    sscanf(system.release, "%u.%u", &major, &minor) != 2)
		return finding_missing(finding,
				       "this is no Linux that says its "
				       "version");
	if (major < 5 || (major == 5 && minor < 10))
		return finding_missing(finding,
				       "this is %s: install a newer "
				       "kernel",
				       system.release);
	return finding_there(finding, "this is %s", system.release);
}

/* Makes each call with arguments that must fail, but not with ENOSYS. */
bool check_syscalls(struct finding *finding)
{
	static const struct {
		const char *name;
		long number, first, second;
	} calls[] = {
		{ "pidfd_open", SYS_pidfd_open, -1, 0 },
		{ "pidfd_send_signal", SYS_pidfd_send_signal, -1, 0 },
		{ "clone3", SYS_clone3, 0, 0 },
		{ "close_range", SYS_close_range, 1, 0 },
		{ "execveat", SYS_execveat, -1, 0 },
		{ "memfd_create", SYS_memfd_create, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (syscall(calls[i].number, calls[i].first, calls[i].second,
			    0L, 0L, 0L) < 0 &&
		    errno == ENOSYS)
			return finding_missing(
				finding,
				"no %s: a newer kernel, or a container's "
				"filter that lets it through",
				calls[i].name);
	return finding_there(finding, "pidfds, clone3, close_range, execveat");
}

bool check_seccomp(struct finding *finding)
{
	struct seccomp_notif_sizes sizes;
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		return finding_missing(finding,
				       "no filter with notification: %s (a "
				       "kernel with CONFIG_SECCOMP_FILTER)",
				       strerror(errno));
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return finding_missing(finding,
				       "no notification of refused calls: %s",
				       strerror(errno));
	return finding_there(finding, "filters, with notification of refused "
				      "system calls");
}

/* Makes a room (sandbox/room.h) as a start does; it
 * ends with its descriptors. */
bool check_namespaces(struct finding *finding)
{
	char why[ROOM_WHY_BYTES];
	struct room room;

	fflush(stdout); /* the next call forks */
	if (room_init(&room, why) < 0)
		return finding_missing(finding,
				       "no empty room for VM "
				       "processes: %s",
				       why);
	room_uninit(&room);
	return finding_there(finding,
			     "mnt, net, ipc, uts: the empty room of VM "
			     "processes, made and looked at");
}

/* ---- adoption: descriptors taken out of a process like a VM's */

#define TRIAL_UID 65534 /* any but 0 */

/* In the child: becomes another user's, closed to ptrace by all but root, as a
 * VM process is; then waits. */
static _Noreturn void be_patient(int ready_fd)
{
	char error = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L);
	if (setresuid(TRIAL_UID, TRIAL_UID, TRIAL_UID) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
		error = (char)errno;
	if (write(ready_fd, &error, 1) == 1 && !error)
		pause();
	_exit(0);
}

/* Takes descriptor number out of the process, and closes it. 0 or an errno. */
static int try_getfd(pid_t pid, int number)
{
	cleanup_fd int pid_fd = pidfd_of(pid);
	cleanup_fd int taken_fd = -1;

	if (pid_fd < 0)
		return errno;
	taken_fd = (int)syscall(SYS_pidfd_getfd, pid_fd, number, 0);
	return taken_fd < 0 ? errno : 0;
}

/* Waits until that child is ready, then tries to take its
 * descriptor. 0 or an errno. */
static int ask_patient(pid_t pid, int ready_fd, int number)
{
	char error;

	/* the child alone has the other end: its exit ends the read */
	if (read(ready_fd, &error, 1) != 1)
		return EIO;
	return error ? error : try_getfd(pid, number);
}

/* Adopts a descriptor of a child. 0 or an errno. */
static int try_adoption(void)
{
	int ends[2], result;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		be_patient(ends[1]);
	result = pid < 0 ? errno : 0;
	close(ends[1]);
	if (pid > 0) {
		result = ask_patient(pid, ends[0], ends[1]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(ends[0]);
	return result;
}

static const char *adoption_remedy(int error)
{
	static const char file[] = "/proc/sys/kernel/yama/ptrace_scope";
	char scope[16];

	if (geteuid() != 0)
		return "run this check as root";
	if (error == ENOSYS)
		return "a container's filter that lets pidfd_getfd through";
	if (proc_read(AT_FDCWD, file, scope, sizeof(scope)) >= 0 &&
	    *scope == '3')
		return "boot with kernel.yama.ptrace_scope under 3";
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE))
		return "give CAP_SYS_PTRACE to this container";
	return "a security module or filter that allows it";
}

bool check_adoption(struct finding *finding)
{
	int error = try_adoption();

	if (error)
		return finding_missing(finding,
				       "%s: VMs that outlive their supervisor "
				       "are started anew by the next one (%s)",
				       strerror(error), adoption_remedy(error));
	return finding_there(finding, "VMs that outlive their supervisor are "
				      "taken over by the next one");
}

bool check_landlock(struct finding *finding)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		return finding_missing(finding,
				       "one wall less for VM processes "
				       "(Linux 5.13 with lsm=landlock)");
	return finding_there(finding, "ABI %ld", abi);
}

bool check_mdwe(struct finding *finding)
{
	if (prctl(PR_GET_MDWE, 0L, 0L, 0L, 0L) < 0)
		return finding_missing(
			finding, "VM processes' memory is kept from being "
				 "executed by the filter alone (Linux "
				 "6.3)");
	return finding_there(finding,
			     "no new executable memory in VM processes");
}

bool check_passrights(struct finding *finding)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0)
		return finding_missing(finding,
				       "members of the group vmsup can hold up "
				       "the supervisor with descriptors whose "
				       "close takes long (Linux 6.16)");
	return finding_there(finding,
			     "the control socket takes no descriptors");
}

/* Whether a word is one of a list, which blanks divide. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(list, word); at; at = strstr(at + 1, word))
		if ((at == list || at[-1] == ' ') &&
		    (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

bool check_cgroup(struct finding *finding)
{
	char where[160], path[200], controllers[256];
	char missing[64] = "";

	if (!proc_cgroup_mount(where, sizeof(where)))
		return finding_missing(
			finding, "not mounted: nothing bounds the memory, "
				 "CPU time and threads of a VM (mount -t "
				 "cgroup2)");
	snprintf(path, sizeof(path), "%s/cgroup.controllers", where);
	proc_read(AT_FDCWD, path, controllers, sizeof(controllers));
	controllers[strcspn(controllers, "\n")] = '\0';
	for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++) {
		const char *name = cgroup_controller_name(i);
		size_t length = strlen(missing);

		if (!has_word(controllers, name))
			snprintf(missing + length, sizeof(missing) - length,
				 "%s%s", length ? ", " : "", name);
	}
	if (missing[0])
		return finding_missing(finding,
				       "%s lacks %s: that much of a VM isn't "
				       "bounded (boot with "
				       "systemd.unified_cgroup_hierarchy=1)",
				       where, missing);
	return finding_there(
		finding, "%s: bounds on memory, CPU time and threads", where);
}
