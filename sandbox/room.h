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
/* Has a child enter the room and look around: the root is empty and read-only,
 * nothing else is mounted, no interface is up. NULL, or what doesn't hold. The
 * caller has one thread and no filter; /proc is mounted. */
const char *room_prove(const struct room *room);
/* Takes over the room that process pid lives in, if its namespaces have these
 * inodes. Needs CAP_SYS_PTRACE. 0, or -errno if the process is gone or lives in
 * another room. */
int room_adopt(struct room *room, int proc_fd, pid_t pid,
	       const uint64_t inodes[ROOM_NAMESPACES]);
/* True if process (a name in /proc) lives in the room whose namespaces have
 * these inodes. */
bool room_holds(int proc_fd, const char *process,
		const uint64_t inodes[ROOM_NAMESPACES]);
/* True if mountinfo is the text of a /proc/PID/mountinfo in a room: the root is
 * an empty, read-only file system, and nothing else is mounted. */
bool room_mounts(const char *mountinfo);
void room_uninit(struct room *room);

/* Moves the calling process into the room; the empty root is its working
 * directory afterwards. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT. 0 or -errno. */
int room_enter(const struct room *room);

/* "net", "ipc", "uts", "mnt": as in /proc/PID/ns. */
const char *room_namespace_name(enum room_namespace ns);

/* The inode of a namespace of the room, which identifies it; 0 on failure. */
uint64_t room_inode(const struct room *room, enum room_namespace ns);

#endif
