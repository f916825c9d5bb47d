/* SPDX-License-Identifier: ISC */
/* A VM, saved and loaded. */
#ifndef VMSUP_SUPERVISOR_STATE_STATE_VM_H
#define VMSUP_SUPERVISOR_STATE_STATE_VM_H

#include "supervisor/lib/fields.h"
#include "supervisor/state/state.h"

struct vm;

/*
 * A VM, its configuration included; its pings are not. What is known of the
 * process (pid to protocol) is saved only if there is one (pid_fd >= 0): with
 * pid preset to 0, it stays 0 if there was none.
 */
json_t *state_vm_save(const struct vm *vm, enum state_extent extent);
/*
 * Loads what is there, whatever its extent was. vm is preset as a new one:
 * zeroed, descriptors -1. Descriptors are numbers only, the caller's to check
 * and own. Sources and timers are left alone but for timer.due_ns and
 * heartbeat.due_ns: not 0 if that timer was armed (saved only then), for
 * loop_timer_at() once fire and ctx are set.
 */
int state_vm_load(struct vm *vm, const json_t *object, struct problem *problem);

/* Visits every descriptor that state_vm_save() names, -1 for none. */
void state_vm_each_fd(const struct vm *vm, fields_visit_fd *visit, void *ctx);

#endif
