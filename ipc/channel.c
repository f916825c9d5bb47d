/* SPDX-License-Identifier: ISC */
/*
 * Sends and receives one message at a time, with its descriptor.
 *
 * Theory of operation: the peer is hostile. The kernel keeps packet borders,
 * so a packet is judged whole: cut off (MSG_TRUNC, MSG_CTRUNC), of a type
 * unknown or of the wrong direction, of another size than the table says, with
 * more or fewer descriptors, with other ancillary data, or of another
 * generation: all of it is refused here, and every descriptor that came along
 * is closed. The packet is copied out of the kernel once, into the caller's
 * memory, where the peer can't reach it any more.
 */
#include "ipc/channel.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/ancillary.h"
#include "ipc/fd.h"

/* Room to receive more descriptors than any message has: a surplus that fits
 * is counted and closed, one that doesn't is closed by the kernel. */
#define RECEIVE_FDS 8

int channel_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	return 0;
}

int channel_send(const struct channel *channel, enum msg_type type,
		 union msg *message, int fd)
{
	const struct msg_spec *spec = &msg_specs[type];
	struct iovec part = { message, spec->size };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (spec->size == 0 || spec->fds != (fd >= 0) ||
	    spec->to_vmproc != (channel->side == CHANNEL_SUPERVISOR))
		return -EINVAL;
	message->header = (struct msg_header){
		.type = type,
		.size = spec->size,
		.generation = channel->generation,
	};
	if (fd >= 0) {
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control);
	}
	do {
		sent = sendmsg(channel->fd, &packet,
			       MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int channel_signal(const struct channel *channel, enum msg_type type)
{
	union msg message = { 0 };

	return channel_send(channel, type, &message, -1);
}

static int fault_set(struct channel_fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fault_set(struct channel_fault *fault, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return -EPROTO;
}

/* Holds a packet against the table. 0 or -EPROTO. */
static int check_message(const struct channel *channel,
			 const struct msghdr *packet,
			 const struct msg_header *header, size_t bytes,
			 const struct ancillary *ancillary,
			 struct channel_fault *fault)
{
	const struct msg_spec *spec;

	/* Only somebody who shares this end can have asked the kernel for
	 * it. */
	if (ancillary->unasked)
		return fault_set(fault, "control message of type %d, level %d",
				 ancillary->type, ancillary->level);
	if (packet->msg_flags & MSG_TRUNC)
		return fault_set(fault, "message too long");
	if (packet->msg_flags & MSG_CTRUNC)
		return fault_set(fault, "too many descriptors");
	if (bytes < sizeof(*header))
		return fault_set(fault, "message of %zu bytes", bytes);
	if (header->type >= MSG_TYPES || msg_specs[header->type].size == 0)
		return fault_set(fault, "message type %u", header->type);
	spec = &msg_specs[header->type];
	if (spec->to_vmproc == (channel->side == CHANNEL_SUPERVISOR))
		return fault_set(fault, "%s in the wrong direction",
				 spec->name);
	if (bytes != spec->size || header->size != spec->size)
		return fault_set(fault, "%s of %zu bytes (%u said, %u wanted)",
				 spec->name, bytes, header->size, spec->size);
	if (header->reserved != 0)
		return fault_set(fault, "%s with reserved bits", spec->name);
	if (ancillary->count != spec->fds)
		return fault_set(fault, "%s with %zu descriptors (%u wanted)",
				 spec->name, ancillary->count, spec->fds);
	if (channel->generation && header->generation != channel->generation)
		return fault_set(fault, "%s of generation %llu (%llu wanted)",
				 spec->name,
				 (unsigned long long)header->generation,
				 (unsigned long long)channel->generation);
	return 0;
}

int channel_receive(const struct channel *channel, union msg *message, int *fd,
		    struct channel_fault *fault)
{
	struct iovec part = { message, sizeof(*message) };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(RECEIVE_FDS * sizeof(int))];
	} control;
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[RECEIVE_FDS];
	struct ancillary ancillary;
	ssize_t bytes;
	int error;

	*fd = -1;
	do {
		bytes = recvmsg(channel->fd, &packet,
				MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return -errno;
	ancillary = ancillary_take(&packet, fds, RECEIVE_FDS);
	if (bytes == 0 && ancillary.count == 0 && !ancillary.unasked)
		return 0;
	error = check_message(channel, &packet, &message->header, (size_t)bytes,
			      &ancillary, fault);
	if (!error && ancillary.count) {
		*fd = fds[0];
		return 1;
	}
	for (size_t i = 0; i < ancillary.count; i++)
		close(fds[i]);
	return error ? error : 1;
}
