/* SPDX-License-Identifier: ISC */
/* A cgroup (v2) for each VM process, where the host has them. */
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
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

/* Gives the children of the group the controllers that limits need. */
static int enable_controllers(const struct cgroup *cgroup)
{
	int error = write_file(cgroup->parent_fd, "cgroup.subtree_control",
			       "+memory +cpu");

	if (!error)
		error = write_file(cgroup->dir_fd, "cgroup.subtree_control",
				   "+memory +cpu");
	return error ? -EOPNOTSUPP : 0;
}

int cgroup_open(const struct cgroup *cgroup, const char *name,
		uint64_t memory_bytes, uint32_t cpu_percent, int *dir_fd)
{
	cleanup_fd int fd = -1;
	char text[64];
	int error = 0;

	*dir_fd = -1;
	if (cgroup->dir_fd < 0)
		return memory_bytes || cpu_percent ? -EOPNOTSUPP : 0;
	if (memory_bytes || cpu_percent)
		error = enable_controllers(cgroup);
	if (error)
		return error;
	if (mkdirat(cgroup->dir_fd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(cgroup->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (memory_bytes) {
		snprintf(text, sizeof(text), "%llu",
			 (unsigned long long)memory_bytes);
		error = write_file(fd, "memory.max", text);
	}
	if (cpu_percent && !error) {
		snprintf(text, sizeof(text), "%u 100000", cpu_percent * 1000);
		error = write_file(fd, "cpu.max", text);
	}
	if (!error)
		*dir_fd = steal_fd(&fd);
	return error;
}

void cgroup_remove(const struct cgroup *cgroup, const char *name)
{
	if (unlinkat(cgroup->dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_warn("cannot remove the cgroup %s/%s: %s", cgroup->path,
			 name, strerror(errno));
}
