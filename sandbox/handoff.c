/* SPDX-License-Identifier: ISC */
/*
 * One descriptor for a child that shares its parent's until it has its own.
 *
 * Theory of operation: a fork copies the table of descriptors, and with 1,000
 * VMs the supervisor has 4,000, each of which the child would then close. So
 * the child shares the table at first (CLONE_FILES), and its first step is to
 * get one of its own with low numbers alone (CLOSE_RANGE_UNSHARE). What it
 * needs is open at low numbers from the start on, but for its end of the
 * channel: the parent can't leave that open until the child has copied it, and
 * never hears when that is. So it travels in a message, by a pair of sockets
 * that is always there, and the parent closes its own at once. A slot whose
 * message was taken is free for the next child.
 */
#include "sandbox/handoff.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/channel.h"
#include "ipc/fd.h"

union rights {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int handoff_open(struct handoff *handoff)
{
	while (handoff->slots < HANDOFF_SLOTS) {
		int ends[2];
		int error = channel_pair(ends);

		if (error)
			return error;
		handoff->in_fd[handoff->slots] = ends[0];
		handoff->out_fd[handoff->slots] = ends[1];
		handoff->owner[handoff->slots++] = NULL;
	}
	return 0;
}

void handoff_close(struct handoff *handoff)
{
	while (handoff->slots > 0) {
		handoff->slots--;
		fd_close(&handoff->in_fd[handoff->slots]);
		fd_close(&handoff->out_fd[handoff->slots]);
	}
}

/* Whether the slot is empty. A look that has no room for a descriptor leaves it
 * in the message. */
static bool is_taken(const struct handoff *handoff, int slot)
{
	char byte;

	return recv(handoff->in_fd[slot], &byte, 1, MSG_PEEK | MSG_DONTWAIT) <
		       0 &&
	       errno == EAGAIN;
}

static int send_fd(int out_fd, int fd)
{
	char byte = 0;
	struct iovec part = { &byte, 1 };
	union rights control = { 0 };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	return sendmsg(out_fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0
		       ? -errno
		       : 0;
}

int handoff_put(struct handoff *handoff, int fd, const void *owner)
{
	for (int slot = 0; slot < handoff->slots; slot++) {
		int error;

		if (!is_taken(handoff, slot))
			continue;
		error = send_fd(handoff->out_fd[slot], fd);
		if (error)
			return error;
		handoff->owner[slot] = owner;
		return handoff->in_fd[slot];
	}
	return -EAGAIN;
}

void handoff_forget(struct handoff *handoff, const void *owner)
{
	for (int slot = 0; slot < handoff->slots; slot++) {
		int fd;

		if (handoff->owner[slot] != owner)
			continue;
		handoff->owner[slot] = NULL;
		fd = handoff_take(handoff->in_fd[slot]);
		fd_close(&fd);
	}
}

int handoff_take(int in_fd)
{
	char byte;
	struct iovec part = { &byte, 1 };
	union rights control;
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(in_fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	if (packet.msg_controllen < sizeof(control.header) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return -EMFILE; /* the kernel could put it nowhere */
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	return fd;
}
