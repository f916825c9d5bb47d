/* SPDX-License-Identifier: ISC */
/*
 * A VM's process as a process: cloned, signalled, sent descriptors, closed.
 */
#ifndef VMSUP_SUPERVISOR_PROCESS_H
#define VMSUP_SUPERVISOR_PROCESS_H

#include <sys/wait.h>

#include "sandbox/stage1.h"
#include "supervisor/vm/vm.h"

/* P_PIDFD, which libcs before 2.36 lack. */
#define WAIT_PIDFD ((idtype_t)3)
/* Forks with a pidfd, straight into a cgroup (-1: the supervisor's), with flags
 * of clone(2) besides. Returns as fork(2) does. */
pid_t process_clone(uint64_t flags, int cgroup_fd, int *pid_fd);
/* Makes a process that goes through stage 1 and becomes vmproc. Returns its pid
 * and sets *pid_fd, or returns -errno. stage points to no heap memory. */
pid_t process_make(const struct stage1 *stage, int cgroup_fd, int *pid_fd);
/* Sends a signal through the pidfd; a process that just ended is no error. */
void vm_signal(struct vm *vm, int signal);
/* Records why the process must end (the first reason counts) and kills it. */
void vm_kill_for(struct vm *vm, enum death_reason reason, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));
/* Closes all that belongs to a process, which has ended or was rejected, and
 * fails the calls that wait for its answers. */
void vm_let_go(struct vm *vm);
/* Restores the options of the supervisor's ends of channel and console, which
 * the process holds as well. False: that failed, and the process is killed. */
bool vm_restore_sockets(struct vm *vm);
/* Sends the process a copy of fd; the caller keeps its own. fd -1: nothing is
 * sent. 0 or -errno. */
int process_send_fd(struct vm *vm, enum fd_role role, unsigned int index,
		    int fd);
/* Tells the process the MTU of its TAP, if it knows another. */
void vm_tell_mtu(struct vm *vm);

/* Adds the counters of the generation that has ended to those of all. */
void process_add_up(struct vm *vm);

#endif
