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
/* A client with more output than this unread is cut off. */
#define CONTROL_MAX_OUTPUT_BYTES (8UL * 1024 * 1024)
/* If all clients together have more than this unread, the one
 * with the most is cut off. */
#define CONTROL_MAX_UNREAD_BYTES (32 * 1024 * 1024)
/* A connection without a call under way may be silent for this long. */
#define CONTROL_IDLE_MS 30000
/* A message may be incomplete for this long after its first byte. */
#define CONTROL_HALF_MS 5000
/* The places of CONTROL_MAX_CLIENTS that only root's connections may use. */
#define CONTROL_ROOT_RESERVE 8
/* Limits of one user other than root: connections; unread output of all of
 * these; the share of one processor, as one part in so many; and the processor
 * time that can be saved up. */
#define CONTROL_USER_CLIENTS      32
#define CONTROL_USER_UNREAD_BYTES CONTROL_MAX_OUTPUT_BYTES
#define CONTROL_USER_SHARE        20
#define CONTROL_USER_BURST_MS     250

struct control;
struct control_client;

/*
 * save and resume are for a call that is under way when the supervisor is
 * upgraded. In the old image, save returns what else the new one must know
 * of the call; it changes nothing; NULL: no memory. In the new image,
 * resume gets that, and goes on with the call as handle would, but sends
 * nothing that was sent before. Without save, resume gets null; without
 * resume, handle is called again.
 */
struct control_method {
	const char *name; /* without the interface, as in "Status" */
	void (*handle)(void *ctx, struct call *call);
	json_t *(*save)(const struct call *call);
	void (*resume)(void *ctx, struct call *call, const json_t *saved);
	/* Only root may call it: so for each method that changes something. */
	bool root_only;
	/* Only calls with "more" are allowed: others get ExpectedMore. */
	bool more_only;
};

struct control_config {
	/* "io.vmsup". It has an error Failed (message: string), which tells a
	 * client why it is refused or cut off. */
	const char *interface;
	/* the text of the interface, in varlink's language */
	const char *description;
	const char *vendor, *product, *version, *url;
	const struct control_method *methods;
	size_t method_count;
	void *ctx; /* for the methods */
	gid_t group; /* its members may connect; (gid_t)-1: only root */
};

/* Serves listen_fd, a bound and listening AF_UNIX stream socket (-1: none
 * yet), which it takes over. config must live longer. NULL with errno set:
 * listen_fd is still the caller's. */
struct control *control_new(struct loop *loop, int listen_fd,
			    const struct control_config *config);
/* Serves listen_fd after a control_new() without one, and takes it over. 0; or
 * -errno: it is still the caller's. */
int control_serve(struct control *control, int listen_fd);
/* Makes a client of a connected socket, with the given identity. 0; or -errno:
 * fd is still the caller's. */
int control_adopt(struct control *control, int fd, uid_t uid, pid_t pid);
/* Sends each connection what its socket takes at once, and closes it; calls
 * gone() of calls under way. No method may call this. */
void control_free(struct control *control);

/* Counts for Status: connections now; refused and cut off since the start. */
struct control_counts {
	unsigned int clients;
	unsigned long long refused, cut_off;
};
void control_counts(const struct control *control,
		    struct control_counts *counts);

/* Makes a listening socket at path, with mode 0660 and that group ((gid_t)-1:
 * mode 0600). An older socket there is unlinked: the caller must hold the lock
 * of the run directory. The descriptor; or -errno with problem set. */
int control_listen(const char *path, gid_t group, struct problem *problem);

/* ---- for the files of this folder */

/* Events of clients, which are counted, and logged at most once in a while. */
enum control_note {
	CONTROL_NOTE_REFUSED, /* a connection never became a client */
	CONTROL_NOTE_EVICTED, /* a client made room for another one */
	CONTROL_NOTE_IDLE, /* a client was silent for too long */
	CONTROL_NOTE_MISBEHAVED, /* a client broke a rule */
	CONTROL_NOTE_LOST, /* a connection was lost in an upgrade */
	CONTROL_NOTES
};

/* Counts an event; logs it unless one was logged lately. */
void control_note(struct control *control, enum control_note note, uid_t uid,
		  pid_t pid, const char *why);
/* Allows or forbids that descriptors are sent on a connection. */
void control_allow_descriptors(int fd, bool allow);
/* Adds a client to the work list: the loop calls client_work(). */
void control_queue(struct control *control, struct control_client *client);
/* Removes a client from the work list, if it is there. */
void control_unqueue(struct control *control, struct control_client *client);

#endif
