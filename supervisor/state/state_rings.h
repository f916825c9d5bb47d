/* SPDX-License-Identifier: ISC */
/* The tables of what a VM remembers in rings, saved and loaded. */
#ifndef VMSUP_SUPERVISOR_STATE_STATE_RINGS_H
#define VMSUP_SUPERVISOR_STATE_STATE_RINGS_H

#include "supervisor/lib/fields.h"

extern const struct field_group state_rings_time_fields; /* struct timespec */
extern const struct field_group state_rings_death_fields; /* struct death */
extern const struct field_ring state_rings_deaths; /* struct deaths */
extern const struct field_ring state_rings_backoff; /* struct backoff */
extern const struct field_ring state_rings_log; /* struct vmlog_part */

#endif
