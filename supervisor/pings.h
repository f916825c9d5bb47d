/* SPDX-License-Identifier: ISC */
/* Echo requests that a VM hasn't reported on, over an upgrade. */
#ifndef VMSUP_SUPERVISOR_PINGS_H
#define VMSUP_SUPERVISOR_PINGS_H

#include <jansson.h>

#include "supervisor/vm.h"

/* The ids of the echoes that a VM still has to report on, and back: before
 * control_restore(), which finds those whose clients wait. NULL or -ENOMEM
 * without memory. */
json_t *pings_save(const struct vm *vm);
int pings_restore(struct vm *vm, const json_t *ids);

#endif
