/* SPDX-License-Identifier: ISC */
/*
 * A thief of notifications. SECCOMP_IOCTL_NOTIF_RECV waits until there is one,
 * so whoever takes it between the supervisor's epoll_wait() and its ioctl()
 * holds up the supervisor. Here one thread calls what its filter refuses, and
 * another one, without that filter, takes the notification from the copy of the
 * listener that it has kept.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "tests/cage/hostile/hostile.h"
#include "vmproc/lock.h"
#include "vmproc/thread.h"

/* From one to the next: so long a supervisor waits for what was stolen. */
#define PAUSE_MS 3000

static struct {
	struct lock lock;
	const struct standin *s;
	enum {
		THIEF_NONE,
		THIEF_BEGUN, /* the thread runs */
		THIEF_ALONE, /* the filter is the other thread's alone */
		THIEF_COUNTED, /* a filter was stacked, for their number */
		THIEF_STEALS,
	} state;
} thief;

static void set_state(int state)
{
	lock_take(&thief.lock);
	thief.state = state;
	lock_wake(&thief.lock);
	lock_release(&thief.lock);
}

/* Until that state, or one behind it. */
static void await_state(int state)
{
	lock_take(&thief.lock);
	while ((int)thief.state < state)
		lock_wait(&thief.lock);
	lock_release(&thief.lock);
}

static void steal(const struct standin *s)
{
	for (;;) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp response = { .error = -EPERM };

		if (ioctl(s->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0)
			standin_say(s, "stolen");
		else if (errno == ENOSYS)
			return;
		response.id = call.id;
		ioctl(s->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

static void thread_main(void *unused)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = 1, .filter = &all };

	(void)unused;
	set_state(THIEF_BEGUN);
	await_state(THIEF_ALONE);
	if (thief.state == THIEF_ALONE) {
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
		set_state(THIEF_COUNTED);
	}
	await_state(THIEF_STEALS);
	steal(thief.s);
}

/* Stage 2's filter, for the calling thread alone. False: the set-up's list has
 * no such flags. */
static bool close_cage_alone(struct standin *s)
{
	static struct sock_filter filter[STAGE2_MAX_FILTER];
	struct sock_fprog program = { .filter = filter };
	ssize_t bytes =
		pread(s->fds[FD_ROLE_FILTER], filter, sizeof(filter), 0);

	program.len = (unsigned short)((size_t)bytes / sizeof(filter[0]));
	s->listener_fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				      SECCOMP_FILTER_FLAG_NEW_LISTENER,
				      &program);
	return s->listener_fd >= 0;
}

/* Once it is paused. */
_Noreturn void listener_thief(struct standin *s)
{
	static struct thread thread;
	struct epoll_event never;

	thief.s = s;
	if (thread_start(&thread, thread_main, NULL) < 0)
		standin_bug(s, "thread", errno);
	await_state(THIEF_BEGUN);
	if (close_cage_alone(s)) {
		set_state(THIEF_ALONE);
		await_state(THIEF_COUNTED);
	} else {
		standin_close_cage(s);
	}
	standin_send(s, MSG_READY, s->listener_fd);
	if (s->config.version >= PROTO_LOADED)
		standin_send(s, MSG_LOADED, -1);
	while (!s->paused) {
		union msg message;
		int fd;

		standin_hear(s, &message, &fd);
		standin_answer(s, &message);
	}
	set_state(THIEF_STEALS);
	for (;;) {
		syscall(SYS_getppid);
		standin_wait(s->epoll_fd, &never, 1, PAUSE_MS);
	}
}
