/* SPDX-License-Identifier: ISC */
/* Multicast listener reports, version 2 (RFC 3810). */
#ifndef VMSUP_VMPROC_MLD_H
#define VMSUP_VMPROC_MLD_H

struct builtin;

/* Reports the solicited-node groups of our addresses, so that a switch which
 * snoops lets neighbour solicitations through to us. */
void mld_send_report(struct builtin *guest);

#endif
