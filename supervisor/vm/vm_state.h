/* SPDX-License-Identifier: ISC */
/* States of VMs by name, and what to do about them. */
#ifndef VMSUP_SUPERVISOR_VM_STATE_H
#define VMSUP_SUPERVISOR_VM_STATE_H

#include "supervisor/vm/vm.h"

/* "running" and so on. */
const char *vm_state_name(enum vm_state state);
/* What to do about a VM in that state, for a refusal: "vmsup resume it". */
const char *vm_remedy(enum vm_state state);

#endif
