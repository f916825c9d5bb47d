/* SPDX-License-Identifier: ISC */
/* The new image of a supervisor, in an upgrade: see upgrade.c. */
#ifndef VMSUP_SUPERVISOR_TAKEOVER_H
#define VMSUP_SUPERVISOR_TAKEOVER_H

/* Checks that this program can take over from the document. Returns the exit
 * status: HANDOVER_AGREED, or 1 with the reason on stderr. vmproc_fd: -1 if
 * there is no vmproc. */
int takeover_check(int state_fd, int vmproc_fd);

/* Runs the supervisor until it ends. Owns the descriptors from now on. Returns
 * the process's exit status. */
int takeover_go(int state_fd, int vmproc_fd);

#endif
