/* SPDX-License-Identifier: ISC */
/* Reads /proc of a process, through a descriptor of its directory. */
#include "supervisor/cli/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "ipc/fd.h"

int proc_open(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int proc_read(int dir_fd, const char *name, char *text, size_t size)
{
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		got = read(fd, text + used, size - 1 - used);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	text[used] = '\0';
	return 0;
}

/* Copies text up to the end of the line, with white space folded. */
static void copy_folded(const char *from, char *value, size_t size)
{
	size_t used = 0;

	for (; *from && *from != '\n' && used + 1 < size; from++) {
		if (!isspace((unsigned char)*from))
			value[used++] = *from;
		else if (used > 0 && value[used - 1] != ' ')
			value[used++] = ' ';
	}
	while (used > 0 && value[used - 1] == ' ')
		used--;
	value[used] = '\0';
}

/* Finds the line that begins with key: what follows key there. NULL: none. */
static const char *find_line(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, length) == 0)
			return text + length;
	}
	return NULL;
}

bool proc_value(const char *text, const char *key, char *value, size_t size)
{
	char with_colon[48];
	const char *found;

	value[0] = '\0';
	snprintf(with_colon, sizeof(with_colon), "%s:", key);
	found = find_line(text, with_colon);
	if (found)
		copy_folded(found, value, size);
	return found;
}

bool proc_limit(const char *text, const char *key, char *value, size_t size)
{
	const char *found = find_line(text, key);
	char soft[24], hard[24];

	value[0] = '\0';
	if (!found || sscanf(found, " %23s %23s", soft, hard) != 2)
		return false;
	snprintf(value, size, "%s/%s", soft, hard);
	return true;
}

uint64_t proc_inode(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, 0) < 0 ? 0 : st.st_ino;
}

int proc_link(int dir_fd, const char *name, char *target, size_t size)
{
	ssize_t length = readlinkat(dir_fd, name, target, size - 1);

	target[length < 0 ? 0 : length] = '\0';
	return length < 0 ? -errno : 0;
}

bool proc_kernel_is(unsigned int major, unsigned int minor)
{
	unsigned int is_major = 0, is_minor = 0;
	struct utsname system;

	return uname(&system) == 0 &&
	       sscanf(system.release, "%u.%u", &is_major, &is_minor) == 2 &&
	       (is_major > major || (is_major == major && is_minor >= minor));
}

bool proc_cgroup_mount(char *where, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;
	bool found = false;

	while (mounts && !found && (mount = getmntent(mounts))) {
		found = strcmp(mount->mnt_type, "cgroup2") == 0;
		snprintf(where, size, "%s", found ? mount->mnt_dir : "");
	}
	if (mounts)
		endmntent(mounts);
	return found;
}
