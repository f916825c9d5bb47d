/* SPDX-License-Identifier: ISC */
/* vmsup upgrade: replaces the program of the supervisor while its VMs run. */
#ifndef VMSUP_SUPERVISOR_CLI_UPGRADE_H
#define VMSUP_SUPERVISOR_CLI_UPGRADE_H

#include "supervisor/cli/command.h"

extern const struct cli_command upgrade_command;
extern const struct cli_command upgrade_take_over_command;

#endif
