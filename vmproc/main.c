/* SPDX-License-Identifier: ISC */
/* The VM process: it is born in the cage, and gets all it needs over the
 * channel. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "ipc/error.h"
#include "ipc/log.h"
#include "vmproc/messages.h"
#include "vmproc/relro.h"
#include "vmproc/vmproc.h"

/* Log lines go to the supervisor. Lines that find the channel full are
 * counted. */
static void log_to_supervisor(void *ctx, enum log_level level, const char *line)
{
	struct vmproc *vm = ctx;
	uint32_t lost = atomic_exchange(&vm->log_lost, 0);
	union msg message = { 0 };
	int length;

	length = lost ? snprintf(message.log.text, MSG_LOG_TEXT,
				 "(%u lines lost) %s", lost, line)
		      : snprintf(message.log.text, MSG_LOG_TEXT, "%s", line);
	message.log.level = level;
	message.log.length = length < MSG_LOG_TEXT ? (uint32_t)length
						   : MSG_LOG_TEXT - 1;
	if (channel_send(&vm->channel, MSG_LOG, &message, -1) < 0)
		atomic_fetch_add(&vm->log_lost, lost + 1);
}

int main(void)
{
	static struct vmproc vm = {
		.channel = { .fd = PROTO_CHANNEL_FD, .side = CHANNEL_VMPROC },
	};
	int error;

	for (int role = 0; role < FD_ROLES; role++) {
		vm.fds[role] = -1;
		for (int i = 0; i < FD_INDEX_MAX - 1; i++)
			vm.more_fds[role][i] = -1;
	}
	log_set(log_to_supervisor, &vm, LOG_LEVEL_INFO);
	error = relro_apply();
	if (error)
		vmproc_end(VMPROC_EXIT_CAGE, "read-only relocations: %s",
			   error_name(-error));
	loop_take(&vm.loop, PROTO_LOOP_FD);
	error = loop_add(&vm.loop, &vm.channel_source, vm.channel.fd, EPOLLIN,
			 messages_ready, &vm);
	if (!error)
		error = loop_run(&vm.loop);
	vmproc_end(VMPROC_EXIT_OS, "event loop: %s", error_name(-error));
}
