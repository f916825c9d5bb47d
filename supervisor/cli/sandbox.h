/* SPDX-License-Identifier: ISC */
/* vmsup sandbox: the proof of a VM's cage, read from outside. */
#ifndef VMSUP_SUPERVISOR_CLI_SANDBOX_H
#define VMSUP_SUPERVISOR_CLI_SANDBOX_H

#include "supervisor/cli/command.h"

extern const struct cli_command sandbox_command;

#endif
