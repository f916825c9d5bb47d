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
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "tests/cage/hostile/hostile.h"

/* From one to the next: so long a supervisor waits for what was stolen. */
#define PAUSE_MS 3000

static pthread_mutex_t begin = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t begun;

/* One filter that allows everything: the supervisor counts them. */
static void *take_all(void *argument)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = 1, .filter = &all };
	const struct standin *s = argument;
	bool refused = false;

	pthread_barrier_wait(&begun);
	if (s->listener_fd >= 0)
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	pthread_barrier_wait(&begun);
	pthread_mutex_lock(&begin);
	while (!refused) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp response = { .error = -EPERM };

		if (ioctl(s->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			refused = errno == ENOSYS;
		else
			standin_say(s, "stolen");
		response.id = call.id;
		ioctl(s->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
	pthread_mutex_unlock(&begin);
	return NULL;
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
	struct epoll_event never;
	pthread_t thread;
	bool alone;

	pthread_mutex_lock(&begin);
	pthread_barrier_init(&begun, NULL, 2);
	if (pthread_create(&thread, NULL, take_all, s) != 0)
		standin_bug(s, "thread", errno);
	alone = close_cage_alone(s);
	pthread_barrier_wait(&begun);
	pthread_barrier_wait(&begun);
	if (!alone)
		standin_close_cage(s);
	standin_send(s, MSG_READY, s->listener_fd);
	while (!s->paused) {
		union msg message;
		int fd;

		standin_hear(s, &message, &fd);
		standin_answer(s, &message);
	}
	pthread_mutex_unlock(&begin);
	for (;;) {
		syscall(SYS_getppid);
		epoll_wait(s->epoll_fd, &never, 1, PAUSE_MS);
	}
}
