/* SPDX-License-Identifier: ISC */
/*
 * Ancillary data of messages that were received.
 *
 * Theory of operation: a peer sends descriptors. Options of the receiving
 * socket make the kernel add more: credentials, a label, a time, and with
 * SO_PASSPIDFD a descriptor that is installed in the receiver. Sockets here
 * never set any of these options. So a control message that isn't SCM_RIGHTS
 * proves that somebody else who holds the same socket has set one, and the
 * receiver has to know it. A descriptor that nobody looks for would stay open
 * for ever, so it is closed.
 */
#include "ipc/ancillary.h"

#include <string.h>

#include "ipc/fd.h"

/* Takes the descriptors of one control message; they are its payload. */
static void take(struct ancillary *ancillary, const struct cmsghdr *header,
		 int *fds, size_t room)
{
	size_t bytes = header->cmsg_len - CMSG_LEN(0);

	for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + at, sizeof(fd));
		if (ancillary->count < room) {
			fds[ancillary->count++] = fd;
		} else {
			close(fd);
			ancillary->surplus++;
		}
	}
}

struct ancillary ancillary_take(struct msghdr *message, int *fds, size_t room)
{
	struct ancillary ancillary = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c;
	     c = CMSG_NXTHDR(message, c)) {
		bool of_socket = c->cmsg_level == SOL_SOCKET;

		if (of_socket && c->cmsg_type == SCM_RIGHTS) {
			take(&ancillary, c, fds, room);
			continue;
		}
		if (of_socket && c->cmsg_type == SCM_PIDFD)
			take(&ancillary, c, NULL, 0);
		if (!ancillary.unasked) {
			ancillary.unasked = true;
			ancillary.level = c->cmsg_level;
			ancillary.type = c->cmsg_type;
		}
	}
	return ancillary;
}
