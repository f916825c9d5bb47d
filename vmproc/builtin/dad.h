/* SPDX-License-Identifier: ISC */
/* Duplicate address detection (RFC 4862 §5.4). */
#ifndef VMSUP_VMPROC_DAD_H
#define VMSUP_VMPROC_DAD_H

#include <stdint.h>

#include "vmproc/builtin/addresses.h"

/* Begins again for each address: the link was unfit for IPv6. */
void dad_restart(struct builtin *guest);

/* Hears that somebody else has a tentative address: it is given up. */
void dad_conflict(struct builtin *guest, struct own_address *own,
		  uint64_t now_ns);

/* Sends what is due, and takes addresses into use. */
void dad_tick(struct builtin *guest, uint64_t now_ns);

#endif
