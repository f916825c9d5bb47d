/* SPDX-License-Identifier: ISC */
/* Signals of the supervisor: which it hears, and how. */
#ifndef VMSUP_SUPERVISOR_SIGNALS_H
#define VMSUP_SUPERVISOR_SIGNALS_H

#include "ipc/loop.h"

struct supervisor;

/* From here on signals that mean something make ready() be called, with the
 * supervisor as ctx; others do nothing. For the calling process: after a fork,
 * once more. 0 or -errno. */
int signals_open(struct supervisor *supervisor, source_fn *ready);

#endif
