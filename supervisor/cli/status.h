/* SPDX-License-Identifier: ISC */
/* vmsup status: the table of VMs. */
#ifndef VMSUP_SUPERVISOR_CLI_STATUS_H
#define VMSUP_SUPERVISOR_CLI_STATUS_H

#include "supervisor/cli/command.h"

extern const struct cli_command status_command;

#endif
