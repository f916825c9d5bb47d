/* SPDX-License-Identifier: ISC */
/* The proof of a cage: what the VM may use of the host, by its cgroup. */
#ifndef VMSUP_SUPERVISOR_CLI_PROOF_BOUNDS_H
#define VMSUP_SUPERVISOR_CLI_PROOF_BOUNDS_H

#include <jansson.h>

#include "supervisor/cli/proof.h"

/* A part of the proof, like those of proof.h: the bounds of the
 * cgroup, and oom_score_adj. */
void proof_bounds(struct proof *proof, const json_t *cage, int dir_fd);

#endif
