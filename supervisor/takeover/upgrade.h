/* SPDX-License-Identifier: ISC */
/* Upgrade in place: the running program replaced by another, under its VMs. */
#ifndef VMSUP_SUPERVISOR_UPGRADE_H
#define VMSUP_SUPERVISOR_UPGRADE_H

#include "supervisor/control/control.h"
#include "supervisor/lib/problem.h"

struct supervisor;

/* Remembers where this program lies: there the next one is looked for. 0 or
 * -errno with problem set. */
int upgrade_init(struct supervisor *supervisor, struct problem *problem);

/* Begins an upgrade; call, if there is one, is answered at its end. 0 or -errno
 * with problem set, and nothing done. */
int upgrade_begin(struct supervisor *supervisor, struct call *call,
		  struct problem *problem);
/* Gives up one that is under way. */
void upgrade_cancel(struct supervisor *supervisor, const char *why);

/* In the new image: tells the guard that it isn't needed. */
void upgrade_done(struct supervisor *supervisor);

#endif
