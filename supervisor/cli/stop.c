/* SPDX-License-Identifier: ISC */
/* vmsup stop: named VMs, or everything, supervisor included. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/act.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/conn.h"

enum {
	OPT_NO_WAIT
};

static const struct cli_option options[] = {
	[OPT_NO_WAIT] = { "no-wait", 0, NULL, false,
			  "with NAMEs: return when it is under way" },
	{ 0 },
};

static int stop_supervisor(const struct cli *cli)
{
	struct pollfd polled = { .events = POLLIN };
	cleanup_fd int pid_fd = -1;
	struct conn conn;
	int status;

	status = conn_open(&conn, cli);
	if (status)
		return status;
	/* Before the call: it is the process that we are connected to, so its
	 * number can't be another's yet. */
	if (conn.peer_pid > 0)
		pid_fd = (int)syscall(SYS_pidfd_open, conn.peer_pid, 0);
	status = conn_call(&conn, "Shutdown", NULL, CONN_FOREVER, NULL);
	polled.fd = pid_fd;
	if (!status && pid_fd >= 0)
		while (poll(&polled, 1, -1) < 0 && errno == EINTR)
			;
	if (!status && isatty(STDOUT_FILENO))
		printf("stopped: VMs, links and supervisor %d are gone\n",
		       conn.peer_pid);
	conn_close(&conn);
	return status;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	static const struct act act = { "Stop", AWAIT_STOPPED, "stopped" };

	if (args->count > 0)
		return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
	if (args->values[OPT_NO_WAIT])
		return cli_usage("stop", "--no-wait goes with names of VMs");
	return stop_supervisor(cli);
}

const struct cli_command stop_command = {
	.name = "stop",
	.usage = "[[--no-wait] NAME...]",
	.summary =
		"stop everything, supervisor included; with NAMEs, those VMs",
	.details = "A VM is asked first, then its process, then it is killed."
		   "\nWithout NAMEs nothing is left behind: no process, "
		   "device, socket, file.\n",
	.options = options,
	.max_args = -1,
	.names_vms = true,
	.run = run,
};
