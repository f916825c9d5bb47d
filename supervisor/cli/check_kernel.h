/* SPDX-License-Identifier: ISC */
/* vmsup check: what the kernel can do. */
#ifndef VMSUP_SUPERVISOR_CLI_CHECK_KERNEL_H
#define VMSUP_SUPERVISOR_CLI_CHECK_KERNEL_H

#include <stdbool.h>

#include "supervisor/cli/finding.h"

bool check_linux(struct finding *finding);
bool check_syscalls(struct finding *finding);
bool check_seccomp(struct finding *finding);
bool check_namespaces(struct finding *finding);
bool check_landlock(struct finding *finding);
bool check_mdwe(struct finding *finding);
bool check_passrights(struct finding *finding);
bool check_cgroup(struct finding *finding);
bool check_adoption(struct finding *finding);

#endif
