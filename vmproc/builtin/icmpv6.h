/* SPDX-License-Identifier: ISC */
/* ICMPv6 (RFC 4443). */
#ifndef VMSUP_VMPROC_ICMPV6_H
#define VMSUP_VMPROC_ICMPV6_H

#include "vmproc/builtin/packet.h"

struct builtin;

/* Takes a whole ICMPv6 message for us or for a group of ours: echo, neighbour
 * discovery, listener queries. Router messages are dropped. */
enum counter icmpv6_receive(struct builtin *guest, struct packet *packet);

#endif
