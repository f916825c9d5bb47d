/* SPDX-License-Identifier: ISC */
/* vmsup kill: the fault drill. It sends a signal to processes of VMs. */
#ifndef VMSUP_SUPERVISOR_CLI_KILL_H
#define VMSUP_SUPERVISOR_CLI_KILL_H

#include "supervisor/cli/command.h"

extern const struct cli_command kill_command;

#endif
