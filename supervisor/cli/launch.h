/* SPDX-License-Identifier: ISC */
/* Makes a supervisor: finds what it needs, forks it, and
 * waits until its VMs run. */
#ifndef VMSUP_SUPERVISOR_CLI_LAUNCH_H
#define VMSUP_SUPERVISOR_CLI_LAUNCH_H

#include <stdbool.h>

#include "supervisor/cli/command.h"
#include "supervisor/config/config.h"
#include "supervisor/host/rundir.h"
#include "supervisor/state/store.h"

/* The run directory of the new supervisor, and what
 * an earlier one left there. */
struct launch_place {
	struct rundir *rundir; /* locked */
	const struct stored *stored;
};

/* Opens vmproc, the program of the VM processes: beside this program, or in
 * ../libexec/vmsup. The descriptor is the caller's; -1: not found, the reason
 * is printed unless quiet. */
int launch_open_vmproc(bool quiet);

/* Starts a supervisor with that configuration, and waits until each
 * VM runs or failed. An interrupt undoes the start, unless VMs were
 * taken over. An enum cli_exit. */
int launch_background(const struct cli *cli, struct config *config,
		      const struct launch_place *place);

/* Becomes the supervisor, which may change config. Its exit status. */
int launch_foreground(struct config *config, const struct launch_place *place);

/* Finishes the shutdown of a supervisor that died in it: takes down all that it
 * left in place. An enum cli_exit. */
int launch_finish(const struct launch_place *place);

#endif
