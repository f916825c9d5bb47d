/* SPDX-License-Identifier: ISC */
/* Steps of the start that an image which takes over goes through as well. */
#ifndef VMSUP_SUPERVISOR_START_H
#define VMSUP_SUPERVISOR_START_H

#include "supervisor/core.h"

/* A supervisor with nothing but a configuration: no descriptor is one. */
void start_preset(struct supervisor *supervisor, struct config *config);
/* From now on log lines go to the run directory's log, once that is open. */
void start_logging(struct supervisor *supervisor);

/* Each 0 or -errno, logged. */
int start_signals(struct supervisor *supervisor);
int start_proc(struct supervisor *supervisor);
int start_filters(struct supervisor *supervisor);
/* Gives up what a serving supervisor doesn't need. */
int start_cut(struct supervisor *supervisor);
/* How the control socket is served. */
const struct control_config *
start_control_config(struct supervisor *supervisor);

/* Serves until the end, and takes everything down (end.c). Returns the
 * process's exit status. */
int supervisor_serve(struct supervisor *supervisor);
/* Takes down what there is, in any stage of the start; or, if it is to be left
 * to the next supervisor, only lets go of it. */
void supervisor_take_down(struct supervisor *supervisor);

#endif
