/* SPDX-License-Identifier: ISC */
/* The proof of a cage: every descriptor against the manifest. */
#ifndef VMSUP_SUPERVISOR_CLI_PROOF_FDS_H
#define VMSUP_SUPERVISOR_CLI_PROOF_FDS_H

#include <jansson.h>

#include "supervisor/cli/proof.h"

/* A part of the proof, as those of proof.h are. */
void proof_fds(struct proof *proof, const json_t *cage, int dir_fd);

#endif
