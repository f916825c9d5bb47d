/* SPDX-License-Identifier: ISC */
/* Optional arguments of a call: absent, null or of their type. Each returns
 * false, with the call answered, if the argument is something else. */
#ifndef VMSUP_SUPERVISOR_ARGUMENTS_H
#define VMSUP_SUPERVISOR_ARGUMENTS_H

#include <stdbool.h>

#include "supervisor/control/control.h"

/* *value: false if absent. */
bool argument_bool(struct call *call, const char *name, bool *value);
/* A whole number between min and max; *number: preset if absent. */
bool argument_number(struct call *call, const char *name, long min, long max,
		     long preset, long *number);
/* *text: NULL if absent; the call's. */
bool argument_string(struct call *call, const char *name, const char **text);

#endif
