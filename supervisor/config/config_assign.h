/* SPDX-License-Identifier: ISC */
/* Gives every VM what it didn't name itself: TAP, MAC, IPv4 address. */
#ifndef VMSUP_SUPERVISOR_CONFIG_CONFIG_ASSIGN_H
#define VMSUP_SUPERVISOR_CONFIG_CONFIG_ASSIGN_H

struct config;
struct problem;

/*
 * Gives every VM the TAP name, MAC and IPv4 address that it doesn't have yet:
 * TAPs <tap_prefix>N by VM index; IPv4 the lowest free host address of the
 * bridge's subnet; MAC derived from machine_id, instance and VM name
 * (locally administered, unicast; no two alike). Then refuses what can't be:
 * duplicates, more VMs than uids or addresses. 0, -EINVAL, -E2BIG.
 */
int config_assign(struct config *config, const char *machine_id,
		  const char *instance, struct problem *problem);

#endif
