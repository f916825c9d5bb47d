/* SPDX-License-Identifier: ISC */
/* The one next-hop rule, for both families. */
#ifndef VMSUP_VMPROC_ROUTE_H
#define VMSUP_VMPROC_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/builtin/address.h"

struct builtin;
struct own_address;

enum route {
	ROUTE_NONE, /* off link, or not a host's address */
	ROUTE_SELF,
	ROUTE_DIRECT, /* on link: the target is its own next hop */
	ROUTE_WAIT, /* ask again when an own address is valid */
};

/* How a target is reached. */
enum route route_find(struct builtin *guest, const struct address *target);

/* The own address from which an IPv6 target (16 bytes) is on link: a valid one
 * if there is one, else a tentative one. NULL: there is none. */
const struct own_address *route_source(const struct builtin *guest,
				       const uint8_t *target);

/* True if an IPv6 address is within a prefix of ours. */
bool route_on_link(const struct builtin *guest, const uint8_t *address);

#endif
