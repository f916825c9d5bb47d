/* SPDX-License-Identifier: ISC */
/* One connection of the control socket, and the state that
 * control.c shares with it. */
#ifndef VMSUP_SUPERVISOR_CLIENT_H
#define VMSUP_SUPERVISOR_CLIENT_H

#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/control/buffer.h"
#include "supervisor/control/control.h"
#include "supervisor/control/user.h"

struct note_limit {
	uint64_t next_ns; /* from then on, the next line may be written */
	unsigned long long unsaid; /* events since the last line */
};

struct pending_call;

/* A client is freed by the loop (its source, its timer, the work timer), by
 * an eviction, or by control_free(): never while its own method runs, and
 * never by a call_*() function. */
struct control_client {
	struct control *control;
	TAILQ_ENTRY(control_client) by_age, by_work;
	struct source source;
	struct timer timer;
	int fd;
	uid_t uid;
	pid_t pid;
	struct control_user *user; /* the user with its uid */
	enum {
		CLIENT_SERVED,
		/* its output is sent, then the connection ends */
		CLIENT_DRAINING,
		CLIENT_ENDING, /* the loop ends the connection */
	} state;
	struct buffer in, out;
	int fds[CONTROL_MAX_FDS]; /* owned: they came beside the bytes in in */
	size_t fd_count;
	size_t scanned; /* the bytes of in that hold no NUL */
	struct pending_call *pending; /* the call under way, or NULL */
	uint32_t events; /* the events to wait for */
	uint64_t active_ns; /* when it last sent or received */
	/* since then, in holds half a message, or out drains; 0: neither */
	uint64_t since_ns;
	bool running; /* its method is on the stack */
	bool queued; /* in the work list */
	bool blocked; /* the socket is full */
	bool ended; /* the client sent the end of its input */
	bool deaf; /* the client reads nothing more */
	bool waits; /* its user was over its share: its input isn't read */
};

TAILQ_HEAD(client_list, control_client);

struct control {
	struct loop *loop;
	const struct control_config *config;
	/* the client that was silent for the longest time is first */
	struct client_list clients;
	/* clients whose client_work() is to be called */
	struct client_list work;
	unsigned int work_count;
	struct timer work_timer, accept_timer;
	struct source listener;
	int listen_fd;
	int reserve_fd; /* closed for an accept() when no descriptor is left */
	struct control_counts counts;
	struct users users;
	bool flooded; /* a client connected whose user is far over its share */
	struct note_limit notes[CONTROL_NOTES];
	struct note_limit pauses; /* for lines about pauses of accept() */
};

/* Makes a client; takes over fd. NULL with -errno in *error:
 * fd is still the caller's. */
struct control_client *client_new(struct control *control, int fd, uid_t uid,
				  pid_t pid, int *error);
/* Takes over a call that was under way before the upgrade: its varlink message,
 * and what its method saved. 0, -EBADMSG or -ENOMEM. */
int client_take_call(struct control_client *client, json_t *message,
		     json_t *saved);
/* Gives that call to its method, if there is one. */
void client_resume(struct control_client *client);
/* The message of the call under way, borrowed; NULL: none. *saved: what its
 * method saves, the caller's; NULL: no memory. */
json_t *client_call(const struct control_client *client, json_t **saved);

/* Ends the connection and frees the client; calls
 * gone() of a call under way. */
void client_free(struct control_client *client);
/* Runs calls, sends output, and ends the connection if that is due. Called for
 * each client in the work list. */
void client_work(struct control_client *client);
/* Sends as much output as the socket takes now. */
void client_flush(struct control_client *client);

/* True: no call is under way, nothing is to be sent, and
 * the socket holds no input. */
bool client_is_idle(const struct control_client *client);
/* True: for some time, half a message or unread output has been there. */
bool client_is_stuck(const struct control_client *client, uint64_t now_ns);

/* Adds to out the error with which a connection is refused
 * or cut off. 0 or -errno. */
int client_put_failure(const struct control_config *config, struct buffer *out,
		       const char *what, const char *why);

/* To be called after a message was added to the output. error: why
 * it couldn't be; 0: it was. */
void client_put(struct control_client *client, int error);
/* True: the client may still read what is sent. */
bool client_hears(const struct control_client *client);
/* Frees the call under way, which was answered. */
void client_end_call(struct control_client *client);

#endif
