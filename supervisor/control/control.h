/* SPDX-License-Identifier: ISC */
/*
 * The control socket: connections, their limits, and varlink calls on them
 * (varlink.org: JSON objects, each ended by a NUL byte). Calls are handed to a
 * table of methods; org.varlink.service is answered here.
 */
#ifndef VMSUP_SUPERVISOR_CONTROL_H
#define VMSUP_SUPERVISOR_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "ipc/loop.h"
#include "supervisor/problem.h"

#define CONTROL_MAX_CLIENTS       128
#define CONTROL_MAX_REQUEST_BYTES (64UL * 1024)
/* A client that lets this much pile up unread is cut off. */
#define CONTROL_MAX_OUTPUT_BYTES (8UL * 1024 * 1024)
/* All clients together: over it, the one with the most unread is. */
#define CONTROL_MAX_UNREAD_BYTES (32 * 1024 * 1024)
/* A connection with no call under way may stay silent this long. */
#define CONTROL_IDLE_MS 30000
/* A message may stay incomplete this long, counted from its first byte. */
#define CONTROL_HALF_MS 5000
/* Of CONTROL_MAX_CLIENTS, what only root's connections may use. */
#define CONTROL_ROOT_RESERVE 8
/* What one user may have who isn't root: connections, unread output of all of
 * them, of one processor's time one part in so many, and how much of it at once
 * when it was saved up. */
#define CONTROL_USER_CLIENTS      32
#define CONTROL_USER_UNREAD_BYTES CONTROL_MAX_OUTPUT_BYTES
#define CONTROL_USER_SHARE        20
#define CONTROL_USER_BURST_MS     250

/* Descriptors beside one message, at most; of root's connections alone. */
#define CONTROL_MAX_FDS 16

struct control;
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

/*
 * Of a call that is under way when the supervisor is upgraded: save says, in
 * the old image, what else the new one must know of it (absent: nothing), NULL
 * without memory, and changes nothing. resume gets that in the new image, null
 * if it was absent, and takes the call on as handle would, but sends nothing
 * that was sent already; absent: handle, once more.
 */
struct control_method {
	const char *name; /* without the interface: "Status" */
	void (*handle)(void *ctx, struct call *call);
	json_t *(*save)(const struct call *call);
	void (*resume)(void *ctx, struct call *call, const json_t *saved);
	/* Only root may call it: everything that changes something. */
	bool root_only;
	/* Only with more: others get ExpectedMore. */
	bool more_only;
};

/* All three take over parameters (NULL: empty object). After call_reply() and
 * call_error() the call is no more. call_more() does nothing if the caller
 * didn't ask for more; what goes over CONTROL_MAX_OUTPUT_BYTES costs the client
 * its connection. */
void call_reply(struct call *call, json_t *parameters);
void call_more(struct call *call, json_t *parameters);
/* error: full name, "io.vmsup.NoSuchVm". */
void call_error(struct call *call, const char *error, json_t *parameters);
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

struct control_config {
	/* "io.vmsup"; has an error Failed (message: string), which tells a
	 * client why it is refused or cut off. */
	const char *interface;
	const char *description; /* its varlink text */
	const char *vendor, *product, *version, *url;
	const struct control_method *methods;
	size_t method_count;
	void *ctx; /* for the methods */
	gid_t group; /* members may connect; (gid_t)-1: root only */
};

/* Takes over listen_fd, a bound and listening AF_UNIX stream socket (-1: none
 * yet). config must outlive it. NULL with errno set: listen_fd is then still
 * the caller's. */
struct control *control_new(struct loop *loop, int listen_fd,
			    const struct control_config *config);
/* Takes over listen_fd after a control_new() without one. 0 or -errno (it is
 * then still the caller's). */
int control_serve(struct control *control, int listen_fd);
/* Adopts a connected socket as one more client, with the given identity. 0 or
 * -errno (fd is then still the caller's). */
int control_adopt(struct control *control, int fd, uid_t uid, pid_t pid);
/* Closes every connection, sending first what fits in the socket without
 * waiting; gone() is called for calls under way. Not from within a method. */
void control_free(struct control *control);

/* Counts for status: connections now, refused so far, cut off so far. */
struct control_counts {
	unsigned int clients;
	unsigned long long refused, cut_off;
};
void control_counts(const struct control *control,
		    struct control_counts *counts);

/*
 * The upgrade in place: in the old image, control_save() and then, for what
 * control_each_fd() names, no more close-on-exec; in the new one
 * control_saved_listener(), control_new() with it, and control_restore(). If
 * the execve fails, close-on-exec is all there is to undo.
 */

/* What the next image needs: every connection with what it has half received
 * and half sent, its call under way, and the counts. Changes nothing, so may be
 * called from within a method. NULL without memory. */
json_t *control_save(const struct control *control);
/* Calls visit for the listening socket and for each connection that
 * control_save() saves; ends with the first result that isn't 0. Returns the
 * last one. */
int control_each_fd(const struct control *control,
		    int (*visit)(void *ctx, int fd), void *ctx);
/* The listening socket in what control_save() said, for control_new(), or
 * -EBADMSG. It becomes the caller's. */
int control_saved_listener(const json_t *saved);
/* Serves the saved connections on, and resumes their calls: what those are
 * about must be there again, and no event sent yet. Neither reads nor sends
 * anything, which is left to the loop; so an upgrade can still be undone. A
 * connection that isn't understood is closed and counted as cut off. 0, or
 * -EBADMSG if there is no telling which connections there are: what is lost is
 * logged. */
int control_restore(struct control *control, const json_t *saved);

/* Listens in the name of the calling process: clients see who serves them
 * (SO_PEERCRED). For one that took over by fork. */
void control_listen_again(const struct control *control);

/* True if fd is a Unix socket of that type (SOCK_STREAM, ...) that listens, or
 * one that doesn't. */
bool control_is_socket(int fd, int type, bool listening);

/* Binds path (unlinking a stale socket first; the caller holds the run
 * directory's lock), mode 0660 and that group ((gid_t)-1: mode 0600), and
 * listens. The descriptor or -errno with problem set. */
int control_listen(const char *path, gid_t group, struct problem *problem);

#endif
