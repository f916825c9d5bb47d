/* SPDX-License-Identifier: ISC */
/* Upgrade in place: the running program replaced by another, under its VMs. */
#ifndef VMSUP_SUPERVISOR_UPGRADE_H
#define VMSUP_SUPERVISOR_UPGRADE_H

#include <sys/types.h>

#include "ipc/loop.h"
#include "supervisor/control/control.h"
#include "supervisor/lib/problem.h"

struct supervisor;

/* What the trial of the new program says of itself, at most. */
#define UPGRADE_WORDS 256

struct upgrade {
	struct call *call; /* who asked; NULL: nobody, or he went away */
	int program_fd; /* owned: the new program; -1: no upgrade under way */
	int trial_pid_fd; /* owned: the new program, trying the state */
	int words_fd; /* owned: its standard error */
	struct source trial_source;
	struct timer deadline;
	int guard_fd; /* owned: to who takes over if the new program fails */
	int guard_pid_fd; /* owned */
};

/* As in a new supervisor. */
#define UPGRADE_NONE                           \
	((struct upgrade){ .program_fd = -1,   \
			   .trial_pid_fd = -1, \
			   .words_fd = -1,     \
			   .guard_fd = -1,     \
			   .guard_pid_fd = -1, \
			   .trial_source.fd = -1 })

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
