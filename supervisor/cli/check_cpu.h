/* SPDX-License-Identifier: ISC */
/* vmsup check: what VMs can learn of each other through a shared
 * processor or shared memory. */
#ifndef VMSUP_SUPERVISOR_CLI_CHECK_CPU_H
#define VMSUP_SUPERVISOR_CLI_CHECK_CPU_H

#include <stdbool.h>

#include "supervisor/cli/finding.h"

bool check_smt(struct finding *finding);
bool check_mitigations(struct finding *finding);
bool check_ksm(struct finding *finding);

#endif
