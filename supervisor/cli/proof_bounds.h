/* SPDX-License-Identifier: ISC */
/* The proof of a cage: what the VM may use up, as its cgroup has it. */
#ifndef VMSUP_SUPERVISOR_CLI_PROOF_BOUNDS_H
#define VMSUP_SUPERVISOR_CLI_PROOF_BOUNDS_H

#include <jansson.h>

#include "supervisor/cli/proof.h"

/* A part of the proof, as those of proof.h are: what its cgroup bounds, and which
 * process ends first without memory. */
void proof_bounds(struct proof *proof, const json_t *cage, int dir_fd);

#endif
