/* SPDX-License-Identifier: ISC */
/* vmsup stop ends named VMs, or all VMs and the supervisor; vmsup detach
 * ends the supervisor alone. */
#include "supervisor/cli/stop.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/act.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/report.h"
#include "supervisor/lib/pidfd.h"

enum {
	OPT_NO_WAIT
};

static const struct cli_option options[] = {
	[OPT_NO_WAIT] = { "no-wait", 0, NULL, false,
			  "with NAMEs: return when it is under way" },
	{ 0 },
};

/* Calls a method that ends the supervisor, and waits for its end. said: what is
 * added to the message. An enum cli_exit. */
static int end_supervisor(const struct cli *cli, const char *method,
			  const char *said)
{
	cleanup_fd int pid_fd = -1;
	struct conn conn;
	int status;

	status = conn_open(&conn, cli);
	if (status)
		return status;
	/* Before the call, the number is that of the supervisor: it holds the
	 * other end of the connection. */
	if (conn.peer_pid > 0)
		pid_fd = pidfd_of(conn.peer_pid);
	status = conn_call(&conn, method, NULL, CONN_FOREVER, NULL);
	if (!status && pid_fd >= 0)
		(void)pidfd_wait(pid_fd, PIDFD_FOREVER);
	if (!status && isatty(STDOUT_FILENO))
		printf("supervisor %d is gone%s\n", conn.peer_pid, said);
	conn_close(&conn);
	return status;
}

static int run_stop(const struct cli *cli, const struct cli_args *args)
{
	static const struct act act = { "Stop", AWAIT_STOPPED, "stopped" };

	if (args->count > 0)
		return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
	if (args->values[OPT_NO_WAIT])
		return report_usage("stop", "--no-wait goes with names of VMs");
	return end_supervisor(cli, "Shutdown",
			      ", and so are its VMs and links");
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
	.run = run_stop,
};

static int run_detach(const struct cli *cli, const struct cli_args *args)
{
	(void)args;
	return end_supervisor(
		cli, "Detach",
		"; its VMs go on ('vmsup start' takes them over)");
}

const struct cli_command stop_detach_command = {
	.name = "detach",
	.usage = "",
	.summary = "end the supervisor alone: its VMs go on without one",
	.details =
		"'vmsup start' takes them over again. VMs whose orphan policy "
		"is \"end\" end now.\n",
	.run = run_detach,
};
