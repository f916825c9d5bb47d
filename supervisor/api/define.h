/* SPDX-License-Identifier: ISC */
/* The method Define: makes and starts a VM that a client describes. */
#ifndef VMSUP_SUPERVISOR_DEFINE_H
#define VMSUP_SUPERVISOR_DEFINE_H

struct call;

/* The method Define of io.vmsup; ctx is the supervisor. */
void methods_define(void *ctx, struct call *call);

#endif
