/* SPDX-License-Identifier: ISC */
/* What a VM with guest kvm is made of, saved and loaded. */
#ifndef VMSUP_SUPERVISOR_STATE_STATE_MACHINE_H
#define VMSUP_SUPERVISOR_STATE_STATE_MACHINE_H

#include "supervisor/config/config.h"
#include "supervisor/lib/fields.h"
#include "supervisor/state/state.h"

/*
 * A machine: null for none. Descriptors only in STATE_UPGRADE. The loaded one
 * is the caller's, also after an error; *machine is NULL if there is none.
 * whose: the VM's name, for messages.
 */
json_t *state_machine_save(const struct machine_config *machine,
			   enum state_extent extent);
int state_machine_load(struct machine_config **machine, const json_t *object,
		       enum state_extent extent, const char *whose,
		       struct problem *problem);

/* Visits every descriptor that state_machine_save() names, -1 for none. */
void state_machine_each_fd(const struct machine_config *machine,
			   fields_visit_fd *visit, void *ctx);

#endif
