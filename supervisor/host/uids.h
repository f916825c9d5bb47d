/* SPDX-License-Identifier: ISC */
/* User ids for VM processes: each in use once on this host, at most. */
#ifndef VMSUP_SUPERVISOR_UIDS_H
#define VMSUP_SUPERVISOR_UIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/lib/problem.h"
#include "supervisor/lib/fields.h"

/* Byte UID of this file is locked by whoever uses UID. It stays: removing a
 * lock file races with its next user. */
#define UIDS_LOCK_FILE "/run/vmsup.uids"

struct uids {
	int lock_fd; /* owned, and nobody else's; -1: none */
	uid_t first, next, end;
};

/* Opens the lock file. 0 or -errno with problem set. */
int uids_init(struct uids *uids, uid_t first, uint32_t count,
	      struct problem *problem);
/* Gives every uid back that no VM process holds. */
void uids_uninit(struct uids *uids);

/* Takes the lowest uid of the range that no instance uses. 0 with *uid, or
 * -errno with problem set. */
int uids_take(struct uids *uids, uid_t *uid, struct problem *problem);
/* Gives back the uid taken last, of a VM that came to nothing. */
void uids_give(struct uids *uids, uid_t uid);

/* What a VM process holds its uid by, from here on: a descriptor of the lock
 * file, opened anew to read only; the caller's. Or -errno. */
int uids_open(const struct uids *uids, int proc_fd, uid_t uid);
/* Puts the locks right that a VM process may have made on its descriptor: its
 * own uid and no other. 0 or -errno. */
int uids_confine(int fd, uid_t uid);

/* ---- after an earlier supervisor */

/* True if fd is open on the lock file; *shared: with a right to write, as VM
 * processes of an instance shared it in earlier builds. */
bool uids_is_lock_file(const struct uids *uids, int fd, bool *shared);
/* Makes the locks of such a shared open file locks to read, on the uids of the
 * list alone, which is sorted. 0 or -errno. */
int uids_settle_shared(int fd, const uid_t *list, size_t count);
/* Takes that uid, which a VM process holds by fd (-1: none does). 0; -EAGAIN:
 * another instance has it; another -errno. */
int uids_claim(struct uids *uids, uid_t uid, int fd);
/* Replaces lock_fd, which an earlier build gave VM processes, by an open file
 * of the supervisor's own with locks on these uids. 0 or -errno. */
int uids_renew(struct uids *uids, int proc_fd, const uid_t *list, size_t count);

/* What the next image must know of it, in the upgrade's document. */
extern const struct field_group uids_fields;

#endif
