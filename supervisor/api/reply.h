/* SPDX-License-Identifier: ISC */
/* Replies that many methods give. */
#ifndef VMSUP_SUPERVISOR_REPLY_H
#define VMSUP_SUPERVISOR_REPLY_H

#include <jansson.h>

#include "supervisor/control/call.h"

struct vm;

/* The error NoSuchVm. */
void reply_no_such_vm(struct call *call, const char *name);
/* The error WrongState: what the VM is in, and what to do about it. */
void reply_wrong_state(struct call *call, const struct vm *vm,
		       const char *remedy);
/* Takes over parameters; NULL if there was no memory to make them. */
void reply_with(struct call *call, json_t *parameters);

#endif
