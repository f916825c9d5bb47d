/* SPDX-License-Identifier: ISC */
/* vmsup console: a terminal on a kvm guest's console. */
#ifndef VMSUP_SUPERVISOR_CLI_CONSOLE_H
#define VMSUP_SUPERVISOR_CLI_CONSOLE_H

#include "supervisor/cli/command.h"

extern const struct cli_command console_command;

#endif
