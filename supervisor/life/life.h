/* SPDX-License-Identifier: ISC */
/* The state machine of a VM: its states, and the events that change them. */
#ifndef VMSUP_SUPERVISOR_LIFE_H
#define VMSUP_SUPERVISOR_LIFE_H

#include "supervisor/vm/vm.h"

/* The one way a VM changes. 0, or -EINVAL if the state has no place for the
 * event. */
int vm_event(struct vm *vm, enum vm_event event);
/* True if the VM's state has a place for the event. */
bool vm_takes(const struct vm *vm, enum vm_event event);
/* Makes the VM FAILED, with the reason. */
void vm_fail(struct vm *vm, const char *why);

#endif
