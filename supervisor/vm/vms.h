/* SPDX-License-Identifier: ISC */
/* The VMs of the supervisor: found, added, counted. */
#ifndef VMSUP_SUPERVISOR_VMS_H
#define VMSUP_SUPERVISOR_VMS_H

#include <stddef.h>

#include "supervisor/vm/vm.h"

struct supervisor;

/* NULL: no VM of that name. */
struct vm *vms_find(const struct supervisor *supervisor, const char *name);
/* Adds a VM that was just made, which it owns then. 0 or -ENOMEM. */
int vms_add(struct supervisor *supervisor, struct vm *vm);
/* How many are in that state. */
size_t vms_in(const struct supervisor *supervisor, enum vm_state state);
/* A VM's state changed: has all of them looked at, from the loop. */
void vms_changed(struct supervisor *supervisor);

#endif
