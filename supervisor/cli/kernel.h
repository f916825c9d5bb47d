/* SPDX-License-Identifier: ISC */
/* Checks the headers of a kernel's file before anything runs. */
#ifndef VMSUP_SUPERVISOR_CLI_KERNEL_H
#define VMSUP_SUPERVISOR_CLI_KERNEL_H

#include "supervisor/config/config.h"
#include "supervisor/lib/problem.h"

/*
 * Checks that the machine's kernel, which is open, can be booted, and that
 * kernel and initrd fit into its memory. The VM process checks both again when
 * it loads them, and decides; this check tells the user at once. vm: the name
 * of the VM, for messages. 0, or -errno with problem set.
 */
int kernel_check(const struct machine_config *machine, const char *vm,
		 struct problem *problem);

#endif
