/* SPDX-License-Identifier: ISC */
/* What no two VMs may share: names, TAPs, MACs, addresses. */
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

/* The setting's name in the file: "name", "tap", "mac", "address", ... */
const char *config_unique_setting(enum config_key key);

/* Called for each VM that has what an earlier one has; both are indices. */
typedef void config_unique_fn(void *ctx, enum config_key key, size_t earlier,
			      size_t later);

/* Finds all that is shared, key by key; in time n log n. A VM without a TAP
 * name counts with the one that it will get; what else is unset doesn't count.
 * 0 or -ENOMEM. */
int config_unique_check(const struct config *config, config_unique_fn *found,
			void *ctx);

/* The TAP of the VM at index: what it names, else <tap_prefix>N. */
void config_unique_tap(const struct config *config, size_t index,
		       char tap[IFNAMSIZ]);

#endif
