/* SPDX-License-Identifier: ISC */
/* The VMs of the supervisor: found, added, counted. */
#ifndef VMSUP_SUPERVISOR_VMS_H
#define VMSUP_SUPERVISOR_VMS_H

#include <stddef.h>

#include "supervisor/vm/vm.h"

struct host;

/* NULL: no VM of that name. */
struct vm *vms_find(const struct host *host, const char *name);
/* Adds a VM that was just made, which it owns then. 0 or -ENOMEM. */
int vms_add(struct host *host, struct vm *vm);
/* How many are in that state. */
size_t vms_in(const struct host *host, enum vm_state state);
/* A VM's state changed: has all of them looked at, from the loop. */
void vms_changed(struct host *host);

#endif
