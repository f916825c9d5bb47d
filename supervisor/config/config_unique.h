/* SPDX-License-Identifier: ISC */
/* Finds values that two VMs share: names, TAPs, MACs, addresses. */
#ifndef VMSUP_SUPERVISOR_CONFIG_UNIQUE_H
#define VMSUP_SUPERVISOR_CONFIG_UNIQUE_H

#include "supervisor/config/config.h"

enum config_key {
	CONFIG_KEY_NAME,
	CONFIG_KEY_TAP,
	CONFIG_KEY_MAC,
	CONFIG_KEY_IPV4,
	CONFIG_KEY_IPV6,
	CONFIG_KEYS
};

/* The name of the setting in the file: "name", "tap", "mac", "address", ... */
const char *config_unique_setting(enum config_key key);

/* Is called for each VM that has the value of an earlier one: both are indices
 * of VMs. */
typedef void config_unique_fn(void *ctx, enum config_key key, size_t earlier,
			      size_t later);

/* Finds all shared values, key by key, in time n log n. A VM without TAP
 * name counts with the one that it will get; other values that are unset
 * don't count. 0 or -ENOMEM. */
int config_unique_check(const struct config *config, config_unique_fn *found,
			void *ctx);

/* The TAP of the VM at index: the one that it names, else <tap_prefix>N. */
void config_unique_tap(const struct config *config, size_t index,
		       char tap[IFNAMSIZ]);

#endif
