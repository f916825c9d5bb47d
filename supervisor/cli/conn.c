/* SPDX-License-Identifier: ISC */
/* A client of the control socket: connections, messages, replies. */
#include "supervisor/cli/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/loop.h"
#include "supervisor/cli/interrupt.h"
#include "supervisor/cli/report.h"
#include "supervisor/lib/safepath.h"

/* The longest reply that is taken: Status of 1,023 VMs has about 1.5 MiB. */
#define IN_MAX_BYTES   (32U * 1024 * 1024)
#define IN_FIRST_BYTES 16384U

void conn_adopt(struct conn *conn, int fd)
{
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);

	*conn = CONN_NONE;
	conn->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		conn->peer_pid = peer.pid;
}

/* The listener must be root's or the caller's. Another user's could answer what
 * it likes, and would be given the descriptors of a VM. */
static int check_peer(int fd, const char *path, struct problem *problem)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (peer.uid == 0 || peer.uid == geteuid())
		return 0;
	return problem_set(
		problem, -EPERM,
		"%s can't be trusted: uid %u listens there, process "
		"%d, and not root (end that process, or name another "
		"directory with --run-dir)",
		path, (unsigned int)peer.uid, (int)peer.pid);
}

int conn_connect(struct conn *conn, const char *run_dir,
		 struct problem *problem)
{
	/* Bounds the wait for a place in the queue of connections, too. */
	static const struct timeval timeout = {
		.tv_sec = CONN_TIMEOUT_MS / 1000,
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int dir_fd = safepath_open(run_dir, 0, problem);
	cleanup_fd int fd = -1;
	int length, error;

	*conn = CONN_NONE;
	if (dir_fd < 0)
		return dir_fd;
	length = snprintf(address.sun_path, sizeof(address.sun_path),
			  "%s/control.sock", run_dir);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	error = check_peer(fd, address.sun_path, problem);
	if (!error)
		conn_adopt(conn, steal_fd(&fd));
	return error;
}

static int say_none(const struct cli *cli)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/state", cli->run_dir);
	if (access(path, F_OK) == 0)
		report_error(
			"%s: no supervisor runs there; its VMs outlived it "
			"('vmsup start' takes them over, then 'vmsup stop' "
			"can end them)",
			cli->run_dir);
	else
		report_error("%s: no supervisor runs there (start one: 'vmsup "
			     "start --vms N', or name another with --run-dir)",
			     cli->run_dir);
	return CLI_NO_SUPERVISOR;
}

int conn_open(struct conn *conn, const struct cli *cli)
{
	struct problem problem;
	int error = conn_connect(conn, cli->run_dir, &problem);

	if (error && problem.text[0])
		return report_error("%s", problem.text);
	switch (error) {
	case 0:
		return CLI_OK;
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED:
		return say_none(cli);
	case -EACCES:
	case -EPERM:
		return report_error(
			"%s/control.sock: permission denied (run as "
			"root, or join the group vmsup)",
			cli->run_dir);
	case -EAGAIN:
		return report_error(
			"%s: the supervisor doesn't take connections "
			"(too many clients, or it hangs)",
			cli->run_dir);
	default:
		return report_error("%s/control.sock: cannot connect: %s",
				    cli->run_dir, strerror(-error));
	}
}

void conn_close(struct conn *conn)
{
	fd_close(&conn->fd);
	free(conn->in);
	*conn = CONN_NONE;
}

static int send_all(int fd, const char *data, size_t size)
{
	ssize_t sent;

	while (size > 0) {
		sent = send(fd, data, size, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		data += sent;
		size -= (size_t)sent;
	}
	return 0;
}

/* Sends the first byte of text with the descriptors beside it; sends
 * nothing if there are none. */
static int send_beside(const struct conn *conn, const char *text)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(CONN_MAX_FDS * sizeof(int))];
	} control = { 0 };
	char first = text[0];
	struct iovec part = { &first, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(conn->fd_count * sizeof(int)),
	};
	ssize_t sent;

	if (conn->fd_count == 0)
		return 0;
	if (conn->fd_count > CONN_MAX_FDS)
		return -E2BIG;
	control.header.cmsg_len = CMSG_LEN(conn->fd_count * sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), conn->fds,
	       conn->fd_count * sizeof(int));
	do
		sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int conn_settle(struct conn *conn)
{
	struct reply reply;
	int result = conn_send(conn, "Deaths", json_pack("{s:s}", "name", "-"),
			       false);

	if (!result)
		result = conn_receive(conn, CONN_TIMEOUT_MS, &reply);
	if (result == 1)
		conn_reply_free(&reply); /* any answer shows life */
	return result == 1 ? 0 : result == 0 ? -EPIPE : result;
}

int conn_send(struct conn *conn, const char *method, json_t *parameters,
	      bool more)
{
	cleanup_free char *text = NULL;
	json_t *call;
	int error;

	call = json_pack("{s:s++, s:o*}", "method", "io.vmsup.", method, "",
			 "parameters", parameters);
	if (!call)
		return -ENOMEM;
	if (more)
		json_object_set_new(call, "more", json_true());
	text = json_dumps(call, JSON_COMPACT);
	json_decref(call);
	if (!text)
		return -ENOMEM;
	/* The NUL at the end is part of the message. A supervisor that hung up
	 * may have said why: conn_receive() reads that. */
	error = send_beside(conn, text);
	if (!error && conn->fd_count == 0)
		error = send_all(conn->fd, text, strlen(text) + 1);
	else if (!error)
		error = send_all(conn->fd, text + 1, strlen(text));
	conn->fd_count = 0;
	return error == -EPIPE || error == -ECONNRESET ? 0 : error;
}

/* Makes room for more input; drops the messages that
 * were taken. 0 or -errno. */
static int make_room(struct conn *conn)
{
	size_t size;
	char *in;

	if (conn->in_start > 0) {
		memmove(conn->in, conn->in + conn->in_start,
			conn->in_used - conn->in_start);
		conn->in_used -= conn->in_start;
		conn->in_scanned -= conn->in_start;
		conn->in_start = 0;
	}
	if (conn->in_used < conn->in_size)
		return 0;
	size = conn->in_size ? 2 * conn->in_size : IN_FIRST_BYTES;
	if (size > IN_MAX_BYTES)
		return -EMSGSIZE;
	in = realloc(conn->in, size);
	if (!in)
		return -ENOMEM;
	conn->in = in;
	conn->in_size = size;
	return 0;
}

/* The next whole message in the buffer, or NULL. */
static const char *take_message(struct conn *conn, size_t *length)
{
	const char *message, *end;

	if (conn->in_scanned == conn->in_used)
		return NULL;
	end = memchr(conn->in + conn->in_scanned, '\0',
		     conn->in_used - conn->in_scanned);
	if (!end) {
		conn->in_scanned = conn->in_used;
		return NULL;
	}
	message = conn->in + conn->in_start;
	*length = (size_t)(end - message);
	conn->in_start = conn->in_scanned = (size_t)(end - conn->in) + 1;
	return message;
}

static bool has_message(struct conn *conn)
{
	return conn->in_scanned < conn->in_used &&
	       memchr(conn->in + conn->in_scanned, '\0',
		      conn->in_used - conn->in_scanned);
}

static int parse_reply(const char *message, size_t length, struct reply *reply)
{
	const char *error;
	json_t *root, *parameters;

	root = json_loadb(message, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root)) {
		json_decref(root);
		return -EPROTO;
	}
	error = json_string_value(json_object_get(root, "error"));
	parameters = json_object_get(root, "parameters");
	*reply = (struct reply){ 0 };
	snprintf(reply->error, sizeof(reply->error), "%s", error ? error : "");
	reply->continues = json_is_true(json_object_get(root, "continues"));
	reply->parameters = json_is_object(parameters) ? json_incref(parameters)
						       : json_object();
	json_decref(root);
	return reply->parameters ? 1 : -ENOMEM;
}

void conn_reply_free(struct reply *reply)
{
	json_decref(reply->parameters);
	reply->parameters = NULL;
}

int conn_wait(struct conn *const conns[], size_t count, int timeout_ms)
{
	struct timespec limit = { .tv_sec = timeout_ms / 1000,
				  .tv_nsec = timeout_ms % 1000 * 1000000L };
	struct pollfd polled[4] = { 0 };
	int ready;

	if (count > ARRAY_SIZE(polled))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (has_message(conns[i]))
			return (int)i;
		polled[i] =
			(struct pollfd){ .fd = conns[i]->fd, .events = POLLIN };
	}
	ready = ppoll(polled, (nfds_t)count, timeout_ms < 0 ? NULL : &limit,
		      interrupt_mask());
	if (ready < 0)
		return -errno;
	for (size_t i = 0; i < count; i++)
		if (polled[i].revents)
			return (int)i;
	return -EAGAIN;
}

/* The time until due_ns, for poll(). */
static int left_ms(uint64_t due_ns)
{
	uint64_t now = loop_now_ns();

	return now >= due_ns ? 0 : (int)((due_ns - now) / NSEC_PER_MSEC) + 1;
}

int conn_receive(struct conn *conn, int timeout_ms, struct reply *reply)
{
	uint64_t due_ns = loop_now_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	const char *message;
	size_t length;
	ssize_t got;
	int result;

	for (;;) {
		message = take_message(conn, &length);
		if (message)
			return parse_reply(message, length, reply);
		result = conn_wait(&conn, 1,
				   timeout_ms < 0 ? timeout_ms
						  : left_ms(due_ns));
		if (result < 0)
			return result;
		result = make_room(conn);
		if (result)
			return result;
		got = recv(conn->fd, conn->in + conn->in_used,
			   conn->in_size - conn->in_used, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return 0;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0)
			conn->in_used += (size_t)got;
	}
}
