/* SPDX-License-Identifier: ISC */
/*
 * Descriptors where none belong, too many, too few, circular ones; and READY
 * with something else in the listener's place. Whatever comes with a message,
 * the supervisor must neither keep it nor look into it.
 */
#include <sys/socket.h>

#include "tests/cage/hostile/hostile.h"

static void fd_surplus(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log), s->epoll_fd, 1);
}

static void fds_eight(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log), s->epoll_fd, 8);
}

static void fds_all(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log), s->fds[FD_ROLE_TAP], SCM_MAX_FDS);
}

/* Its own end of the channel, so that it never closes. */
static void fd_cycle(struct standin *s)
{
	struct msg_log log = good_log(s);

	for (int i = 0; i < 16; i++)
		send_raw(s, &log, sizeof(log), s->channel.fd, 1);
}

static struct msg_plain good_ready(const struct standin *s)
{
	return (struct msg_plain){
		.header = { .type = MSG_READY,
			    .size = sizeof(struct msg_plain),
			    .generation = s->channel.generation },
	};
}

static void ready_without(struct standin *s)
{
	struct msg_plain ready = good_ready(s);

	standin_close_cage(s);
	send_raw(s, &ready, sizeof(ready), -1, 0);
}

static void ready_with_two(struct standin *s)
{
	struct msg_plain ready = good_ready(s);

	standin_close_cage(s);
	send_raw(s, &ready, sizeof(ready), s->listener_fd, 2);
}

/* Something else in the listener's place, the cage closed or open. */
static void ready_epoll(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->epoll_fd);
}

static void ready_tap(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->fds[FD_ROLE_TAP]);
}

static void ready_channel(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->channel.fd);
}

static void ready_memfd(struct standin *s)
{
	standin_send(s, MSG_READY, s->fds[FD_ROLE_FILTER]);
}

static void ready_open(struct standin *s)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		standin_bug(s, "socketpair", errno);
	standin_send(s, MSG_READY, ends[0]);
}

/* An epoll descriptor that is ready for ever. */
static void ready_loop(struct standin *s)
{
	struct epoll_event event_out = { .events = EPOLLIN | EPOLLOUT };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(fd, EPOLL_CTL_ADD, s->fds[FD_ROLE_TAP], &event_out);
	standin_send(s, MSG_READY, fd);
}

/* A socket that holds sockets that hold descriptors. */
static void ready_nested(struct standin *s)
{
	struct standin inner = *s;
	int fd = s->fds[FD_ROLE_TAP], ends[2];

	for (int depth = 0; depth < 3; depth++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			       ends) < 0)
			standin_bug(s, "socketpair", errno);
		inner.channel.fd = ends[0];
		send_raw(&inner, "x", 1, fd, 8);
		fd = ends[1];
	}
	/* and one that holds itself */
	inner.channel.fd = ends[1];
	send_raw(&inner, "x", 1, ends[0], 1);
	standin_send(s, MSG_READY, fd);
}

static const struct attack attacks[] = {
	{ "fd-surplus", LATE, fd_surplus,
	  COSTS_FD("protocol: LOG with 1 descriptors \\(0 wanted\\)") },
	{ "fds-eight", EARLY, fds_eight,
	  "protocol: LOG with 8 descriptors \\(0 wanted\\)" },
	{ "fds-all", LATE, fds_all,
	  COSTS_FD("protocol: too many descriptors") },
	{ "fd-cycle", LATE, fd_cycle,
	  COSTS_FD("protocol: LOG with 1 descriptors \\(0 wanted\\)") },
	{ "ready-without", EARLY, ready_without,
	  "protocol: READY with 0 descriptors \\(1 wanted\\)" },
	{ "ready-with-two", EARLY, ready_with_two,
	  "protocol: READY with 2 descriptors \\(1 wanted\\)" },
	{ "ready-epoll", EARLY, ready_epoll,
	  "protocol: READY without a listener" },
	{ "ready-tap", EARLY, ready_tap, "protocol: READY without a listener" },
	{ "ready-channel", EARLY, ready_channel,
	  "protocol: READY without a listener" },
	{ "ready-memfd", EARLY, ready_memfd,
	  "protocol: READY without a listener" },
	{ "ready-open", EARLY, ready_open,
	  "protocol: READY without a listener" },
	{ "ready-loop", EARLY, ready_loop,
	  "protocol: READY without a listener" },
	{ "ready-nested", EARLY, ready_nested,
	  "protocol: READY without a listener" },
};

const struct attack_list descriptors_attacks = { attacks, ARRAY_SIZE(attacks) };
