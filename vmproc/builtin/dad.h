/* SPDX-License-Identifier: ISC */
/* Duplicate address detection (RFC 4862 §5.4). */
#ifndef VMSUP_VMPROC_DAD_H
#define VMSUP_VMPROC_DAD_H

#include <stdint.h>

#include "vmproc/builtin/addresses.h"

/* Begins anew for each address: at the start, and when the link can carry IPv6
 * again. */
void dad_restart(struct builtin *guest);

/* Somebody else has one of our tentative addresses: gives it up. */
void dad_conflict(struct builtin *guest, struct own_address *own,
		  uint64_t now_ns);

/* Sends what is due, and makes addresses valid. */
void dad_tick(struct builtin *guest, uint64_t now_ns);

#endif
