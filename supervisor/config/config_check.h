/* SPDX-License-Identifier: ISC */
/* Checks values of a configuration against each other. */
#ifndef VMSUP_SUPERVISOR_CONFIG_CHECK_H
#define VMSUP_SUPERVISOR_CONFIG_CHECK_H

#include "supervisor/config/config.h"

/* Each function here returns 0, or -EINVAL or -E2BIG with problem set. */

/* The bridge's address is one that the bridge can have. */
int config_check_bridge_ipv4(const struct config *config,
			     struct problem *problem);
int config_check_bridge_ipv6(const struct config *config,
			     struct problem *problem);

/* The address is one that a host can have: no
 * multicast address, for example. */
int config_check_ipv6(const struct in6_addr *address, uint32_t prefix,
		      struct problem *problem);

/* A VM's address goes with the address and the subnet of the bridge. */
int config_check_vm_ipv4(const struct config *config,
			 const struct vm_config *vm, struct problem *problem);
int config_check_vm_ipv6(const struct config *config,
			 const struct vm_config *vm, struct problem *problem);

int config_check_mac(const uint8_t mac[6], struct problem *problem);

/* The MTU is 1,280 or more if there is IPv6 (RFC 8200 §5). */
int config_check_mtu(const struct config *config, struct problem *problem);

/* The range of uids has no other use, and doesn't wrap around. */
int config_check_uids(const struct config *config, struct problem *problem);

/* There are enough uids for the VMs; there are enough addresses. */
int config_check_uid_count(const struct config *config,
			   struct problem *problem);
int config_check_hosts(const struct config *config, struct problem *problem);

/* Two settings of a VM: low must not be above high. */
struct config_order {
	const char *low, *high; /* paths in the file */
	/* of uint32_t members of struct vm_config */
	size_t low_offset, high_offset;
	bool equal_ok;
};
#define CONFIG_ORDERS 2
extern const struct config_order config_check_orders[CONFIG_ORDERS];
int config_check_order(const struct config_order *order,
		       const struct vm_config *vm, struct problem *problem);

#endif
