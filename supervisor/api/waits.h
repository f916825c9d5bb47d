/* SPDX-License-Identifier: ISC */
/* The method Status, which waits until the counters of VMs are fresh. */
#ifndef VMSUP_SUPERVISOR_WAITS_H
#define VMSUP_SUPERVISOR_WAITS_H

struct call;
struct supervisor;

/* A question to a VM process and its answer, of the supervisor's time: what a
 * caller is charged for each. */
#define WAITS_QUESTION_NS 10000

/* The method Status of io.vmsup; ctx is the supervisor. */
void waits_status(void *ctx, struct call *call);
/* Counters of a VM came in: calls that waited for them may be answered. ctx is
 * the supervisor. */
void waits_stats_arrived(void *ctx);

#endif
