/* SPDX-License-Identifier: ISC */
/* The proof of a VM process's sandbox, from outside: what /proc says of it. */
#ifndef VMSUP_SUPERVISOR_VERIFY_H
#define VMSUP_SUPERVISOR_VERIFY_H

#include "supervisor/vm/vm.h"

/* Reads when a process started, in the kernel's ticks (proc_pid_stat(5)). Pid
 * and start together name one process since the boot. 0 or -ESRCH. */
int process_started(int proc_fd, pid_t pid, uint64_t *ticks);
/* True if all four uids of the process are that uid. */
bool process_has_uid(int proc_fd, pid_t pid, uid_t uid);
/* 1 if a process has an empty room's root and sees no other mount; 0 if it
 * doesn't; -ESRCH: the process has ended, or its mounts can't be read. */
int process_in_room(int proc_fd, pid_t pid);
/* How many system call filters a process has ("self"). */
uint32_t process_filters(int proc_fd, const char *process);
/* Checks by /proc that the process has its filters, no_new_privs, no
 * capability, its uid and an empty root. 0; -EPERM, and problem says what
 * doesn't hold; -ESRCH: the process has ended. */
int vm_verify(const struct vm *vm, int proc_fd, struct problem *problem);

#endif
