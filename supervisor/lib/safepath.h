/* SPDX-License-Identifier: ISC */
/* Paths that nobody but root and the caller can lead elsewhere. */
#ifndef VMSUP_SUPERVISOR_SAFEPATH_H
#define VMSUP_SUPERVISOR_SAFEPATH_H

#include <sys/types.h>

#include "supervisor/lib/problem.h"

/*
 * Opens (O_PATH) the directory that path, which is absolute, leads to. With
 * make it is made, with that mode, if it isn't there and its parent is; 0: it
 * isn't made. The descriptor is the caller's. -errno with problem empty: it
 * can't be opened; -EPERM with problem set: others could lead path elsewhere,
 * or write into the directory.
 */
int safepath_open(const char *path, mode_t make, struct problem *problem);

#endif
