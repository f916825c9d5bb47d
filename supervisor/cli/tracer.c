/* SPDX-License-Identifier: ISC */
/*
 * The system call filters of a thread, as the kernel gives them back.
 *
 * Theory of operation: only a tracer gets them, and only of a thread that
 * stands still. A VM must not stand still for long, whatever becomes of this
 * command: so a process of its own does it, and before it begins, it has the
 * kernel kill it a few milliseconds later. The end of a tracer lets go of the
 * thread. That process has no signal to wait for and no terminal, and goes
 * before all others on its processor.
 *
 * PTRACE_SECCOMP_GET_FILTER gives the code as it was loaded, and counts filters
 * from the oldest (a unit test holds that; the manual says the opposite).
 */
#include "supervisor/cli/tracer.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/proc.h"

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif
#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

#define TRIES 50

struct tracer *tracer_new(void)
{
	/* MAP_POPULATE: no page fault while a thread is stopped */
	struct tracer *tracer =
		mmap(NULL, sizeof(*tracer), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return tracer == MAP_FAILED ? NULL : tracer;
}

void tracer_free(struct tracer *tracer)
{
	if (tracer)
		munmap(tracer, sizeof(*tracer));
}

/* ---- the tracer, which is a process of its own */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* From here on the tracer lives for TRACER_LIMIT_NS, and
 * sends no signal at its end. */
static int live_briefly(pid_t parent)
{
	struct sigevent end = { .sigev_notify = SIGEV_SIGNAL,
				.sigev_signo = SIGKILL };
	const struct itimerspec when = { .it_value.tv_nsec = TRACER_LIMIT_NS };
	const struct sched_param first = { .sched_priority = 1 };
	sigset_t all;
	timer_t timer;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return -ESRCH;
	/* without either, the tracer may run out of time, and is tried again */
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		setpriority(PRIO_PROCESS, 0, -20);
	if (timer_create(CLOCK_MONOTONIC, &end, &timer) < 0 ||
	    timer_settime(timer, 0, &when, NULL) < 0)
		return -errno;
	return 0;
}

static int fail_step(struct tracer *tracer, enum tracer_step step, int error)
{
	tracer->step = step;
	return -error;
}

/* Stops the thread. *signal: a signal that was about to be delivered,
 * to be passed on; 0: none. */
static int stop_thread(struct tracer *tracer, pid_t tid, int *signal)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0L, 0L) < 0)
		return fail_step(tracer, TRACER_SEIZE, errno);
	if (ptrace(PTRACE_INTERRUPT, tid, 0L, 0L) < 0 ||
	    waitpid(tid, &status, __WALL) < 0)
		return fail_step(tracer, TRACER_STOP, errno);
	if (!WIFSTOPPED(status))
		return fail_step(tracer, TRACER_STOP, ESRCH);
	*signal = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
	return 0;
}

static int read_one(struct tracer *tracer, pid_t tid)
{
	size_t at = tracer->at[tracer->count];
	long length = ptrace(PTRACE_SECCOMP_GET_FILTER, tid,
			     (unsigned long)tracer->count, NULL);

	if (length < 0)
		return -errno;
	if (tracer->count == TRACER_FILTERS ||
	    TRACER_CODE - at < (size_t)length)
		return -E2BIG;
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (unsigned long)tracer->count,
		   tracer->code + at) != length)
		return -EIO;
	tracer->at[++tracer->count] = at + (size_t)length;
	return 0;
}

static int read_all(struct tracer *tracer, int task_fd, pid_t tid)
{
	char name[16];
	struct stat st;
	int error;

	/* the number stays that of this thread while it is traced */
	snprintf(name, sizeof(name), "%d", tid);
	if (fstatat(task_fd, name, &st, 0) < 0)
		return fail_step(tracer, TRACER_STOP, ESRCH);
	do
		error = read_one(tracer, tid);
	while (!error);
	/* EINVAL: the thread has no filter */
	if (error == -ENOENT || (error == -EINVAL && tracer->count == 0))
		return 0;
	return fail_step(tracer, TRACER_READ, -error);
}

static _Noreturn void be_tracer(struct tracer *tracer, int task_fd, pid_t tid,
				pid_t parent)
{
	int signal = 0, error = live_briefly(parent);
	uint64_t stopped_ns = now_ns();

	if (!error)
		error = stop_thread(tracer, tid, &signal);
	if (!error)
		error = read_all(tracer, task_fd, tid);
	ptrace(PTRACE_DETACH, tid, 0L, signal);
	tracer->held_ns = now_ns() - stopped_ns;
	tracer->error = error;
	_exit(0);
}

/* ---- the process that makes the tracer */

static int try_once(struct tracer *tracer, int task_fd, pid_t tid)
{
	pid_t parent = getpid(), pid;
	int status;

	tracer->step = TRACER_STOP;
	tracer->error = -ETIMEDOUT;
	tracer->count = 0;
	tracer->at[0] = 0;
	pid = fork();
	if (pid == 0)
		be_tracer(tracer, task_fd, tid, parent);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	if (!WIFEXITED(status)) /* its own timer killed it: live_briefly() */
		tracer->held_ns = TRACER_LIMIT_NS;
	return tracer->error;
}

int tracer_read(struct tracer *tracer, int task_fd, pid_t tid)
{
	int error = -ETIMEDOUT;

	/* a busy machine may delay tracer and thread */
	for (int i = 0; i < TRIES && error == -ETIMEDOUT; i++)
		error = try_once(tracer, task_fd, tid);
	return error;
}

/* ---- whether this host lets filters be read */

/* In a child: loads two filters that differ, and closes itself to
 * others as a VM process does. */
static _Noreturn void be_traced(int ready_fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog older = { .len = 2, .filter = code };
	struct sock_fprog newer = { .len = 1, .filter = code + 1 };
	const char ready = 1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &older) == 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &newer) == 0 &&
	    setresuid(65534, 65534, 65534) == 0 &&
	    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == 0 &&
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) == 0 &&
	    write(ready_fd, &ready, 1) == 1)
		pause();
	_exit(0);
}

/* Reads the filters of such a child. 0 or -errno. */
static int read_child(struct tracer *tracer, pid_t pid, int ready_fd)
{
	char path[32], ready;
	cleanup_fd int task_fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	task_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (task_fd < 0)
		return -errno;
	/* the child alone has the other end: its exit ends the read */
	if (read(ready_fd, &ready, 1) != 1)
		return -EIO;
	return tracer_read(tracer, task_fd, pid);
}

static int try_child(struct tracer *tracer)
{
	int ends[2], error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		be_traced(ends[1]);
	error = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (pid > 0) {
		error = read_child(tracer, pid, ends[0]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(ends[0]);
	return error;
}

/* Why no process can be traced. */
static const char *seize_obstacle(void)
{
	static const char file[] = "/proc/sys/kernel/yama/ptrace_scope";
	char scope[16];

	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE))
		return "this command lacks CAP_SYS_PTRACE";
	if (proc_read(AT_FDCWD, file, scope, sizeof(scope)) >= 0 &&
	    *scope == '3')
		return "kernel.yama.ptrace_scope is 3 on this host";
	return "a security module lets nobody trace";
}

const char *tracer_obstacle(struct tracer *tracer)
{
	int error;

	/* the kernel shows filters to no process that has some */
	if (prctl(PR_GET_SECCOMP, 0L, 0L, 0L, 0L) != 0)
		return "this command has a filter itself (run it outside of "
		       "the container)";
	error = try_child(tracer);
	if (!error && tracer->count == 0)
		return "the kernel is without CONFIG_CHECKPOINT_RESTORE";
	if (!error)
		return tracer->count == 2 && tracer->at[1] == 2 &&
				       tracer->at[2] == 3
			       ? NULL
			       : "this kernel has another order of filters";
	if (tracer->step == TRACER_SEIZE)
		return seize_obstacle();
	if (tracer->step == TRACER_READ)
		return error == -EACCES ? "this command lacks CAP_SYS_ADMIN"
					: "the kernel shows no filters";
	return "this machine is too busy (try again)";
}
