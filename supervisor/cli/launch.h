/* SPDX-License-Identifier: ISC */
/* From command to supervisor: what it needs is found and checked, then it is
 * forked off, and watched until its VMs run. */
#ifndef VMSUP_SUPERVISOR_CLI_LAUNCH_H
#define VMSUP_SUPERVISOR_CLI_LAUNCH_H

#include <stdbool.h>

#include "supervisor/cli/command.h"
#include "supervisor/config/config.h"
#include "supervisor/host/rundir.h"
#include "supervisor/state/keep.h"

/* Where the supervisor will live, and what an earlier one left there. */
struct launch_place {
	struct rundir *rundir; /* locked */
	const struct kept *kept;
};

/* Opens the program of the VM processes: beside this program, or where an
 * installation has it. The descriptor, the caller's; or -1, the reason printed
 * unless quiet. */
int launch_open_vmproc(bool quiet);

/* Starts a supervisor with that configuration and waits until every VM runs or
 * failed; if interrupted, undoes it, unless VMs were taken over. An enum
 * cli_exit. config is the supervisor's from then on, which is another process.
 */
int launch_background(const struct cli *cli, struct config *config,
		      const struct launch_place *place);

/* Is the supervisor, which may change config. Its exit status. */
int launch_foreground(struct config *config, const struct launch_place *place);

/* Finishes what a supervisor that died was at: takes down everything that is
 * left in place. An enum cli_exit. */
int launch_finish(const struct launch_place *place);

#endif
