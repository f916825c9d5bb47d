/* SPDX-License-Identifier: ISC */
/*
 * A cgroup (v2) for each VM process, where the host has them.
 *
 * Theory of operation: a guest can make its VM process take memory, processor
 * time and threads from the host. The process's group bounds each of them, by
 * the controller that the host offers for it. Where the host doesn't offer a
 * controller, that one bound is missing, unless the configuration asks for it
 * by name: then the VM doesn't start. Limits are written when a group is made,
 * or first used by this supervisor: a restart doesn't pay for them.
 */
#include "sandbox/cgroup.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "ipc/log.h"

/* Opens the mount point of the cgroup v2 tree; -1: none. */
static int open_tree(char *path, size_t bytes)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int fd = -1;

	if (!mounts)
		return -1;
	while (fd < 0 && (entry = getmntent(mounts)))
		if (strcmp(entry->mnt_type, "cgroup2") == 0) {
			snprintf(path, bytes, "%s", entry->mnt_dir);
			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		}
	endmntent(mounts);
	return fd;
}

void cgroup_init(struct cgroup *cgroup, const char *instance)
{
	char tree[192], name[64];

	cgroup->dir_fd = -1;
	cgroup->parent_fd = open_tree(tree, sizeof(tree));
	if (cgroup->parent_fd < 0) {
		log_info("no cgroup v2 on this host: VM processes have no "
			 "cgroup of their own");
		return;
	}
	snprintf(name, sizeof(name), "vmsup-%s", instance);
	snprintf(cgroup->path, sizeof(cgroup->path), "%s/%s", tree, name);
	if (mkdirat(cgroup->parent_fd, name, 0755) == 0 || errno == EEXIST)
		cgroup->dir_fd = openat(cgroup->parent_fd, name,
					O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->dir_fd < 0) {
		log_warn("cannot make the cgroup %s: %s: VM processes have no "
			 "cgroup of their own",
			 cgroup->path, strerror(errno));
		fd_close(&cgroup->parent_fd);
	}
}

void cgroup_uninit(struct cgroup *cgroup)
{
	struct dirent *entry;
	DIR *dir;

	if (cgroup->dir_fd < 0)
		return;
	dir = fdopendir(cgroup->dir_fd);
	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			cgroup_remove(cgroup, entry->d_name);
	if (dir)
		closedir(dir);
	else
		close(cgroup->dir_fd);
	cgroup->dir_fd = -1;
	if (unlinkat(cgroup->parent_fd, strrchr(cgroup->path, '/') + 1,
		     AT_REMOVEDIR) < 0)
		log_warn("cannot remove the cgroup %s: %s (rmdir it by hand)",
			 cgroup->path, strerror(errno));
	fd_close(&cgroup->parent_fd);
}

void cgroup_release(struct cgroup *cgroup)
{
	fd_close(&cgroup->dir_fd);
	fd_close(&cgroup->parent_fd);
}

static int write_file(int dir_fd, const char *file, const char *text)
{
	cleanup_fd int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static const char *const controllers[] = {
	[CGROUP_MEMORY] = "memory",
	[CGROUP_CPU] = "cpu",
	[CGROUP_PIDS] = "pids",
};
static_assert(ARRAY_SIZE(controllers) == CGROUP_CONTROLLERS, "all of them");

const char *cgroup_controller_name(enum cgroup_controller controller)
{
	return controllers[controller];
}

/* Gives the groups of VMs each controller that the host offers. One by one: the
 * kernel refuses a whole list if it lacks one of it. */
static void enable_controllers(struct cgroup *cgroup)
{
	cgroup->enabled = true;
	cgroup->controllers = 0;
	for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++) {
		char text[16];

		snprintf(text, sizeof(text), "+%s", controllers[i]);
		/* a controller that is enabled already is no error */
		(void)write_file(cgroup->parent_fd, "cgroup.subtree_control",
				 text);
		if (write_file(cgroup->dir_fd, "cgroup.subtree_control",
			       text) == 0)
			cgroup->controllers |= 1U << i;
	}
}

static int write_number(int dir_fd, const char *file, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return write_file(dir_fd, file, text);
}

static int bound_memory(int fd, const struct cgroup_limits *limits)
{
	int error = write_number(fd, "memory.max", limits->memory_bytes);

	/* Its threads are one process: none of them can go on alone. */
	return error ? error : write_file(fd, "memory.oom.group", "1");
}

static int bound_cpu(int fd, const struct cgroup_limits *limits)
{
	char text[32];
	int error = 0;

	if (limits->cpu_weight)
		error = write_number(fd, "cpu.weight", limits->cpu_weight);
	if (error || !limits->cpu_percent)
		return error;
	snprintf(text, sizeof(text), "%u 100000", limits->cpu_percent * 1000);
	return write_file(fd, "cpu.max", text);
}

static int bound_pids(int fd, const struct cgroup_limits *limits)
{
	return write_number(fd, "pids.max", limits->pids);
}

/* Writes the limits whose controllers there are. 0 or -errno. */
static int bound(const struct cgroup *cgroup, int fd,
		 const struct cgroup_limits *limits)
{
	const struct {
		bool wanted;
		int (*set)(int fd, const struct cgroup_limits *limits);
	} bounds[] = {
		[CGROUP_MEMORY] = { limits->memory_bytes > 0, bound_memory },
		[CGROUP_CPU] = { limits->cpu_weight || limits->cpu_percent,
				 bound_cpu },
		[CGROUP_PIDS] = { limits->pids > 0, bound_pids },
	};
	static_assert(ARRAY_SIZE(bounds) == CGROUP_CONTROLLERS, "all of them");
	int error = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(bounds) && !error; i++)
		if (bounds[i].wanted && cgroup->controllers & 1U << i)
			error = bounds[i].set(fd, limits);
	return error;
}

int cgroup_open(struct cgroup *cgroup, const char *name,
		const struct cgroup_limits *limits, bool *bounded, int *dir_fd)
{
	cleanup_fd int fd = -1;
	int error = 0;

	*dir_fd = -1;
	if (cgroup->dir_fd < 0)
		return limits->required ? -EOPNOTSUPP : 0;
	if (!cgroup->enabled)
		enable_controllers(cgroup);
	if (limits->required & ~cgroup->controllers)
		return -EOPNOTSUPP;
	if (mkdirat(cgroup->dir_fd, name, 0755) == 0)
		*bounded = false;
	else if (errno != EEXIST)
		return -errno;
	fd = openat(cgroup->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!*bounded)
		error = bound(cgroup, fd, limits);
	*bounded = !error;
	if (!error)
		*dir_fd = steal_fd(&fd);
	return error;
}

/* The number on the line of text that begins with key and a blank; 0: none. */
static uint64_t line_number(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strtoull(line + length + 1, NULL, 10);
	}
	return 0;
}

int cgroup_read_oom(const struct cgroup *cgroup, const char *name,
		    struct cgroup_oom *oom)
{
	char path[NAME_MAX], text[512];
	cleanup_fd int fd = -1;
	ssize_t bytes;

	*oom = (struct cgroup_oom){ 0 };
	if (cgroup->dir_fd < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/memory.events", name);
	fd = openat(cgroup->dir_fd, path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (bytes < 0)
		return -errno;
	text[bytes] = '\0';
	oom->kills = line_number(text, "oom_kill");
	oom->over_limit = line_number(text, "oom");
	return 0;
}

void cgroup_remove(const struct cgroup *cgroup, const char *name)
{
	if (unlinkat(cgroup->dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_warn("cannot remove the cgroup %s/%s: %s", cgroup->path,
			 name, strerror(errno));
}
