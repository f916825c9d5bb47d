/* SPDX-License-Identifier: ISC */
/* Commands that change the state of named VMs, and wait until they have it. */
#ifndef VMSUP_SUPERVISOR_CLI_ACT_H
#define VMSUP_SUPERVISOR_CLI_ACT_H

#include "supervisor/cli/await.h"
#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"

extern const struct cli_command act_restart_command, act_reset_command;
extern const struct cli_command act_pause_command, act_resume_command;

struct act {
	const char *method; /* it has a parameter "names" */
	enum await_goal goal;
	const char *done; /* what is said of the VMs afterwards */
	const struct await_late *late; /* as in struct await */
	size_t lates;
};

/* After so long, a person wonders. */
#define ACT_WORD_MS 2000
/* Says of which VMs the guest is waited for, and what ends it at once. */
void act_say_waiting(const struct await *await, const struct cli *cli);

/* Calls the method for the VMs of args. With wait, returns when each VM has
 * reached the goal, or can't. An enum cli_exit. */
int act_on(const struct cli *cli, const struct cli_args *args,
	   const struct act *act, bool wait);

/* Opens a connection and subscribes to Events there. An enum cli_exit. */
int act_subscribe(struct conn *events, const struct cli *cli);

#endif
