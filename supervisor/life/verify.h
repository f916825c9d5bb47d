/* SPDX-License-Identifier: ISC */
/* The proof of a cage, from outside: what /proc says of a VM process. */
#ifndef VMSUP_SUPERVISOR_VERIFY_H
#define VMSUP_SUPERVISOR_VERIFY_H

#include "supervisor/vm/vm.h"

/* When a process started, in the kernel's ticks (proc_pid_stat(5)): with its
 * pid, a name that no other process ever has. 0 or -ESRCH. */
int process_started(int proc_fd, pid_t pid, uint64_t *ticks);
/* True if all its uids are that one. */
bool process_has_uid(int proc_fd, pid_t pid, uid_t uid);
/* 1 if a process has an empty room's root and sees no other mount, 0 if it has
 * another; -ESRCH: it has ended, or its mounts can't be read. */
int process_in_room(int proc_fd, pid_t pid);
/* How many system call filters a process has ("self"). */
uint32_t process_filters(int proc_fd, const char *process);
/* Reads from /proc what the process really is: a filter of its own, no new
 * privileges, no capability, its uid, an empty root. 0; -EPERM with what doesn't hold in
 * problem; -ESRCH: it has ended. */
int vm_verify(const struct vm *vm, int proc_fd, struct problem *problem);

#endif
