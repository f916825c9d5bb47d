/* SPDX-License-Identifier: ISC */
/* Owned descriptors and heap blocks as locals: closed, freed or handed over. */
#ifndef VMSUP_IPC_FD_H
#define VMSUP_IPC_FD_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Closes *fd unless it is -1, and makes it -1; errno stays as it was. */
static inline void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* Hands the descriptor in *fd to the caller; *fd is -1 afterwards. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void free_ptr(void *pointer)
{
	free(*(void **)pointer);
}

/* Hands the heap block in *pointer to the caller; *pointer is NULL
 * afterwards. */
static inline void *steal_mem(void *pointer)
{
	void **from = pointer;
	void *taken = *from;

	*from = NULL;
	return taken;
}

#define cleanup_fd   __attribute__((cleanup(fd_close)))
#define cleanup_free __attribute__((cleanup(free_ptr)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
