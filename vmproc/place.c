/* SPDX-License-Identifier: ISC */
/* Descriptors that a VM process makes itself, moved to their numbers of the
 * plan. */
#include "vmproc/place.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "ipc/fd.h"
#include "ipc/proto.h"

int place_fd(int fd, int first, int count)
{
	cleanup_fd int made = fd;
	int placed;

	if (made < 0)
		return -errno;
	if (made >= first && made < first + count)
		return steal_fd(&made);
	placed = fcntl(made, F_DUPFD_CLOEXEC, first);
	if (placed < 0)
		return -errno;
	if (placed < first + count)
		return placed;
	close(placed);
	return -EMFILE;
}

int place_eventfd(void)
{
	return place_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), PROTO_EVENT_FD,
			PROTO_EVENT_FDS);
}
