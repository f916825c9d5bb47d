/* SPDX-License-Identifier: ISC */
/*
 * Stage 1 of the cage: between fork and exec of a VM process.
 *
 * Theory of operation: the child of the supervisor still has the supervisor's
 * rights, so it runs only what is in this file. Each step gives up a right that
 * no later step needs. The last step is execveat() of a program that was opened
 * long before: nothing of the supervisor's memory, environment or descriptors
 * is left afterwards. If a step fails, the child reports it on the channel and
 * ends: the program is never executed without it. The system call filter of
 * set-up is loaded last. It lists what the program does until it closes stage
 * 2, and execveat().
 *
 * Each step says what it should do, and what it mustn't: mostly, before or
 * after which other step it mustn't be done. stage1_exec() is their order.
 */
#include "sandbox/stage1.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "ipc/channel.h"
#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/filter.h"
#include "sandbox/handoff.h"

/* proc_pid_oom_score_adj(5): tenths of a percent of the host's memory. */
#define OOM_SCORE_MORE 300
#define OOM_SCORE_MAX  1000

static _Noreturn void fail(const struct stage1 *stage, int channel_fd,
			   const char *step, int error)
{
	struct channel channel = {
		.fd = channel_fd,
		.side = CHANNEL_VMPROC,
		.generation = stage->generation,
	};
	union msg message = { 0 };
	int length;

	length = snprintf(message.log.text, MSG_LOG_TEXT,
			  "cage, stage 1: %s: %s", step, error_name(error));
	message.log.level = LOG_LEVEL_ERROR;
	message.log.length = length < MSG_LOG_TEXT ? (uint32_t)length
						   : MSG_LOG_TEXT - 1;
	channel_send(&channel, MSG_LOG, &message, -1);
	_exit(VMPROC_EXIT_CAGE);
}

/* Should: give each signal its default action, and block none. Mustn't: leave
 * one ignored, for execve() would keep it so; ask libc, whose sigaction()
 * refuses two real-time signals. */
static int reset_signals(void)
{
	static const uint64_t defaults[4]; /* handler, flags, restorer, mask */
	sigset_t none;

	for (int signal = 1; signal < NSIG; signal++) /* KILL, STOP: EINVAL */
		syscall(SYS_rt_sigaction, signal, defaults, NULL,
			sizeof(defaults[3]));
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/*
 * Should: bound the process's descriptors, threads, files and locked memory.
 * Mustn't: come before the change of identity. execve() fails after a change to
 * a uid that has reached its limit of processes; a dead process of that uid,
 * which the host's init hasn't reaped yet, is one.
 */
static int limit(const struct stage1 *stage)
{
	const struct {
		int resource;
		rlim_t value;
	} limits[] = {
		/* the numbers of the plan in ipc/proto.h */
		{ RLIMIT_NOFILE, stage->descriptors },
		/* the process and the threads that set-up makes: no fork */
		{ RLIMIT_NPROC, 1 + stage->threads },
		{ RLIMIT_CORE, 0 }, /* guest memory stays off the disk */
		{ RLIMIT_FSIZE, stage->file_bytes }, /* no file grows */
		{ RLIMIT_MEMLOCK, 0 }, /* nothing to pin */
		{ RLIMIT_MSGQUEUE, 0 }, /* no message queue */
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit value = { limits[i].value, limits[i].value };

		if (setrlimit(limits[i].resource, &value) < 0)
			return -errno;
	}
	return 0;
}

long stage1_oom_score(long supervisors)
{
	long score = supervisors + OOM_SCORE_MORE;

	return score < OOM_SCORE_MAX ? score : OOM_SCORE_MAX;
}

/*
 * Should: make the OOM killer of a host without memory choose a VM process
 * before the supervisor, which takes longer to come back, and whose end frees
 * the memory of no VM. Mustn't: need a right. Raising the score needs none;
 * lowering it again would.
 */
static int go_first(const struct stage1 *stage)
{
	char text[16] = "";
	cleanup_fd int fd = openat(stage->proc_fd, "self/oom_score_adj",
				   O_RDWR | O_CLOEXEC);
	int length;
	long score;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	score = stage1_oom_score(strtol(text, NULL, 10));
	length = snprintf(text, sizeof(text), "%ld", score);
	return write(fd, text, (size_t)length) < 0 ? -errno : 0;
}

/* Should: keep other VMs off a core while a thread of this process runs on it,
 * so that they can't read what it leaves in the core's caches. Mustn't: fail
 * where no core has two threads (ENODEV). */
static int own_core(const struct stage1 *stage)
{
	if (stage->core_scheduling &&
	    prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0,
		  PR_SCHED_CORE_SCOPE_THREAD_GROUP, 0) < 0 &&
	    errno != ENODEV)
		return -errno;
	return 0;
}

/* Should: give the child a table of descriptors of its own, of which those that
 * stage 1 doesn't use aren't even copied, and return its channel. Mustn't: come
 * after any other step, or say that it failed: until it is done, every
 * descriptor is the supervisor's. */
static int get_own_descriptors(const struct stage1 *stage)
{
	int last = stage->handoff_fd;

	if (stage->program_fd > last)
		last = stage->program_fd;
	if (stage->proc_fd > last)
		last = stage->proc_fd;
	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		if (stage->room->ns_fd[i] > last)
			last = stage->room->ns_fd[i];
	if (syscall(SYS_close_range, last + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return -errno;
	return handoff_take(stage->handoff_fd);
}

/* Should: leave PROTO_CHANNEL_FD and STAGE1_PROGRAM_FD (which exec closes) and
 * no other descriptor. Mustn't: come before the room is entered, which takes
 * the descriptors of its namespaces. */
static int keep_two(const struct stage1 *stage, int own_fd)
{
	int channel_fd, program_fd;

	/* first to numbers where neither is in the other's way */
	channel_fd = fcntl(own_fd, F_DUPFD_CLOEXEC, STAGE1_PROGRAM_FD + 1);
	program_fd = fcntl(stage->program_fd, F_DUPFD_CLOEXEC,
			   STAGE1_PROGRAM_FD + 1);
	if (channel_fd < 0 || program_fd < 0)
		return -errno;
	if (dup2(channel_fd, PROTO_CHANNEL_FD) < 0 ||
	    dup3(program_fd, STAGE1_PROGRAM_FD, O_CLOEXEC) < 0)
		return -errno;
	if (syscall(SYS_close_range, STAGE1_PROGRAM_FD + 1, ~0U, 0) < 0 ||
	    syscall(SYS_close_range, 0, PROTO_CHANNEL_FD - 1, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Should: make the epoll descriptors of the program, which can't make any
 * itself. Whoever wakes a socket walks through all epoll descriptors that watch
 * it: if the program made as many as its limit allows, each message would cost
 * the supervisor a second. Mustn't: come before the change of identity, for the
 * kernel counts what they watch as their maker's.
 */
static int make_loops(const struct stage1 *stage)
{
	for (unsigned int i = 0; i < stage->loops; i++) {
		cleanup_fd int fd = epoll_create1(EPOLL_CLOEXEC);

		if (fd < 0 || dup2(fd, PROTO_LOOP_FD + (int)i) < 0)
			return -errno;
	}
	return 0;
}

/* Should: empty the capability bounding set. Mustn't: come after the change of
 * identity, for it needs CAP_SETPCAP. */
static int empty_bounding_set(void)
{
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++) {
		/* most are: the supervisor has few, and to drop one costs new
		 * credentials, which an RCU callback frees */
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno != EINVAL) /* this kernel knows fewer */
			return -errno;
	}
	return 0;
}

/* Should: take the VM's own uid and gid, and no group. Mustn't: keep a saved
 * id, which would be a way back. */
static int become(uid_t id)
{
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 ||
	    setresuid(id, id, id) < 0)
		return -errno;
	return 0;
}

/* Should: empty every capability set. Mustn't: rely on setresuid(), which
 * leaves the inheritable set. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_capset, &header, none) < 0)
		return -errno;
	return 0;
}

/* Should: load the list of set-up, fitted to this process (filter_rules.c).
 * Mustn't: come before another step, for the list is the program's. */
static int load_filter(const struct stage1 *stage)
{
	const struct sock_fprog program = {
		.len = stage->filter->length,
		.filter = stage->filter->code,
	};

	/* This is the child's copy of the supervisor's memory. */
	filter_fit(stage->filter, (pid_t)syscall(SYS_getpid));
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}

_Noreturn void stage1_exec(const struct stage1 *stage)
{
	char program[] = "vmproc";
	char name[sizeof(stage->name)];
	char *argv[] = { program, name, NULL };
	char *envp[] = { NULL };
	int channel_fd = stage->channel_fd;
	int error;

	if (stage->handoff_fd >= 0 &&
	    (channel_fd = get_own_descriptors(stage)) < 0)
		_exit(VMPROC_EXIT_CAGE);
	snprintf(name, sizeof(name), "%s", stage->name);
	if ((error = reset_signals()) < 0)
		fail(stage, channel_fd, "signals", -error);
	if (setsid() < 0)
		fail(stage, channel_fd, "new session", errno);
	umask(0777);
	if ((error = go_first(stage)) < 0)
		fail(stage, channel_fd, "raise its OOM score", -error);
	if ((error = own_core(stage)) < 0)
		fail(stage, channel_fd, "core scheduling", -error);
	if ((error = room_enter(stage->room)) < 0)
		fail(stage, channel_fd, "enter the room", -error);
	if ((error = keep_two(stage, channel_fd)) < 0)
		fail(stage, channel_fd, "close descriptors", -error);
	channel_fd = PROTO_CHANNEL_FD;
	if ((error = empty_bounding_set()) < 0)
		fail(stage, channel_fd, "empty the bounding set", -error);
	if ((error = become(stage->uid)) < 0)
		fail(stage, channel_fd, "change identity", -error);
	if ((error = make_loops(stage)) < 0)
		fail(stage, channel_fd, "event loops", -error);
	if ((error = limit(stage)) < 0)
		fail(stage, channel_fd, "limits", -error);
	if ((error = drop_capabilities()) < 0)
		fail(stage, channel_fd, "drop capabilities", -error);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(stage, channel_fd, "no new privileges", errno);
	/* Not before the change of identity, which would clear the signal. A
	 * process without a supervisor can't be taken over yet, and other VMs
	 * may be given its uid: it ends. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    getppid() != stage->parent)
		fail(stage, channel_fd, "end with the supervisor", ESRCH);
	if ((error = load_filter(stage)) < 0)
		fail(stage, channel_fd, "system call filter", -error);
	syscall(SYS_execveat, STAGE1_PROGRAM_FD, "", argv, envp, AT_EMPTY_PATH);
	fail(stage, channel_fd, "execute vmproc", errno);
}
