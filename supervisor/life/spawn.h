/* SPDX-License-Identifier: ISC */
/* A VM's process: it is made, watched, and its end is recorded. */
#ifndef VMSUP_SUPERVISOR_SPAWN_H
#define VMSUP_SUPERVISOR_SPAWN_H

#include "supervisor/vm/vm.h"

/* Makes the process of the next generation, which waits for its first message.
 * 0 or -errno with problem set. */
int vm_spawn(struct vm *vm, struct problem *problem);
/* Adds what the last generation did to the totals, if that isn't done yet. */
void vm_settle(struct vm *vm);
/* Sends the process its configuration and descriptors. A process that can't be
 * sent them is killed. */
void vm_introduce(struct vm *vm);
/* Watches a process: its end, its channel, its filter's listener. 0 or -errno;
 * after an error the caller calls vm_let_go(). */
int vm_watch(struct vm *vm);

#endif
