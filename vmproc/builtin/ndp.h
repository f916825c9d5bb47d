/* SPDX-License-Identifier: ISC */
/* Neighbour discovery for IPv6 (RFC 4861). */
#ifndef VMSUP_VMPROC_NDP_H
#define VMSUP_VMPROC_NDP_H

#include "vmproc/builtin/packet.h"

struct builtin;

/* Takes a neighbour solicitation (RFC 4861 §7.2.3, RFC 4862 §5.4.3). */
enum counter ndp_receive_solicitation(struct builtin *guest,
				      struct packet *packet);

/* Takes a neighbour advertisement (RFC 4861 §7.2.5, RFC 4862 §5.4.4). */
enum counter ndp_receive_advertisement(struct builtin *guest,
				       struct packet *packet);

#endif
