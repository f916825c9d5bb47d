/* SPDX-License-Identifier: ISC */
/* The run directory of an instance: lock, log, control socket. */
#ifndef VMSUP_SUPERVISOR_RUNDIR_H
#define VMSUP_SUPERVISOR_RUNDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "supervisor/lib/problem.h"
#include "supervisor/lib/fields.h"

#define RUNDIR_LOCK   "lock"
#define RUNDIR_LOG    "supervisor.log"
#define RUNDIR_SOCKET "control.sock"
/* The longest path: a socket in it must still have a name (unix(7)). */
#define RUNDIR_PATH_MAX 94
/* The log is turned over at this size; one old log is kept. */
#define RUNDIR_LOG_BYTES (1024 * 1024)

struct rundir {
	char path[RUNDIR_PATH_MAX + 1];
	char instance[17]; /* of the path, for names: 16 hex digits */
	int dir_fd; /* owned */
	int lock_fd; /* owned; locked */
	int log_fd; /* owned; -1: not open yet */
	off_t log_bytes;
	bool log_torn; /* the disk was full in the middle of a line */
	unsigned long long log_lost;
	bool keep_socket; /* the control socket is somebody else's */
	bool made; /* the directory is ours to remove: a vmsup made it */
};

/* The group that may connect: "vmsup", if there is one; else (gid_t)-1. */
gid_t rundir_group(void);
/* Makes the directory if need be (0750, root and group) and locks it, waiting
 * a moment for a supervisor that is just ending. 0 or -errno with problem set
 * (-EBUSY: a supervisor runs there). */
int rundir_init(struct rundir *rundir, const char *path,
		struct problem *problem);
/* Opens the log: a new one, or keeps that of an earlier supervisor. 0 or -errno
 * with problem set. */
int rundir_open_log(struct rundir *rundir, bool keep, struct problem *problem);
/* Removes what init, the log and the control socket put there. */
void rundir_uninit(struct rundir *rundir);
/* Lets go of it, and leaves all there. The lock is given back when the last
 * process that inherited it has let go. */
void rundir_release(struct rundir *rundir);

/* Appends one line to the log, with the time. */
void rundir_log(struct rundir *rundir, const char *level, const char *line);

/* What the next image must know of it, in the upgrade's document. */
extern const struct field_group rundir_fields;

#endif
