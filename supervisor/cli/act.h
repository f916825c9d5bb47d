/* SPDX-License-Identifier: ISC */
/* Commands that send named VMs somewhere, and wait until they are there. */
#ifndef VMSUP_SUPERVISOR_CLI_ACT_H
#define VMSUP_SUPERVISOR_CLI_ACT_H

#include "supervisor/cli/await.h"
#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"

extern const struct cli_command act_restart_command, act_reset_command;
extern const struct cli_command act_pause_command, act_resume_command;

struct act {
	const char *method; /* with a parameter "names" */
	enum await_goal goal;
	const char *done; /* what the VMs are then */
};

/* Does it to the VMs of args; waits unless told not to. An enum cli_exit. */
int act_on(const struct cli *cli, const struct cli_args *args,
	   const struct act *act, bool wait);

/* Calls Events, from now on. An enum cli_exit. */
int act_subscribe(struct conn *events, const struct cli *cli);

#endif
