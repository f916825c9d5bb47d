/* SPDX-License-Identifier: ISC */
/* Ancillary data of a message (cmsg(3)): descriptors, and data that nobody
 * asked for. */
#ifndef VMSUP_IPC_ANCILLARY_H
#define VMSUP_IPC_ANCILLARY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Control messages of a socket that carry descriptors, by their types; headers
 * before Linux 6.5 lack the second. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

struct ancillary {
	size_t count; /* descriptors that were taken */
	size_t surplus; /* descriptors that were closed: there was no room */
	bool unasked; /* there was a control message of another kind */
	int level, type; /* of the first control message of another kind */
};

/*
 * Takes the descriptors (SCM_RIGHTS) out of a message that was received, at
 * most room of them, into fds, where they are the caller's. Every other
 * descriptor that the kernel installed is closed.
 */
struct ancillary ancillary_take(struct msghdr *message, int *fds, size_t room);

#endif
