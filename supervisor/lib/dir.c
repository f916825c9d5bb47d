/* SPDX-License-Identifier: ISC */
/* The entries of a directory. */
#include "supervisor/lib/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "ipc/fd.h"

int dir_each(int dir_fd, const char *name,
	     int (*each)(void *ctx, const char *entry), void *ctx)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	int result = 0;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(&fd);
		return -ENOMEM;
	}
	while (!result && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			result = each(ctx, entry->d_name);
	if (!result && errno)
		result = -errno;
	closedir(dir);
	return result;
}
