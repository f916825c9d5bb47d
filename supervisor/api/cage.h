/* SPDX-License-Identifier: ISC */
/* What the cage of a VM should look like: io.vmsup Sandbox. */
#ifndef VMSUP_SUPERVISOR_CAGE_H
#define VMSUP_SUPERVISOR_CAGE_H

#include <jansson.h>

struct vm;

/* A reply of io.vmsup Sandbox. */
json_t *cage_json(const struct vm *vm);

#endif
