/* SPDX-License-Identifier: ISC */
/* The new image of a supervisor, in an upgrade: see upgrade.c. */
#ifndef VMSUP_SUPERVISOR_TAKEOVER_H
#define VMSUP_SUPERVISOR_TAKEOVER_H

/* Whether this program could take over what the document says. Its exit status:
 * HANDOVER_AGREED, or 1 with the reason on stderr. vmproc_fd: -1 if there is
 * none. */
int takeover_check(int state_fd, int vmproc_fd);

/* Is the supervisor from now on, until its end. Takes over the descriptors.
 * Returns the process's exit status. */
int takeover_go(int state_fd, int vmproc_fd);

#endif
