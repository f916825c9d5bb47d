/* SPDX-License-Identifier: ISC */
/* The supervisor cuts its own power. */
#ifndef VMSUP_SANDBOX_CAPS_H
#define VMSUP_SANDBOX_CAPS_H

#include <stddef.h>

/* What the supervisor keeps: the index-th CAP_* number; -1 past the end. */
int caps_kept(size_t index);

/*
 * Should: leave the supervisor, once it serves, with the capabilities of the
 * list in caps.c, in no set more, and no way to gain others. Mustn't: be called
 * before the run directory, the room and the control socket are there. 0 or
 * -errno with the reason logged.
 */
int caps_cut(void);

/* Brings back into force, for the last steps of the supervisor's end, what
 * caps_cut() kept for those alone. */
void caps_raise_last(void);

#endif
