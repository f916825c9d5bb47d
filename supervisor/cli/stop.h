/* SPDX-License-Identifier: ISC */
/* vmsup stop: named VMs, or everything, supervisor included; vmsup detach: the
 * supervisor alone. */
#ifndef VMSUP_SUPERVISOR_CLI_STOP_H
#define VMSUP_SUPERVISOR_CLI_STOP_H

#include "supervisor/cli/command.h"

extern const struct cli_command stop_command;
extern const struct cli_command stop_detach_command;

#endif
