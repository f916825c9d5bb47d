/* SPDX-License-Identifier: ISC */
/* The supervisor's end: everything taken down, or left to the next one. */
#ifndef VMSUP_SUPERVISOR_END_H
#define VMSUP_SUPERVISOR_END_H

struct supervisor;

/* Serves until the end, and takes everything down. Returns the
 * process's exit status. */
int supervisor_serve(struct supervisor *supervisor);
/* Takes down what there is, in any stage of the start; or, if it is to be left
 * to the next supervisor, only lets go of it. */
void supervisor_take_down(struct supervisor *supervisor);

#endif
