/* SPDX-License-Identifier: ISC */
/*
 * Ctrl-C in commands that have to clean up: SIGINT, SIGTERM and SIGHUP are
 * blocked, except in ppoll() with interrupt_mask(). So none can come between
 * the test of the flag and the wait.
 */
#ifndef VMSUP_SUPERVISOR_CLI_INTERRUPT_H
#define VMSUP_SUPERVISOR_CLI_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/* Catches the signals: from now on they only set a flag. */
void interrupt_catch(void);
/* Restores the handlers and the mask, for a child
 * that becomes the supervisor. */
void interrupt_release(void);
/* The signal mask for ppoll(); NULL before interrupt_catch(). */
const sigset_t *interrupt_mask(void);
/* Returns true if a signal came, and clears the flag. */
bool interrupt_take(void);

#endif
