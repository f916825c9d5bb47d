/* SPDX-License-Identifier: ISC */
/* vmsup logs: what a VM process said. */
#ifndef VMSUP_SUPERVISOR_CLI_LOGS_H
#define VMSUP_SUPERVISOR_CLI_LOGS_H

#include "supervisor/cli/command.h"

extern const struct cli_command logs_command;

#endif
