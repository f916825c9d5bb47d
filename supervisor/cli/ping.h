/* SPDX-License-Identifier: ISC */
/* vmsup ping: one VM pings another one, or any address. */
#ifndef VMSUP_SUPERVISOR_CLI_PING_H
#define VMSUP_SUPERVISOR_CLI_PING_H

#include "supervisor/cli/command.h"

extern const struct cli_command ping_command;

#endif
