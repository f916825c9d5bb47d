/* SPDX-License-Identifier: ISC */
/*
 * What stage 1 must refuse, and stage 2 but for its filter: sets of probes,
 * each reported as a line, "NAME ERRNO" or "NAME NUMBER".
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "ipc/error.h"
#include "tests/cage/probe/probe.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif
/* Process ids that a host of average size gives out before it wraps. */
#define PIDS 65536
/* A name in the abstract name space that a test binds on the host's side. */
#define HOST_SOCKET "vmsup-cage-host"

/* ---- stage 1: rights */

static void probe_rights(struct standin *s)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct all[_LINUX_CAPABILITY_U32S_3] = {
		{ ~0U, ~0U, ~0U }, { ~0U, ~0U, ~0U }
	};
	struct rlimit more = { 4096, 4096 };
	long bounding = 0, ambient = 0;

	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bounding += prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1;
		ambient += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0,
				 0) == 1;
	}
	tell_number(s, "bounding", bounding);
	tell_number(s, "ambient", ambient);
	tell_number(s, "nonewprivs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	tell_number(s, "uid", (long)getauxval(AT_UID));
	tell_number(s, "euid", (long)getauxval(AT_EUID));
	tell_number(s, "gid", (long)getauxval(AT_GID));
	tell_number(s, "secure", (long)getauxval(AT_SECURE));
	tell_number(s, "environment", environ && environ[0]);
	TRY(s, "capset", syscall(SYS_capset, &header, all));
	TRY(s, "ambient-raise",
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
	TRY(s, "setresuid", syscall(SYS_setresuid, 0, 0, 0));
	TRY(s, "setresgid", syscall(SYS_setresgid, 0, 0, 0));
	TRY(s, "setgroups", syscall(SYS_setgroups, 1, (gid_t[]){ 0 }));
	TRY(s, "setuid", syscall(SYS_setuid, 0));
	TRY(s, "nofile", setrlimit(RLIMIT_NOFILE, &more));
	TRY(s, "nproc", setrlimit(RLIMIT_NPROC, &more));
	TRY(s, "core", setrlimit(RLIMIT_CORE, &more));
	TRY(s, "fsize", setrlimit(RLIMIT_FSIZE, &more));
	TRY(s, "memlock", setrlimit(RLIMIT_MEMLOCK, &more));
	TRY(s, "prlimit-1", prlimit(1, RLIMIT_NOFILE, NULL, &more));
	TRY(s, "keepcaps-off", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
}

/* ---- stage 1: processes */

static long clone3_plain(uint64_t flags)
{
	struct clone_args args = {
		.flags = flags,
		.exit_signal = flags & CLONE_THREAD ? 0 : SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return pid;
}

/* How many processes but itself take a signal from it. */
static long signalled(void)
{
	pid_t self = (pid_t)syscall(SYS_getpid);
	long count = 0;

	for (pid_t pid = 1; pid < PIDS; pid++)
		if (pid != self && syscall(SYS_tgkill, pid, pid, 0) == 0)
			count++;
	return count;
}

static void probe_processes(struct standin *s)
{
	static char buffer[16];
	struct iovec here = { buffer, sizeof(buffer) };
	char path[] = "/proc/self/exe";
	char *argv[] = { path, NULL };

	tell_number(s, "signalled", signalled());
	TRY(s, "tgkill-1", syscall(SYS_tgkill, 1, 1, 0));
	TRY(s, "kill-1", syscall(SYS_kill, 1, 0));
	TRY(s, "kill-all", syscall(SYS_kill, -1, 0));
	TRY(s, "tkill-1", syscall(SYS_tkill, 1, 0));
	TRY(s, "getppid", syscall(SYS_getppid));
	TRY(s, "ptrace-attach", syscall(SYS_ptrace, 16, 1, 0, 0));
	TRY(s, "ptrace-traceme", syscall(SYS_ptrace, 0, 0, 0, 0));
	TRY(s, "process_vm_readv",
	    syscall(SYS_process_vm_readv, 1, &here, 1, &here, 1, 0));
	TRY(s, "process_vm_writev",
	    syscall(SYS_process_vm_writev, 1, &here, 1, &here, 1, 0));
	TRY(s, "pidfd_open", syscall(SYS_pidfd_open, 1, 0));
	TRY(s, "pidfd_send_signal",
	    syscall(SYS_pidfd_send_signal, s->channel.fd, SIGKILL, NULL, 0));
	TRY(s, "pidfd_getfd", syscall(SYS_pidfd_getfd, s->channel.fd, 0, 0));
	TRY(s, "kcmp", syscall(SYS_kcmp, 1, 1, 0, 0, 0));
	TRY(s, "fork", syscall(SYS_fork));
	TRY(s, "vfork", syscall(SYS_vfork));
	TRY(s, "clone", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	TRY(s, "clone3", clone3_plain(0));
	TRY(s, "clone3-user", clone3_plain(CLONE_NEWUSER));
	TRY(s, "clone3-pid", clone3_plain(CLONE_NEWPID));
	TRY(s, "execve", syscall(SYS_execve, path, argv, environ));
	TRY(s, "execveat",
	    syscall(SYS_execveat, AT_FDCWD, path, argv, environ, 0));
	TRY(s, "execveat-empty",
	    syscall(SYS_execveat, AT_FDCWD, path, argv, environ,
		    AT_EMPTY_PATH));
	TRY(s, "setns", syscall(SYS_setns, s->channel.fd, 0));
	TRY(s, "unshare-user", syscall(SYS_unshare, CLONE_NEWUSER));
	TRY(s, "unshare-net", syscall(SYS_unshare, CLONE_NEWNET));
}

/* ---- stage 1: files */

/* Entries of the root directory but "." and "..". */
static long root_entries(void)
{
	char buffer[4096];
	cleanup_fd int fd =
		standin_open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long count = 0, bytes;

	if (fd < 0)
		return -1;
	while ((bytes = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) >
	       0)
		for (long at = 0; at < bytes; count++) {
			unsigned short length;

			memcpy(&length, buffer + at + 16, sizeof(length));
			at += length;
		}
	return bytes < 0 ? -1 : count - 2;
}

static int map_fails(int protection, int flags, int fd)
{
	return mmap(NULL, 4096, protection, flags, fd, 0) == MAP_FAILED ? -1
									: 0;
}

static void probe_files(struct standin *s)
{
	static const char *const paths[] = {
		"/proc", "/proc/1/mem", "/dev/kvm",    "/dev/net/tun",
		"/etc",  "/run",        "/sys",        "/vmproc",
		"/tmp",  "../etc",      "../../../..",
	};
	char line[64];

	tell_number(s, "root-entries", root_entries());
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		snprintf(line, sizeof(line), "open:%s", paths[i]);
		TRY(s, line, standin_open(paths[i], O_RDONLY | O_CLOEXEC));
	}
	TRY(s, "create", standin_open("/new", O_WRONLY | O_CREAT | O_CLOEXEC));
	TRY(s, "tmpfile", standin_open("/", O_WRONLY | O_TMPFILE | O_CLOEXEC));
	TRY(s, "mkdir", syscall(SYS_mkdir, "/new", 0700));
	TRY(s, "unlink", syscall(SYS_unlink, "/new"));
	TRY(s, "rename", syscall(SYS_renameat, AT_FDCWD, "/", AT_FDCWD, "/a"));
	TRY(s, "mknod", syscall(SYS_mknod, "/new", 0020666, 0x0103));
	TRY(s, "chmod", syscall(SYS_chmod, "/", 0777));
	TRY(s, "link", syscall(SYS_link, "/", "/new"));
	TRY(s, "symlink", syscall(SYS_symlink, "/", "/new"));
	TRY(s, "chroot", syscall(SYS_chroot, "/"));
	TRY(s, "mount", syscall(SYS_mount, "proc", "/", "proc", 0, 0));
	TRY(s, "umount2", syscall(SYS_umount2, "/", 2));
	TRY(s, "pivot_root", syscall(SYS_pivot_root, "/", "/"));
	TRY(s, "fsopen", syscall(SYS_fsopen, "proc", 0));
	TRY(s, "open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	TRY(s, "open_by_handle_at",
	    syscall(SYS_open_by_handle_at, AT_FDCWD, "", 0));
	TRY(s, "memfd_create", syscall(SYS_memfd_create, "x", 0));
	TRY(s, "mmap-exec",
	    map_fails(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	signal(SIGXFSZ, SIG_IGN); /* so that the limit shows as EFBIG */
	TRY(s, "filter-write", write(s->fds[FD_ROLE_FILTER], "x", 1));
	TRY(s, "filter-map",
	    map_fails(PROT_READ | PROT_WRITE, MAP_SHARED,
		      s->fds[FD_ROLE_FILTER]));
}

/* ---- stage 1: networks */

static int send_abstract(int fd, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				       1 + strlen(name));

	memcpy(address.sun_path + 1, name, strlen(name));
	return (int)sendto(fd, "x", 1, MSG_DONTWAIT,
			   (struct sockaddr *)&address, length);
}

static void probe_networks(struct standin *s)
{
	static const int families[] = { AF_UNIX,  AF_NETLINK, AF_INET,
					AF_INET6, AF_PACKET,  AF_VSOCK,
					AF_KEY,   AF_ALG,     AF_BLUETOOTH,
					AF_TIPC,  AF_RDS };
	cleanup_fd int unix_fd = local_socket();
	struct ifreq request = { 0 };
	long links = 0, up = 0;
	char line[32];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		snprintf(line, sizeof(line), "socket-%d", families[i]);
		TRY(s, line, socket(families[i], SOCK_RAW, 0));
	}
	for (int index = 1; index < 4096; index++) {
		request.ifr_ifindex = index;
		if (ioctl(unix_fd, SIOCGIFNAME, &request) < 0)
			continue;
		links++;
		if (ioctl(unix_fd, SIOCGIFFLAGS, &request) == 0)
			up += (request.ifr_flags & IFF_UP) != 0;
	}
	tell_number(s, "links", links);
	tell_number(s, "links-up", up);
	snprintf(request.ifr_name, IFNAMSIZ, "lo");
	request.ifr_flags = IFF_UP;
	TRY(s, "lo-up", ioctl(unix_fd, SIOCSIFFLAGS, &request));
	TRY(s, "host-socket", send_abstract(unix_fd, HOST_SOCKET));
	TRY(s, "bind", syscall(SYS_bind, unix_fd, NULL, 0));
	TRY(s, "connect", syscall(SYS_connect, unix_fd, NULL, 0));
	TRY(s, "listen", syscall(SYS_listen, unix_fd, 1));
}

/* ---- stage 1: the rest of the kernel */

static void probe_kernel(struct standin *s)
{
	static const struct {
		const char *name;
		long number;
	} calls[] = {
		{ "bpf", SYS_bpf },
		{ "perf_event_open", SYS_perf_event_open },
		{ "userfaultfd", SYS_userfaultfd },
		{ "io_uring_setup", SYS_io_uring_setup },
		{ "add_key", SYS_add_key },
		{ "keyctl", SYS_keyctl },
		{ "shmget", SYS_shmget },
		{ "semget", SYS_semget },
		{ "msgget", SYS_msgget },
		{ "mq_open", SYS_mq_open },
		{ "init_module", SYS_init_module },
		{ "finit_module", SYS_finit_module },
		{ "kexec_load", SYS_kexec_load },
		{ "reboot", SYS_reboot },
		{ "swapon", SYS_swapon },
		{ "sethostname", SYS_sethostname },
		{ "clock_settime", SYS_clock_settime },
		{ "settimeofday", SYS_settimeofday },
		{ "iopl", SYS_iopl },
		{ "ioperm", SYS_ioperm },
		{ "modify_ldt", SYS_modify_ldt },
		{ "personality", SYS_personality },
		{ "acct", SYS_acct },
		{ "syslog", SYS_syslog },
		{ "quotactl", SYS_quotactl },
		{ "vhangup", SYS_vhangup },
		{ "setpriority", SYS_setpriority },
		{ "sched_setscheduler", SYS_sched_setscheduler },
		{ "ioprio_set", SYS_ioprio_set },
		{ "inotify_init1", SYS_inotify_init1 },
		{ "fanotify_init", SYS_fanotify_init },
		{ "name_to_handle_at", SYS_name_to_handle_at },
		{ "mlockall", SYS_mlockall },
		{ "vmsplice", SYS_vmsplice },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		TRY(s, calls[i].name, syscall(calls[i].number, 0, 0, 0, 0, 0));
}

/* ---- stage 2 but for its filter: without one, stage2_close() fails last */

static void probe_landlock(struct standin *s)
{
	const char *step = "";
	int error;

	TRY(s, "before:open", standin_open("/", O_RDONLY | O_CLOEXEC));
	tell_number(s, "landlock-version",
		    syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
	error = stage2_close(-1, true, &step);
	standin_say(s, "stage2 %s: %s", step, error_name(-error));
	tell_number(s, "dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	tell_number(s, "mdwe", prctl(PR_GET_MDWE, 0, 0, 0, 0));
	TRY(s, "mdwe-off", prctl(65, 0, 0, 0, 0));
	TRY(s, "after:open", standin_open("/", O_RDONLY | O_CLOEXEC));
	TRY(s, "after:create",
	    standin_open("/x", O_RDWR | O_CREAT | O_CLOEXEC));
}

static const struct {
	const char *name;
	void (*probe)(struct standin *s);
} stages[] = {
	{ "rights", probe_rights },
	{ "processes", probe_processes },
	{ "files", probe_files },
	{ "networks", probe_networks },
	{ "descriptors", descriptors_probe },
	{ "kernel", probe_kernel },
	{ "landlock", probe_landlock },
};

void stages_print(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
		puts(stages[i].name);
}

void stages_probe(struct standin *s, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
		if (strcmp(name, stages[i].name) == 0)
			stages[i].probe(s);
}
