/* SPDX-License-Identifier: ISC */
/* What a kernel's file says of itself, looked at before anything runs. */
#ifndef VMSUP_SUPERVISOR_CLI_KERNEL_H
#define VMSUP_SUPERVISOR_CLI_KERNEL_H

#include "supervisor/config/config.h"
#include "supervisor/lib/problem.h"

/*
 * Whether the machine's kernel, which is open, is one that can be booted, and
 * fits into its memory together with the initrd. The VM process finds the same
 * out when it loads them, and its word counts: this is to tell who asks, at
 * once. vm: its name, for messages. 0 or -errno with problem set.
 */
int kernel_check(const struct machine_config *machine, const char *vm,
		 struct problem *problem);

#endif
