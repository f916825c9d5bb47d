/* SPDX-License-Identifier: ISC */
/* What must hold between the values of a configuration. */
#ifndef VMSUP_SUPERVISOR_CONFIG_CHECK_H
#define VMSUP_SUPERVISOR_CONFIG_CHECK_H

#include "supervisor/config/config.h"

/* All of these return 0, or -EINVAL or -E2BIG with problem set. */

/* An address that the bridge can have, as its own. */
int config_check_bridge_ipv4(const struct config *config,
			     struct problem *problem);
int config_check_bridge_ipv6(const struct config *config,
			     struct problem *problem);

/* An address that a host can have at all (not a multicast one and so on). */
int config_check_ipv6(const struct in6_addr *address, uint32_t prefix,
		      struct problem *problem);

/* A VM's addresses, against the bridge's. */
int config_check_vm_ipv4(const struct config *config,
			 const struct vm_config *vm, struct problem *problem);
int config_check_vm_ipv6(const struct config *config,
			 const struct vm_config *vm, struct problem *problem);

int config_check_mac(const uint8_t mac[6], struct problem *problem);

/* IPv6 needs an MTU of 1,280 (RFC 8200 section 5). */
int config_check_mtu(const struct config *config, struct problem *problem);

/* The range of uids is nobody else's, and doesn't wrap around. */
int config_check_uids(const struct config *config, struct problem *problem);

/* As many VMs as there are uids; as there are addresses. */
int config_check_uid_count(const struct config *config,
			   struct problem *problem);
int config_check_hosts(const struct config *config, struct problem *problem);

/* Pairs of settings of a VM of which one must not be above the other. */
struct config_order {
	const char *low, *high; /* paths in the file */
	size_t low_offset, high_offset; /* of uint32_t in struct vm_config */
	bool equal_ok;
};
#define CONFIG_ORDERS 2
extern const struct config_order config_check_orders[CONFIG_ORDERS];
int config_check_order(const struct config_order *order,
		       const struct vm_config *vm, struct problem *problem);

#endif
