/* SPDX-License-Identifier: ISC */
/* The run directory of an instance: lock, log, control socket. */
#ifndef VMSUP_SUPERVISOR_RUNDIR_H
#define VMSUP_SUPERVISOR_RUNDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "supervisor/problem.h"

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
	bool made; /* the directory is ours to remove: no lock was in it */
};

/* Makes the directory if need be (0750, root and group) and locks it. 0 or
 * -errno with problem set (-EBUSY: a supervisor runs there). */
int rundir_init(struct rundir *rundir, const char *path, gid_t group,
		struct problem *problem);
/* Removes what init and the control socket put there. */
void rundir_uninit(struct rundir *rundir);

/* Appends one line to the log, with the time. */
void rundir_log(struct rundir *rundir, const char *level, const char *line);

#endif
