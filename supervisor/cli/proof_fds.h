/* SPDX-License-Identifier: ISC */
/* The proof of a cage: each descriptor is compared with the manifest. */
#ifndef VMSUP_SUPERVISOR_CLI_PROOF_FDS_H
#define VMSUP_SUPERVISOR_CLI_PROOF_FDS_H

#include <jansson.h>

#include "supervisor/cli/proof.h"

/* A part of the proof, like those of proof.h. */
void proof_fds(struct proof *proof, const json_t *cage, int dir_fd);

#endif
