/* SPDX-License-Identifier: ISC */
/* What every part of a VM process uses: its end, and its word to the
 * supervisor. */
#include "vmproc/vmproc.h"

#include <stdarg.h>
#include <unistd.h>

#include "ipc/log.h"

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
	/* A full channel is the supervisor's to notice: it asked, and gets no
	 * answer. Waiting for it would let it stop the guest. */
	channel_send(&vm->channel, type, message, -1);
}
