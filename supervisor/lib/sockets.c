/* SPDX-License-Identifier: ISC */
/*
 * Unix sockets: what one is, and options that its other holder may have set.
 *
 * Theory of operation: a VM process keeps the supervisor's end of its channel
 * and of its console, for the next supervisor. That is the same socket, not a
 * copy: an option that the process sets there, before its sandbox is closed, is
 * an option of the supervisor's, and of each one that comes after. So what an
 * unprivileged holder can set is put back once it can set nothing any more, and
 * whenever a supervisor takes the socket over. None of these options can make
 * the supervisor wait or grow meanwhile: it never waits in a socket call
 * (MSG_DONTWAIT), and refuses what the kernel adds to a message
 * (ipc/ancillary.c).
 */
#include "supervisor/lib/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/time.h>

#include "ipc/fd.h"

/* Options that the headers of older systems lack. */
#define PASS_PIDFD   76 /* Linux 6.5 */
#define RECV_MARK    75 /* Linux 6.0 */
#define RECV_PRIO    82 /* Linux 6.14 */
#define RECV_INQ     84 /* Linux 6.17 */
#define BUFFER_LOCKS 72 /* Linux 5.14 */
/* The kernel doubles it: what a new socket has, unless the host's administrator
 * has set net.core.wmem_default. */
#define BUFFER_BYTES (212992 / 2)

struct option {
	int name;
	int value;
};

/* What makes the kernel add a control message. */
static const struct option quiet[] = {
	{ SO_PASSCRED, 0 }, /* credentials of the sender */
	{ PASS_PIDFD, 0 }, /* a descriptor of the sender's process */
	{ SO_PASSSEC, 0 }, /* its security label */
	{ SO_TIMESTAMP, 0 }, /* when it came, in either format */
	{ SO_TIMESTAMPNS, 0 },
	{ SO_TIMESTAMPING, 0 }, /* the same by hardware */
	{ SO_RXQ_OVFL, 0 }, /* how many were dropped */
	{ RECV_MARK, 0 }, /* a mark of the packet's */
	{ RECV_PRIO, 0 }, /* its priority */
	{ RECV_INQ, 0 }, /* how much is left to read */
};

/* What else has an effect on AF_UNIX, or is cheap enough not to ask. */
static const struct option defaults[] = {
	{ SO_RCVLOWAT, 1 }, /* fewer bytes don't wake a reader */
	{ SO_PEEK_OFF, -1 }, /* where a peek begins */
	{ SO_OOBINLINE, 0 }, /* where urgent bytes of a stream are */
	{ SO_SNDBUF, BUFFER_BYTES }, /* how much may be on its way */
	{ SO_RCVBUF, BUFFER_BYTES },
	{ BUFFER_LOCKS, 0 }, /* SO_SNDBUF and SO_RCVBUF were set by hand */
	{ SO_PRIORITY, 0 },
	{ SO_BUSY_POLL, 0 },
	{ SO_KEEPALIVE, 0 },
	{ SO_BROADCAST, 0 },
	{ SO_DONTROUTE, 0 },
	{ SO_REUSEADDR, 0 },
	{ SO_REUSEPORT, 0 },
	{ SO_SELECT_ERR_QUEUE, 0 },
};

/* An option that this kernel doesn't have is set by nobody. */
static void set_all(int fd, const struct option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)setsockopt(fd, SOL_SOCKET, options[i].name,
				 &options[i].value, sizeof(options[i].value));
}

void sockets_ask_for_nothing(int fd)
{
	set_all(fd, quiet, ARRAY_SIZE(quiet));
}

void sockets_allow_descriptors(int fd, bool allow)
{
	int on = allow;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof(on));
}

int sockets_restore(int fd, int flags)
{
	const struct timeval for_ever = { 0 };
	const struct linger none = { 0 };
	int locked = 0;
	socklen_t length = sizeof(locked);

	sockets_ask_for_nothing(fd);
	set_all(fd, defaults, ARRAY_SIZE(defaults));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &for_ever,
			 sizeof(for_ever));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &for_ever,
			 sizeof(for_ever));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	/* a program that cuts messages short, or drops them */
	(void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &locked,
			 sizeof(locked));
	/* O_NONBLOCK, O_ASYNC */
	if (fcntl(fd, F_SETFL, flags) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &locked, &length) == 0 &&
	    locked)
		return -EPERM;
	return 0;
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1
								       : value;
}

bool sockets_is(int fd, int type, bool listening)
{
	return socket_option(fd, SO_DOMAIN) == AF_UNIX &&
	       socket_option(fd, SO_TYPE) == type &&
	       socket_option(fd, SO_ACCEPTCONN) == listening;
}
