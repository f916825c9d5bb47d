/* SPDX-License-Identifier: ISC */
/* Sends what channel_send() wouldn't, and messages ready to be spoilt. */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/cage/hostile/hostile.h"

void send_raw(const struct standin *s, const void *data, size_t bytes, int fd,
	      unsigned int count)
{
	static union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SCM_MAX_FDS * sizeof(int))];
	} control;
	struct iovec part = { .iov_len = bytes };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	memcpy(&part.iov_base, &data, sizeof(data));
	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		for (unsigned int i = 0; i < count; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int),
			       &fd, sizeof(fd));
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	/* musl refuses more control data than a few descriptors */
	if (syscall(SYS_sendmsg, s->channel.fd, &packet, MSG_NOSIGNAL) < 0 &&
	    errno == EPERM && s->channel.fd == PROTO_CHANNEL_FD)
		_exit(REFUSED_EXIT);
}

void send_log(const struct standin *s, const struct msg_log *log)
{
	send_raw(s, log, sizeof(*log), -1, 0);
}

void send_counters(const struct standin *s, const struct msg_counters *counters)
{
	send_raw(s, counters, sizeof(*counters), -1, 0);
}

void send_event(const struct standin *s, enum guest_event guest_event)
{
	union msg message = { .event.event = guest_event };

	channel_send(&s->channel, MSG_EVENT, &message, -1);
}
