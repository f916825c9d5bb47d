/* SPDX-License-Identifier: ISC */
/*
 * Upgrade in place: the running program is replaced, and its VMs run on.
 *
 * Theory of operation: execve keeps the process, and so its children, locks and
 * place in the system, and the descriptors that are let through. What the next
 * image must know goes with it as a document in a memfd. What can go wrong is
 * caught twice:
 *
 * - First the new program is tried: a child executes it, under the very filter
 *   and capabilities that it will have, and lets it read the document. If it
 *   doesn't start, or can't take over what is in there, or takes too long,
 *   nothing has happened; its reason is the answer.
 * - Then a guard is forked, a copy of this image with all that it has. It waits
 *   until the new image says that it serves. If the new image ends or takes too
 *   long, the guard kills it and goes on in its place. The guard is another
 *   process: exit statuses of VM processes are lost to it, but all else is as
 *   it was.
 *
 * The new program is the file that this one was started from: a client that
 * asks for an upgrade can't name another.
 */
#include "supervisor/takeover/upgrade.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/inherit.h"
#include "supervisor/control/control_save.h"
#include "supervisor/core.h"
#include "supervisor/lib/pidfd.h"
#include "supervisor/lib/signals.h"
#include "supervisor/life/process.h"
#include "supervisor/takeover/handover.h"

/* The most that is read of what the new program prints in its trial. */
#define UPGRADE_WORDS 256

/* The time for the trial, and the time until the new program serves. */
#define TRIAL_MS 5000
#define SERVE_MS 5000

int upgrade_init(struct supervisor *supervisor, struct problem *problem)
{
	static const char deleted[] = " (deleted)";
	char *path = supervisor->program;
	ssize_t length = readlink("/proc/self/exe", path,
				  sizeof(supervisor->program) - 1);
	size_t tail = sizeof(deleted) - 1;

	if (length < 0)
		return problem_set(problem, -errno,
				   "/proc/self/exe: %s (mount /proc)",
				   strerror(errno));
	path[length] = '\0';
	if ((size_t)length > tail &&
	    strcmp(path + (size_t)length - tail, deleted) == 0)
		path[(size_t)length - tail] = '\0';
	return 0;
}

/* ---- the end of an attempt that failed */

static void clear_upgrade(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;

	loop_remove(&supervisor->host.loop, &upgrade->trial_source);
	loop_timer_cancel(&supervisor->host.loop, &upgrade->deadline);
	fd_close(&upgrade->trial_pid_fd);
	fd_close(&upgrade->words_fd);
	fd_close(&upgrade->program_fd);
	fd_close(&upgrade->guard_fd);
	fd_close(&upgrade->guard_pid_fd);
}

static void abandon_upgrade(struct supervisor *supervisor, const char *why)
{
	struct call *call = supervisor->upgrade.call;
	char text[UPGRADE_WORDS + 128];

	clear_upgrade(supervisor);
	supervisor->upgrade.call = NULL;
	snprintf(text, sizeof(text),
		 "not upgraded: %s (process %d goes on as it was)", why,
		 (int)getpid());
	log_error("%s", text);
	if (!call)
		return;
	call->gone = NULL;
	call_failed(call, text);
}

/* ---- execution of the new program */

/* Executes the new program. Returns, with errno set, if that failed. */
static void try_execute(const struct supervisor *supervisor, const char *mode,
			int state_fd)
{
	char name[] = "vmsup", command[] = HANDOVER_COMMAND, number[16];
	char word[16];
	char *argv[] = { name, command, word, number, NULL };

	snprintf(word, sizeof(word), "%s", mode);
	snprintf(number, sizeof(number), "%d", state_fd);
	syscall(SYS_execveat, supervisor->upgrade.program_fd, "", argv, environ,
		AT_EMPTY_PATH);
}

static int reap_process(int pid_fd)
{
	siginfo_t info = { 0 };

	while (waitid(WAIT_PIDFD, (id_t)pid_fd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return -1;
	return info.si_code == CLD_EXITED ? info.si_status : -1;
}

/* ---- the guard */

/* In the guard: true if the new program serves. */
static bool new_program_serves(int guard_fd)
{
	struct pollfd polled = { .fd = guard_fd, .events = POLLIN };
	uint64_t deadline_ns = loop_now_ns() + SERVE_MS * NSEC_PER_MSEC;
	uint64_t now_ns;
	char done;

	while ((now_ns = loop_now_ns()) < deadline_ns)
		if (poll(&polled, 1,
			 (int)((deadline_ns - now_ns) / NSEC_PER_MSEC) + 1) > 0)
			return read(guard_fd, &done, 1) == 1;
	return false;
}

/* Kills the new program and waits for its end. */
static void end_successor(int pid_fd)
{
	(void)pidfd_signal(pid_fd, SIGKILL);
	(void)pidfd_wait(pid_fd, PIDFD_FOREVER);
}

/* What the guard does. Returns only if the guard is the supervisor now. */
static void run_guard(struct supervisor *supervisor, int guard_fd,
		      int old_pid_fd, pid_t old_pid)
{
	struct source *signals = &supervisor->signal_source;
	source_fn *on_signal = signals->ready;

	if (new_program_serves(guard_fd)) {
		notify_send_surely(&supervisor->notify, "MAINPID=%d\n",
				   old_pid);
		_exit(0);
	}
	end_successor(old_pid_fd);
	/* a signalfd hears for the process that put it into the loop */
	signals_close(&supervisor->host.loop, signals);
	(void)signals_open(&supervisor->host.loop, signals, on_signal,
			   supervisor);
	control_listen_again(supervisor->control);
	abandon_upgrade(supervisor, "the new program failed to take over");
}

/* Forks the guard. In the guard, returns 1 when it has become the supervisor;
 * here 0, or -errno. */
static int post_guard(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	cleanup_fd int own_pid_fd = pidfd_of(getpid());
	pid_t own_pid = getpid(), pid;
	int ends[2];

	if (own_pid_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	inherit_all();
	pid = process_clone(0, -1, &upgrade->guard_pid_fd);
	if (pid == 0) {
		close(ends[0]);
		upgrade->guard_pid_fd = -1;
		run_guard(supervisor, ends[1], own_pid_fd, own_pid);
		close(ends[1]);
		return 1;
	}
	close(ends[1]);
	upgrade->guard_fd = ends[0];
	if (pid < 0) {
		upgrade->guard_pid_fd = -1;
		return -errno;
	}
	/* should this process end, the service doesn't */
	notify_send_surely(&supervisor->notify, "MAINPID=%d\n", pid);
	return 0;
}

static void dismiss_guard(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	char done = 1;

	if (upgrade->guard_fd < 0)
		return;
	(void)!write(upgrade->guard_fd, &done, 1);
	reap_process(upgrade->guard_pid_fd);
	fd_close(&upgrade->guard_fd);
	fd_close(&upgrade->guard_pid_fd);
}

void upgrade_done(struct supervisor *supervisor)
{
	dismiss_guard(supervisor);
	log_info("upgraded: version %s, process %d", VMSUP_VERSION,
		 (int)getpid());
}

/* ---- the steps */

/* Replaces this image. Returns if that failed, or in the guard. */
static void replace_image(struct supervisor *supervisor)
{
	cleanup_fd int state_fd = -1;
	int result = post_guard(supervisor);

	if (result > 0)
		return; /* the guard is the supervisor now */
	if (result == 0) {
		state_fd = handover_save(supervisor);
		result = state_fd < 0 ? state_fd : 0;
	}
	if (result == 0) {
		handover_keep_open(supervisor, state_fd, true);
		try_execute(supervisor, HANDOVER_GO, state_fd);
		result = -errno;
		handover_keep_open(supervisor, state_fd, false);
	}
	dismiss_guard(supervisor);
	abandon_upgrade(supervisor, strerror(-result));
}

/* The first line that the trial printed; "" if none. */
static void read_words(int words_fd, char words[UPGRADE_WORDS])
{
	static const char prefix[] = "vmsup: ";
	ssize_t bytes = recv(words_fd, words, UPGRADE_WORDS - 1, MSG_DONTWAIT);

	words[bytes > 0 ? bytes : 0] = '\0';
	words[strcspn(words, "\n")] = '\0';
	log_clean(words);
	if (strncmp(words, prefix, sizeof(prefix) - 1) == 0)
		memmove(words, words + sizeof(prefix) - 1,
			strlen(words) - sizeof(prefix) + 2);
}

static void trial_ended(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	struct upgrade *upgrade = &supervisor->upgrade;
	char words[UPGRADE_WORDS], why[UPGRADE_WORDS + 96];
	int status;

	(void)events;
	loop_remove(&supervisor->host.loop, source);
	loop_timer_cancel(&supervisor->host.loop, &upgrade->deadline);
	status = reap_process(upgrade->trial_pid_fd);
	fd_close(&upgrade->trial_pid_fd);
	read_words(upgrade->words_fd, words);
	fd_close(&upgrade->words_fd);
	if (status != HANDOVER_AGREED) {
		snprintf(why, sizeof(why), "%.80s: %s", supervisor->program,
			 *words          ? words
			 : status == 127 ? "it can't be executed"
			 : status < 0    ? "it crashed when it was tried"
					 : "it doesn't know how to take over");
		abandon_upgrade(supervisor, why);
	} else if (supervisor->host.ending) {
		abandon_upgrade(supervisor, "the supervisor is stopping");
	} else {
		replace_image(supervisor);
	}
}

static void trial_timeout(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;
	struct upgrade *upgrade = &supervisor->upgrade;
	char why[UPGRADE_WORDS];

	(void)pidfd_signal(upgrade->trial_pid_fd, SIGKILL);
	reap_process(upgrade->trial_pid_fd);
	snprintf(why, sizeof(why),
		 "%.200s: it didn't answer within %d s when it was tried",
		 supervisor->program, TRIAL_MS / 1000);
	abandon_upgrade(supervisor, why);
}

/* Executes the new program in the child, which keeps nothing of the supervisor
 * but the document and a socket for its messages. */
static _Noreturn void try_program(const struct supervisor *supervisor,
				  int state_fd, int words_fd)
{
	dup2(words_fd, STDOUT_FILENO);
	dup2(words_fd, STDERR_FILENO);
	fcntl(state_fd, F_SETFD, 0);
	try_execute(supervisor, HANDOVER_CHECK, state_fd);
	_exit(127);
}

static int begin_trial(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	cleanup_fd int state_fd = handover_save(supervisor);
	int ends[2];
	pid_t pid;

	if (state_fd < 0)
		return state_fd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	inherit_all();
	pid = process_clone(0, -1, &upgrade->trial_pid_fd);
	if (pid == 0)
		try_program(supervisor, state_fd, ends[1]);
	close(ends[1]);
	upgrade->words_fd = ends[0];
	if (pid < 0) {
		upgrade->trial_pid_fd = -1;
		return -errno;
	}
	upgrade->deadline.fire = trial_timeout;
	upgrade->deadline.ctx = supervisor;
	loop_timer_in(&supervisor->host.loop, &upgrade->deadline, TRIAL_MS);
	return loop_add(&supervisor->host.loop, &upgrade->trial_source,
			upgrade->trial_pid_fd, EPOLLIN, trial_ended,
			supervisor);
}

static int refuse_upgrade(const struct supervisor *supervisor,
			  struct problem *problem)
{
	if (supervisor->upgrade.program_fd >= 0)
		return problem_set(problem, -EBUSY,
				   "an upgrade is under way already");
	if (supervisor->host.ending)
		return problem_set(problem, -ESHUTDOWN,
				   "the supervisor is stopping");
	if (supervisor->populated < supervisor->host.config->vm_count)
		return problem_set(problem, -EAGAIN,
				   "the supervisor is still starting its VMs "
				   "(try again in a moment)");
	return 0;
}

static void asker_gone(struct call *call)
{
	struct supervisor *supervisor = call->ctx;

	supervisor->upgrade.call = NULL;
}

int upgrade_begin(struct supervisor *supervisor, struct call *call,
		  struct problem *problem)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	int error = refuse_upgrade(supervisor, problem);

	if (error)
		return error;
	upgrade->program_fd =
		open(supervisor->program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (upgrade->program_fd < 0)
		return problem_set(problem, -errno,
				   "cannot open %s: %s (install the new "
				   "program there)",
				   supervisor->program, strerror(errno));
	error = begin_trial(supervisor);
	if (error) {
		clear_upgrade(supervisor);
		return problem_set(problem, error,
				   "cannot try the new program: %s",
				   strerror(-error));
	}
	log_info("upgrading to %s", supervisor->program);
	upgrade->call = call;
	if (call) {
		call->ctx = supervisor;
		call->gone = asker_gone;
	}
	return 0;
}

void upgrade_cancel(struct supervisor *supervisor, const char *why)
{
	struct upgrade *upgrade = &supervisor->upgrade;

	if (upgrade->program_fd < 0)
		return;
	if (upgrade->trial_pid_fd >= 0) {
		(void)pidfd_signal(upgrade->trial_pid_fd, SIGKILL);
		reap_process(upgrade->trial_pid_fd);
	}
	abandon_upgrade(supervisor, why);
}
