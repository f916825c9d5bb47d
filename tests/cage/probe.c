/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place and tries what each stage of its cage must
 * refuse.
 *
 * The VM's name says what is tried. A name of stages[] is a set of probes
 * before stage 2, each reported as a line "NAME ERRNO" in the VM's log. A name
 * of calls[] is one system call after READY, reported as a line too should it
 * ever return. Any other name behaves well. In front of a name, "kvm-" means
 * nothing: it is for VMs of that guest; "vcpu-" makes the call in a thread that
 * has the vCPUs' filter.
 *
 *	probe --calls         the names of calls[], with the call's own name
 *	probe --names         the names of stages[]
 *	probe --bind NAME     binds the abstract socket NAME until it is killed
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <pthread.h>
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

#include "tests/cage/standin.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif
#define X32_BIT 0x40000000L
/* Process ids that a host of average size gives out before it wraps. */
#define PIDS 65536
/* A name in the abstract name space that a test binds on the host's side. */
#define HOST_SOCKET "vmsup-cage-host"

/* The name of the error, "OK" for none. */
static void tell(const struct standin *s, const char *what, long result)
{
	standin_say(s, "%s %s", what,
		    result < 0 ? strerrorname_np(errno) : "OK");
}

#define TRY(s, what, call) tell(s, what, (long)(call))

static void tell_number(const struct standin *s, const char *what, long number)
{
	standin_say(s, "%s %ld", what, number);
}

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

/* ---- stage 1: files and descriptors */

/* Entries of the root directory but "." and "..". */
static long root_entries(void)
{
	char buffer[4096];
	cleanup_fd int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
		TRY(s, line, open(paths[i], O_RDONLY | O_CLOEXEC));
	}
	TRY(s, "create", open("/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	TRY(s, "tmpfile", open("/", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600));
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

/* What it was born with: looked at before anything is opened or taken. */
static char born_with[128];

static void count_descriptors(void)
{
	size_t at = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && at < sizeof(born_with) - 8)
			at += (size_t)snprintf(born_with + at,
					       sizeof(born_with) - at, " %d",
					       fd);
}

static bool is_given(const struct standin *s, int fd)
{
	if (fd == s->channel.fd || fd == s->epoll_fd)
		return true;
	for (int role = 0; role < FD_ROLES; role++) {
		if (s->fds[role] == fd)
			return true;
		for (int i = 1; i < FD_INDEX_MAX; i++)
			if (s->more_fds[role][i] == fd)
				return true;
	}
	return false;
}

/* One of a machine: its number, if it has a fixed one, and what for. */
static void tell_file(const struct standin *s, const char *what, int fd,
		      enum fd_role role, unsigned int index)
{
	static const char *const modes[] = {
		[O_RDONLY] = "to read",
		[O_WRONLY] = "to write",
		[O_RDWR] = "to read and write",
	};
	int flags = fcntl(fd, F_GETFL);
	bool fixed = proto_fd_number(role, index) != 0;

	if (fd < 0)
		return;
	if (fixed)
		standin_say(s, "%s: %d %s", what, fd, modes[flags & O_ACCMODE]);
	else
		standin_say(s, "%s: %s", what, modes[flags & O_ACCMODE]);
}

static void tell_machine(const struct standin *s)
{
	static const struct {
		const char *name;
		enum fd_role role;
	} roles[] = {
		{ "kvm", FD_ROLE_KVM },
		{ "kernel", FD_ROLE_KERNEL },
		{ "initrd", FD_ROLE_INITRD },
		{ "disk", FD_ROLE_DISK },
		{ "tap", FD_ROLE_TAP },
		{ "vhost-net", FD_ROLE_VHOST_NET },
		{ "console", FD_ROLE_CONSOLE },
		{ "console-adopt", FD_ROLE_CONSOLE_ADOPT },
		{ "filter-vcpu", FD_ROLE_FILTER_VCPU },
	};

	standin_say(s, "machine: %u vCPUs, %llu MiB, %s", s->machine.vcpus,
		    (unsigned long long)s->machine.memory_bytes >> 20,
		    s->machine.cmdline);
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		enum fd_role role = roles[i].role;

		tell_file(s, roles[i].name, s->fds[role], role, 0);
		for (unsigned int j = 1; j < FD_INDEX_MAX; j++)
			tell_file(s, roles[i].name, s->more_fds[role][j], role,
				  j);
	}
}

static void probe_descriptors(struct standin *s)
{
	struct ifreq request = { 0 };
	size_t at = 0;
	char now[128] = "";

	standin_say(s, "born with:%s", born_with);
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && !is_given(s, fd) &&
		    at < sizeof(now) - 8)
			at += (size_t)snprintf(now + at, sizeof(now) - at,
					       " %d", fd);
	standin_say(s, "more than given:%s", now);
	if (s->config.guest == GUEST_KVM)
		tell_machine(s);
	if (ioctl(s->fds[FD_ROLE_TAP], TUNGETIFF, &request) < 0)
		standin_say(s, "tap %s", strerrorname_np(errno));
	else
		standin_say(s, "tap %.15s", request.ifr_name);
	snprintf(request.ifr_name, IFNAMSIZ, "vmsup0");
	TRY(s, "tap-other", ioctl(s->fds[FD_ROLE_TAP], TUNSETIFF, &request));
}

/* ---- stage 1: networks */

/* The one kind of socket that can be had: half of a local pair. */
static int local_socket(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	close(ends[1]);
	return ends[0];
}

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

	TRY(s, "before:open", open("/", O_RDONLY | O_CLOEXEC));
	tell_number(s, "landlock-version",
		    syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
	error = stage2_close(-1, true, &step);
	standin_say(s, "stage2 %s: %s", step, strerrorname_np(-error));
	tell_number(s, "dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	tell_number(s, "mdwe", prctl(PR_GET_MDWE, 0, 0, 0, 0));
	TRY(s, "mdwe-off", prctl(65, 0, 0, 0, 0));
	TRY(s, "after:open", open("/", O_RDONLY | O_CLOEXEC));
	TRY(s, "after:create", open("/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static const struct {
	const char *name;
	void (*probe)(struct standin *s);
} stages[] = {
	{ "rights", probe_rights },
	{ "processes", probe_processes },
	{ "files", probe_files },
	{ "networks", probe_networks },
	{ "descriptors", probe_descriptors },
	{ "kernel", probe_kernel },
	{ "landlock", probe_landlock },
};

/* ---- stage 2: one call each */

/* Made before the cage closes, for the calls to be tried on. */
static int other_fd = -1; /* a socket */
static int listener_copy_fd = -1;
static char text[] = "/";
static char *no_argv[] = { text, NULL };
static char memory[4096];
static struct iovec vector = { memory, sizeof(memory) };
static struct msghdr packet = { .msg_iov = &vector, .msg_iovlen = 1 };
static struct epoll_event watch = { .events = EPOLLIN };

#define POINTER(p) ((long)(p))
#define ONE(call)                         \
	{                                 \
#call, #call, SYS_##call, \
		{                         \
			0                 \
		}                         \
	}
#define WITH(call, ...)                   \
	{                                 \
#call, #call, SYS_##call, \
		{                         \
			__VA_ARGS__       \
		}                         \
	}
#define AS(name, call, ...)              \
	{                                \
		name, #call, SYS_##call, \
		{                        \
			__VA_ARGS__      \
		}                        \
	}

/* Stand for descriptors that are known only at run time. */
#define FD_CHANNEL (-1001L)
#define FD_TAP     (-1002L)
#define FD_OTHER   (-1003L)
#define FD_COPY    (-1004L)
#define FD_EPOLL   (-1005L)

static const struct attack {
	const char *name; /* '_' is '-' in the VM's name */
	const char *call; /* as the supervisor must name it */
	long number;
	long args[6];
} calls[] = {
	/* files */
	WITH(openat, AT_FDCWD, POINTER(text), O_RDONLY),
	WITH(open, POINTER(text), O_RDONLY),
	WITH(openat2, AT_FDCWD, POINTER(text), POINTER(memory), 24),
	WITH(creat, POINTER(text), 0600),
	WITH(stat, POINTER(text), POINTER(memory)),
	WITH(getdents64, FD_CHANNEL, POINTER(memory), sizeof(memory)),
	WITH(chroot, POINTER(text)),
	WITH(mount, POINTER(text), POINTER(text), POINTER(text)),
	WITH(umount2, POINTER(text)),
	WITH(pivot_root, POINTER(text), POINTER(text)),
	WITH(open_tree, AT_FDCWD, POINTER(text), 1),
	WITH(fsopen, POINTER(text)),
	WITH(open_by_handle_at, AT_FDCWD, POINTER(memory)),
	WITH(name_to_handle_at, AT_FDCWD, POINTER(text)),
	WITH(memfd_create, POINTER(text), 0),
	ONE(inotify_init1),
	ONE(fanotify_init),
	/* descriptors */
	WITH(dup, FD_CHANNEL),
	WITH(fcntl, FD_CHANNEL, F_DUPFD, 0),
	ONE(pipe2),
	ONE(eventfd2),
	WITH(splice, FD_TAP, 0, FD_OTHER, 0, 1, 0),
	WITH(ioctl, FD_TAP, TUNSETIFF, POINTER(memory)),
	AS("ioctl-tiocsti", ioctl, 0, 0x5412, POINTER(text)),
	AS("ioctl-listener-recv", ioctl, FD_COPY, SECCOMP_IOCTL_NOTIF_RECV,
	   POINTER(memory)),
	AS("ioctl-listener-send", ioctl, FD_COPY, SECCOMP_IOCTL_NOTIF_SEND,
	   POINTER(memory)),
	AS("epoll-add", epoll_ctl, FD_EPOLL, EPOLL_CTL_ADD, FD_OTHER,
	   POINTER(&watch)),
	AS("epoll-del", epoll_ctl, FD_EPOLL, EPOLL_CTL_DEL, FD_CHANNEL),
	ONE(epoll_create1),
	/* sockets */
	WITH(socket, AF_UNIX, SOCK_DGRAM, 0),
	AS("socket-inet", socket, AF_INET, SOCK_STREAM, 0),
	AS("socket-netlink", socket, AF_NETLINK, SOCK_RAW, 0),
	WITH(socketpair, AF_UNIX, SOCK_DGRAM, 0, POINTER(memory)),
	WITH(bind, FD_OTHER, POINTER(memory), 2),
	WITH(connect, FD_OTHER, POINTER(memory), 2),
	WITH(sendto, FD_CHANNEL, POINTER(memory), 1),
	WITH(recvfrom, FD_CHANNEL, POINTER(memory), 1),
	AS("sendmsg-other", sendmsg, FD_OTHER, POINTER(&packet)),
	AS("recvmsg-other", recvmsg, FD_OTHER, POINTER(&packet)),
	WITH(sendmmsg, FD_CHANNEL, POINTER(memory), 1),
	WITH(setsockopt, FD_CHANNEL, SOL_SOCKET, SO_RCVBUF),
	/* programs and processes */
	WITH(execve, POINTER(text), POINTER(no_argv), POINTER(no_argv)),
	WITH(execveat, AT_FDCWD, POINTER(text), POINTER(no_argv),
	     POINTER(no_argv), AT_EMPTY_PATH),
	ONE(fork),
	ONE(vfork),
	WITH(clone, SIGCHLD),
	AS("clone-thread", clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND),
	WITH(clone3, POINTER(memory), 64),
	WITH(kill, 1, 0),
	AS("kill-all", kill, -1, SIGKILL),
	WITH(tkill, 1, 0),
	WITH(tgkill, 1, 1, 0),
	WITH(rt_sigqueueinfo, 1, 0, POINTER(memory)),
	WITH(pidfd_open, 1, 0),
	WITH(pidfd_getfd, FD_OTHER, 0, 0),
	WITH(pidfd_send_signal, FD_OTHER, SIGKILL),
	WITH(ptrace, 16, 1),
	WITH(process_vm_readv, 1, POINTER(&vector), 1, POINTER(&vector), 1),
	WITH(process_vm_writev, 1, POINTER(&vector), 1, POINTER(&vector), 1),
	WITH(unshare, CLONE_NEWUSER),
	WITH(setns, FD_OTHER, 0),
	ONE(setsid),
	ONE(setuid),
	ONE(setresuid),
	ONE(setgroups),
	WITH(capset, POINTER(memory), POINTER(memory)),
	WITH(prctl, PR_SET_DUMPABLE, 1),
	AS("prctl-unfiltered", prctl, PR_SET_SECCOMP, 0),
	WITH(arch_prctl, 0x1002, POINTER(memory)),
	WITH(seccomp, SECCOMP_SET_MODE_FILTER, 0, POINTER(memory)),
	WITH(prlimit64, 0, RLIMIT_NPROC, POINTER(memory)),
	WITH(setrlimit, RLIMIT_NOFILE, POINTER(memory)),
	WITH(setpriority, 0, 0, -20),
	WITH(sched_setaffinity, 0, 8, POINTER(memory)),
	WITH(rt_sigaction, SIGABRT, 0, 0, 8),
	ONE(rt_sigreturn),
	WITH(personality, 0x0400000),
	ONE(getpid),
	/* memory */
	AS("mmap", mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1),
	AS("mmap-exec", mmap, 0, 4096, PROT_READ | PROT_EXEC,
	   MAP_PRIVATE | MAP_ANONYMOUS, -1),
	AS("mmap-wx", mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	   MAP_PRIVATE | MAP_ANONYMOUS, -1),
	AS("mprotect-exec", mprotect, POINTER(memory), 4096,
	   PROT_READ | PROT_EXEC),
	WITH(pkey_mprotect, POINTER(memory), 4096, PROT_EXEC, -1),
	ONE(brk),
	WITH(mremap, POINTER(memory), 4096, 8192, MREMAP_MAYMOVE),
	WITH(remap_file_pages, POINTER(memory), 4096),
	WITH(process_madvise, FD_OTHER),
	WITH(userfaultfd, 1),
	WITH(shmget, 0, 4096, 0600),
	/* the rest of the kernel */
	WITH(io_uring_setup, 1, POINTER(memory)),
	WITH(bpf, 0, POINTER(memory), 64),
	WITH(perf_event_open, POINTER(memory), 0, -1, -1, 0),
	WITH(keyctl, 0, -3, 1),
	WITH(add_key, POINTER(text), POINTER(text), POINTER(text), 1, -3),
	ONE(mq_open),
	ONE(init_module),
	ONE(finit_module),
	ONE(kexec_load),
	ONE(reboot),
	ONE(iopl),
	ONE(modify_ldt),
	WITH(sethostname, POINTER(text), 1),
	WITH(clock_settime, 0, POINTER(memory)),
	ONE(landlock_create_ruleset),
	/* on the list of guest kvm, but not of its vCPUs */
	WITH(getrandom, POINTER(memory), 16, 0),
	/* no such call, and those of other calling conventions */
	{ "unknown", "#9999", 9999, { 0 } },
	{ "x32", "", X32_BIT | SYS_getpid, { 0 } },
	{ "int80", "", 0, { 0 } },
};

static void vm_name_of(const char *name, char vm_name[VM_NAME_MAX + 1])
{
	snprintf(vm_name, VM_NAME_MAX + 1, "%s", name);
	for (char *c = vm_name; *c; c++)
		if (*c == '_')
			*c = '-';
}

/* getpid() as a 32-bit program of this machine asks for it. */
static long int80(void)
{
#ifdef __x86_64__
	long result = 20;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 :
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
#else
	return -1;
#endif
}

static long resolve(const struct standin *s, long arg)
{
	switch (arg) {
	case FD_CHANNEL:
		return s->channel.fd;
	case FD_TAP:
		return s->fds[FD_ROLE_TAP];
	case FD_OTHER:
		return other_fd;
	case FD_COPY:
		return listener_copy_fd;
	case FD_EPOLL:
		return s->epoll_fd;
	default:
		return arg;
	}
}

static void make_call(const struct standin *s, const struct attack *attack)
{
	long args[6], result;
	int error;

	for (int i = 0; i < 6; i++)
		args[i] = resolve(s, attack->args[i]);
	if (attack->number)
		result = syscall(attack->number, args[0], args[1], args[2],
				 args[3], args[4], args[5]);
	else
		result = int80();
	error = errno;
	standin_say(s, "EXECUTED %s: %ld (%s)", attack->name, result,
		    strerrorname_np(error));
}

/* A vCPU's thread: it begins before the cage closes, and waits for that. */
struct vcpu {
	const struct standin *s;
	const struct attack *attack;
	pthread_mutex_t gate;
	pthread_cond_t moved;
	bool begun, open;
};

static void pass_gate(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->gate);
	vcpu->begun = true;
	pthread_cond_broadcast(&vcpu->moved);
	while (!vcpu->open)
		pthread_cond_wait(&vcpu->moved, &vcpu->gate);
	pthread_mutex_unlock(&vcpu->gate);
}

static void *vcpu_main(void *argument)
{
	static struct sock_filter filter[STAGE2_MAX_FILTER];
	struct vcpu *vcpu = argument;
	const struct standin *s = vcpu->s;
	ssize_t bytes =
		pread(s->fds[FD_ROLE_FILTER_VCPU], filter, sizeof(filter), 0);
	int error = stage2_thread();

	pass_gate(vcpu);
	if (bytes <= 0 || error)
		standin_bug(s, "a vCPU's filter", errno);
	error = stage2_stack(
		filter, (unsigned short)((size_t)bytes / sizeof(filter[0])));
	if (error)
		standin_bug(s, "stack a vCPU's filter", error);
	make_call(s, vcpu->attack);
	/* for good: it may do no more than a vCPU's */
	pthread_mutex_lock(&vcpu->gate);
	for (;;)
		pthread_cond_wait(&vcpu->moved, &vcpu->gate);
}

static struct vcpu vcpu = {
	.gate = PTHREAD_MUTEX_INITIALIZER,
	.moved = PTHREAD_COND_INITIALIZER,
};

static void begin_vcpu(const struct standin *s, const struct attack *attack)
{
	pthread_t thread;

	vcpu.s = s;
	vcpu.attack = attack;
	if (pthread_create(&thread, NULL, vcpu_main, &vcpu) != 0)
		standin_bug(s, "thread", errno);
	pthread_mutex_lock(&vcpu.gate);
	while (!vcpu.begun)
		pthread_cond_wait(&vcpu.moved, &vcpu.gate);
	pthread_mutex_unlock(&vcpu.gate);
}

static void let_vcpu_go(void)
{
	pthread_mutex_lock(&vcpu.gate);
	vcpu.open = true;
	pthread_cond_broadcast(&vcpu.moved);
	pthread_mutex_unlock(&vcpu.gate);
}

static _Noreturn void attack(struct standin *s, const struct attack *attack,
			     bool in_vcpu)
{
	other_fd = local_socket();
	if (in_vcpu)
		begin_vcpu(s, attack);
	standin_close_cage(s);
	listener_copy_fd = s->listener_fd;
	standin_send(s, MSG_READY, s->listener_fd);
	if (in_vcpu)
		let_vcpu_go();
	else
		make_call(s, attack);
	standin_serve(s);
}

static int bind_abstract(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path + 1, name, strlen(name));
	if (bind(fd, (struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     strlen(name))) < 0)
		return 1;
	puts("bound");
	fflush(stdout);
	for (;;)
		pause();
}

/* What a test asks it for, outside of any cage. */
static int outside(int argc, char **argv)
{
	char vm_name[VM_NAME_MAX + 1];

	if (strcmp(argv[1], "--calls") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
			vm_name_of(calls[i].name, vm_name);
			printf("%s %s\n", vm_name, calls[i].call);
		}
		return 0;
	}
	if (strcmp(argv[1], "--names") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
			puts(stages[i].name);
		return 0;
	}
	if (strcmp(argv[1], "--bind") == 0 && argc > 2 && strlen(argv[2]) < 100)
		return bind_abstract(argv[2]);
	return 2;
}

int main(int argc, char **argv)
{
	struct standin s;
	char vm_name[VM_NAME_MAX + 1];
	const char *name;
	bool in_vcpu;

	if (argc > 1 && strncmp(argv[1], "--", 2) == 0)
		return outside(argc, argv);
	count_descriptors();
	standin_init(&s);
	standin_introduce(&s);
	standin_equip(&s);
	name = s.config.name;
	in_vcpu = strncmp(name, "vcpu-", 5) == 0;
	name += in_vcpu ? 5 : strncmp(name, "kvm-", 4) == 0 ? 4 : 0;
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
		if (strcmp(name, stages[i].name) == 0)
			stages[i].probe(&s);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		vm_name_of(calls[i].name, vm_name);
		if (strcmp(name, vm_name) == 0)
			attack(&s, &calls[i], in_vcpu);
	}
	standin_behave(&s);
}
