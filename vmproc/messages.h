/* SPDX-License-Identifier: ISC */
/* What the supervisor says to a VM process. */
#ifndef VMSUP_VMPROC_MESSAGES_H
#define VMSUP_VMPROC_MESSAGES_H

#include "ipc/loop.h"

/* Serves the channel: the source's ready function, ctx being the struct
 * vmproc. */
void messages_ready(struct source *source, uint32_t events);

#endif
