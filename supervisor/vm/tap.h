/* SPDX-License-Identifier: ISC */
/* A VM's TAP: made, guarded, counted, set anew for the next process. */
#ifndef VMSUP_SUPERVISOR_TAP_H
#define VMSUP_SUPERVISOR_TAP_H

#include "supervisor/vm/vm.h"

/* Makes the TAP that the VM will keep, if it has one. It isn't guarded yet
 * (firsthop_guard()). 0 or -errno with problem set. */
int vm_open_tap(struct vm *vm, struct problem *problem);
/* Makes the TAP that the VM will keep, if it has one, and has it guarded. 0 or
 * -errno with problem set. */
int vm_make_tap(struct vm *vm, struct problem *problem);
/* The same of one that was taken over, and that an older vmsup may have made. 0
 * or -errno. */
int vm_update_tap(struct vm *vm);
void vm_close_tap(struct vm *vm);
/* The TAP's own counters. 0 or -errno. */
int vm_read_tap(const struct vm *vm, struct net_counters *now);
/* Traffic of this generation by the TAP's own counters, which are these now. */
void vm_count_by_tap(struct vm *vm, const struct net_counters *now);
/* Resets the TAP for the next process, and makes it anew if it was deleted or
 * can't be reset. Tells the bridge and the host the VM's MAC and addresses. 0
 * or -errno with problem set; PROBLEM_PERMANENT: they can't be told. */
int vm_renew_tap(struct vm *vm, struct problem *problem);

/* The VM is down: takes back what the bridge and the host were told. */
void vm_withdraw(struct vm *vm);
/* After an upgrade, whatever the supervisor of before told them of a VM that is
 * down. */
void vm_resume_tap(struct vm *vm);
/* Tells the bridge once more where the VM's guest lives. 0 or -errno. */
int vm_forward(struct vm *vm);

#endif
