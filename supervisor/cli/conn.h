/* SPDX-License-Identifier: ISC */
/*
 * A client of the control socket: varlink calls (varlink.org), that is JSON
 * objects, each ended by a NUL byte.
 */
#ifndef VMSUP_SUPERVISOR_CLI_CONN_H
#define VMSUP_SUPERVISOR_CLI_CONN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "supervisor/cli/command.h"
#include "supervisor/lib/problem.h"

/* How long a call that does not wait for a VM may take. */
#define CONN_TIMEOUT_MS 10000
#define CONN_FOREVER    (-1)
/* Descriptors beside one message, at most. */
#define CONN_MAX_FDS 16

struct conn {
	int fd; /* owned */
	pid_t peer_pid; /* the supervisor; 0 if it can't be seen from here */
	char *in; /* what was read; owned */
	size_t in_used, in_size;
	size_t in_start; /* of the first message not yet taken */
	size_t in_scanned; /* no NUL between in_start and here */
	/* Go beside the next message; borrowed. See conn_settle(). */
	const int *fds;
	size_t fd_count;
};

struct reply {
	json_t *parameters; /* owned; an object */
	char error[96]; /* full name; empty: none */
	bool continues; /* more will follow */
};

/* Closed, for conn_close(). */
#define CONN_NONE ((struct conn){ .fd = -1 })

/* Connects to the supervisor of that run directory. 0 or -errno; where who is
 * there, or could be, isn't to be trusted, problem says why, and is empty
 * otherwise. */
int conn_connect(struct conn *conn, const char *run_dir,
		 struct problem *problem);
/* The same; an enum cli_exit, the reason printed. */
int conn_open(struct conn *conn, const struct cli *cli);
/* Makes a client of a connected socket, which it takes over. */
void conn_adopt(struct conn *conn, int fd);
void conn_close(struct conn *conn);

/* Waits until the supervisor answers: it is alive, and has taken the connection.
 * Descriptors that are sent before would be refused. 0 or -errno. */
int conn_settle(struct conn *conn);

/* Sends a call. Takes over parameters (NULL: none). 0 or -errno. */
int conn_send(struct conn *conn, const char *method, json_t *parameters,
	      bool more);

/*
 * Waits for one reply. 1 with reply filled in (for conn_reply_free()); 0 at the end
 * of the connection; -EAGAIN after timeout_ms; -EINTR if interrupted; -EPROTO
 * for what isn't varlink; another -errno.
 */
int conn_receive(struct conn *conn, int timeout_ms, struct reply *reply);
void conn_reply_free(struct reply *reply);

/* Waits until one of the clients has something to receive, and returns its
 * index; -EAGAIN after timeout_ms; -EINTR; another -errno. */
int conn_wait(struct conn *const conns[], size_t count, int timeout_ms);

#endif
