/* SPDX-License-Identifier: ISC */
/* A call of a method, and how it is answered. */
#ifndef VMSUP_SUPERVISOR_CALL_H
#define VMSUP_SUPERVISOR_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* At most so many descriptors come beside one message, on
 * connections of root's alone. */
#define CONTROL_MAX_FDS 16

struct control_client;

/*
 * One call. Its method answers it once, by call_reply() or call_error(), at
 * once or later. Before, the method may answer any number of times by
 * call_more(), if the caller asked for more. If the client goes away first,
 * gone() is called (if set), and the call is freed: by the loop or by
 * control_free(), never by call_more(). The next call of the client waits
 * until this one was answered.
 */
struct call {
	struct control_client *client;
	const char *method; /* full name */
	json_t *parameters; /* an object, not NULL; borrowed */
	bool more, oneway;
	uid_t peer_uid;
	pid_t peer_pid;
	/* Descriptors that came beside the message. The method takes
	 * the ones that it wants by steal_fd(); the others are
	 * closed when the call ends. */
	int fds[CONTROL_MAX_FDS];
	size_t fd_count;
	void (*gone)(struct call *call); /* set by the method */
	void *ctx; /* the method's */
};

/* All three take over parameters (NULL: an empty object). call_reply()
 * and call_error() free the call. call_more() does nothing if the
 * caller didn't ask for more. A client with more than
 * CONTROL_MAX_OUTPUT_BYTES unread is cut off. */
void call_reply(struct call *call, json_t *parameters);
void call_more(struct call *call, json_t *parameters);
/* error: the full name, such as "io.vmsup.NoSuchVm". */
void call_error(struct call *call, const char *error, json_t *parameters);
/* Answers with the interface's error Failed, with a message for a person. */
void call_failed(struct call *call, const char *message);
/* Answers with org.varlink.service.InvalidParameter and the name of that
 * parameter, of which at most 255 bytes are sent. */
void call_invalid_parameter(struct call *call, const char *parameter);
/* True while the client has less than half of CONTROL_MAX_OUTPUT_BYTES unread,
 * and its user isn't over its share of the supervisor's time. */
bool call_has_space(const struct call *call);
/* Charges the caller's user with that much of the supervisor's time, for work
 * that is done later on its behalf. The time in which the call is read, handled
 * and answered is charged anyway. */
void call_charge(const struct call *call, uint64_t ns);

#endif
