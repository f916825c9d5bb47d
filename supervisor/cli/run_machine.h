/* SPDX-License-Identifier: ISC */
/* The options of vmsup run that make a VM one with guest kvm. */
#ifndef VMSUP_SUPERVISOR_CLI_RUN_MACHINE_H
#define VMSUP_SUPERVISOR_CLI_RUN_MACHINE_H

#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"
#include "supervisor/config/config.h"

/* The values of these options. NULL or false: not given. */
struct run_machine {
	const char *kernel, *initrd, *cmdline, *memory, *cpus, *queues, *vhost;
	bool nic, hugepages;
	const char *const *disks;
	size_t disk_count;
};

/* Makes a machine of the options and opens its files. *machine is the caller's;
 * NULL: no kernel was given. An enum cli_exit, with the reason printed. */
int run_machine_make(const struct run_machine *options, const char *vm,
		     struct machine_config **machine);

/* The machine as Define takes it. fds, with room for CONN_MAX_FDS, gets the
 * descriptors that go beside the call: *count of them, which stay the
 * machine's. NULL: no memory. */
json_t *run_machine_json(const struct machine_config *machine, int *fds,
			 size_t *count);

#endif
