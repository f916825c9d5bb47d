/* SPDX-License-Identifier: ISC */
/* Replies that many methods give. */
#ifndef VMSUP_SUPERVISOR_REPLY_H
#define VMSUP_SUPERVISOR_REPLY_H

#include <jansson.h>

#include "supervisor/control/call.h"

struct vm;

/* The error NoSuchVm. */
void reply_no_such_vm(struct call *call, const char *name);
/* The error WrongState: the VM's state, and the remedy. */
void reply_wrong_state(struct call *call, const struct vm *vm,
		       const char *remedy);
/* Replies, and releases parameters; NULL: there was no memory to make them. */
void reply_with(struct call *call, json_t *parameters);

#endif
