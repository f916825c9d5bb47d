/* SPDX-License-Identifier: ISC */
/* Assigns TAP, MAC and IPv4 address to each VM that doesn't name its own. */
#ifndef VMSUP_SUPERVISOR_CONFIG_CONFIG_ASSIGN_H
#define VMSUP_SUPERVISOR_CONFIG_CONFIG_ASSIGN_H

struct config;
struct problem;

/*
 * Assigns TAP name, MAC and IPv4 address to each VM that doesn't have them.
 * The TAP is <tap_prefix>N, by the VM's index. The address is the lowest free
 * one of the bridge's subnet. The MAC is derived from machine_id, instance and
 * VM name; it is locally administered, unicast, and unique. Refuses
 * duplicates, and more VMs than there are uids or addresses. 0; -EINVAL or
 * -E2BIG with problem set.
 */
int config_assign(struct config *config, const char *machine_id,
		  const char *instance, struct problem *problem);

#endif
