/* SPDX-License-Identifier: ISC */
/*
 * What every stand-in for a VM process does as the real one does: it listens,
 * takes its descriptors, closes its cage, and serves. The rest is the attack.
 */
#ifndef VMSUP_TESTS_CAGE_STANDIN_H
#define VMSUP_TESTS_CAGE_STANDIN_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "ipc/proto.h"
#include "sandbox/stage2.h"
#include "vmproc/place.h"

struct standin {
	struct channel channel;
	struct msg_config config; /* from CONFIG on */
	int fds[FD_ROLES]; /* the first of each role; -1: not given */
	int more_fds[FD_ROLES][FD_INDEX_MAX]; /* by index, from 1 */
	struct msg_machine machine; /* of guest kvm */
	int epoll_fd; /* of the channel: what waits after stage 2 */
	int listener_fd; /* from stage 2 on, until READY is sent */
	bool paused; /* as the supervisor asked it to be */
};

/* Says so over the channel and ends: the test is broken, not the cage. */
static inline _Noreturn void standin_bug(const struct standin *s,
					 const char *what, int error)
{
	union msg message = { 0 };

	message.log.level = LOG_LEVEL_ERROR;
	message.log.length = (uint32_t)snprintf(
		message.log.text, MSG_LOG_TEXT, "stand-in broken: %s: %s", what,
		error_name(error < 0 ? -error : error));
	channel_send(&s->channel, MSG_LOG, &message, -1);
	_exit(VMPROC_EXIT_OS);
}

/* One line to the log of the VM. */
static inline void standin_say(const struct standin *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline void standin_say(const struct standin *s, const char *format, ...)
{
	union msg message = { 0 };
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(message.log.text, MSG_LOG_TEXT, format, args);
	va_end(args);
	message.log.level = LOG_LEVEL_INFO;
	message.log.length = length < MSG_LOG_TEXT ? (uint32_t)length
						   : MSG_LOG_TEXT - 1;
	channel_send(&s->channel, MSG_LOG, &message, -1);
}

/* epoll_wait(2), and not what a C library makes of it: after stage 2 there is
 * this one alone. */
static inline int standin_wait(int epoll_fd, struct epoll_event *events,
			       int count, int wait_ms)
{
	return (int)syscall(SYS_epoll_wait, epoll_fd, events, count, wait_ms);
}

/* openat(2) for the same reason. */
static inline int standin_open(const char *path, int flags)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static inline void standin_init(struct standin *s)
{
	struct epoll_event event = { .events = EPOLLIN };

	memset(s, 0, sizeof(*s));
	s->channel.fd = PROTO_CHANNEL_FD;
	s->channel.side = CHANNEL_VMPROC;
	s->listener_fd = -1;
	memset(s->fds, -1, sizeof(s->fds));
	memset(s->more_fds, -1, sizeof(s->more_fds));
	/* stage 1 of an earlier build makes none */
	s->epoll_fd = PROTO_LOOP_FD;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->channel.fd, &event) == 0)
		return;
	s->epoll_fd = place_fd(epoll_create1(EPOLL_CLOEXEC), PROTO_LOOP_FD,
			       PROTO_LOOP_FDS);
	if (s->epoll_fd < 0 ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->channel.fd, &event) < 0)
		standin_bug(s, "epoll", errno);
}

/* Waits for the next message; ends with the supervisor. */
static inline enum msg_type standin_hear(struct standin *s, union msg *message,
					 int *fd)
{
	struct channel_fault fault = { 0 };
	int result;

	for (;;) {
		struct epoll_event event;

		result = channel_receive(&s->channel, message, fd, &fault);
		if (result == 1)
			break;
		if (result != -EAGAIN)
			_exit(VMPROC_EXIT_ORPHAN);
		standin_wait(s->epoll_fd, &event, 1, -1);
	}
	return (enum msg_type)message->header.type;
}

/* CONFIG: from then on it knows its name and generation. */
static inline void standin_introduce(struct standin *s)
{
	union msg message;
	int fd;

	if (standin_hear(s, &message, &fd) != MSG_CONFIG)
		standin_bug(s, "no CONFIG", EPROTO);
	s->config = message.config;
	s->config.name[VM_NAME_MAX] = '\0';
	s->channel.generation = message.header.generation;
}

/* Puts a descriptor where the next supervisor looks for it. */
static inline int standin_place(const struct standin *s,
				const struct msg_fd *given, int fd)
{
	int number = proto_fd_number(s->config.version,
				     (enum fd_role)given->role, given->index);

	if (!number || number == fd)
		return fd;
	if (dup3(fd, number, O_CLOEXEC) < 0)
		standin_bug(s, "dup3", errno);
	close(fd);
	return number;
}

static inline void standin_take(struct standin *s, const struct msg_fd *given,
				int fd)
{
	if (given->role >= FD_ROLES || given->index >= FD_INDEX_MAX)
		standin_bug(s, "descriptor of no role", EPROTO);
	fd = standin_place(s, given, fd);
	if (given->index == 0)
		s->fds[given->role] = fd;
	else
		s->more_fds[given->role][given->index] = fd;
}

/* The descriptors, of guest kvm the machine too, and START. */
static inline void standin_equip(struct standin *s)
{
	union msg message;
	int fd;

	for (;;) {
		enum msg_type type = standin_hear(s, &message, &fd);

		if (type == MSG_START)
			return;
		if (type == MSG_FD)
			standin_take(s, &message.fd, fd);
		else if (type == MSG_MACHINE)
			s->machine = message.machine;
		else
			standin_bug(s, "no START", EPROTO);
	}
}

/* Stage 2, as the real one does it. */
static inline void standin_close_cage(struct standin *s)
{
	const char *step = "";

	s->listener_fd = stage2_close(s->fds[FD_ROLE_FILTER],
				      s->config.flags & CONFIG_STAY, &step);
	if (s->listener_fd < 0)
		standin_bug(s, step, s->listener_fd);
	fd_close(&s->fds[FD_ROLE_FILTER]);
}

static inline void standin_send(const struct standin *s, enum msg_type type,
				int fd)
{
	union msg message = { 0 };

	channel_send(&s->channel, type, &message, fd);
}

/* READY, with the listener; its copy is closed as the protocol demands. */
static inline void standin_prove(struct standin *s)
{
	standin_send(s, MSG_READY, s->listener_fd);
	fd_close(&s->listener_fd);
}

/* That, and LOADED, if its supervisor knows of it: its guest takes no time to
 * be there. */
static inline void standin_ready(struct standin *s)
{
	standin_prove(s);
	if (s->config.version >= PROTO_LOADED)
		standin_send(s, MSG_LOADED, -1);
}

/* Counters, as the request wants them: all zero. */
static inline void standin_stats(const struct standin *s,
				 const union msg *request)
{
	union msg answer = { 0 };

	answer.stats.id = request->stats_request.id;
	answer.stats.paused = s->paused;
	channel_send(&s->channel, MSG_STATS, &answer, -1);
}

/* One message, answered as a well-behaved VM process does. */
static inline void standin_answer(struct standin *s, const union msg *message)
{
	union msg answer = { 0 };

	switch (message->header.type) {
	case MSG_STATS_REQUEST:
		standin_stats(s, message);
		break;
	case MSG_PING:
		answer.ping_result.id = message->ping.id;
		answer.ping_result.status = PING_TIMEOUT;
		channel_send(&s->channel, MSG_PING_RESULT, &answer, -1);
		break;
	case MSG_PAUSE:
	case MSG_RESUME:
		s->paused = message->header.type == MSG_PAUSE;
		answer.event.event = s->paused ? GUEST_PAUSED : GUEST_RESUMED;
		channel_send(&s->channel, MSG_EVENT, &answer, -1);
		break;
	case MSG_COUNTERS_REQUEST:
		answer.counters.last = 1;
		channel_send(&s->channel, MSG_COUNTERS, &answer, -1);
		break;
	case MSG_STOP:
		_exit(VMPROC_EXIT_OK);
	default:
		break;
	}
}

static inline _Noreturn void standin_serve(struct standin *s)
{
	union msg message;
	int fd;

	for (;;) {
		standin_hear(s, &message, &fd);
		standin_answer(s, &message);
	}
}

/* A VM process that does nothing wrong. */
static inline _Noreturn void standin_behave(struct standin *s)
{
	standin_close_cage(s);
	standin_ready(s);
	standin_serve(s);
}

#endif
