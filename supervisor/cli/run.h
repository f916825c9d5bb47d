/* SPDX-License-Identifier: ISC */
/* vmsup run: a new VM by options. */
#ifndef VMSUP_SUPERVISOR_CLI_RUN_H
#define VMSUP_SUPERVISOR_CLI_RUN_H

#include "supervisor/cli/command.h"

extern const struct cli_command run_command;

#endif
