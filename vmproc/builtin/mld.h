/* SPDX-License-Identifier: ISC */
/* Multicast listener discovery (RFC 2710): our solicited-node groups. */
#ifndef VMSUP_VMPROC_MLD_H
#define VMSUP_VMPROC_MLD_H

#include <stdint.h>

#include "vmproc/builtin/packet.h"

struct builtin;

/* Reports the solicited-node groups of our addresses, so that a switch that
 * snoops lets neighbour solicitations through to us. */
void mld_send_report(struct builtin *guest, uint64_t now_ns);

/* Takes a query (RFC 2710 §4). Reports follow within the delay that it allows,
 * unless they were sent not long ago. */
enum counter mld_receive_query(struct builtin *guest, struct packet *packet);

/* Sends the reports that a query asked for, once they are due. */
void mld_tick(struct builtin *guest, uint64_t now_ns);

#endif
