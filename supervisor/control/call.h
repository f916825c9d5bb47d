/* SPDX-License-Identifier: ISC */
/* A call of a method, and how it is answered. */
#ifndef VMSUP_SUPERVISOR_CALL_H
#define VMSUP_SUPERVISOR_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors beside one message, at most; of root's connections alone. */
#define CONTROL_MAX_FDS 16

struct control_client;

/*
 * One call. A method answers it once with call_reply() or call_error(), at once
 * or later; before that, any number of times with call_more() if the caller
 * asked for more. If the client goes away first, gone() is called (if set) and
 * the call is no more: always from the loop or control_free(), never from
 * within call_more(). Calls that a client sends meanwhile wait their turn.
 */
struct call {
	struct control_client *client;
	const char *method; /* full name */
	json_t *parameters; /* an object, never NULL; borrowed */
	bool more, oneway;
	uid_t peer_uid;
	pid_t peer_pid;
	/* Came beside the message: the method takes what it wants by
	 * steal_fd(), the rest is closed when the call ends. */
	int fds[CONTROL_MAX_FDS];
	size_t fd_count;
	void (*gone)(struct call *call); /* the method's to set */
	void *ctx; /* the method's */
};

/* All three take over parameters (NULL: empty object). After call_reply() and
 * call_error() the call is no more. call_more() does nothing if the caller
 * didn't ask for more; what goes over CONTROL_MAX_OUTPUT_BYTES costs the client
 * its connection. */
void call_reply(struct call *call, json_t *parameters);
void call_more(struct call *call, json_t *parameters);
/* error: full name, "io.vmsup.NoSuchVm". */
void call_error(struct call *call, const char *error, json_t *parameters);
/* The interface's error Failed, with a message for a person. */
void call_failed(struct call *call, const char *message);
/* org.varlink.service.InvalidParameter with that parameter's name (of which
 * no more than 255 characters are sent back). */
void call_invalid_parameter(struct call *call, const char *parameter);
/* True while less than half of CONTROL_MAX_OUTPUT_BYTES waits to be sent, and
 * its user isn't over its share of the supervisor's time. */
bool call_has_room(const struct call *call);
/* Counts that much of the supervisor's time as used by the caller, beyond what
 * passes while its call is read, handled and answered: for what others are asked
 * on its behalf. */
void call_charge(const struct call *call, uint64_t ns);

#endif
