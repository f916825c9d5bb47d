/* SPDX-License-Identifier: ISC */
/* A VM's process: made in the cage, watched, and its end taken in. */
#ifndef VMSUP_SUPERVISOR_SPAWN_H
#define VMSUP_SUPERVISOR_SPAWN_H

#include "supervisor/vm/vm.h"

/* Makes the process of the next generation, which waits for what it is told. 0
 * or -errno with problem set. */
int vm_spawn(struct vm *vm, struct problem *problem);
/* Adds what the last generation did to the totals, if that isn't done yet. */
void vm_settle(struct vm *vm);
/* Tells it who it is and hands it what it works with; a process that can't be
 * told is ended. */
void vm_introduce(struct vm *vm);
/* Serves a process that is there: its end, its channel, its listener. 0 or
 * -errno: vm_let_go() then. */
int vm_watch(struct vm *vm);

#endif
