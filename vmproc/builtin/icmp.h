/* SPDX-License-Identifier: ISC */
/* ICMP echo (RFC 792, RFC 1122 §3.2.2.6). */
#ifndef VMSUP_VMPROC_ICMP_H
#define VMSUP_VMPROC_ICMP_H

#include "vmproc/builtin/packet.h"

struct builtin;

/* Takes a whole ICMP message for us: answers an echo request with all of its
 * payload, and gives an echo reply to the ping that waits for it. */
enum counter icmp_receive(struct builtin *guest, struct packet *packet);

#endif
