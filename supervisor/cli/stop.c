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
#include "supervisor/cli/text.h"
#include "supervisor/lib/pidfd.h"

enum {
	OPT_NO_WAIT,
	OPT_NOW,
	OPT_TIMEOUT,
};

#define TIMEOUT_MAX_S 86400

static const struct cli_option options[] = {
	[OPT_NO_WAIT] = { "no-wait", 0, NULL, false,
			  "with NAMEs: return when it is under way" },
	[OPT_NOW] = { "now", 0, NULL, false,
		      "with NAMEs: kill at once, and don't ask the guests" },
	[OPT_TIMEOUT] = { "timeout", 't', "SECONDS", false,
			  "with NAMEs: kill what hasn't stopped by then" },
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

/* Kills the processes of the VMs that are still stopping: their guests have had
 * their time. In silence: one that has ended meanwhile is done. */
static void kill_rest(const struct await *await, const struct cli *cli)
{
	json_t *names = await_pending(await);
	size_t i;
	json_t *name;

	json_array_foreach(names, i, name) {
		struct problem problem;
		struct reply reply;
		struct conn conn;

		if (conn_connect(&conn, cli->run_dir, &problem))
			break;
		if (conn_send(&conn, "Kill",
			      json_pack("{s:[O], s:s}", "names", name, "signal",
					"KILL"),
			      false) == 0 &&
		    conn_receive(&conn, CONN_TIMEOUT_MS, &reply) == 1)
			conn_reply_free(&reply);
		conn_close(&conn);
	}
	json_decref(names);
}

static int stop_vms(const struct cli *cli, const struct cli_args *args)
{
	const char *given = args->values[OPT_TIMEOUT];
	struct await_late late[2] = { { ACT_WORD_MS, act_say_waiting } };
	struct act act = { "Stop", AWAIT_STOPPED, "stopped", late, 1 };
	long seconds = 0;

	if (given && !text_number(given, 0, TIMEOUT_MAX_S, &seconds))
		return report_usage("stop",
				    "--timeout: \"%s\" is no number of seconds "
				    "from 0 to %d",
				    given, TIMEOUT_MAX_S);
	if (args->values[OPT_NO_WAIT] && (given || args->values[OPT_NOW]))
		return report_usage("stop", "--no-wait doesn't wait for the "
					    "time to kill");
	if (given || args->values[OPT_NOW]) {
		uint64_t kill_ms =
			args->values[OPT_NOW] ? 0 : (uint64_t)seconds * 1000;
		const struct await_late kill = { kill_ms, kill_rest };

		late[kill_ms < ACT_WORD_MS ? 0 : 1] = kill;
		act.lates = kill_ms < ACT_WORD_MS ? 1 : 2;
	}
	return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
}

static int run_stop(const struct cli *cli, const struct cli_args *args)
{
	if (args->count > 0)
		return stop_vms(cli, args);
	for (int i = OPT_NO_WAIT; i <= OPT_TIMEOUT; i++)
		if (args->values[i])
			return report_usage("stop",
					    "--%s goes with names of VMs",
					    options[i].name);
	return end_supervisor(cli, "Shutdown",
			      ", and so are its VMs and links");
}

const struct cli_command stop_command = {
	.name = "stop",
	.usage = "[[--no-wait | --now | --timeout SECONDS] NAME...]",
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
