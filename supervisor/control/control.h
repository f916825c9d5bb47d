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
#include "supervisor/control/call.h"
#include "supervisor/lib/problem.h"

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

struct control;
struct control_client;

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

/* Binds path (unlinking a stale socket first; the caller holds the run
 * directory's lock), mode 0660 and that group ((gid_t)-1: mode 0600), and
 * listens. The descriptor or -errno with problem set. */
int control_listen(const char *path, gid_t group, struct problem *problem);

/* ---- for the files of this folder */

/* What happens to clients and is logged at most once in a while. */
enum control_note {
	CONTROL_NOTE_REFUSED, /* never became a client */
	CONTROL_NOTE_EVICTED, /* made room for another */
	CONTROL_NOTE_IDLE, /* was silent for too long */
	CONTROL_NOTE_MISBEHAVED, /* broke a rule */
	CONTROL_NOTE_LOST, /* didn't get through an upgrade */
	CONTROL_NOTES
};

/* Counts, and logs unless that was done lately. */
void control_note(struct control *control, enum control_note note, uid_t uid,
		  pid_t pid, const char *why);
/* Whether descriptors can be sent on it. */
void control_allow_descriptors(int fd, bool allow);
/* Has client_work() called from the loop. */
void control_queue(struct control *control, struct control_client *client);
/* Takes it out of the work list, if it is in there. */
void control_unqueue(struct control *control, struct control_client *client);

#endif
