/* SPDX-License-Identifier: ISC */
/* Counters of a kvm guest's devices and exits, as its process reports them. */
#ifndef VMSUP_SUPERVISOR_COUNTERS_H
#define VMSUP_SUPERVISOR_COUNTERS_H

#include <jansson.h>

#include "ipc/proto.h"
#include "supervisor/control/control.h"

struct vm;

/* Names that one VM may have: more are a violation. */
#define COUNTERS_NAMES 1024

/* Asks the process for its counters, unless they were asked for already. 0 or
 * -errno. */
int counters_ask(struct vm *vm);
/* To be called when STATS? is sent: counters requested before that must arrive
 * before STATS. */
void counters_expect(struct vm *vm);
/* To be called when STATS arrives: counters that are still due won't come. */
void counters_check(struct vm *vm);
/* Takes in a message COUNTERS. NULL, or which rule the message breaks. */
const char *counters_take(struct vm *vm, const struct msg_counters *message);
/* The last complete set of counters: an object, empty if there is none. */
json_t *counters_json(const struct vm *vm);
/* Method Stats: answers when the counters have arrived. */
void counters_call(struct vm *vm, struct call *call);
/* For an upgrade: whether counters are due. NULL or -ENOMEM without memory. */
json_t *counters_save(const struct vm *vm);
int counters_load(struct vm *vm, const json_t *saved);
/* Fails the calls that wait: the process has ended. */
void counters_abandon(struct vm *vm);
void counters_uninit(struct vm *vm);

#endif
