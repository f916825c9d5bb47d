/* SPDX-License-Identifier: ISC */
/* Unix sockets: what one is, and options that its other holder may have set. */
#ifndef VMSUP_SUPERVISOR_SOCKETS_H
#define VMSUP_SUPERVISOR_SOCKETS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Linux 6.16; the headers of older systems don't have it. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* True if fd is a Unix socket of that type (SOCK_STREAM, ...) that listens, or
 * one that doesn't. */
bool sockets_is(int fd, int type, bool listening);

/* From here on the kernel adds nothing to what is received. */
void sockets_ask_for_nothing(int fd);

/* Whether peers may send descriptors. Kernels before 6.16 always allow it. */
void sockets_allow_descriptors(int fd, bool allow);

/*
 * Puts back every option of an AF_UNIX socket that another holder without a
 * privilege can have set, and the flags of its open file: O_NONBLOCK or 0. 0;
 * -EPERM: a filter is on it that nobody can take off any more
 * (SO_LOCK_FILTER).
 */
int sockets_restore(int fd, int flags);

#endif
