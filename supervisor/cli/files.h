/* SPDX-License-Identifier: ISC */
/* Opens kernel, initrd and disks of a VM, with the rights of the caller. */
#ifndef VMSUP_SUPERVISOR_CLI_FILES_H
#define VMSUP_SUPERVISOR_CLI_FILES_H

#include "supervisor/config/config.h"
#include "supervisor/lib/problem.h"

/*
 * Opens each file of the machine that isn't open yet, and checks it: a kernel
 * that is none, a disk in use and a disk of another format are refused. Disks
 * are locked by OFD locks, which last as long as the open file. vm: the name of
 * the VM, for messages. 0, or -errno with problem set; the files that were
 * opened are the machine's in both cases.
 */
int files_open(struct machine_config *machine, const char *vm,
	       struct problem *problem);
/* The same for a VM of a configuration. If a file can't be opened, all of them
 * stay closed, machine->why_closed says why, and the other VMs go on. A disk
 * that looks like one of another format is used, with a warning on stderr. */
void files_open_or_not(struct machine_config *machine, const char *vm);
/* The same for a VM of an earlier supervisor: the process of the VM may have
 * the files open. A file that can't be opened stays closed. */
void files_open_kept(struct machine_config *machine, const char *vm);

#endif
