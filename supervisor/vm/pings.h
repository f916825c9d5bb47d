/* SPDX-License-Identifier: ISC */
/* Echo requests that clients make a VM send, until it reports on them. */
#ifndef VMSUP_SUPERVISOR_PINGS_H
#define VMSUP_SUPERVISOR_PINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "ipc/proto.h"
#include "supervisor/vm/vm.h"

/* Asks for an echo; the call is answered when the VM reports. 0 or -errno:
 * -EBUSY too many under way, -EDQUOT too many of that user's, -EAGAIN the VM
 * doesn't read. */
int pings_ask(struct vm *vm, const struct msg_ping *request, struct call *call);
/* Answers whoever asked for it. False: it was never asked for, or its status
 * is none. */
bool pings_take(struct vm *vm, const struct msg_ping_result *result);
/* The process has ended: nobody will report on any of them. */
void pings_abandon(struct vm *vm);

/* The ids of the echoes that a VM still has to report on, and back: before
 * control_restore(), which finds those whose clients wait. NULL or -ENOMEM
 * without memory. */
json_t *pings_save(const struct vm *vm);
int pings_restore(struct vm *vm, const json_t *ids);
/* What is to be known of a Ping call after an upgrade: NULL without memory. */
json_t *pings_call_save(const struct call *call);
/* On with it. False: the VM has nothing to report on it any more. */
bool pings_call_resume(struct vm *vm, struct call *call, const json_t *saved);

#endif
