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
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int pidfd_signal(int pid_fd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pid_fd, signal, NULL, 0) < 0
		       ? -errno
		       : 0;
}

/* The time until due_ns, for poll(). */
static int left_ms(uint64_t due_ns)
{
	uint64_t now_ns = loop_now_ns(), ms;

	if (due_ns == PIDFD_FOREVER)
		return -1;
	if (now_ns >= due_ns)
		return 0;
	ms = (due_ns - now_ns) / NSEC_PER_MSEC + 1;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

bool pidfd_wait(int pid_fd, uint64_t due_ns)
{
	struct pollfd polled = { .fd = pid_fd, .events = POLLIN };
	int ready;

	do
		ready = poll(&polled, 1, left_ms(due_ns));
	while (ready < 0 && errno == EINTR);
	return ready == 1 && polled.revents & POLLIN;
}
