/* SPDX-License-Identifier: ISC */
/*
 * What each system call is tried with: four patterns that any call gets, and
 * those of calls that could do something with a descriptor, a process, a path,
 * memory or privileges.
 */
#include "tests/cage/sweep/sweep.h"

#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define FD        TOKEN(FD)
#define FD_KEPT   TOKEN(FD_KEPT)
#define PID       TOKEN(PID)
#define PATH      TOKEN(PATH)
#define SIGNAL    TOKEN(SIGNAL)
#define VALUE     TOKEN(VALUE)
#define FAMILY    TOKEN(FAMILY)
#define NAMESPACE TOKEN(NAMESPACE)
#define LIMIT     TOKEN(LIMIT)
#define AT(what)  ((long)(what))

/* Of the calls that newer kernels have. */
#define NR_OPENAT2     437
#define NR_PIDFD_GETFD 438
#define NR_FCHMODAT2   452

static char buffer[MUCH] __attribute__((aligned(4096)));
static struct iovec vector = { buffer, sizeof(buffer) };
static long one[2] = { 1 };
static struct flock whole = { .l_type = F_WRLCK }, none = { .l_type = F_UNLCK };
static struct epoll_event watched = { .events = EPOLLIN };
static struct timespec soon = { 0, 1000000 };
static struct sched_param first = { .sched_priority = 1 };
static struct sock_filter drop[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
static struct sock_fprog drops = { 1, drop };
static struct sock_filter allow[] = {
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_fprog allows = { 1, allow };
static char none_argv_text[] = "none";
static char *none_argv[] = { none_argv_text, NULL };
static uint64_t clone_args[11] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD };
/* A message with two of its descriptors, one without, one that is only read. */
static union {
	char room[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr header;
} rights;
static struct msghdr with_fds = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
static struct msghdr plain = { .msg_iov = &vector, .msg_iovlen = 1 };

void calls_prepare(const struct standin *s)
{
	int fds[2] = { s->fds[FD_ROLE_ADOPT], s->fds[FD_ROLE_UIDS] };

	rights.header.cmsg_level = SOL_SOCKET;
	rights.header.cmsg_type = SCM_RIGHTS;
	rights.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&rights.header), fds, sizeof(fds));
}

const struct pattern calls_any[] = {
	{ ANY_NUMBER, { FD, AT(buffer), 64, 0, 0, 0 } },
	{ ANY_NUMBER, { PATH, AT(buffer), 0, 0, 0, 0 } },
	{ ANY_NUMBER, { PID, 0, AT(buffer), 0, 0, 0 } },
	{ ANY_NUMBER, { VALUE, VALUE, 0, 0, 0, 0 } },
};
const size_t calls_any_count = ARRAY_SIZE(calls_any);

#define CALL(name, ...)             \
	{                           \
		SYS_##name,         \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

/* clang-format off: one call, one line */
const struct pattern calls_own[] = {
	/* bytes in and out */
	CALL(read, FD, AT(buffer), MUCH),
	CALL(pread64, FD, AT(buffer), MUCH, 0),
	CALL(readv, FD, AT(&vector), 1),
	CALL(preadv, FD, AT(&vector), 1, 0, 0),
	CALL(write, FD, AT(buffer), MUCH),
	CALL(pwrite64, FD, AT(buffer), MUCH, FAR),
	CALL(writev, FD, AT(&vector), 1),
	CALL(pwritev, FD, AT(&vector), 1, FAR, 0),
	CALL(pwritev2, FD, AT(&vector), 1, -1, -1, 16 /* append */),
	CALL(lseek, FD, FAR, 0),
	CALL(sendfile, FD, FD_KEPT, 0, MUCH),
	CALL(splice, FD, 0, FD_KEPT, 0, MUCH, 2),
	CALL(tee, FD, FD_KEPT, MUCH, 2),
	CALL(vmsplice, FD, AT(&vector), 1, 2),
	CALL(copy_file_range, FD, 0, FD_KEPT, 0, MUCH, 0),
	/* files: size, content, attributes */
	CALL(ftruncate, FD, FAR),
	CALL(ftruncate, FD, 0),
	CALL(fallocate, FD, 0, 0, FAR),
	CALL(fallocate, FD, FALLOC_FL_KEEP_SIZE, 0, FAR),
	CALL(fallocate, FD, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, FAR),
	CALL(fallocate, FD, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 0, FAR),
	CALL(fallocate, FD, FALLOC_FL_ZERO_RANGE, 0, FAR),
	CALL(fallocate, FD, FALLOC_FL_COLLAPSE_RANGE, 0, 4096),
	CALL(fallocate, FD, FALLOC_FL_INSERT_RANGE, 0, 4096),
	CALL(fdatasync, FD),
	CALL(fchmod, FD, 0777),
	CALL(fchown, FD, 1, 1),
	CALL(fchmodat, FD, PATH, 0777),
	CALL(fchownat, FD, AT(""), 1, 1, AT_EMPTY_PATH),
	{ NR_FCHMODAT2, { FD, AT(""), 0777, AT_EMPTY_PATH } },
	CALL(utimensat, FD, 0, 0, 0),
	CALL(fsetxattr, FD, AT("user.x"), AT(buffer), 1, 0),
	/* locks, flags, numbers */
	CALL(flock, FD, LOCK_EX | LOCK_NB),
	CALL(flock, FD, LOCK_UN),
	CALL(fcntl, FD, F_SETLK, AT(&whole)),
	CALL(fcntl, FD, F_OFD_SETLK, AT(&none)),
	CALL(fcntl, FD, F_OFD_SETLK, AT(&whole)),
	CALL(fcntl, FD, F_SETFL, 0),
	CALL(fcntl, FD, F_SETFL, O_NONBLOCK | O_ASYNC | O_APPEND),
	CALL(fcntl, FD, F_SETOWN, PID),
	CALL(fcntl, FD, F_SETSIG, SIGKILL),
	CALL(fcntl, FD, F_SETLEASE, F_WRLCK),
	CALL(fcntl, FD, F_SETPIPE_SZ, MUCH),
	CALL(fcntl, FD, F_ADD_SEALS, 15),
	CALL(fcntl, FD, F_DUPFD, 20),
	CALL(fcntl, FD, F_SETFD, 0),
	CALL(dup, FD),
	CALL(dup2, FD, FD_KEPT),
	CALL(dup3, FD, FD_KEPT, O_CLOEXEC),
	CALL(close, FD),
	CALL(close_range, 3, 1000, 0),
	/* sockets */
	CALL(sendmsg, FD, AT(&with_fds), MSG_DONTWAIT),
	CALL(sendmsg, FD, AT(&plain), MSG_DONTWAIT),
	CALL(sendmmsg, FD, AT(buffer), 1, MSG_DONTWAIT),
	CALL(sendto, FD, AT(buffer), 64, MSG_DONTWAIT, 0, 0),
	CALL(sendto, FD, AT(buffer), 64, MSG_OOB | MSG_DONTWAIT, 0, 0),
	CALL(recvmsg, FD, AT(&plain), MSG_DONTWAIT),
	CALL(recvfrom, FD, AT(buffer), 64, MSG_DONTWAIT, 0, 0),
	CALL(recvfrom, FD, AT(buffer), 64, MSG_PEEK | MSG_DONTWAIT, 0, 0),
	CALL(setsockopt, FD, SOL_SOCKET, SO_ATTACH_FILTER, AT(&drops),
	     sizeof(drops)),
	CALL(shutdown, FD, SHUT_WR),
	CALL(listen, FD, 1),
	CALL(accept4, FD, 0, 0, SOCK_NONBLOCK),
	CALL(bind, FD, AT("\1\0x"), 4),
	CALL(connect, FD, AT("\1\0x"), 4),
	CALL(socket, FAMILY, SOCK_STREAM, 0),
	CALL(socket, FAMILY, SOCK_RAW, 0),
	CALL(socketpair, FAMILY, SOCK_STREAM, 0, AT(buffer)),
	/* waiting */
	CALL(epoll_ctl, FD, EPOLL_CTL_ADD, FD, AT(&watched)),
	CALL(epoll_ctl, FD, EPOLL_CTL_MOD, FD, AT(&watched)),
	CALL(epoll_ctl, FD, EPOLL_CTL_DEL, FD, AT(&watched)),
	CALL(epoll_wait, FD, AT(buffer), 8, 0),
	CALL(ppoll, AT(buffer), 1, AT(&soon), 0, 0),
	CALL(futex, AT(one), 0, 1, AT(&soon), 0, 0),
	CALL(clock_nanosleep, 0, 0, AT(&soon), 0),
	/* memory */
	CALL(mmap, 0, MUCH, PROT_READ | PROT_WRITE, MAP_SHARED, FD, 0),
	CALL(mmap, 0, MUCH, PROT_READ | PROT_EXEC, MAP_PRIVATE, FD, 0),
	CALL(mmap, 0, 256L << 20, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	CALL(mprotect, AT(buffer), 4096, 7),
	CALL(mremap, AT(buffer), 4096, 64L << 20, 1),
	CALL(madvise, AT(buffer), 4096, 12 /* mergeable */),
	CALL(mlock, AT(buffer), MUCH),
	CALL(memfd_create, AT("x"), 0),
	CALL(userfaultfd, 0),
	CALL(process_vm_readv, PID, AT(&vector), 1, AT(&vector), 1, 0),
	CALL(process_vm_writev, PID, AT(&vector), 1, AT(&vector), 1, 0),
	/* paths */
	CALL(openat, FD, PATH, O_RDWR),
	CALL(openat, FD, AT(".."), O_RDONLY | O_DIRECTORY),
	CALL(openat, AT_FDCWD, PATH, O_CREAT | O_RDWR, 0666),
	{ NR_OPENAT2, { AT_FDCWD, PATH, AT(buffer), 24 } },
	CALL(open_by_handle_at, FD, AT(buffer), O_RDWR),
	CALL(mkdirat, FD, AT("sweep"), 0777),
	CALL(mkdirat, AT_FDCWD, AT("/sweep"), 0777),
	CALL(mknodat, AT_FDCWD, AT("/sweep"), 0020666, 0x501),
	CALL(symlinkat, AT("/"), AT_FDCWD, AT("/sweep")),
	CALL(linkat, FD, AT(""), AT_FDCWD, AT("/sweep"), AT_EMPTY_PATH),
	CALL(renameat, AT_FDCWD, PATH, AT_FDCWD, AT("/sweep")),
	CALL(unlinkat, AT_FDCWD, PATH, 0),
	CALL(chdir, PATH),
	CALL(fchdir, FD),
	CALL(chroot, PATH),
	CALL(pivot_root, PATH, PATH),
	CALL(mount, AT("sweep"), PATH, AT("tmpfs"), 0, 0),
	CALL(umount2, PATH, 2),
	CALL(fsopen, AT("tmpfs"), 0),
	CALL(open_tree, FD, AT(""), AT_EMPTY_PATH | 1),
	CALL(move_mount, FD, AT(""), AT_FDCWD, PATH, 4),
	/* processes */
	CALL(execve, PATH, AT(none_argv), 0),
	CALL(execveat, FD, AT(""), AT(none_argv), 0, AT_EMPTY_PATH),
	CALL(clone, SIGCHLD, 0, 0, 0, 0),
	CALL(clone, NAMESPACE, 0, 0, 0, 0),
	CALL(clone3, AT(clone_args), sizeof(clone_args)),
	CALL(fork),
	CALL(vfork),
	CALL(kill, PID, SIGNAL),
	CALL(tgkill, PID, PID, SIGNAL),
	CALL(tkill, PID, SIGNAL),
	CALL(rt_sigqueueinfo, PID, SIGNAL, AT(buffer)),
	CALL(pidfd_open, PID, 0),
	CALL(pidfd_send_signal, FD, SIGNAL, 0, 0),
	{ NR_PIDFD_GETFD, { FD, 3, 0 } },
	CALL(ptrace, 0x4206 /* seize */, PID, 0, 0),
	CALL(ptrace, 16 /* attach */, PID, 0, 0),
	CALL(kcmp, PID, PID, 0, 3, 3),
	CALL(prlimit64, PID, LIMIT, AT(one), 0),
	CALL(setrlimit, LIMIT, AT(one)),
	CALL(setpriority, 0, PID, 19),
	CALL(sched_setscheduler, PID, SCHED_FIFO, AT(&first)),
	CALL(sched_setscheduler, PID, SCHED_IDLE, AT(buffer)),
	CALL(sched_setaffinity, PID, 8, AT(one)),
	CALL(ioprio_set, 1, PID, 0),
	CALL(capget, AT(one), AT(buffer)),
	CALL(waitid, 0, 0, 0, 5 /* exited, at once */, 0),
	/* privileges */
	CALL(setns, FD, 0),
	CALL(unshare, NAMESPACE),
	CALL(setuid, 0),
	CALL(setresuid, 0, 0, 0),
	CALL(setresgid, 0, 0, 0),
	CALL(setgroups, 1, AT(buffer)),
	CALL(capset, AT(one), AT(buffer)),
	CALL(seccomp, SECCOMP_SET_MODE_FILTER, 0, AT(&allows)),
	CALL(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
	     AT(&allows)),
	CALL(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
	     AT(&allows)),
	CALL(seccomp, SECCOMP_SET_MODE_STRICT, 0, 0),
	CALL(landlock_restrict_self, FD, 0),
	/* makers of what could be kept */
	CALL(bpf, FAMILY, AT(buffer), 128),
	CALL(perf_event_open, AT(buffer), PID, -1, -1, 0),
	CALL(io_uring_setup, 8, AT(buffer)),
	CALL(io_uring_register, FD, FAMILY, AT(buffer), 1),
	CALL(timerfd_create, 1, 0),
	CALL(inotify_init1, 0),
	CALL(fanotify_init, 0, 0),
	CALL(mq_open, AT("x"), O_CREAT | O_RDWR, 0600, 0),
	CALL(shmget, 0, MUCH, 01600),
	CALL(msgget, 0, 01600),
	CALL(semget, 0, 1, 01600),
	CALL(keyctl, 0, -3, 1, 0, 0),
	CALL(add_key, AT("user"), AT("x"), AT("y"), 1, -3),
	/* the host */
	CALL(sethostname, AT("sweep"), 5),
	CALL(clock_settime, 0, AT(&soon)),
	CALL(syslog, 5, 0, 0),
	CALL(iopl, 3),
};
/* clang-format on */
const size_t calls_own_count = ARRAY_SIZE(calls_own);
