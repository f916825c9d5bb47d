/* SPDX-License-Identifier: ISC */
/* Processes by pidfd: the descriptor stays that of one process, whose number
 * may be another's as soon as it is reaped. */
#include "supervisor/lib/pidfd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/loop.h"

int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int pidfd_signal(int pid_fd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pid_fd, signal, NULL, 0) < 0
		       ? -errno
		       : 0;
}

/* For poll(): a turn, which ends after due_ns. */
static int turn_ms(uint64_t due_ns)
{
	uint64_t now_ns = loop_now_ns(), left_ms;

	if (due_ns == PIDFD_FOREVER)
		return -1;
	if (now_ns >= due_ns)
		return 0;
	left_ms = (due_ns - now_ns) / NSEC_PER_MSEC + 1;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

bool pidfd_wait(int pid_fd, uint64_t due_ns)
{
	struct pollfd polled = { .fd = pid_fd, .events = POLLIN };
	int ms, ready;

	do {
		ms = turn_ms(due_ns);
		ready = poll(&polled, 1, ms);
	} while (ready == 0 ? ms != 0 : ready < 0 && errno == EINTR);
	return ready == 1 && polled.revents & POLLIN;
}
