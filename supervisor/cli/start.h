/* SPDX-License-Identifier: ISC */
/* vmsup start: a supervisor with its VMs, or VMs of the one that runs. */
#ifndef VMSUP_SUPERVISOR_CLI_START_H
#define VMSUP_SUPERVISOR_CLI_START_H

#include "supervisor/cli/command.h"

extern const struct cli_command start_command;

#endif
