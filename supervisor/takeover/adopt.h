/* SPDX-License-Identifier: ISC */
/* VM processes that outlived a supervisor: found, verified, taken over. */
#ifndef VMSUP_SUPERVISOR_ADOPT_H
#define VMSUP_SUPERVISOR_ADOPT_H

#include "supervisor/state/store.h"
#include "supervisor/vm/host.h"

/* The room that the stored processes live in; all zero: none is known. */
void adopt_room_inodes(const struct stored *stored,
		       uint64_t inodes[ROOM_NAMESPACES]);

/*
 * The steps of an adoption, in this order. All but the last need all of root's
 * capabilities. adopt_processes() makes a VM of each stored one. If its process
 * is what the document says, the process is taken over with its descriptors;
 * if not, vm->process.exit says why. 0 or -errno, logged.
 */
int adopt_processes(struct host *host, const struct stored *stored);
/* Takes the uids of all VMs, by the locks that their processes hold, and enters
 * the processes' room. 1: the room was taken over; 0: a room must be made;
 * -errno, logged. */
int adopt_sandbox(struct host *host, const struct stored *stored);
/* The TAPs of adopted VMs, for net_prepare(); the caller frees the array. */
struct net_adopted *adopt_links(const struct host *host, size_t *count);
/* After net_prepare(): rejects the process of a VM whose TAP isn't a port of
 * the bridge any more. */
void adopt_check_links(struct host *host, const struct net_adopted *links,
		       size_t count);
/* Kills every process in that room that wasn't adopted, and waits for its end.
 * 0 or -errno, logged. */
int adopt_sweep(struct host *host, const uint64_t inodes[ROOM_NAMESPACES]);
/* Watches the adopted processes, and asks each for an answer. */
void adopt_resume(struct host *host);

/* For a stored VM without a process: makes its TAP, records its death, starts
 * it if it is wanted. 0 or -errno with problem set. Called from the loop. */
int adopt_revive(struct vm *vm, struct problem *problem);

#endif
