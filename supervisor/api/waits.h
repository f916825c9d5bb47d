/* SPDX-License-Identifier: ISC */
/* The method Status, which waits until the counters of VMs are fresh. */
#ifndef VMSUP_SUPERVISOR_WAITS_H
#define VMSUP_SUPERVISOR_WAITS_H

struct call;
struct supervisor;

/* The charge for a question to a VM process and its answer: so much of the
 * supervisor's time they take. */
#define WAITS_QUESTION_NS 10000

/* The method Status of io.vmsup; ctx is the supervisor. */
void waits_status(void *ctx, struct call *call);
/* To be called when a VM's counters arrive: answers calls that waited for them.
 * ctx is the supervisor. */
void waits_stats_arrived(void *ctx);

#endif
