/* SPDX-License-Identifier: ISC */
/* Makes the configured VMs, a few a turn, and those defined later. */
#ifndef VMSUP_SUPERVISOR_POPULATE_H
#define VMSUP_SUPERVISOR_POPULATE_H

#include <jansson.h>

#include "ipc/loop.h"
#include "supervisor/config/config.h"

struct supervisor;

/* Assigns what the configuration leaves open: names, addresses, MACs. 0 or
 * -errno with problem set. */
int populate_assign(struct supervisor *supervisor, struct problem *problem);
/* A VM by options, as in the configuration file; NULL: the default. */
struct definition {
	const char *name, *mac, *ipv4, *ipv6;
	const json_t *allow; /* an array of strings, or NULL */
	struct machine_config *machine; /* NULL: guest builtin */
};
/* Defines a VM and starts it. On success the VM owns the machine. 0 or -errno
 * with problem set. */
int populate_define(struct supervisor *supervisor,
		    const struct definition *definition,
		    struct problem *problem);
/* Makes the next few configured VMs; ctx of the timer is the supervisor. */
timer_fn populate_some;

#endif
