/* SPDX-License-Identifier: ISC */
/*
 * Tries a role's system call filter in the kernel, call by call, without a VM:
 * in a process that has the very filters of a VM process, the supervisor's
 * inherited one below that of set-up below its own, and in a thread of it with
 * the vCPUs' on top; other threads of guest kvm are sealed.
 *
 *	filters ROLE calls    of all calls, those that pass with arguments of -1
 *	filters ROLE cases    calls with the arguments that filters pin
 *	filters ROLE blocks   calls on descriptors of each block of the plan
 *	filters ROLE ioctls   of all requests tried, those that pass
 *	filters ROLE abi      calls by the entries of other architectures
 *	filters ROLE export   the filter itself: struct sock_filter[]
 *
 * ROLE is builtin, kvm or vcpu; or builtin-setup or kvm-setup, for a process
 * that hasn't loaded its own yet. What the filter lets through is executed (and
 * fails, for its arguments are such); what it notifies gets an error that no
 * call has. Each line is a name and what became of it:
 *
 *	passed    the kernel executed it
 *	refused   notified: the supervisor would end the process; in set-up,
 *	          where nobody is notified: ENOSYS
 *	ENOSYS    refused by the vCPUs' filter alone, or by that of set-up
 *	SIG...    the process was ended at once
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/vhost.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/proto.h"
#include "sandbox/filter.h"
#include "sandbox/stage1.h"
#include "sandbox/stage2.h"
#include "vmproc/lock.h"

/* What notified calls get: no call that is tried fails so by itself. */
#define NOTIFIED EHWPOISON
/* Stands for the pid of the process that tries. */
#define SELF (1L << 40)
/* Past the last system call that there is. */
#define CALLS   1024
#define X32_BIT 0x40000000L
#define TRIES   (1 << 18)
/* Longer than any call that is tried takes. */
#define PATIENCE_MS 20000
#define BROKEN      100 /* exit status: it didn't get as far as to try */

struct
try {
	const char *name; /* NULL: by number */
	long number; /* -1: getpid() by the entry of 32-bit programs */
	long args[6];
};

enum verdict {
	UNTRIED,
	PASSED,
	REFUSED,
	NO_SUCH_CALL,
	KILLED, /* and those after it: by which signal */
};

/* Shared with the process that tries. */
static struct {
	int listener_fd; /* one table of descriptors: the same number here */
	uint32_t at; /* what is under way */
	uint8_t verdicts[TRIES];
} * shared;

static struct try tries[TRIES];
static uint32_t count;
static enum filter_role tried_role;
static bool in_vcpu, in_setup;
static struct filter_program setup_filter;
static int filter_fd, vcpu_filter_fd, told_fds[2], begun_fds[2];
static struct lock gate;
static uint32_t word; /* for futex() */
static pid_t self;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "filters: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void add(const char *name, long number, const long args[6])
{
	if (count == TRIES)
		die("too much to try");
	tries[count].name = name;
	tries[count].number = number;
	memcpy(tries[count++].args, args, sizeof(tries[0].args));
}

/* ---- in the cage */

static long int80(void)
{
	long result = 20; /* getpid() there */

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 :
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static enum verdict try(const struct try *try)
{
	const long *a = try->args;
	long result;

	errno = 0;
	result = try->number < 0
			 ? int80()
			 : syscall(try->number, a[0] == SELF ? self : a[0],
				   a[1], a[2], a[3], a[4], a[5]);
	if (in_setup && result == -1 && errno == ENOSYS)
		return REFUSED;
	if (result == -1 && errno == NOTIFIED)
		return REFUSED;
	return result == -1 && errno == ENOSYS ? NO_SUCH_CALL : PASSED;
}

static _Noreturn void try_all(void)
{
	for (; shared->at < count; shared->at++)
		shared->verdicts[shared->at] = (uint8_t)try(&tries[shared->at]);
	_exit(0);
}

static void *vcpu_main(void *unused)
{
	static struct sock_filter filter[STAGE2_MAX_FILTER];
	ssize_t bytes = pread(vcpu_filter_fd, filter, sizeof(filter), 0);

	(void)unused;
	if (bytes <= 0 || stage2_thread() < 0 ||
	    write(begun_fds[1], "x", 1) != 1)
		_exit(BROKEN);
	lock_take(&gate);
	if (stage2_stack(filter,
			 (unsigned short)((size_t)bytes / sizeof(*filter))) < 0)
		_exit(BROKEN);
	try_all();
}

/* As stage 1 does. */
static bool load_setup(void)
{
	const struct sock_fprog program = {
		.len = setup_filter.length,
		.filter = setup_filter.code,
	};

	filter_fit(&setup_filter, self);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* As a VM process has it: the supervisor's filter inherited, that of set-up
 * over it, a thread made, its own for all threads, the thread's on top. */
static _Noreturn void in_cage(void)
{
	const bool threaded = in_vcpu;
	const char *step = "";
	pthread_t thread;
	char begun;

	self = getpid();
	if (filter_load(FILTER_SUPERVISOR) < 0 || !load_setup())
		_exit(BROKEN);
	if (in_setup) {
		shared->listener_fd = -1;
		if (write(told_fds[1], "x", 1) != 1)
			_exit(BROKEN);
		try_all();
	}
	lock_take(&gate);
	if (threaded && (pthread_create(&thread, NULL, vcpu_main, NULL) != 0 ||
			 read(begun_fds[0], &begun, 1) != 1))
		_exit(BROKEN);
	shared->listener_fd = stage2_close(filter_fd, false, &step);
	if (shared->listener_fd < 0 || write(told_fds[1], "x", 1) != 1)
		_exit(BROKEN);
	if (tried_role == FILTER_KVM && stage2_seal() < 0)
		_exit(BROKEN);
	if (threaded) {
		lock_release(&gate);
		/* the thread ends the process */
		lock_take(&gate);
		for (;;)
			lock_wait(&gate);
	} else {
		try_all();
	}
	_exit(BROKEN);
}

/* ---- outside */

/* In the supervisor's place, until the process has ended. */
static void answer(int listener_fd)
{
	struct pollfd poll_fd = { .fd = listener_fd, .events = POLLIN };

	for (;;) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp response = { .error = -NOTIFIED };

		if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
			die("a call hangs");
		if (!(poll_fd.revents & POLLIN))
			return;
		if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue; /* killed meanwhile */
		response.id = call.id;
		ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

/* What its end says of the call that was under way. */
static void judge(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == BROKEN)
		die("the cage can't be closed");
	if (shared->at == count)
		return;
	/* an exit is what exit_group() does */
	shared->verdicts[shared->at++] =
		(uint8_t)(WIFSIGNALED(status) ? KILLED + WTERMSIG(status)
					      : PASSED);
}

/* One process, from shared->at on: to the end, or to what ends it. */
static void run_once(void)
{
	/* fork(), but with one table of descriptors */
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0);
	char told;
	int status;

	if (pid == 0)
		in_cage();
	if (pid < 0 || read(told_fds[0], &told, 1) != 1)
		die("no process");
	if (!in_setup) {
		answer(shared->listener_fd);
		close(shared->listener_fd);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("wait");
	judge(status);
}

static void run(void)
{
	while (shared->at < count)
		run_once();
}

static const char *verdict_name(uint8_t verdict)
{
	static char text[16];

	switch (verdict) {
	case PASSED:
		return "passed";
	case REFUSED:
		return "refused";
	case NO_SUCH_CALL:
		return "ENOSYS";
	default:
		snprintf(text, sizeof(text), "SIG%s",
			 sigabbrev_np(verdict - KILLED));
		return text;
	}
}

static const char *name_of(const struct try *try)
{
	static char name[40];

	if (try->name)
		return try->name;
	if (try->number == SYS_ioctl)
		snprintf(name, sizeof(name), "%#lx", try->args[1]);
	else
		filter_syscall_name((int)try->number, name, sizeof(name));
	return name;
}

/* ---- calls */

static void add_calls(void)
{
	static const long none[6] = { -1, -1, -1, -1, -1, -1 };

	for (long number = 0; number < CALLS; number++)
		add(NULL, number, none);
}

/* ---- cases */

#define POINTER(p) ((long)(p))
#define CASE(name, call, ...)       \
	{                           \
		name, SYS_##call,   \
		{                   \
			__VA_ARGS__ \
		}                   \
	}
#define HIGH    (1L << 32) /* a filter looks there, the kernel doesn't */
#define MAP     (MAP_PRIVATE | MAP_ANONYMOUS)
#define CHANNEL PROTO_CHANNEL_FD
/* A process that can't be. */
#define NOBODY (1L << 30)

static const struct try cases[] = {
	CASE("sendmsg-channel", sendmsg, CHANNEL),
	CASE("sendmsg-other", sendmsg, CHANNEL + 1),
	CASE("sendmsg-high", sendmsg, CHANNEL | HIGH),
	CASE("recvmsg-channel", recvmsg, CHANNEL),
	CASE("recvmsg-other", recvmsg, CHANNEL + 1),
	CASE("recvmsg-high", recvmsg, CHANNEL | HIGH),
	CASE("epoll-create", epoll_create1, EPOLL_CLOEXEC),
	CASE("epoll-add", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_ADD,
	     PROTO_TAP_FD),
	CASE("epoll-mod", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_MOD,
	     PROTO_TAP_FD),
	CASE("epoll-del", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_DEL,
	     PROTO_TAP_FD),
	CASE("epoll-add-kept", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_ADD,
	     PROTO_ADOPT_FD),
	CASE("epoll-mod-kept", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_MOD,
	     PROTO_ADOPT_FD),
	/* to the kernel it is the low number */
	CASE("epoll-add-kept-high", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_ADD,
	     PROTO_ADOPT_FD | HIGH),
	CASE("epoll-mod-kept-high", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_MOD,
	     PROTO_CONSOLE_ADOPT_FD | HIGH),
	CASE("epoll-del-kept-high", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_DEL,
	     PROTO_UIDS_FD | HIGH),
	CASE("epoll-add-loop", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_ADD,
	     PROTO_LOOP_FD + 1),
	CASE("epoll-add-other", epoll_ctl, PROTO_PASSING_FD, EPOLL_CTL_ADD,
	     PROTO_CHANNEL_FD),
	CASE("epoll-add-channel", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_ADD,
	     PROTO_CHANNEL_FD),
	CASE("epoll-add-event", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_ADD,
	     PROTO_EVENT_FD),
	CASE("epoll-mod-event", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_MOD,
	     PROTO_EVENT_FD),
	CASE("epoll-del-event", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_DEL,
	     PROTO_EVENT_FD),
	CASE("epoll-mod-channel", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_MOD,
	     PROTO_CHANNEL_FD),
	CASE("epoll-mod-other", epoll_ctl, PROTO_PASSING_FD, EPOLL_CTL_MOD,
	     PROTO_TAP_FD),
	CASE("epoll-mod-high", epoll_ctl, PROTO_LOOP_FD, EPOLL_CTL_MOD | HIGH,
	     PROTO_TAP_FD),
	CASE("futex-wait", futex, POINTER(&word), FUTEX_WAIT, 1),
	CASE("futex-wait-private", futex, POINTER(&word), FUTEX_WAIT_PRIVATE,
	     1),
	CASE("futex-wait-bitset", futex, POINTER(&word),
	     FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 1,
	     0, 0, -1),
	CASE("futex-wake", futex, POINTER(&word), FUTEX_WAKE, 1),
	CASE("futex-wake-private", futex, POINTER(&word), FUTEX_WAKE_PRIVATE,
	     1),
	CASE("futex-fd", futex, POINTER(&word), FUTEX_FD),
	CASE("futex-requeue", futex, POINTER(&word), FUTEX_REQUEUE),
	CASE("futex-cmp-requeue", futex, POINTER(&word), FUTEX_CMP_REQUEUE),
	CASE("futex-wake-op", futex, POINTER(&word), FUTEX_WAKE_OP),
	CASE("futex-lock-pi", futex, POINTER(&word), FUTEX_LOCK_PI),
	CASE("futex-lock-pi2", futex, POINTER(&word), 13),
	CASE("futex-unlock-pi", futex, POINTER(&word), FUTEX_UNLOCK_PI),
	CASE("futex-trylock-pi", futex, POINTER(&word), FUTEX_TRYLOCK_PI),
	CASE("futex-requeue-pi", futex, POINTER(&word), FUTEX_CMP_REQUEUE_PI),
	CASE("futex-wait-pi", futex, POINTER(&word), FUTEX_WAIT_REQUEUE_PI),
	CASE("futex-high", futex, POINTER(&word), FUTEX_WAKE | HIGH),
	CASE("kick", tgkill, NOBODY, NOBODY, SIGUSR1),
	CASE("kick-abort", tgkill, NOBODY, NOBODY, SIGABRT),
	CASE("kick-kill", tgkill, NOBODY, NOBODY, SIGKILL),
	CASE("kick-nothing", tgkill, NOBODY, NOBODY, 0),
	CASE("kick-self", tgkill, SELF, NOBODY, SIGUSR1),
	CASE("kick-self-kill", tgkill, SELF, NOBODY, SIGKILL),
	CASE("stack-a-filter", seccomp, SECCOMP_SET_MODE_FILTER, 0, 0),
	CASE("filter-listener", seccomp, SECCOMP_SET_MODE_FILTER,
	     SECCOMP_FILTER_FLAG_NEW_LISTENER, 0),
	CASE("filter-all", seccomp, SECCOMP_SET_MODE_FILTER,
	     SECCOMP_FILTER_FLAG_TSYNC, 0),
	CASE("filter-stage2", seccomp, SECCOMP_SET_MODE_FILTER,
	     STAGE2_FILTER_FLAGS, 0),
	CASE("filter-strict", seccomp, SECCOMP_SET_MODE_STRICT, 0, 0),
	CASE("filter-sizes", seccomp, SECCOMP_GET_NOTIF_SIZES, 0, 0),
	CASE("discard", fallocate, PROTO_DISK_FD,
	     FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 1),
	CASE("discard-kept", fallocate, PROTO_UIDS_FD,
	     FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 1),
	CASE("zeroes", fallocate, PROTO_DISK_FD + PROTO_DISK_FDS - 1,
	     FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 0, 1),
	CASE("allocate", fallocate, -1, 0, 0, 1),
	CASE("allocate-keep", fallocate, -1, FALLOC_FL_KEEP_SIZE, 0, 1),
	CASE("zeroes-grow", fallocate, -1, FALLOC_FL_ZERO_RANGE, 0, 1),
	CASE("collapse", fallocate, -1, FALLOC_FL_COLLAPSE_RANGE, 0, 1),
	CASE("insert", fallocate, -1, FALLOC_FL_INSERT_RANGE, 0, 1),
	CASE("unshare-range", fallocate, -1, FALLOC_FL_UNSHARE_RANGE, 0, 1),
	CASE("allocate-disk", fallocate, PROTO_DISK_FD, 0, 0, 1),
	CASE("close-listener", close, 0),
	CASE("close-filter", close, PROTO_PASSING_FD),
	CASE("close-adopt", close, PROTO_ADOPT_FD),
	CASE("close-uids", close, PROTO_UIDS_FD),
	CASE("close-kernel", close, PROTO_KERNEL_FD),
	CASE("close-disk", close, PROTO_DISK_FD),
	CASE("close-tap", close, PROTO_TAP_FD),
	CASE("close-console", close, PROTO_CONSOLE_FD),
	CASE("mmap", mmap, 0, 4096, PROT_READ, MAP, -1),
	CASE("mmap-exec", mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP, -1),
	CASE("mmap-guest", mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
	     CHANNEL),
	CASE("mmap-reserve", mmap, 0, 2 << 20, PROT_READ, MAP | MAP_HUGETLB,
	     -1),
	CASE("mmap-reserve-exec", mmap, 0, 2 << 20, PROT_READ | PROT_EXEC,
	     MAP | MAP_HUGETLB, -1),
	CASE("mprotect", mprotect, POINTER(cases), 4096, PROT_READ),
	CASE("mprotect-exec", mprotect, POINTER(cases), 4096,
	     PROT_READ | PROT_EXEC),
	CASE("pkey-exec", pkey_mprotect, POINTER(cases), 4096, PROT_EXEC, -1),
	CASE("munmap", munmap, 0, 4096),
	CASE("mremap", mremap, 0, 4096, 8192, MREMAP_MAYMOVE),
	CASE("madvise", madvise, 0, 4096, MADV_DONTNEED),
	CASE("brk", brk, 0),
	CASE("fork", fork, 0),
	CASE("vfork", vfork, 0),
	CASE("clone", clone, SIGCHLD),
	CASE("clone-thread", clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND),
	CASE("clone3", clone3, 0, sizeof(struct clone_args)),
	CASE("execve", execve, 0),
	CASE("execveat", execveat, -1, POINTER(""), 0, 0, AT_EMPTY_PATH),
	CASE("sigreturn-by-hand", rt_sigqueueinfo, NOBODY, SIGUSR1, 0),
	CASE("prctl-dumpable", prctl, PR_SET_DUMPABLE, 1),
	CASE("prctl-undumpable", prctl, PR_SET_DUMPABLE, 0),
	CASE("prctl-outlive", prctl, PR_SET_PDEATHSIG, 0),
	CASE("prctl-death-signal", prctl, PR_SET_PDEATHSIG, SIGTERM),
	CASE("prctl-mdwe", prctl, PR_SET_MDWE, 0),
	CASE("prctl-name", prctl, PR_SET_NAME, 0),
	CASE("prctl-seccomp", prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0),
	CASE("prctl-tracer", prctl, PR_SET_PTRACER, -1),
	CASE("prctl-mm", prctl, PR_SET_MM, 0),
	CASE("prctl-subreaper", prctl, PR_SET_CHILD_SUBREAPER, 1),
	CASE("thread-pointer", arch_prctl, 0x1002, 1L << 62),
	CASE("cpuid-faults", arch_prctl, 0x1012, 0),
	CASE("limit-own", prlimit64, 0, RLIMIT_NOFILE, 0, 0),
	CASE("limit-own-change", prlimit64, 0, RLIMIT_NOFILE, POINTER(cases)),
	CASE("limit-other", prlimit64, 1, RLIMIT_NOFILE, 0, 0),
	CASE("limit-self", prlimit64, SELF, RLIMIT_NOFILE, 0, 0),
	CASE("batch-own", sched_setscheduler, 0, SCHED_BATCH, 0),
	CASE("batch-other", sched_setscheduler, 1, SCHED_BATCH, 0),
	CASE("fifo-own", sched_setscheduler, 0, SCHED_FIFO, 0),
	CASE("handler-kick", rt_sigaction, SIGUSR1, 0, 0, 8),
	CASE("eventfd", eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK),
	CASE("eventfd-blocking", eventfd2, 0, 0),
	CASE("execveat-program", execveat, STAGE1_PROGRAM_FD, 0, 0, 0,
	     AT_EMPTY_PATH),
	CASE("execveat-path", execveat, STAGE1_PROGRAM_FD, POINTER("x"), 0, 0,
	     0),
	CASE("place", dup3, -1, 10, O_CLOEXEC),
	CASE("place-for-exec", dup3, -1, 10, 0),
	CASE("stat-descriptor", newfstatat, -1, POINTER(""), 0, AT_EMPTY_PATH),
	CASE("stat-path", newfstatat, -1, POINTER(""), 0, 0),
	CASE("hugepages", madvise, 0, 4096, MADV_HUGEPAGE),
	CASE("no-dump", madvise, 0, 4096, MADV_DONTDUMP),
	CASE("handler", rt_sigaction, SIGSYS, 0, 0, 8),
	CASE("fcntl-unlock", fcntl, -1, F_OFD_SETLK, 0),
	CASE("fcntl-flags", fcntl, -1, F_SETFL, 0),
	CASE("fcntl-nonblocking", fcntl, -1, F_SETFL, O_RDWR | O_NONBLOCK),
	CASE("fcntl-async", fcntl, -1, F_SETFL, O_RDWR | O_ASYNC),
	CASE("fcntl-get-flags", fcntl, -1, F_GETFL, 0),
	CASE("fcntl-owner", fcntl, -1, F_SETOWN, 1),
	CASE("fcntl-signal", fcntl, -1, F_SETSIG, SIGKILL),
	CASE("fcntl-lease", fcntl, -1, F_SETLEASE, F_WRLCK),
	CASE("fcntl-notify", fcntl, -1, F_NOTIFY, -1),
	CASE("fcntl-seal", fcntl, -1, F_ADD_SEALS, F_SEAL_SEAL),
	CASE("fcntl-dup", fcntl, -1, F_DUPFD_CLOEXEC, 48),
	CASE("fcntl-dup-for-exec", fcntl, -1, F_DUPFD, 48),
	CASE("fcntl-lock", fcntl, -1, F_SETLK, 0),
	CASE("ioctl-none", ioctl, -1, 0),
	CASE("offloads-none", ioctl, PROTO_TAP_FD, TUNSETOFFLOAD, 0),
	CASE("offloads", ioctl, PROTO_TAP_FD, TUNSETOFFLOAD, TUN_F_CSUM),
};

static void add_cases(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		add(cases[i].name, cases[i].number, cases[i].args);
}

/* ---- calls on each block of the plan */

#define ON_EACH(call)                                                   \
	{ #call "-channel", SYS_##call, { PROTO_CHANNEL_FD } },         \
		{ #call "-adopt", SYS_##call, { PROTO_ADOPT_FD } },     \
		{ #call "-uids", SYS_##call, { PROTO_UIDS_FD } },       \
		{ #call "-kernel", SYS_##call, { PROTO_KERNEL_FD } },   \
		{ #call "-initrd", SYS_##call, { PROTO_INITRD_FD } },   \
		{ #call "-console-adopt",                               \
		  SYS_##call,                                           \
		  { PROTO_CONSOLE_ADOPT_FD } },                         \
		{ #call "-passing", SYS_##call, { PROTO_PASSING_FD } }, \
		{ #call "-loop", SYS_##call, { PROTO_LOOP_FD } },       \
		{ #call "-disk", SYS_##call, { PROTO_DISK_FD } },       \
		{ #call "-tap", SYS_##call, { PROTO_TAP_FD } },         \
		{ #call "-last-tap",                                    \
		  SYS_##call,                                           \
		  { PROTO_TAP_FD + PROTO_TAP_FDS - 1 } },               \
		{ #call "-vhost", SYS_##call, { PROTO_VHOST_FD } },     \
		{ #call "-vm", SYS_##call, { PROTO_VM_FD } },           \
		{ #call "-vcpu", SYS_##call, { PROTO_VCPU_FD } },       \
		{ #call "-console", SYS_##call, { PROTO_CONSOLE_FD } }, \
		{ #call "-last-event",                                  \
		  SYS_##call,                                           \
		  { PROTO_EVENT_FD + PROTO_EVENT_FDS - 1 } },           \
		{ #call "-beyond", SYS_##call, { PROTO_FDS } },         \
	{                                                               \
#call "-none", SYS_##call,                              \
		{                                                       \
			-1                                              \
		}                                                       \
	}

/* clang-format off */
static const struct try blocks[] = {
	ON_EACH(read), ON_EACH(write), ON_EACH(readv), ON_EACH(writev),
	ON_EACH(preadv), ON_EACH(pwritev), ON_EACH(fdatasync),
	ON_EACH(epoll_wait), ON_EACH(pwrite64), ON_EACH(preadv2),
	ON_EACH(pwritev2),
};
/* clang-format on */

static void add_blocks(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		add(blocks[i].name, blocks[i].number, blocks[i].args);
}

/* ---- requests of ioctl() */

#define REQUEST(request)            \
	{                           \
#request, (request) \
	}

/* By name: what is allowed, and what would do the most harm. */
static const struct {
	const char *name;
	uint32_t request;
} requests[] = {
	REQUEST(KVM_RUN),
	REQUEST(KVM_IRQFD),
	REQUEST(KVM_SET_GSI_ROUTING),
	REQUEST(KVM_IOEVENTFD),
	REQUEST(KVM_KVMCLOCK_CTRL),
	REQUEST(KVM_GET_REGS),
	REQUEST(TUNSETOFFLOAD),
	REQUEST(TUNSETQUEUE),
	REQUEST(VHOST_SET_FEATURES),
	REQUEST(VHOST_SET_VRING_NUM),
	REQUEST(VHOST_SET_VRING_BASE),
	REQUEST(VHOST_GET_VRING_BASE),
	REQUEST(VHOST_SET_VRING_ADDR),
	REQUEST(VHOST_SET_VRING_KICK),
	REQUEST(VHOST_SET_VRING_CALL),
	REQUEST(VHOST_SET_VRING_ERR),
	REQUEST(VHOST_NET_SET_BACKEND),
	/* from here on, nobody's after set-up */
	REQUEST(KVM_GET_API_VERSION),
	REQUEST(KVM_GET_SUPPORTED_CPUID),
	REQUEST(KVM_GET_VCPU_MMAP_SIZE),
	REQUEST(KVM_SET_IDENTITY_MAP_ADDR),
	REQUEST(KVM_SET_TSS_ADDR),
	REQUEST(KVM_CREATE_VM),
	REQUEST(KVM_CREATE_VCPU),
	REQUEST(KVM_CREATE_DEVICE),
	REQUEST(KVM_CREATE_IRQCHIP),
	REQUEST(KVM_CHECK_EXTENSION),
	REQUEST(KVM_ENABLE_CAP),
	REQUEST(KVM_SET_USER_MEMORY_REGION),
	REQUEST(KVM_SET_REGS),
	REQUEST(KVM_GET_SREGS),
	REQUEST(KVM_SET_SREGS),
	REQUEST(KVM_GET_MSRS),
	REQUEST(KVM_SET_MSRS),
	REQUEST(KVM_SET_CPUID2),
	REQUEST(KVM_SET_GUEST_DEBUG),
	REQUEST(KVM_SIGNAL_MSI),
	REQUEST(KVM_IRQ_LINE),
	REQUEST(KVM_GET_DIRTY_LOG),
	REQUEST(KVM_SET_SIGNAL_MASK),
	REQUEST(KVM_GET_XSAVE),
	REQUEST(VHOST_SET_OWNER),
	REQUEST(VHOST_RESET_OWNER),
	REQUEST(VHOST_SET_MEM_TABLE),
	REQUEST(VHOST_SET_LOG_BASE),
	REQUEST(VHOST_SET_LOG_FD),
	REQUEST(VHOST_GET_FEATURES),
	REQUEST(TUNSETIFF),
	REQUEST(TUNGETIFF),
	REQUEST(TUNSETPERSIST),
	REQUEST(TUNSETOWNER),
	REQUEST(TUNSETNOCSUM),
	REQUEST(TUNSETVNETHDRSZ),
	REQUEST(TUNSETSNDBUF),
	REQUEST(TUNATTACHFILTER),
	REQUEST(TUNSETSTEERINGEBPF),
	REQUEST(TUNSETFILTEREBPF),
	REQUEST(TUNSETCARRIER),
	REQUEST(TUNGETDEVNETNS),
	REQUEST(TIOCSTI),
	REQUEST(TIOCLINUX),
	REQUEST(TIOCSCTTY),
	REQUEST(FIONBIO),
	REQUEST(FIOASYNC),
	REQUEST(BLKDISCARD),
	REQUEST(BLKZEROOUT),
	REQUEST(BLKROSET),
	REQUEST(FICLONE),
	REQUEST(FS_IOC_SETFLAGS),
	REQUEST(SECCOMP_IOCTL_NOTIF_RECV),
	REQUEST(SECCOMP_IOCTL_NOTIF_SEND),
	REQUEST(SECCOMP_IOCTL_NOTIF_ADDFD),
	REQUEST(SECCOMP_IOCTL_NOTIF_ID_VALID),
};

static bool is_named(uint64_t request)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].request == request)
			return true;
	return false;
}

/* Where such a request belongs: any that isn't KVM's, vhost's or a TAP's is
 * tried on a TAP. */
static long place_of(uint32_t request)
{
	static const uint32_t of_vcpu[] = { KVM_RUN, KVM_KVMCLOCK_CTRL,
					    KVM_GET_REGS };

	for (size_t i = 0; i < ARRAY_SIZE(of_vcpu); i++)
		if (request == of_vcpu[i])
			return PROTO_VCPU_FD;
	switch (_IOC_TYPE(request)) {
	case KVMIO:
		return PROTO_VM_FD;
	case VHOST_VIRTIO:
		return PROTO_VHOST_FD;
	default:
		return PROTO_TAP_FD;
	}
}

static void add_request(const char *name, uint64_t request)
{
	if (name || !is_named(request))
		add(name, SYS_ioctl,
		    (long[6]){ place_of((uint32_t)request), (long)request });
}

/* Each with any one bit of the 64 changed: what is shown to the filter, and
 * with the upper half, what the kernel cuts off. */
static void add_neighbours(uint32_t request)
{
	for (int bit = 0; bit < 64; bit++)
		add_request(NULL, request ^ 1ULL << bit);
	add_request(NULL, request | 0xffffffff00000000ULL);
}

static void add_requests(void)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8, 16, 24, 32, 40, 64, 144 };
	static const uint32_t types[] = { KVMIO, VHOST_VIRTIO, 'T' };

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		add_request(requests[i].name, requests[i].request);
		add_neighbours(requests[i].request);
	}
	for (uint32_t low = 0; low < 1 << 16; low++)
		add_request(NULL, low);
	for (size_t i = 0; i < ARRAY_SIZE(types) * 4 * 256; i++)
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++)
			add_request(NULL, _IOC(i / 256 % 4, types[i / 1024],
					       i % 256, sizes[j]));
}

/* ---- other entries */

/* Each ends its process. */
static void add_abi(void)
{
	static const long calls[] = {
		SYS_read,   SYS_write,  SYS_getpid,
		SYS_openat, SYS_execve, SYS_epoll_wait,
		SYS_close,  SYS_futex,  0x200 /* of x32 alone */,
	};
	static const long none[6] = { -1, -1, -1, -1, -1, -1 };

	add("int80", -1, none);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		add("x32", X32_BIT | calls[i], none);
}

/* ---- what is asked for */

static const struct {
	const char *name;
	void (*add)(void);
	bool passed_only; /* print no more */
} modes[] = {
	{ "calls", add_calls, true },   { "cases", add_cases, false },
	{ "blocks", add_blocks, true }, { "ioctls", add_requests, true },
	{ "abi", add_abi, false },
};

static const struct {
	const char *name;
	enum filter_role role, process, setup;
} roles[] = {
	{ "builtin", FILTER_BUILTIN, FILTER_BUILTIN, FILTER_BUILTIN_SETUP },
	{ "kvm", FILTER_KVM, FILTER_KVM, FILTER_KVM_SETUP },
	{ "vcpu", FILTER_VCPU, FILTER_KVM, FILTER_KVM_SETUP },
	{ "builtin-setup", FILTER_BUILTIN_SETUP, FILTER_BUILTIN_SETUP,
	  FILTER_BUILTIN_SETUP },
	{ "kvm-setup", FILTER_KVM_SETUP, FILTER_KVM_SETUP, FILTER_KVM_SETUP },
	{ "supervisor", FILTER_SUPERVISOR, FILTER_SUPERVISOR,
	  FILTER_SUPERVISOR },
};

static size_t role_of(const char *name)
{
	size_t at = 0;

	while (at < ARRAY_SIZE(roles) && strcmp(roles[at].name, name) != 0)
		at++;
	if (at == ARRAY_SIZE(roles))
		exit(2);
	return at;
}

static void print(bool passed_only)
{
	uint32_t tried[KILLED + 1] = { 0 };

	for (uint32_t i = 0; i < count; i++) {
		uint8_t verdict = shared->verdicts[i];

		tried[verdict < KILLED ? verdict : KILLED]++;
		if (!passed_only || verdict != REFUSED)
			printf("%s %s\n", name_of(&tries[i]),
			       verdict_name(verdict));
	}
	/* that all of them were */
	if (tried[UNTRIED])
		die("not all were tried");
	fprintf(stderr, "%u tried, %u refused\n", count, tried[REFUSED]);
}

static int export(enum filter_role role)
{
	cleanup_fd int fd = filter_export(role);
	char filter[STAGE2_MAX_FILTER * sizeof(struct sock_filter)];
	ssize_t bytes = fd < 0 ? -1 : pread(fd, filter, sizeof(filter), 0);

	return bytes > 0 && write(STDOUT_FILENO, filter, (size_t)bytes) == bytes
		       ? 0
		       : 1;
}

/* Away from the numbers on which calls are tried, which nobody should have; to
 * where one may write. */
static void move_away(int *fd)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, PROTO_EVENT_FD + 100);

	if (moved < 0)
		die("descriptors");
	close(*fd);
	*fd = moved;
}

static void move_all_away(void)
{
	move_away(&filter_fd);
	move_away(&vcpu_filter_fd);
	for (int i = 0; i < 2; i++) {
		move_away(&told_fds[i]);
		move_away(&begun_fds[i]);
	}
}

int main(int argc, char **argv)
{
	size_t mode = 0, at;

	while (argc == 3 && mode < ARRAY_SIZE(modes) &&
	       strcmp(modes[mode].name, argv[2]) != 0)
		mode++;
	if (argc != 3)
		return 2;
	at = role_of(argv[1]);
	if (strcmp(argv[2], "export") == 0)
		return export(roles[at].role);
	if (mode == ARRAY_SIZE(modes))
		return 2;
	tried_role = roles[at].role;
	in_vcpu = tried_role == FILTER_VCPU;
	in_setup = roles[at].role == roles[at].setup;
	filter_fd = filter_export(roles[at].process);
	if (filter_compile(roles[at].setup, &setup_filter) < 0)
		return 1;
	vcpu_filter_fd = filter_export(FILTER_VCPU);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (filter_fd < 0 || vcpu_filter_fd < 0 || shared == MAP_FAILED ||
	    pipe(told_fds) < 0 || pipe(begun_fds) < 0)
		die("start");
	move_all_away();
	modes[mode].add();
	run();
	print(modes[mode].passed_only);
	return 0;
}
