/* SPDX-License-Identifier: ISC */
/* Processes by pidfd: the descriptor stays that of one process, whose number
 * may be another's as soon as it is reaped. */
#ifndef VMSUP_SUPERVISOR_LIB_PIDFD_H
#define VMSUP_SUPERVISOR_LIB_PIDFD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens the pidfd of a process, close-on-exec. The caller's; -1 with errno:
 * ESRCH, there is no such process. */
int pidfd_of(pid_t pid);

/* Sends a signal to the process. 0 or -errno: -ESRCH, it was reaped. */
int pidfd_signal(int pid_fd, int signal);

/* Waits until the process has ended, at the longest until due_ns (of
 * loop_now_ns(); PIDFD_FOREVER), whatever signals come meanwhile. True: it has
 * ended; its exit status is still to be reaped. */
#define PIDFD_FOREVER UINT64_MAX
bool pidfd_wait(int pid_fd, uint64_t due_ns);

#endif
