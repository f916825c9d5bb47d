/* SPDX-License-Identifier: ISC */
/* What every part of a VM process uses: its state, its end, its messages. */
#include "vmproc/vmproc.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"

enum vmproc_exit vmproc_exit_for(int error)
{
	/* Errors that neither memory, descriptors nor time would mend. */
	static const int lasting[] = {
		EINVAL, E2BIG, ENOTTY, ENOSYS, EOPNOTSUPP,
		ENODEV, ENXIO, EPERM,  EACCES,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lasting); i++)
		if (-error == lasting[i])
			return VMPROC_EXIT_CONFIG;
	return VMPROC_EXIT_OS;
}

void vmproc_end(enum vmproc_exit status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vline(status == VMPROC_EXIT_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
		  format, args);
	va_end(args);
	_exit(status);
}

void vmproc_send(const struct vmproc *vm, enum msg_type type,
		 union msg *message)
{
	/* A message that finds the channel full is dropped: if it was an
	 * answer, the supervisor notices that none comes. Waiting here would
	 * let the supervisor stop the guest. */
	channel_send(&vm->channel, type, message, -1);
}

void vmproc_loaded(struct vmproc *vm)
{
	union msg message = { 0 };
	int error = channel_send(&vm->channel, MSG_LOADED, &message, -1);

	if (error)
		vmproc_end(VMPROC_EXIT_OS, "cannot report LOADED: %s",
			   error_name(-error));
	vm->state = VMPROC_RUNNING;
	loop_modify(&vm->loop, &vm->channel_source, EPOLLIN);
}

static int *slot_of(struct vmproc *vm, enum fd_role role, unsigned int index)
{
	if (role >= FD_ROLES || index >= FD_INDEX_MAX)
		return NULL;
	return index == 0 ? &vm->fds[role] : &vm->more_fds[role][index - 1];
}

int vmproc_fd(const struct vmproc *vm, enum fd_role role, unsigned int index)
{
	if (role >= FD_ROLES || index >= FD_INDEX_MAX)
		return -1;
	return index == 0 ? vm->fds[role] : vm->more_fds[role][index - 1];
}

void vmproc_close(struct vmproc *vm, enum fd_role role, unsigned int index)
{
	int *fd = slot_of(vm, role, index);

	if (fd)
		fd_close(fd);
}
