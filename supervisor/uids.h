/* SPDX-License-Identifier: ISC */
/* User ids for VM processes: each in use once on this host, at most. */
#ifndef VMSUP_SUPERVISOR_UIDS_H
#define VMSUP_SUPERVISOR_UIDS_H

#include <stdint.h>
#include <sys/types.h>

#include "supervisor/problem.h"

/* Byte UID of this file is locked by the supervisor that uses UID. It stays:
 * removing a lock file races with its next user. */
#define UIDS_LOCK_FILE "/run/vmsup.uids"

struct uids {
	int lock_fd; /* owned; -1: none */
	uid_t first, next, end;
};

/* Opens the lock file. 0 or -errno with problem set. */
int uids_init(struct uids *uids, uid_t first, uint32_t count,
	      struct problem *problem);
/* Gives every uid back. */
void uids_uninit(struct uids *uids);

/* Replaces the lock file's descriptor by one of the same open file, with the
 * locks that are on it: a VM process kept it from an earlier supervisor. Takes
 * over fd. 0, or -EBADF if it is another file's (closed then). */
int uids_adopt(struct uids *uids, int fd);
/* Takes that uid, or finds it taken by this open file already. 0; -EAGAIN:
 * another instance has it; another -errno. */
int uids_claim(struct uids *uids, uid_t uid);
/* Takes the lowest uid of the range that no instance uses. 0 with *uid, or
 * -errno with problem set. */
int uids_take(struct uids *uids, uid_t *uid, struct problem *problem);
/* Unlocks all but these, which are sorted: what an open file that was adopted
 * still had locked for VMs that never came to be. */
void uids_keep_only(struct uids *uids, const uid_t *list, size_t count);
/* Gives back the uid taken last, of a VM that came to nothing. */
void uids_give(struct uids *uids, uid_t uid);

#endif
