/* SPDX-License-Identifier: ISC */
/* A cgroup (v2) for each VM process, where the host has them. */
#ifndef VMSUP_SANDBOX_CGROUP_H
#define VMSUP_SANDBOX_CGROUP_H

#include <stddef.h>
#include <stdint.h>

struct cgroup {
	int dir_fd; /* the instance's own group; -1: no cgroup v2 here */
	int parent_fd; /* the group that it is in */
	char path[320]; /* below the mount point, for people */
};

/* Makes the group vmsup-INSTANCE at the top of the cgroup v2 tree. Without
 * cgroup v2 says so once and goes on: cgroup->dir_fd is -1 then. */
void cgroup_init(struct cgroup *cgroup, const char *instance);
/* Removes the groups that are left, and the instance's own. */
void cgroup_uninit(struct cgroup *cgroup);
/* Lets go of the groups, and leaves them there. */
void cgroup_release(struct cgroup *cgroup);

/*
 * Makes (or finds) the group of one VM and sets its limits, 0 meaning none:
 * memory.max in bytes, cpu.max in percent of one CPU. 0 with its directory in
 * *dir_fd, the caller's, for clone3(CLONE_INTO_CGROUP), -1 if there are no
 * cgroups; -errno (-EOPNOTSUPP: a limit whose controller isn't there).
 */
int cgroup_open(const struct cgroup *cgroup, const char *name,
		uint64_t memory_bytes, uint32_t cpu_percent, int *dir_fd);

/* Removes the group of one VM; it must have no process. */
void cgroup_remove(const struct cgroup *cgroup, const char *name);

#endif
