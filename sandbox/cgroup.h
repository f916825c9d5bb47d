/* SPDX-License-Identifier: ISC */
/* A cgroup (v2) for each VM process, where the host has them. */
#ifndef VMSUP_SANDBOX_CGROUP_H
#define VMSUP_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cgroup_controller {
	CGROUP_MEMORY,
	CGROUP_CPU,
	CGROUP_PIDS,
	CGROUP_CONTROLLERS
};

struct cgroup {
	int dir_fd; /* the instance's own group; -1: no cgroup v2 here */
	int parent_fd; /* the group that it is in */
	char path[320]; /* below the mount point, for people */
	bool enabled; /* controllers says what this process enabled */
	unsigned int controllers; /* for the groups of VMs: 1 << controller */
};

/* What bounds one VM process; 0: nothing does. */
struct cgroup_limits {
	uint64_t memory_bytes; /* memory.max, and the group dies as one */
	uint32_t cpu_percent; /* cpu.max, of one CPU */
	uint32_t cpu_weight; /* cpu.weight */
	uint32_t pids; /* pids.max: threads count */
	/* 1 << controller: without it the VM may not start */
	unsigned int required;
};

/* How often the OOM killer ended a process of a group. */
struct cgroup_oom {
	uint64_t kills; /* whatever ran out of memory */
	uint64_t over_limit; /* the group, at its memory.max */
};

/* Makes the group vmsup-INSTANCE at the top of the cgroup v2 tree. Without
 * cgroup v2 says so once and goes on: cgroup->dir_fd is -1 then. */
void cgroup_init(struct cgroup *cgroup, const char *instance);
/* Removes the groups that are left, and the instance's own. */
void cgroup_uninit(struct cgroup *cgroup);
/* Lets go of the groups, and leaves them there. */
void cgroup_release(struct cgroup *cgroup);

/*
 * Makes (or finds) the group of one VM. limits are written if the group is new
 * or *bounded is false, which is true then. Limits whose controller isn't
 * offered don't hold, unless they are required. 0 with its directory in
 * *dir_fd, the caller's, for clone3(CLONE_INTO_CGROUP), -1 if there are no
 * cgroups; -errno (-EOPNOTSUPP: a required controller isn't there).
 */
int cgroup_open(struct cgroup *cgroup, const char *name,
		const struct cgroup_limits *limits, bool *bounded, int *dir_fd);

/* Reads from the group of one VM how often it ran out of memory. 0 or -errno:
 * no group, or no memory controller. */
int cgroup_read_oom(const struct cgroup *cgroup, const char *name,
		    struct cgroup_oom *oom);

/* "memory" and so on, as cgroup.controllers has it. */
const char *cgroup_controller_name(enum cgroup_controller controller);

/* Removes the group of one VM; it must have no process. */
void cgroup_remove(const struct cgroup *cgroup, const char *name);

#endif
