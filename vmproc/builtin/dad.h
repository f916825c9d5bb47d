/* SPDX-License-Identifier: ISC */
/* Our IPv6 addresses, and duplicate address detection (RFC 4862 §5.4). */
#ifndef VMSUP_VMPROC_DAD_H
#define VMSUP_VMPROC_DAD_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/builtin/builtin.h"

#define DAD_LINK_LOCAL_PREFIX 10 /* fe80::/10, RFC 4291 §2.4 */

enum dad_slot {
	DAD_LINK_LOCAL,
	DAD_GIVEN,
	DAD_ADDRESSES
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

struct dad_address {
	uint8_t address[16];
	uint8_t prefix; /* on-link bits */
	uint8_t state; /* enum dad_state */
	uint64_t deadline_ns; /* of DAD_DELAY and DAD_TENTATIVE */
};

/* Sets the link-local address (EUI-64, RFC 4291 §2.5.1) and the given one, if
 * any; both begin at the next tick. */
void dad_init(struct builtin *guest, const struct builtin_config *config);

/* Begins again for each address: the link was unfit for IPv6. */
void dad_restart(struct builtin *guest);

/* True if an address of ours is in use, and not just tentative. */
bool dad_is_valid(const struct dad_address *own);

/* True if it may become one, or is one. */
bool dad_is_hoped(const struct dad_address *own);

/* The own address that is this one (16 bytes), in use or tentative; or NULL:
 * one that is a duplicate is somebody else's. */
struct dad_address *dad_find(struct builtin *guest, const uint8_t *address);

/* Hears that somebody else has a tentative address: it is given up. */
void dad_conflict(struct builtin *guest, struct dad_address *own,
		  uint64_t now_ns);

/* Sends what is due, and takes addresses into use. */
void dad_tick(struct builtin *guest, uint64_t now_ns);

#endif
