/* SPDX-License-Identifier: ISC */
/* Signals of the supervisor: which it hears, and how. */
#ifndef VMSUP_SUPERVISOR_SIGNALS_H
#define VMSUP_SUPERVISOR_SIGNALS_H

#include "ipc/loop.h"

/*
 * From here on signals that mean something make ready() be called with ctx;
 * others do nothing. For the calling
 * process: after a fork, once more. 0 or -errno.
 */
int signals_open(struct loop *loop, struct source *source, source_fn *ready,
		 void *ctx);
/* Undoes that, for the calling process. */
void signals_close(struct loop *loop, struct source *source);

#endif
