/* SPDX-License-Identifier: ISC */
/* The tables that this folder's files share. */
#ifndef VMSUP_SUPERVISOR_STATE_TABLES_H
#define VMSUP_SUPERVISOR_STATE_TABLES_H

#include "supervisor/state/fields.h"

extern const struct field_group state_config_vm_fields; /* struct vm_config */
extern const struct field_group state_rings_time_fields; /* struct timespec */
extern const struct field_group state_rings_death_fields; /* struct death */
extern const struct field_ring state_rings_deaths; /* struct deaths */
extern const struct field_ring state_rings_backoff; /* struct backoff */
extern const struct field_ring state_rings_log; /* struct vmlog_part */

/* The name in a VM's configuration, for messages; "a VM" if there's none. */
const char *state_config_whose(const json_t *object);

#endif
