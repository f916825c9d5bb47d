/* SPDX-License-Identifier: ISC */
/* The proof of a cage: the system call filters themselves. */
#ifndef VMSUP_SUPERVISOR_CLI_PROOF_FILTERS_H
#define VMSUP_SUPERVISOR_CLI_PROOF_FILTERS_H

#include <jansson.h>

#include "supervisor/cli/proof.h"

/* A part of the proof, like those of proof.h. */
void proof_filters(struct proof *proof, const json_t *cage, int dir_fd);

#endif
