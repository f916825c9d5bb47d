/* SPDX-License-Identifier: ISC */
/* Stage 1 of the cage: between fork and exec of a VM process. */
#ifndef VMSUP_SANDBOX_STAGE1_H
#define VMSUP_SANDBOX_STAGE1_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/proto.h"
#include "sandbox/room.h"

/* Where the program is, until it is executed. */
#define STAGE1_PROGRAM_FD (PROTO_CHANNEL_FD + 1)

struct filter_program;

struct stage1 {
	const struct room *room;
	uid_t uid; /* and the gid: the VM's own, shared with nobody */
	int channel_fd; /* becomes PROTO_CHANNEL_FD */
	int program_fd; /* vmproc */
	char name[VM_NAME_MAX + 1]; /* of the VM, for ps(1) */
	uint64_t generation;
	struct filter_program *filter; /* of its set-up; fitted in the child */
	/* what more a guest of several threads takes; 0: nothing */
	unsigned int threads; /* besides the first */
	unsigned int descriptors; /* numbers from 0 on */
	unsigned int loops; /* epoll descriptors, from PROTO_LOOP_FD on */
	uint64_t file_bytes; /* where its disks end: no write beyond */
	pid_t parent; /* the supervisor: without it, the process ends */
	int proc_fd; /* /proc */
	bool core_scheduling; /* no other process on its core: PR_SCHED_CORE */
};

/* The oom_score_adj of a VM process whose supervisor has that one. */
long stage1_oom_score(long supervisors);

/*
 * Should: give up, in the calling process, everything but the channel: enter
 * the room, a new session, limits, an identity of its own, no capability in any
 * set, no new privileges, no other descriptor, no call but those of set-up;
 * then become the program.
 * Mustn't: leave a privilege for stage 2 to drop; run anything of the program
 * before. What fails is reported over the channel as a LOG message. It uses
 * only what inherit_little() leaves a child.
 */
_Noreturn void stage1_exec(const struct stage1 *stage);

#endif
