/* SPDX-License-Identifier: ISC */
/* vmsup upgrade: another program for the supervisor, under its VMs. */
#ifndef VMSUP_SUPERVISOR_CLI_UPGRADE_H
#define VMSUP_SUPERVISOR_CLI_UPGRADE_H

#include "supervisor/cli/command.h"

extern const struct cli_command upgrade_command;
extern const struct cli_command upgrade_take_over_command;

#endif
