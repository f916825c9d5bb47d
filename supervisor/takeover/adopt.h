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
 * The steps, in this order; all but the last while the supervisor has all of
 * root's rights. Each VM of stored becomes one of the supervisor's. Whose process
 * is there and proves to be what the documents say is taken over, with its
 * descriptors; of any other, vm->process.exit says why not.
 */
int adopt_processes(struct host *host, const struct stored *stored);
/* The uids of all, by the lock file that the processes kept, and the room. 1:
 * the room is that of the adopted; 0: there is none yet; -errno, logged. */
int adopt_sandbox(struct host *host, const struct stored *stored);
/* The TAPs of those taken over, for net_prepare(); the caller frees it. */
struct net_adopted *adopt_links(const struct host *host, size_t *count);
/* After net_prepare(): who lost his place on the bridge isn't adopted. */
void adopt_check_links(struct host *host, const struct net_adopted *links,
		       size_t count);
/* Kills whoever is in that room and wasn't taken over, and waits for their end.
 * 0 or -errno, logged. */
int adopt_sweep(struct host *host, const uint64_t inodes[ROOM_NAMESPACES]);
/* Serves those taken over, and asks each for a sign of life. */
void adopt_resume(struct host *host);

/* Brings a stored VM that has no process where it should be: makes its TAP,
 * records how it ended, starts it if it is wanted. 0 or -errno with problem
 * set. From the loop. */
int adopt_revive(struct vm *vm, struct problem *problem);

#endif
