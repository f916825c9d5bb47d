/* SPDX-License-Identifier: ISC */
/* Address resolution for IPv4 (RFC 826). */
#ifndef VMSUP_VMPROC_ARP_H
#define VMSUP_VMPROC_ARP_H

#include "vmproc/builtin/packet.h"

struct builtin;

/* Takes an ARP packet (RFC 826, RFC 5227 §2.1.1). The rest of its frame is
 * padding. */
enum counter arp_receive(struct builtin *guest, struct packet *packet);

#endif
