/* SPDX-License-Identifier: ISC */
/* Upgrade in place: the running program is replaced, and its VMs run on. */
#ifndef VMSUP_SUPERVISOR_UPGRADE_H
#define VMSUP_SUPERVISOR_UPGRADE_H

#include "supervisor/control/control.h"
#include "supervisor/lib/problem.h"

struct supervisor;

/* Records this program's path, where an upgrade finds the next program. 0 or
 * -errno with problem set. */
int upgrade_init(struct supervisor *supervisor, struct problem *problem);

/* Begins an upgrade; call, if there is one, is answered at its end. 0 or -errno
 * with problem set, and nothing done. */
int upgrade_begin(struct supervisor *supervisor, struct call *call,
		  struct problem *problem);
/* Ends an upgrade that is under way, if there is one. */
void upgrade_cancel(struct supervisor *supervisor, const char *why);

/* In the new image: tells the guard to end. */
void upgrade_done(struct supervisor *supervisor);

#endif
