/* SPDX-License-Identifier: ISC */
/* vmsup stop ends named VMs, or all VMs and the supervisor; vmsup detach
 * ends the supervisor alone. */
#ifndef VMSUP_SUPERVISOR_CLI_STOP_H
#define VMSUP_SUPERVISOR_CLI_STOP_H

#include "supervisor/cli/command.h"

extern const struct cli_command stop_command;
extern const struct cli_command stop_detach_command;

#endif
