/* SPDX-License-Identifier: ISC */
/* vmsup events: every change of state, as it happens. */
#ifndef VMSUP_SUPERVISOR_CLI_EVENTS_H
#define VMSUP_SUPERVISOR_CLI_EVENTS_H

#include "supervisor/cli/command.h"

extern const struct cli_command events_command;

#endif
