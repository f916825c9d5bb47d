/* SPDX-License-Identifier: ISC */
/* Descriptors that a VM process makes itself, in their place of the plan. */
#ifndef VMSUP_VMPROC_PLACE_H
#define VMSUP_VMPROC_PLACE_H

/* Moves fd to the lowest free number of a block of count numbers from first on
 * (PROTO_VM_FD and so on). The new number or -errno; fd itself is closed, and
 * may be an error: then errno says which. */
int place_fd(int fd, int first, int count);

/* An eventfd that nobody waits at, in its place. -errno. */
int place_eventfd(void);

#endif
