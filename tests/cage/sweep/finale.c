/* SPDX-License-Identifier: ISC */
/*
 * What takes more than a call: a TAP left as badly as it can be, and a
 * notification of a refused call that somebody else takes.
 */
#include "tests/cage/sweep/sweep.h"

#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "vmproc/thread.h"

/* How often a generation tries to steal, if it isn't caught: below what makes
 * its log a flood. */
#define TRIES   500
#define HUNG_NS 20000000U

/* ---- the notification */

/* Everything is allowed, but for one call that is told. */
static int own_listener(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER |
				    SECCOMP_FILTER_FLAG_TSYNC |
				    SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
			    &program);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void spin_ns(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

/* One call each time that it is told to. */
static void call_on(void *argument)
{
	int go_fd = *(const int *)argument;
	uint64_t once;

	while (read(go_fd, &once, sizeof(once)) == sizeof(once))
		syscall(SYS_getppid);
}

/* Whether the supervisor has read what it was sent. */
static bool has_read(const struct standin *s)
{
	uint64_t end = now_ns() + HUNG_NS;
	int unread = 1;

	standin_say(s, "are you there?");
	while (unread > 0 && now_ns() < end)
		ioctl(s->channel.fd, SIOCOUTQ, &unread);
	return unread == 0;
}

/* Takes what the supervisor is told of just before it takes it itself: how long
 * that is, is tried. If that one waits for the next, there will be none. */
_Noreturn void finale_steal(struct standin *s)
{
	static int go_fd;
	static struct thread thread;

	go_fd = eventfd(0, EFD_CLOEXEC);
	s->listener_fd = own_listener();
	if (s->listener_fd < 0 || thread_start(&thread, call_on, &go_fd) < 0)
		_exit(VMPROC_EXIT_OS);
	standin_send(s, MSG_READY, s->listener_fd);
	for (unsigned int i = 0; i < TRIES; i++) {
		struct pollfd told = { s->listener_fd, POLLIN, 0 };
		struct seccomp_notif notif = { 0 };
		struct seccomp_notif_resp answer = { 0 };
		const uint64_t once = 1;

		(void)!write(go_fd, &once, sizeof(once));
		if (i % 8 > 0) {
			poll(&told, 1, 10);
			spin_ns(100U << i % 8);
		}
		if (ioctl(s->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
			continue;
		while (!has_read(s))
			;
		answer.id = notif.id;
		ioctl(s->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	_exit(VMPROC_EXIT_OS);
}

/* ---- the TAP */

static void spoil(int fd)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog drops = { 1, &drop };
	struct ifreq address = {
		.ifr_hwaddr = { 1, "\x02\x66\x66\x66\x66\x66" },
	};
	struct tun_filter nobody = { 0 };
	int little = 1, down = 0;

	ioctl(fd, TUNSETPERSIST, 1L);
	ioctl(fd, TUNSETOWNER, 4242L);
	ioctl(fd, TUNSETGROUP, 4242L);
	ioctl(fd, TUNSETTXFILTER, &nobody);
	ioctl(fd, TUNSETSNDBUF, &little);
	ioctl(fd, TUNATTACHFILTER, &drops);
	ioctl(fd, SIOCSIFHWADDR, &address);
	ioctl(fd, TUNSETCARRIER, &down);
}

_Noreturn void finale_spoil(const struct standin *s)
{
	spoil(s->fds[FD_ROLE_TAP]);
	for (int i = 1; i < FD_INDEX_MAX; i++)
		spoil(s->more_fds[FD_ROLE_TAP][i]);
	_exit(VMPROC_EXIT_OS);
}
