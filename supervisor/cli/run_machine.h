/* SPDX-License-Identifier: ISC */
/* The options of vmsup run that make a VM one with guest kvm. */
#ifndef VMSUP_SUPERVISOR_CLI_RUN_MACHINE_H
#define VMSUP_SUPERVISOR_CLI_RUN_MACHINE_H

#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"
#include "supervisor/config/config.h"

/* Their values; NULL or false: not given. */
struct run_machine {
	const char *kernel, *initrd, *cmdline, *memory, *cpus, *queues, *vhost;
	bool nic, hugepages;
	const char *const *disks;
	size_t disk_count;
};

/* Makes a machine of them, with its files opened; *machine is NULL without a
 * kernel, and the caller's. An enum cli_exit, the reason printed. */
int run_machine_make(const struct run_machine *options, const char *vm,
		     struct machine_config **machine);

/* What Define takes as its machine, and in fds (room for CONN_MAX_FDS) what
 * goes beside it; *count of them, still the machine's. NULL without memory. */
json_t *run_machine_json(const struct machine_config *machine, int *fds,
			 size_t *count);

#endif
