/* SPDX-License-Identifier: ISC */
/* Stage 1 of the cage: between fork and exec of a VM process. */
#ifndef VMSUP_SANDBOX_STAGE1_H
#define VMSUP_SANDBOX_STAGE1_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/proto.h"
#include "sandbox/room.h"

/* The program's descriptor, until the program is executed. */
#define STAGE1_PROGRAM_FD (PROTO_CHANNEL_FD + 1)

struct filter_program;

struct stage1 {
	const struct room *room;
	uid_t uid; /* the VM's own, shared with no other VM; its gid, too */
	int channel_fd; /* becomes PROTO_CHANNEL_FD */
	int handoff_fd; /* the child shares its parent's descriptors, and takes
			   its channel from there (handoff.h); -1: it has
			   copies of all, and channel_fd is its own */
	int program_fd; /* vmproc */
	char name[VM_NAME_MAX + 1]; /* of the VM, for ps(1) */
	uint64_t generation;
	struct filter_program *filter; /* of set-up; fitted in the child */
	unsigned int threads; /* the most, besides the first one */
	unsigned int descriptors; /* the most: numbers from 0 on */
	unsigned int loops; /* epoll descriptors, from PROTO_LOOP_FD on */
	uint64_t file_bytes; /* the end of its largest disk: no write beyond */
	pid_t parent; /* the supervisor: the process ends without it */
	int proc_fd; /* /proc */
	bool core_scheduling; /* no other process on its core: PR_SCHED_CORE */
};

/* The oom_score_adj of a VM process, by that of its supervisor. */
long stage1_oom_score(long supervisors);

/*
 * Should: give up, in the calling process, everything but the channel: enter
 * the room, a new session, limits, an identity of its own, no capability in any
 * set, no new privileges, no other descriptor, no system call but those of
 * set-up; then execute the program.
 * Mustn't: leave a privilege for stage 2 to give up; execute the program after
 * a step has failed; use more than inherit_little() leaves a child. A failure
 * is reported over the channel as a LOG message.
 */
_Noreturn void stage1_exec(const struct stage1 *stage);

#endif
