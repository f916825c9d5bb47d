/* SPDX-License-Identifier: ISC */
/* The method Define: a VM by what a client says of it, made and started. */
#ifndef VMSUP_SUPERVISOR_DEFINE_H
#define VMSUP_SUPERVISOR_DEFINE_H

struct call;

/* The method Define of io.vmsup; ctx is the supervisor. */
void methods_define(void *ctx, struct call *call);

#endif
