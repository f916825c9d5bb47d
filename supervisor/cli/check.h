/* SPDX-License-Identifier: ISC */
/* vmsup check: what this host has, what it lacks, and the remedy. */
#ifndef VMSUP_SUPERVISOR_CLI_CHECK_H
#define VMSUP_SUPERVISOR_CLI_CHECK_H

#include "supervisor/cli/command.h"

extern const struct cli_command check_command;

#endif
