/* SPDX-License-Identifier: ISC */
/*
 * The end begun: VMs stopped, or left to the next supervisor; who waits for it.
 */
#ifndef VMSUP_SUPERVISOR_SHUTDOWN_H
#define VMSUP_SUPERVISOR_SHUTDOWN_H

#include <stdbool.h>

/* Exit status of one that left its VMs to the next: systemd is to start that. */
#define SHUTDOWN_EXIT_LEFT 75

struct call;
struct supervisor;

/* Begins to take everything down; returns at once. */
void shutdown_begin(struct supervisor *supervisor, int exit_status);
/* Ends the supervisor alone: VMs stay, for the next one. 0, or -errno: their
 * state can't be kept, and it goes on. */
int shutdown_leave(struct supervisor *supervisor);

/* The call is answered when there is nothing left to do but exit. False, with
 * the call answered: there is no memory. */
bool shutdown_await(struct supervisor *supervisor, struct call *call);
/* The call waits no more, and is the caller's to answer. */
void shutdown_forget(struct call *call);
/* Answers all that wait. */
void shutdown_answer(struct supervisor *supervisor);

#endif
