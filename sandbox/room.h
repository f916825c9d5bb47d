/* SPDX-License-Identifier: ISC */
/* The empty room that every VM process lives in: namespaces with nothing. */
#ifndef VMSUP_SANDBOX_ROOM_H
#define VMSUP_SANDBOX_ROOM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum room_namespace {
	ROOM_NET, /* no interface but a loopback that is down */
	ROOM_IPC,
	ROOM_UTS,
	ROOM_MNT, /* an empty read-only root; entered last: it moves "/" */
	ROOM_NAMESPACES
};

struct room {
	int ns_fd[ROOM_NAMESPACES]; /* owned; what setns(2) takes */
};

#define ROOM_WHY_BYTES 160

/* Builds the room and proves it. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT. 0, or
 * -errno with the reason, and the remedy, in why. */
int room_init(struct room *room, char why[ROOM_WHY_BYTES]);
/* Has a process enter the room and look: an empty, read-only root, nothing
 * else mounted, no interface. NULL, or what doesn't hold. For a process without
 * threads or a filter; needs /proc. */
const char *room_prove(const struct room *room);
/* Takes the room that process pid lives in, if its namespaces are those of
 * inodes. Needs CAP_SYS_PTRACE. 0, or -errno: it is gone, or in another room. */
int room_adopt(struct room *room, int proc_fd, pid_t pid,
	       const uint64_t inodes[ROOM_NAMESPACES]);
/* True if process (a name in /proc) lives in the room of inodes. */
bool room_holds(int proc_fd, const char *process,
		const uint64_t inodes[ROOM_NAMESPACES]);
/* True if that is what /proc/PID/mountinfo says of who lives in a room: its root
 * is an empty file system, read-only, and nothing else is mounted. */
bool room_mounts(const char *mountinfo);
void room_uninit(struct room *room);

/* Moves the calling process into the room; it stands in its empty root then.
 * Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT. 0 or -errno. */
int room_enter(const struct room *room);

/* "net", "ipc", "uts", "mnt": as in /proc/PID/ns. */
const char *room_namespace_name(enum room_namespace ns);

/* The inode that names a namespace of the room (stat of its descriptor); 0 if
 * it can't be told. */
uint64_t room_inode(const struct room *room, enum room_namespace ns);

#endif
