/* SPDX-License-Identifier: ISC */
/* Arguments of a call, checked. What is wrong with one is answered here. */
#ifndef VMSUP_SUPERVISOR_ARGUMENTS_H
#define VMSUP_SUPERVISOR_ARGUMENTS_H

#include <stdbool.h>

#include "supervisor/control/call.h"

struct supervisor;
struct vm;

/* Optional ones: absent, null or of their type. False, with the call answered,
 * if the argument is something else. */

/* *value: false if absent. */
bool argument_bool(struct call *call, const char *name, bool *value);
/* A whole number between min and max; *number: preset if absent. */
bool argument_number(struct call *call, const char *name, long min, long max,
		     long preset, long *number);
/* *text: NULL if absent; the call's. */
bool argument_string(struct call *call, const char *name, const char **text);

/* The VM that "name" names; NULL with the call answered. */
struct vm *argument_vm(struct supervisor *supervisor, struct call *call);
/* The same if its process works; and if it has a console. */
struct vm *argument_working_vm(struct supervisor *supervisor,
			       struct call *call);
struct vm *argument_console_vm(struct supervisor *supervisor,
			       struct call *call);
/* True if "names" is an array of names of VMs (or absent, if optional); false
 * with the call answered. */
bool argument_vms(struct supervisor *supervisor, struct call *call,
		  bool optional);

#endif
