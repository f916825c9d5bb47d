/* SPDX-License-Identifier: ISC */
/*
 * What systemd passes to a service, and what it wants to hear from it.
 *
 * Both protocols are few lines (sd_listen_fds(3) and sd_notify(3), "Notes"), so
 * they are spoken here, without libsystemd.
 *
 * The socket for messages is connected at once and kept, because the
 * supervisor's filter has neither socket(2) nor connect(2). systemd keeps its
 * end over daemon-reload and daemon-reexec. Should the other end ever be closed
 * (a container's proxy), then each message is dropped and counted, and nothing
 * else happens. Who sends is attached by the kernel, if the receiver asks for
 * it: nothing to be done here, and an upgrade keeps the pid.
 */
#include "supervisor/host/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/loop.h"
#include "supervisor/lib/sockets.h"

/* For who listens to catch up. */
#define PATIENCE_MS 1000
/* Where passed sockets begin: SD_LISTEN_FDS_START. */
#define FIRST_FD      3
#define NSEC_PER_USEC (NSEC_PER_MSEC / 1000)

/* A decimal number and nothing else. False if it is none, or too large. */
static bool read_number(const char *text, unsigned long long *number)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Whether the variable of that name holds this process's pid. */
static bool is_meant(const char *name)
{
	unsigned long long pid;

	return read_number(getenv(name), &pid) &&
	       pid == (unsigned long long)getpid();
}

/* ---- the control socket */

static int take_listener(int *fd, struct problem *problem)
{
	const char *text = getenv("LISTEN_FDS");
	unsigned long long count = 0;

	if (!text)
		return 0;
	if (!read_number(text, &count) || count != 1)
		return problem_set(
			problem, -EINVAL,
			"systemd passed %.16s sockets, one is wanted "
			"(one ListenStream= in the socket unit)",
			text);
	if (!sockets_is(FIRST_FD, SOCK_STREAM, true))
		return problem_set(problem, -EINVAL,
				   "what systemd passed is no listening Unix "
				   "stream socket (ListenStream=/PATH and "
				   "Accept=no in the socket unit)");
	/* once more: clients see the pid of who did it last (SO_PEERCRED), and
	 * wait for the end of that process */
	if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    listen(FIRST_FD, SOMAXCONN) < 0)
		return problem_set(problem, -EINVAL,
				   "cannot listen on the socket that systemd "
				   "passed: %s",
				   strerror(errno));
	*fd = FIRST_FD;
	return 0;
}

int notify_listen_fd(int *fd, struct problem *problem)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_FDS",
					     "LISTEN_FDNAMES",
					     "LISTEN_PIDFDID" };
	int error;

	*fd = -1;
	error = is_meant("LISTEN_PID") ? take_listener(fd, problem) : 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
	return error;
}

/* ---- messages */

/* 0 and the address of a path or (@) an abstract name; -errno. */
static int find_address(const char *name, struct sockaddr_un *address,
			socklen_t *length)
{
	size_t bytes = strlen(name);

	if (name[0] != '/' && name[0] != '@')
		return -EAFNOSUPPORT; /* vsock: of virtual machines */
	if (bytes < 2)
		return -EINVAL;
	if (bytes >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, name, bytes);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	/* a path with its NUL, an abstract name without one: unix(7) */
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes +
			      (name[0] == '/'));
	return 0;
}

/* The connected socket or -errno. */
static int connect_to(const char *name)
{
	struct sockaddr_un address;
	cleanup_fd int fd = -1;
	socklen_t length;
	int error = find_address(name, &address, &length);

	if (error)
		return error;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&address, length) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* WATCHDOG_PID is there if it isn't meant for every process of the service. */
static int read_watchdog(uint64_t *watchdog_ns)
{
	const char *text = getenv("WATCHDOG_USEC");
	unsigned long long usec;

	*watchdog_ns = 0;
	if (!text || (getenv("WATCHDOG_PID") && !is_meant("WATCHDOG_PID")))
		return 0;
	if (!read_number(text, &usec) || usec == 0 ||
	    usec > INT64_MAX / NSEC_PER_USEC)
		return -EINVAL;
	*watchdog_ns = usec * NSEC_PER_USEC;
	return 0;
}

static int connect_socket(struct notify *notify, struct problem *problem)
{
	const char *name = getenv("NOTIFY_SOCKET");

	if (!name)
		return 0;
	if (read_watchdog(&notify->watchdog_ns) < 0)
		return problem_set(problem, -EINVAL,
				   "WATCHDOG_USEC=%.32s is no time (see "
				   "WatchdogSec= of the unit)",
				   getenv("WATCHDOG_USEC"));
	notify->fd = connect_to(name);
	if (notify->fd >= 0)
		return 0;
	return problem_set(problem, notify->fd,
			   "cannot connect to the NOTIFY_SOCKET %.128s: %s "
			   "(unset it if nobody waits to be notified)",
			   name, strerror(-notify->fd));
}

int notify_init(struct notify *notify, struct problem *problem)
{
	int error;

	*notify = (struct notify){ .fd = -1 };
	error = connect_socket(notify, problem);
	if (error)
		*notify = (struct notify){ .fd = -1 };
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return error;
}

void notify_uninit(struct notify *notify)
{
	fd_close(&notify->fd);
}

/* patience_ms: how long to wait for room. */
__attribute__((format(printf, 3, 0))) static int
put(struct notify *notify, int patience_ms, const char *format, va_list args)
{
	struct pollfd room = { .fd = notify->fd, .events = POLLOUT };
	char text[NOTIFY_BYTES];
	int length, error;

	if (notify->fd < 0)
		return 0;
	length = vsnprintf(text, sizeof(text), format, args);
	/* half a message would say something else */
	if (length < 0 || (size_t)length >= sizeof(text)) {
		error = -EMSGSIZE;
	} else {
		if (patience_ms)
			(void)poll(&room, 1, patience_ms);
		error = send(notify->fd, text, (size_t)length,
			     MSG_DONTWAIT | MSG_NOSIGNAL) < 0
				? -errno
				: 0;
	}
	if (error)
		notify->dropped++;
	return error;
}

int notify_send(struct notify *notify, const char *format, ...)
{
	va_list args;
	int error;

	va_start(args, format);
	error = put(notify, 0, format, args);
	va_end(args);
	return error;
}

int notify_send_surely(struct notify *notify, const char *format, ...)
{
	va_list args;
	int error;

	va_start(args, format);
	error = put(notify, PATIENCE_MS, format, args);
	va_end(args);
	return error;
}

/* ---- upgrade */

json_t *notify_save(const struct notify *notify)
{
	return json_pack("{s:i, s:I, s:I}", "fd", notify->fd, "watchdog_ns",
			 (json_int_t)notify->watchdog_ns, "dropped",
			 (json_int_t)notify->dropped);
}

int notify_restore(struct notify *notify, const json_t *saved)
{
	const json_t *number = json_object_get(saved, "fd");
	json_int_t fd = json_integer_value(number);
	json_int_t watchdog_ns =
		json_integer_value(json_object_get(saved, "watchdog_ns"));
	json_int_t dropped =
		json_integer_value(json_object_get(saved, "dropped"));

	*notify = (struct notify){ .fd = -1 };
	if (fd == -1)
		return 0;
	if (!json_is_integer(number) || fd < 0 || fd > INT_MAX ||
	    watchdog_ns < 0 || dropped < 0 ||
	    !sockets_is((int)fd, SOCK_DGRAM, false) ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return -EBADMSG;
	notify->fd = (int)fd;
	notify->watchdog_ns = (uint64_t)watchdog_ns;
	notify->dropped = (unsigned long long)dropped;
	return 0;
}
