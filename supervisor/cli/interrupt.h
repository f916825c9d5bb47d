/* SPDX-License-Identifier: ISC */
/*
 * Ctrl-C where a command has something to finish: SIGINT, SIGTERM and SIGHUP
 * are held back, except while waiting (ppoll() with interrupt_mask()), so that
 * none can come between the look at the flag and the wait.
 */
#ifndef VMSUP_SUPERVISOR_CLI_INTERRUPT_H
#define VMSUP_SUPERVISOR_CLI_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/* From now on the signals only set a flag. */
void interrupt_catch(void);
/* Back to how it was, for a child that goes its own way. */
void interrupt_release(void);
/* The mask to wait with; NULL while nothing is caught. */
const sigset_t *interrupt_mask(void);
/* True once one came; takes note of it: the next call says false again. */
bool interrupt_take(void);

#endif
