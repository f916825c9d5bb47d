/* SPDX-License-Identifier: ISC */
/* The supervisor and its VMs in JSON, as io.vmsup shows them. */
#ifndef VMSUP_SUPERVISOR_STATUS_H
#define VMSUP_SUPERVISOR_STATUS_H

#include "supervisor/vm/vm.h"

struct supervisor;

/* The io.vmsup Supervisor. */
json_t *supervisor_json(const struct supervisor *supervisor);

/* An io.vmsup Vm. */
json_t *vm_json(const struct vm *vm);

#endif
