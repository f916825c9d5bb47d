/* SPDX-License-Identifier: ISC */
/* Descriptors that a VM process makes itself, moved to their numbers of the
 * plan (ipc/proto.h). */
#ifndef VMSUP_VMPROC_PLACE_H
#define VMSUP_VMPROC_PLACE_H

/* Moves fd to the lowest free number of the block of count numbers from first
 * on (PROTO_VM_FD and so on), and closes fd. fd may be negative: then errno has
 * the error. Returns the new number or -errno. */
int place_fd(int fd, int first, int count);

/* A new, non-blocking eventfd, at a number of its block. Or -errno. */
int place_eventfd(void);

#endif
