/* SPDX-License-Identifier: ISC */
/* Counters of a kvm guest's devices and exits, by name, as its process tells. */
#ifndef VMSUP_SUPERVISOR_COUNTERS_H
#define VMSUP_SUPERVISOR_COUNTERS_H

#include <jansson.h>

#include "ipc/proto.h"
#include "supervisor/control/control.h"

struct vm;

/* Names that one VM may have: more are a violation. */
#define COUNTERS_NAMES 1024

/* Asks the process for them, unless they are on their way. 0 or -errno. */
int counters_ask(struct vm *vm);
/* STATS are asked for now: counters that are under way come before those. */
void counters_expect(struct vm *vm);
/* STATS came in: counters that should have come before won't come any more. */
void counters_check(struct vm *vm);
/* COUNTERS came in. NULL, or what is wrong with it, for a violation. */
const char *counters_take(struct vm *vm, const struct msg_counters *message);
/* The last ones that are whole: an object, empty if there are none. */
json_t *counters_json(const struct vm *vm);
/* Method Stats: answers when they have come. */
void counters_call(struct vm *vm, struct call *call);
/* For an upgrade: whether they are on their way. NULL or -ENOMEM without memory.
 */
json_t *counters_save(const struct vm *vm);
int counters_load(struct vm *vm, const json_t *saved);
/* The process has ended: who waits is told. */
void counters_abandon(struct vm *vm);
void counters_uninit(struct vm *vm);

#endif
