/* SPDX-License-Identifier: ISC */
/* The past events, saved and loaded. */
#ifndef VMSUP_SUPERVISOR_STATE_STATE_EVENTS_H
#define VMSUP_SUPERVISOR_STATE_STATE_EVENTS_H

#include <jansson.h>

struct events;
struct problem;

/* The past ones and their count, not the listeners: an object. */
json_t *state_events_save(const struct events *events);
int state_events_load(struct events *events, const json_t *object,
		      struct problem *problem);

#endif
