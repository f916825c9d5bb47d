/* SPDX-License-Identifier: ISC */
/* vmsup logs: the log lines of a VM's process. */
#ifndef VMSUP_SUPERVISOR_CLI_LOGS_H
#define VMSUP_SUPERVISOR_CLI_LOGS_H

#include "supervisor/cli/command.h"

extern const struct cli_command logs_command;

#endif
