/* SPDX-License-Identifier: ISC */
/* The configuration, saved and loaded: no narrower than what its file takes. */
#ifndef VMSUP_SUPERVISOR_STATE_STATE_CONFIG_H
#define VMSUP_SUPERVISOR_STATE_STATE_CONFIG_H

#include <jansson.h>

#include "supervisor/lib/fields.h"

struct config;
struct vm_config;
struct problem;

extern const struct field_group state_config_vm_fields; /* struct vm_config */

/* All but the VMs. */
json_t *state_config_save(const struct config *config);
int state_config_load(struct config *config, const json_t *object,
		      struct problem *problem);
/* One VM's. A MAC or address that is loaded also sets has_mac, has_ipv4,
 * has_ipv6; vm is preset, with the defaults or zeroed. */
json_t *state_vm_config_save(const struct vm_config *vm);
int state_vm_config_load(struct vm_config *vm, const json_t *object,
			 struct problem *problem);

/* The name in a VM's configuration, for messages; "a VM" if there's none. */
const char *state_config_whose(const json_t *object);

#endif
