/* SPDX-License-Identifier: ISC */
/* vmsup stats: counters of a VM's devices, queues and exits. */
#ifndef VMSUP_SUPERVISOR_CLI_STATS_H
#define VMSUP_SUPERVISOR_CLI_STATS_H

#include "supervisor/cli/command.h"

extern const struct cli_command stats_command;

#endif
