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

/* The time that a call may take which doesn't wait for a VM. */
#define CONN_TIMEOUT_MS 10000
#define CONN_FOREVER    (-1)
/* At most so many descriptors go beside one message. */
#define CONN_MAX_FDS 16

struct conn {
	int fd; /* owned */
	pid_t peer_pid; /* the supervisor; 0: it is in another PID namespace */
	char *in; /* the bytes that were read; owned */
	size_t in_used, in_size;
	size_t in_start; /* the first message that wasn't taken yet */
	size_t in_scanned; /* there is no NUL between in_start and here */
	/* Descriptors that go beside the next message; borrowed.
	 * Call conn_settle() before. */
	const int *fds;
	size_t fd_count;
};

struct reply {
	json_t *parameters; /* owned; an object */
	char error[96]; /* its full name; empty: no error */
	bool continues; /* more replies will follow */
};

/* A closed one, which conn_close() takes. */
#define CONN_NONE ((struct conn){ .fd = -1 })

/* Connects to the supervisor of that run directory. 0 or -errno.
 * Where the run directory or the listener isn't to be trusted,
 * problem says why; else it is empty. */
int conn_connect(struct conn *conn, const char *run_dir,
		 struct problem *problem);
/* The same for a command: an enum cli_exit, with the reason printed. */
int conn_open(struct conn *conn, const struct cli *cli);
/* Makes a client of a connected socket, which it takes over. */
void conn_adopt(struct conn *conn, int fd);
void conn_close(struct conn *conn);

/* Waits until the supervisor answers: so it is alive, and has taken the
 * connection. It refuses descriptors that are sent before. 0 or -errno. */
int conn_settle(struct conn *conn);

/* Sends a call. Takes over parameters (NULL: none). 0 or -errno. */
int conn_send(struct conn *conn, const char *method, json_t *parameters,
	      bool more);

/*
 * Waits for one reply. 1: it is in reply, for conn_reply_free(). 0: the
 * connection ended. -EAGAIN: none came within timeout_ms; -EINTR: a signal came
 * (interrupt.h); -EPROTO: it isn't varlink; another -errno.
 */
int conn_receive(struct conn *conn, int timeout_ms, struct reply *reply);
void conn_reply_free(struct reply *reply);

/* Waits until one of the connections has something to receive.
 * Its index; -EAGAIN: none has within timeout_ms; -EINTR: a
 * signal came; another -errno. */
int conn_wait(struct conn *const conns[], size_t count, int timeout_ms);

#endif
