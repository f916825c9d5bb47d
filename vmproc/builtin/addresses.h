/* SPDX-License-Identifier: ISC */
/* Our IPv6 addresses. dad.c alone changes their state. */
#ifndef VMSUP_VMPROC_ADDRESSES_H
#define VMSUP_VMPROC_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/builtin/builtin.h"

#define ADDRESS_LINK_LOCAL_PREFIX 10 /* fe80::/10, RFC 4291 §2.4 */

enum address_slot {
	ADDRESS_LINK_LOCAL,
	ADDRESS_GIVEN,
	ADDRESSES
};

enum dad_state {
	DAD_NONE, /* no address here */
	DAD_START, /* tentative from the next tick on */
	DAD_DELAY, /* tentative; nothing sent yet */
	DAD_TENTATIVE, /* asked whether somebody has it */
	DAD_VALID,
	DAD_DUPLICATE, /* somebody has it: never used */
	DAD_STATES
};

struct own_address {
	uint8_t address[16];
	uint8_t prefix; /* on-link bits */
	uint8_t state; /* enum dad_state */
	uint64_t deadline_ns; /* of DAD_DELAY and DAD_TENTATIVE */
};

/* Sets the link-local address (EUI-64, RFC 4291 §2.5.1) and the given one, if
 * any: both in DAD_START. */
void addresses_init(struct builtin *guest, const struct builtin_config *config);

/* True if there is an address in the slot, in whatever state. */
bool addresses_is_set(const struct own_address *own);

/* True if an address of ours is in use, and not just tentative. */
bool addresses_is_valid(const struct own_address *own);

/* True if an address is in use or tentative: one that is a duplicate is
 * somebody else's. */
bool addresses_is_ours(const struct own_address *own);

/* The own address that is this one (16 bytes), in use or tentative; or NULL. */
struct own_address *addresses_find(struct builtin *guest,
				   const uint8_t *address);

#endif
