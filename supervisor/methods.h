/* SPDX-License-Identifier: ISC */
/* The methods of io.vmsup: what clients of the control socket can ask. */
#ifndef VMSUP_SUPERVISOR_METHODS_H
#define VMSUP_SUPERVISOR_METHODS_H

#include "supervisor/control/control.h"

struct supervisor;

/* gone() of a call that waits for the end. */
void supervisor_call_gone(struct call *call);
/* The methods of io.vmsup; their ctx is the supervisor. */
extern const struct control_method methods[];
extern const size_t method_count;
/* A VM's counters came in: a Status that waited for them may be answered. */
void methods_stats_arrived(struct supervisor *supervisor);
/* Answers those who asked for the end. */
void methods_answer_shutdown(struct supervisor *supervisor);

#endif
