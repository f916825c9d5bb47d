/* SPDX-License-Identifier: ISC */
/* vmsup upgrade: replaces the program of the supervisor while its VMs run. */
#include "supervisor/cli/upgrade.h"

#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/launch.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/text.h"
#include "supervisor/start_upgraded.h"
#include "supervisor/takeover/handover.h"

/* The time for the trial and the start of the new program, with a margin. */
#define UPGRADE_TIMEOUT_MS 30000

static int run_upgrade(const struct cli *cli, const struct cli_args *args)
{
	struct conn conn;
	json_t *reply;
	int status = conn_open(&conn, cli);

	(void)args;
	if (status)
		return status;
	status = conn_call(&conn, "Upgrade", NULL, UPGRADE_TIMEOUT_MS, &reply);
	conn_close(&conn);
	if (status)
		return status;
	printf("supervisor %lld is now %s, version %s\n",
	       (long long)field_int(reply, "pid"), field_text(reply, "program"),
	       field_text(reply, "version"));
	json_decref(reply);
	return report_flush();
}

const struct cli_command upgrade_command = {
	.name = "upgrade",
	.usage = "",
	.summary = "replace the supervisor's program, under running VMs",
	.details =
		"The program is the one that was started, as it is on disk "
		"now: install the\nnew version first. It is tried before it "
		"takes over; if it can't, the old one\ngoes on, and the reason "
		"is told. VMs and their connections aren't touched; a\nVM's "
		"next generation runs the new vmproc.\n",
	.run = run_upgrade,
};

/* The command with which the old program calls the new one. */
static int run_take_over(const struct cli *cli, const struct cli_args *args)
{
	long state_fd;

	(void)cli;
	if (!text_number(args->names[1], 0, 1 << 20, &state_fd))
		return CLI_USAGE;
	if (strcmp(args->names[0], HANDOVER_CHECK) == 0)
		return takeover_check((int)state_fd, launch_open_vmproc(true));
	if (strcmp(args->names[0], HANDOVER_GO) == 0)
		return takeover_go((int)state_fd, launch_open_vmproc(true));
	return CLI_USAGE;
}

const struct cli_command upgrade_take_over_command = {
	.name = HANDOVER_COMMAND,
	.usage = HANDOVER_CHECK "|" HANDOVER_GO " STATE_FD",
	.summary = "what a supervisor's new program is called with",
	.min_args = 2,
	.max_args = 2,
	.missing = "it is for the supervisor alone",
	.hidden = true,
	.run = run_take_over,
};
