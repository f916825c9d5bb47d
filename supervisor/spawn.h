/* SPDX-License-Identifier: ISC */
/* A VM's process: made in the cage, signalled, and its end taken in. */
#ifndef VMSUP_SUPERVISOR_SPAWN_H
#define VMSUP_SUPERVISOR_SPAWN_H

#include "supervisor/vm.h"

/* P_PIDFD, which libcs before 2.36 lack. */
#define WAIT_PIDFD ((idtype_t)3)

/* Forks with a pidfd, straight into a cgroup (-1: the supervisor's). Returns as
 * fork(2) does. */
pid_t process_clone(int cgroup_fd, int *pid_fd);
/* Starts the next generation. 0 or -errno with problem set. */
int vm_spawn(struct vm *vm, struct problem *problem);
/* Serves a process that is there: its end, its channel, its listener. 0 or
 * -errno: vm_let_go() then. */
int vm_watch(struct vm *vm);
/* Puts back the options of our ends of the channel and the console, which the
 * process holds as well. Where that can't be done its process is ended: false. */
bool vm_restore_sockets(struct vm *vm);
/* Lets go of a process that has ended, or is none of ours. */
void vm_let_go(struct vm *vm);
/* Sends a signal through the pidfd; a process that just ended is no error. */
void vm_signal(struct vm *vm, int signal);
/* Records why the process must end (the first reason counts) and kills it. */
void vm_doom(struct vm *vm, enum death_reason reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
