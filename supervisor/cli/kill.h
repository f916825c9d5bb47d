/* SPDX-License-Identifier: ISC */
/* vmsup kill: the fault drill, a signal that nobody asked for. */
#ifndef VMSUP_SUPERVISOR_CLI_KILL_H
#define VMSUP_SUPERVISOR_CLI_KILL_H

#include "supervisor/cli/command.h"

extern const struct cli_command kill_command;

#endif
