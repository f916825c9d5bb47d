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
	int parent_fd; /* the group above it */
	char path[320]; /* of the instance's group, for messages */
	bool enabled; /* controllers is known */
	unsigned int controllers; /* of the groups of VMs: 1 << controller */
};

/* Bounds of one VM process; 0: none. */
struct cgroup_limits {
	uint64_t memory_bytes; /* memory.max; the OOM killer ends it whole */
	uint32_t cpu_percent; /* cpu.max, of one CPU */
	uint32_t cpu_weight; /* cpu.weight */
	uint32_t pids; /* pids.max: each thread counts */
	/* 1 << controller: the VM may not start without them */
	unsigned int required;
};

/* How often the OOM killer ended a process of a group. */
struct cgroup_oom {
	uint64_t kills; /* because the host or a group had no memory left */
	uint64_t over_limit; /* because this group was at its memory.max */
};

/* Makes the group vmsup-INSTANCE at the top of the cgroup v2 tree. A host
 * without cgroup v2 is reported once in the log; cgroup->dir_fd is -1 then. */
void cgroup_init(struct cgroup *cgroup, const char *instance);
/* Removes the VMs' groups that are left, and the instance's own. */
void cgroup_uninit(struct cgroup *cgroup);
/* Closes the descriptors; the groups stay. */
void cgroup_release(struct cgroup *cgroup);

/*
 * Makes (or finds) the group of one VM. limits are written if the group is new
 * or *bounded is false; *bounded is true afterwards. A limit whose controller
 * the host doesn't offer is left out, unless it is required. 0 with *dir_fd
 * being the group's directory for clone3(CLONE_INTO_CGROUP), the caller's, or
 * -1 if there are no cgroups; or -errno (-EOPNOTSUPP: a required controller
 * isn't there).
 */
int cgroup_open(struct cgroup *cgroup, const char *name,
		const struct cgroup_limits *limits, bool *bounded, int *dir_fd);

/* Reads how often the group of one VM ran out of memory. 0, or -errno if there
 * is no group or no memory controller. */
int cgroup_read_oom(const struct cgroup *cgroup, const char *name,
		    struct cgroup_oom *oom);

/* "memory" and so on: the name in cgroup.controllers. */
const char *cgroup_controller_name(enum cgroup_controller controller);

/* Removes the group of one VM; it must have no process. */
void cgroup_remove(const struct cgroup *cgroup, const char *name);

#endif
