/* SPDX-License-Identifier: ISC */
/*
 * Begins the end: stops the VMs, or leaves them to the next supervisor. Calls
 * that wait for the end are here, too.
 */
#ifndef VMSUP_SUPERVISOR_SHUTDOWN_H
#define VMSUP_SUPERVISOR_SHUTDOWN_H

#include <stdbool.h>

/* Exit status of a supervisor that left its VMs: systemd then starts the next
 * one. */
#define SHUTDOWN_EXIT_LEFT 75

struct call;
struct supervisor;

/* Begins to stop all VMs and to end; returns at once. */
void shutdown_begin(struct supervisor *supervisor, int exit_status);
/* Ends the supervisor and leaves its VMs to the next one. 0; or -errno: the
 * VMs' state can't be saved, and the supervisor goes on. */
int shutdown_leave(struct supervisor *supervisor);

/* Makes the call wait until the supervisor is about to exit. False, with the
 * call answered: there is no memory. */
bool shutdown_await(struct supervisor *supervisor, struct call *call);
/* The call waits no more; the caller answers it. */
void shutdown_forget(struct call *call);
/* Answers all waiting calls. */
void shutdown_answer(struct supervisor *supervisor);

#endif
