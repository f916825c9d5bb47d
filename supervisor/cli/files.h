/* SPDX-License-Identifier: ISC */
/* Kernel, initrd and disks of a VM: opened with the rights of who asks. */
#ifndef VMSUP_SUPERVISOR_CLI_FILES_H
#define VMSUP_SUPERVISOR_CLI_FILES_H

#include "supervisor/config/config.h"
#include "supervisor/lib/problem.h"

/*
 * Opens what of the machine isn't open yet, and looks at it: a kernel that isn't
 * one, a disk that is in use or of another format are told here. Disks are locked (OFD locks: as long
 * as anybody holds the descriptor). vm: its name, for messages. 0 or -errno with
 * problem set; what was opened is the machine's.
 */
int files_open(struct machine_config *machine, const char *vm,
	       struct problem *problem);
/* The same for a VM that is started along with others: if it can't be opened,
 * all of it stays closed, machine->why_closed says why, and they go on. A disk
 * that looks like one of another format is warned of, on stderr. */
void files_open_or_not(struct machine_config *machine, const char *vm);
/* The same for a VM of an earlier supervisor, whose process may have it all:
 * what can't be opened stays closed. */
void files_open_kept(struct machine_config *machine, const char *vm);

#endif
