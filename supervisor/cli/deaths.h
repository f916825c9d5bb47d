/* SPDX-License-Identifier: ISC */
/* vmsup deaths: how a VM's processes ended, one line each. */
#ifndef VMSUP_SUPERVISOR_CLI_DEATHS_H
#define VMSUP_SUPERVISOR_CLI_DEATHS_H

#include "supervisor/cli/command.h"

extern const struct cli_command deaths_command;

#endif
