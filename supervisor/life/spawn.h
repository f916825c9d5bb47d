/* SPDX-License-Identifier: ISC */
/* A VM's process: made in the cage, watched, and its end taken in. */
#ifndef VMSUP_SUPERVISOR_SPAWN_H
#define VMSUP_SUPERVISOR_SPAWN_H

#include "supervisor/vm/vm.h"

/* Starts the next generation. 0 or -errno with problem set. */
int vm_spawn(struct vm *vm, struct problem *problem);
/* Serves a process that is there: its end, its channel, its listener. 0 or
 * -errno: vm_let_go() then. */
int vm_watch(struct vm *vm);

#endif
