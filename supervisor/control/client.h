/* SPDX-License-Identifier: ISC */
/* One connection of the control socket, and what control.c shares with it. */
#ifndef VMSUP_SUPERVISOR_CLIENT_H
#define VMSUP_SUPERVISOR_CLIENT_H

#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/control/buffer.h"
#include "supervisor/control/control.h"
#include "supervisor/control/user.h"

struct note_limit {
	uint64_t next_ns; /* the next line may be written from then on */
	unsigned long long unsaid; /* since the last line */
};

struct pending_call;

/* A client is freed only from the loop (its source, its timer, the control's
 * work timer), by an eviction, or by control_free(): never while its own method
 * runs, and never from within a call_*() function. */
struct control_client {
	struct control *control;
	TAILQ_ENTRY(control_client) by_age, by_work;
	struct source source;
	struct timer timer;
	int fd;
	uid_t uid;
	pid_t pid;
	struct control_user *user; /* of that uid */
	enum {
		CLIENT_SERVED,
		CLIENT_DRAINING, /* what is in out, then it is over */
		CLIENT_DOOMED, /* over, as soon as the loop gets to it */
	} state;
	struct buffer in, out;
	int fds[CONTROL_MAX_FDS]; /* owned: beside what is in in */
	size_t fd_count;
	size_t scanned; /* bytes of in known to hold no NUL */
	struct pending_call *pending; /* the call under way, or NULL */
	uint32_t events; /* watched for */
	uint64_t active_ns; /* last sign of life */
	uint64_t since_ns; /* half a message, or draining, since; or 0 */
	bool running; /* its method is on the stack */
	bool queued; /* is in the control's work list */
	bool blocked; /* the socket took less than it was given */
	bool ended; /* nothing more will come */
	bool deaf; /* nobody receives what is sent any more */
	bool waits; /* its user was over its share when it was looked at */
};

TAILQ_HEAD(client_list, control_client);

struct control {
	struct loop *loop;
	const struct control_config *config;
	struct client_list clients; /* the longest silent first */
	struct client_list work; /* those that need a turn from the loop */
	unsigned int work_count;
	struct timer work_timer, accept_timer;
	struct source listener;
	int listen_fd;
	int reserve_fd; /* given up for an accept() when there are no more */
	struct control_counts counts;
	struct users users;
	bool flooded; /* somebody connected who is far over its share */
	struct note_limit notes[CONTROL_NOTES];
	struct note_limit pauses; /* of accepting */
};

/* Takes over fd. NULL: -errno in *error, and fd is still the caller's. */
struct control_client *client_new(struct control *control, int fd, uid_t uid,
				  pid_t pid, int *error);
/* Takes over a call that was under way in the image before, a varlink message,
 * and what its method said of it. 0, -EBADMSG or -ENOMEM. */
int client_take_call(struct control_client *client, json_t *message,
		     json_t *saved);
/* Hands that call to its method; does nothing if there is none. */
void client_resume(struct control_client *client);
/* The message of the call under way, borrowed (NULL: none), and what its method
 * says of it, new (NULL without memory). */
json_t *client_call(const struct control_client *client, json_t **saved);

/* Ends the connection and frees it; a call under way is told by gone(). */
void client_free(struct control_client *client);
/* Runs calls, sends, and ends the connection if it is over. For those in the
 * work list. */
void client_work(struct control_client *client);
/* Sends what the socket takes now. */
void client_flush(struct control_client *client);

/* Nothing under way in either direction, not even unread in the socket. */
bool client_is_idle(const struct control_client *client);
/* Hinders others: has kept half a message or unread output for a while. */
bool client_is_stuck(const struct control_client *client, uint64_t now_ns);

/* Writes the error that refuses a connection or cuts it off. 0 or -errno. */
int client_put_failure(const struct control_config *config, struct buffer *out,
		       const char *what, const char *why);

/* After a message was added to what is to be sent, or (error) wasn't. */
void client_put(struct control_client *client, int error);
/* True while what is sent to it may still be read. */
bool client_hears(const struct control_client *client);
/* The call under way was answered, and is no more. */
void client_end_call(struct control_client *client);

#endif
