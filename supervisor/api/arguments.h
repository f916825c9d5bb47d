/* SPDX-License-Identifier: ISC */
/* Checks arguments of a call, and answers the call if one is wrong. */
#ifndef VMSUP_SUPERVISOR_ARGUMENTS_H
#define VMSUP_SUPERVISOR_ARGUMENTS_H

#include <stdbool.h>

#include "supervisor/control/call.h"

struct supervisor;
struct vm;

/* Optional arguments: absent, null or of their type. False, with the call
 * answered, if an argument is something else. */

/* *value: false if absent. */
bool argument_bool(struct call *call, const char *name, bool *value);
/* A whole number between min and max; *number: preset if absent. */
bool argument_number(struct call *call, const char *name, long min, long max,
		     long preset, long *number);
/* *text: NULL if absent; the call owns it. */
bool argument_string(struct call *call, const char *name, const char **text);

/* The VM that "name" names; NULL with the call answered. */
struct vm *argument_vm(struct supervisor *supervisor, struct call *call);
/* The same, for a VM whose process works; and for one with a console. */
struct vm *argument_working_vm(struct supervisor *supervisor,
			       struct call *call);
struct vm *argument_console_vm(struct supervisor *supervisor,
			       struct call *call);
/* True if "names" is an array of names of VMs (or absent, if optional); false
 * with the call answered. */
bool argument_vms(struct supervisor *supervisor, struct call *call,
		  bool optional);

#endif
