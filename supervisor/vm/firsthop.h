/* SPDX-License-Identifier: ISC */
/* The first-hop guard of this instance's VMs: when it is in force, on whom, and
 * what it counted. What it does is net/guard.h's. */
#ifndef VMSUP_SUPERVISOR_FIRSTHOP_H
#define VMSUP_SUPERVISOR_FIRSTHOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ipc/loop.h"
#include "supervisor/lib/problem.h"
#include "supervisor/net/guard.h"
#include "supervisor/lib/fields.h"

struct host;
struct vm;

struct firsthop {
	struct guard guard; /* without a socket: no guard is in force */
	char why_off[160]; /* "": the guard is in force */
};

/*
 * Puts the guard in force, at a start: on the TAPs of those VMs that are taken
 * over; others' are swept. Where the kernel has none, says so once, and VMs go
 * without; -errno with problem set if the configuration requires it.
 */
int firsthop_begin(struct host *host, struct problem *problem);
/* Goes on with the guard after an upgrade. fd is its socket, which the guard
 * owns from now on; -1: there was no guard. 0 or -errno. */
int firsthop_go_on(struct host *host, int fd);
/* The guard's socket; -1: none. */
int firsthop_fd(const struct host *host);
/* Deletes the guard's table with the links; leave: leaves it in force. */
void firsthop_end(struct host *host, bool leave);

/* Guards the TAPs of count VMs, just made. 0, also if they go without it; or
 * -errno with problem set if the configuration requires it. */
int firsthop_guard(struct host *host, struct vm *const *vms, size_t count,
		   struct problem *problem);
/* Fires while anybody may delete the guard's table: puts it back. ctx is the
 * host. */
void firsthop_watch(struct timer *timer);
/* Starts firsthop_watch(), if others can delete the table. */
void firsthop_watch_start(struct host *host);
/* Adds what was dropped since the last time to the VM's counters. */
void firsthop_count(struct vm *vm);
/* As firsthop_count(), for all VMs at once. */
void firsthop_count_all(struct host *host);
/* As firsthop_count(), for the last time: the TAP is gone. */
void firsthop_forget(struct vm *vm);

/* The names of what the VM is allowed to send. */
json_t *firsthop_allow_json(const struct vm *vm);
/* Reads the guard's counters, and adds those of this generation to counters, as
 * "guard.ra" and so on. */
void firsthop_add_counters(struct vm *vm, json_t *counters);

/* What the next image must know of it, in the upgrade's document. */
extern const struct field_group firsthop_fields;

#endif
