/* SPDX-License-Identifier: ISC */
/* The methods of io.vmsup: what clients of the control socket can ask. */
#ifndef VMSUP_SUPERVISOR_METHODS_H
#define VMSUP_SUPERVISOR_METHODS_H

#include "supervisor/control/control.h"

struct supervisor;

/* The methods of io.vmsup; their ctx is the supervisor. */
extern const struct control_method methods[];
extern const size_t method_count;

#endif
