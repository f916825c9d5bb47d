/* SPDX-License-Identifier: ISC */
/* The supervisor cuts its own power. */
#ifndef VMSUP_SANDBOX_CAPS_H
#define VMSUP_SANDBOX_CAPS_H

#include <stddef.h>

/* The index-th capability that the supervisor keeps, as its CAP_* number; -1
 * past the end. */
int caps_kept(size_t index);

/*
 * Should: leave the supervisor the capabilities of the list in caps.c, no other
 * one in any set, and no way to gain one. Mustn't: be called before the run
 * directory, the room and the control socket exist. 0 or -errno with the reason
 * logged.
 */
int caps_cut(void);

/* Makes the capabilities effective that caps_cut() kept for the last steps of
 * the supervisor's end alone. */
void caps_raise_last(void);

#endif
